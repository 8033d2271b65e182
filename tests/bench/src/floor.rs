//! The floor: a server that does nothing but move as many bytes as 9P would, a thread a connection, blocking.

use std::{
    io::{Read, Result, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A Tread, and the Rread of 64 bytes that answers it.
pub(crate) const ASK_BYTES: usize = 23;
pub(crate) const ANSWER_BYTES: usize = 11 + 64;

pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        thread::spawn(|| answer(stream));
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = vec![0; 64 * 1024];
    let answers = vec![7; asked.len() / ASK_BYTES * ANSWER_BYTES + ANSWER_BYTES];
    let mut left = 0;
    loop {
        let bytes = stream.read(&mut asked)?;
        if bytes == 0 {
            return Ok(());
        }
        let count = (left + bytes) / ASK_BYTES;
        left = (left + bytes) % ASK_BYTES;
        stream.write_all(&answers[..count * ANSWER_BYTES])?;
    }
}
