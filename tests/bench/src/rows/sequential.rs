//! One reader, one read at a time: how long an answer takes.

use std::{
    io::{Read, Write},
    time::Instant,
};

use anyhow::Result;
use secure9p::{OpenFlags, Tag};

use super::{Bench, Row};
use crate::{
    figures::Times,
    floor,
    servers::{Kind, Server},
    talk::{Talk, frame, read},
    tree::SMALL_BYTES,
};

pub(super) const ROW: Row = Row {
    names: &["64-byte read, sequential, p50 µs", "64-byte read, sequential, p99 µs"],
    servers: &[Kind::Floor, Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: usize::MAX,
    measure,
};

fn measure(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let mut talk = Talk::connect(server.address)?;
    let ask = if server.kind == Kind::Floor {
        vec![0; floor::ASK_BYTES]
    } else {
        talk.attach(8192, &server.entry)?;
        talk.open(&server.entry, "small", OpenFlags::RDONLY)?;
        frame(Tag(1), &read(0, u32::try_from(SMALL_BYTES)?))?
    };
    let times = times(bench, &mut talk.stream, &ask)?;
    Ok(vec![times.percentile_us(0.5), times.percentile_us(0.99)])
}

/// Asks the same again and again; every answer has the same length.
pub(super) fn times(bench: &Bench, stream: &mut (impl Read + Write), ask: &[u8]) -> Result<Times> {
    let mut answer = [0; floor::ANSWER_BYTES];
    let mut times = Vec::with_capacity(1 << 16);
    let start = Instant::now();
    while start.elapsed() < bench.duration {
        let asked_at = Instant::now();
        stream.write_all(ask)?;
        stream.read_exact(&mut answer)?;
        times.push(asked_at.elapsed());
    }
    Ok(Times::new(times))
}
