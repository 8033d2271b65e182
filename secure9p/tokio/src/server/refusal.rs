//! Tells a peer that is not let in why: as the answer to its Tversion, so that `mount` and other clients can say it.
//!
//! Costs little: a bounded number at a time, a bounded wait, and no service.

use std::io;

use secure9p::{Dialect, Rmessage, Tag, Tmessage, limits::FIRST_FRAME_BYTES_MAX};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    limits::{REFUSAL_TIMEOUT, REFUSED_BYTES_MAX},
    server::service::ConnectRefused,
    stream::Stream,
};

/// Waits for the peer's Tversion, answers it with the refusal, closes.
pub(crate) async fn tell(mut stream: Stream, refused: ConnectRefused) {
    // a peer that does not listen learns nothing, and that is its own affair
    let _ = timeout(REFUSAL_TIMEOUT, answer_tversion(&mut stream, &refused)).await;
}

async fn answer_tversion(stream: &mut Stream, refused: &ConnectRefused) -> io::Result<()> {
    let asked = read_frame(stream).await?;
    let Ok((tag, Tmessage::Version { version, .. })) = Tmessage::decode(&asked, Dialect::Linux)
    else {
        return Ok(());
    };
    stream.write_all(&refusal(tag, &version, refused)).await?;
    stream.shutdown().await?;
    // a reset must not overtake the refusal: wait until the peer has seen it
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

fn refusal(tag: Tag, version: &str, refused: &ConnectRefused) -> Vec<u8> {
    let dialect = Dialect::from_version(version).unwrap_or(Dialect::Linux);
    let message = match dialect {
        Dialect::Linux => Rmessage::Lerror { ecode: refused.errno },
        Dialect::Plan9 => Rmessage::Error { ename: refused.why.clone() },
    };
    let mut frame = Vec::new();
    // a reason too long to send leaves the frame empty: the peer then only sees the end
    let _ = message.encode(tag, dialect, FIRST_FRAME_BYTES_MAX, &mut frame);
    frame
}

/// The first frame, if it is short enough to be a Tversion.
async fn read_frame(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame).await?;
    let bytes = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    if !(4..=REFUSED_BYTES_MAX).contains(&bytes) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    frame.resize(bytes, 0);
    stream.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}
