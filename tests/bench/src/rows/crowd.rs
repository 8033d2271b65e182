//! 64 connections, one read in flight on each.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use anyhow::{Context, Result};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
};
use secure9p::{OpenFlags, Tag};

use super::{Bench, Row};
use crate::{
    floor::{self, ANSWER_BYTES},
    servers::{Kind, Server},
    talk::{Talk, frame, read},
    tree::SMALL_BYTES,
};

const CONNECTIONS: u64 = 64;

pub(super) const ROW: Row = Row {
    names: &["64-byte read, 64 connections, ops/s"],
    servers: &[Kind::Floor, Kind::Ours, Kind::Ninedoor, Kind::Diod],
    rounds_max: usize::MAX,
    measure,
};

fn measure(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let ask = if server.kind == Kind::Floor {
        vec![0; floor::ASK_BYTES]
    } else {
        frame(Tag(1), &read(0, u32::try_from(SMALL_BYTES)?))?
    };
    let ready = epoll::create(CreateFlags::CLOEXEC)?;
    let mut streams = Vec::<TcpStream>::new();
    for number in 0..CONNECTIONS {
        let mut talk = Talk::connect(server.address)?;
        if server.kind != Kind::Floor {
            talk.attach(8192, &server.entry)?;
            talk.open(&server.entry, "small", OpenFlags::RDONLY)?;
        }
        epoll::add(&ready, &talk.stream, EventData::new_u64(number), EventFlags::IN)?;
        streams.push(talk.stream);
    }
    for stream in &mut streams {
        stream.write_all(&ask)?;
    }
    let (mut events, mut answer) = (Vec::with_capacity(streams.len()), [0; ANSWER_BYTES]);
    let mut done = 0_u32;
    let start = Instant::now();
    while start.elapsed() < bench.duration {
        events.clear();
        epoll::wait(&ready, spare_capacity(&mut events), None)?;
        for event in &events {
            let number = usize::try_from(event.data.u64())?;
            let stream = streams.get_mut(number).context("an event of ours")?;
            stream.read_exact(&mut answer)?;
            stream.write_all(&ask)?;
            done += 1;
        }
    }
    let rate = f64::from(done) / start.elapsed().as_secs_f64();
    for stream in &mut streams {
        stream.read_exact(&mut answer)?;
    }
    Ok(vec![rate])
}
