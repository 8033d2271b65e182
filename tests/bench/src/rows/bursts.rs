//! 20 bursts of 200 connects at the same moment: how many are not served within two seconds.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Result;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with},
};

use super::{Bench, Row};
use crate::{
    servers::{Kind, Server},
    talk::version,
};

const BURSTS: usize = 20;
const CONNECTS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) const ROW: Row = Row {
    names: &["bursts of 200 connects: unserved of 4000"],
    servers: &[Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: 1,
    measure,
};

fn measure(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let fresh = bench.fresh(server.kind)?;
    let mut unserved = 0_u32;
    for _ in 0..BURSTS {
        unserved += u32::try_from(CONNECTS - served(fresh.address)?)?;
    }
    Ok(vec![f64::from(unserved)])
}

/// Connects all at once, says Tversion on each, and counts who is answered in time.
fn served(address: SocketAddr) -> Result<usize> {
    let hello = version(8192)?;
    let sockets: Vec<_> = (0..CONNECTS).map(|_| begin(address)).collect::<Result<_>>()?;
    let by = Instant::now() + PATIENCE;
    let connected: Vec<_> = sockets
        .into_iter()
        .map(TcpStream::from)
        .filter(|stream| is_ready(stream, PollFlags::OUT, by))
        .filter_map(|mut stream| stream.write_all(&hello).is_ok().then_some(stream))
        .collect();
    Ok(connected
        .into_iter()
        .filter(|stream| is_ready(stream, PollFlags::IN, by))
        .filter(|mut stream| stream.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0))
        .count())
}

fn begin(address: SocketAddr) -> Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(refused) => Err(refused.into()),
    }
}

fn is_ready(stream: &TcpStream, flags: PollFlags, by: Instant) -> bool {
    let patience = Timespec::try_from(by.saturating_duration_since(Instant::now()));
    let mut fds = [PollFd::new(stream, flags)];
    patience.is_ok_and(|patience| poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready == 1))
}
