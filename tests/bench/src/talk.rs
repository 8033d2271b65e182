//! A client as thin as can be: blocking, frames made beforehand, so that what is measured is the server.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, Result, bail};
use secure9p::{Dialect, Fid, NumericUname, OpenFlags, Rmessage, Tag, Tmessage};

use crate::servers::Entry;

/// Longest frame there is.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// One connection.
pub(crate) struct Talk<S> {
    pub(crate) stream: S,
    heard: Vec<u8>,
}

impl Talk<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Talk<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, heard: vec![0; FRAME_BYTES_MAX] }
    }

    /// Sends one frame, and takes the one that answers it; its length.
    pub(crate) fn exchange(&mut self, frame: &[u8]) -> Result<usize> {
        self.stream.write_all(frame)?;
        self.hear()
    }

    /// Takes exactly one frame; there must be no further one in flight.
    fn hear(&mut self) -> Result<usize> {
        let mut bytes = 0;
        loop {
            let read = self.stream.read(&mut self.heard[bytes..])?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            bytes += read;
            if bytes >= 4 && bytes >= frame_bytes(&self.heard) {
                return Ok(bytes);
            }
        }
    }

    /// An exchange that is not measured, and must not be refused.
    pub(crate) fn call(&mut self, message: &Tmessage) -> Result<Rmessage> {
        let bytes = self.exchange(&frame(Tag(1), message)?)?;
        match Rmessage::decode(&self.heard[..bytes], Dialect::Linux)?.1 {
            Rmessage::Lerror { ecode } => bail!("{message:?} is refused: {ecode}"),
            reply => Ok(reply),
        }
    }

    /// Agrees on a version and attaches as fid 0; the msize that came of it.
    pub(crate) fn attach(&mut self, msize: u32, entry: &Entry) -> Result<u32> {
        let bytes = self.exchange(&version(msize)?)?;
        let Rmessage::Version { msize, .. } =
            Rmessage::decode(&self.heard[..bytes], Dialect::Linux)?.1
        else {
            bail!("the server does not speak 9P2000.L");
        };
        self.call(&attach(entry))?;
        Ok(msize)
    }

    /// Opens a file as fid 1.
    pub(crate) fn open(&mut self, entry: &Entry, name: &str, flags: OpenFlags) -> Result<()> {
        self.call(&walk(entry, name))?;
        self.call(&Tmessage::Lopen { fid: Fid(1), flags })?;
        Ok(())
    }
}

pub(crate) fn version(msize: u32) -> Result<Vec<u8>> {
    frame(Tag::NOTAG, &Tmessage::Version { msize, version: "9P2000.L".to_owned() })
}

pub(crate) fn attach(entry: &Entry) -> Tmessage {
    Tmessage::Attach {
        fid: Fid(0),
        afid: Fid::NOFID,
        uname: entry.uname.to_owned(),
        aname: entry.aname.clone(),
        n_uname: NumericUname(0),
    }
}

pub(crate) fn walk(entry: &Entry, name: &str) -> Tmessage {
    let wname = entry.directory.into_iter().chain([name]).map(str::to_owned).collect();
    Tmessage::Walk { fid: Fid(0), newfid: Fid(1), wname }
}

/// A Tread of fid 1.
pub(crate) fn read(offset: u64, count: u32) -> Tmessage {
    Tmessage::Read { fid: Fid(1), offset, count }
}

pub(crate) fn frame(tag: Tag, message: &Tmessage) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let bytes_max = u32::try_from(FRAME_BYTES_MAX).context("a frame's length fits")?;
    message.encode(tag, Dialect::Linux, bytes_max, &mut frame)?;
    Ok(frame)
}

/// size[4] of the frame that begins here.
pub(crate) fn frame_bytes(bytes: &[u8]) -> usize {
    match bytes {
        [a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => usize::MAX,
    }
}
