//! Bulk data: a file of 8 MiB, over and over, with one and with four pieces in flight.

use std::{
    io::{Read, Write},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use secure9p::{Fid, OpenFlags, Tag, Tmessage};

use super::{Bench, Row};
use crate::{
    servers::{Kind, Server},
    talk::{Talk, frame, frame_bytes, read},
    tree::LARGE_BYTES,
};

/// What a frame adds to the data, at most.
const IO_HEADER_BYTES: u32 = 24;

macro_rules! row {
    ($name:ident, $msize:literal, $direction:ident, $one:literal, $four:literal) => {
        pub(super) const $name: Row = Row {
            names: &[$one, $four],
            servers: &[Kind::Ours, Kind::Ninedoor, Kind::Diod],
            rounds_max: usize::MAX,
            measure: |bench, server| measure(bench, server, $msize, Direction::$direction),
        };
    };
}

row!(READ_64K, 65_536, Read, "bulk read, msize 64 KiB, 1 in flight, MB/s", "… 4 in flight, MB/s");
row!(
    READ_1M,
    1_048_576,
    Read,
    "bulk read, msize 1 MiB (diod: its 64 KiB), 1 in flight, MB/s",
    "… 4 in flight, MB/s"
);
row!(
    WRITE_64K,
    65_536,
    Write,
    "bulk write, msize 64 KiB, 1 in flight, MB/s",
    "… 4 in flight, MB/s"
);
row!(
    WRITE_1M,
    1_048_576,
    Write,
    "bulk write, msize 1 MiB (diod: its 64 KiB), 1 in flight, MB/s",
    "… 4 in flight, MB/s"
);

#[derive(Debug, Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

fn measure(bench: &Bench, server: &Server, msize: u32, direction: Direction) -> Result<Vec<f64>> {
    [1, 4]
        .into_iter()
        .map(|in_flight| {
            let mut talk = Talk::connect(server.address)?;
            let msize = talk.attach(msize, &server.entry)?;
            transfer(bench, server, &mut talk, msize, direction, in_flight)
        })
        .collect()
}

/// MB/s over a connection that has attached.
pub(super) fn transfer(
    bench: &Bench,
    server: &Server,
    talk: &mut Talk<impl Read + Write>,
    msize: u32,
    direction: Direction,
    in_flight: u16,
) -> Result<f64> {
    let piece = msize - IO_HEADER_BYTES;
    let asks = match direction {
        Direction::Read => {
            talk.open(&server.entry, "large", OpenFlags::RDONLY)?;
            asks(piece, |offset| read(offset, piece))?
        }
        Direction::Write => {
            talk.open(&server.entry, "large", OpenFlags::WRONLY)?;
            let data = vec![8; piece as usize];
            asks(piece, |offset| Tmessage::Write { fid: Fid(1), offset, data: data.clone() })?
        }
    };
    let mut asks = asks.iter().cycle();
    for _ in 0..in_flight {
        talk.stream.write_all(asks.next().map_or(&[][..], Vec::as_slice))?;
    }
    let (mut answers, mut heard) = (Answers::default(), vec![0; 1 << 20]);
    let (mut done, start) = (0_u32, Instant::now());
    while start.elapsed() < bench.duration {
        let bytes = talk.stream.read(&mut heard)?;
        if bytes == 0 {
            bail!("the server closed the connection");
        }
        for _ in 0..answers.complete(&heard[..bytes])? {
            talk.stream.write_all(asks.next().map_or(&[][..], Vec::as_slice))?;
            done += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    // diod dies of a connection that is closed with requests in flight
    let mut left = usize::from(in_flight);
    while left > 0 {
        let bytes = talk.stream.read(&mut heard)?;
        left -=
            answers.complete(heard.get(..bytes).filter(|it| !it.is_empty()).context("closed")?)?;
    }
    Ok(f64::from(done) * f64::from(piece) / seconds / 1e6)
}

/// One frame for each piece of the file; as many tags as there may be in flight, in turn.
fn asks(piece: u32, message: impl Fn(u64) -> Tmessage) -> Result<Vec<Vec<u8>>> {
    let pieces = LARGE_BYTES / piece as usize;
    (0..pieces)
        .map(|number| {
            let tag = Tag(u16::try_from(number % 1024)?);
            frame(tag, &message(number as u64 * u64::from(piece)))
        })
        .collect()
}

/// Counts whole answers in a stream that is cut anywhere.
#[derive(Default)]
struct Answers {
    head: Vec<u8>,
    missing: usize,
}

impl Answers {
    fn complete(&mut self, mut bytes: &[u8]) -> Result<usize> {
        let mut complete = 0;
        while !bytes.is_empty() {
            if self.missing == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(5 - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if self.head.len() < 5 {
                    break;
                }
                if self.head[4] == 7 {
                    bail!("the server refused a piece");
                }
                self.missing = frame_bytes(&self.head) - 5;
                self.head.clear();
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(self.missing));
            self.missing -= taken.len();
            bytes = rest;
            complete += usize::from(self.missing == 0);
        }
        Ok(complete)
    }
}
