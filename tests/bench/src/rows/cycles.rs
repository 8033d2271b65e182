//! What a shell does all day: a file from walk to clunk, a connection from its first byte to its last.

use std::time::Instant;

use anyhow::Result;
use secure9p::{Fid, OpenFlags, Tag, Tmessage};

use super::{Bench, Row};
use crate::{
    figures::Times,
    servers::{Kind, Server},
    talk::{Talk, attach, frame, read, version, walk},
    tree::SMALL_BYTES,
};

pub(super) const FILE: Row = Row {
    names: &["walk, open, read, clunk, p50 µs"],
    servers: &[Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: usize::MAX,
    measure: measure_file,
};

pub(super) const CONNECTION: Row = Row {
    names: &["connect, version, attach … clunk, close, p50 µs"],
    servers: &[Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: usize::MAX,
    measure: measure_connection,
};

fn file_frames(server: &Server) -> Result<Vec<Vec<u8>>> {
    [
        walk(&server.entry, "small"),
        Tmessage::Lopen { fid: Fid(1), flags: OpenFlags::RDONLY },
        read(0, u32::try_from(SMALL_BYTES)?),
        Tmessage::Clunk { fid: Fid(1) },
    ]
    .iter()
    .map(|message| frame(Tag(1), message))
    .collect()
}

fn measure_file(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let mut talk = Talk::connect(server.address)?;
    talk.attach(8192, &server.entry)?;
    let frames = file_frames(server)?;
    repeat(bench, || {
        for frame in &frames {
            talk.exchange(frame)?;
        }
        Ok(())
    })
}

fn measure_connection(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let mut frames = vec![version(8192)?, frame(Tag(1), &attach(&server.entry))?];
    frames.extend(file_frames(server)?);
    repeat(bench, || {
        let mut talk = Talk::connect(server.address)?;
        for frame in &frames {
            talk.exchange(frame)?;
        }
        Ok(())
    })
}

fn repeat(bench: &Bench, mut cycle: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < bench.duration {
        let began_at = Instant::now();
        cycle()?;
        times.push(began_at.elapsed());
    }
    Ok(vec![Times::new(times).percentile_us(0.5)])
}
