//! One connection, 32 reads in flight: how much a server does when it need not wait.

use std::{
    io::{Read, Write},
    time::Instant,
};

use anyhow::{Result, bail};
use secure9p::{OpenFlags, Tag};

use super::{Bench, Row};
use crate::{
    floor::{self, ANSWER_BYTES},
    servers::{Kind, Server},
    talk::{Talk, frame, read},
    tree::SMALL_BYTES,
};

const IN_FLIGHT: usize = 32;

pub(super) const ROW: Row = Row {
    names: &["64-byte read, 32 in flight, ops/s"],
    servers: &[Kind::Floor, Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: usize::MAX,
    measure,
};

/// Each answer that comes is followed by the next question; those of one read go out in one write. Tags go round, for diod
/// dies now and then of one that is used again at once.
fn measure(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let mut talk = Talk::connect(server.address)?;
    let mut asks = Asks { frame: vec![0; floor::ASK_BYTES], tag: 0 };
    if server.kind != Kind::Floor {
        talk.attach(8192, &server.entry)?;
        talk.open(&server.entry, "small", OpenFlags::RDONLY)?;
        asks.frame = frame(Tag(0), &read(0, u32::try_from(SMALL_BYTES)?))?;
    }
    let mut stream = talk.stream;
    let mut out = Vec::new();
    (0..IN_FLIGHT).for_each(|_| asks.append_to(&mut out));
    stream.write_all(&out)?;
    let (mut heard, mut held, mut done) = (vec![0; 64 * 1024], 0, 0_u32);
    let start = Instant::now();
    while start.elapsed() < bench.duration {
        let bytes = stream.read(&mut heard[held..])?;
        if bytes == 0 {
            bail!("the server closed the connection");
        }
        held += bytes;
        out.clear();
        let mut answers = heard[..held].chunks_exact(ANSWER_BYTES);
        for _ in &mut answers {
            asks.append_to(&mut out);
            done += 1;
        }
        let rest = answers.remainder().len();
        heard.copy_within(held - rest..held, 0);
        held = rest;
        stream.write_all(&out)?;
    }
    let rate = f64::from(done) / start.elapsed().as_secs_f64();
    // diod dies of a connection that is closed with requests in flight
    let left = IN_FLIGHT * ANSWER_BYTES - held;
    stream.read_exact(&mut vec![0; left])?;
    Ok(vec![rate])
}

/// The same question under ever other tags.
struct Asks {
    frame: Vec<u8>,
    tag: u16,
}

impl Asks {
    fn append_to(&mut self, out: &mut Vec<u8>) {
        self.tag = (self.tag + 1) % 0x8000;
        self.frame[5..7].copy_from_slice(&self.tag.to_le_bytes());
        out.extend_from_slice(&self.frame);
    }
}
