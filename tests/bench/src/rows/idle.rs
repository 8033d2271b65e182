//! 1000 connections that have attached and say nothing: what they cost.

use anyhow::Result;

use super::{Bench, Row};
use crate::servers::{Kind, Server};

const CONNECTIONS: u16 = 1000;

pub(super) const ROW: Row = Row {
    names: &["idle attached connection, KiB", "threads for 1000 of them"],
    servers: &[Kind::Ours, Kind::Ninedoor, Kind::Diod, Kind::OursTls],
    rounds_max: 3,
    measure,
};

fn measure(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let fresh = bench.fresh(server.kind)?;
    let _first = super::tls::attached(bench, &fresh)?;
    let (resident_before, threads_before) = fresh.footprint()?;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(super::tls::attached(bench, &fresh)?);
    }
    let (resident, threads) = fresh.footprint()?;
    let kib = (resident - resident_before) / 1024.0 / f64::from(CONNECTIONS);
    Ok(vec![kib, f64::from(threads - threads_before)])
}
