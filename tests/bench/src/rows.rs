//! What is measured: the rows of the table, and the rounds that bring their numbers.

mod bulk;
mod bursts;
mod crowd;
mod cycles;
mod idle;
mod pipelined;
mod sequential;
mod tls;

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use anyhow::{Context, Result};
use secure9p_tokio::tls::{AuthorityFiles, init};

use crate::{
    figures::{median, readable},
    servers::{Kind, Server},
};

/// One measurement, which may bring several numbers.
pub(crate) struct Row {
    /// What each number is, with its unit.
    names: &'static [&'static str],
    /// Servers it makes sense for.
    servers: &'static [Kind],
    /// Most rounds it is measured in: what takes long and hardly varies needs few.
    rounds_max: usize,
    measure: fn(&Bench, &Server) -> Result<Vec<f64>>,
}

const ROWS: &[Row] = &[
    sequential::ROW,
    pipelined::ROW,
    crowd::ROW,
    cycles::FILE,
    cycles::CONNECTION,
    bulk::READ_64K,
    bulk::READ_1M,
    bulk::WRITE_64K,
    bulk::WRITE_1M,
    idle::ROW,
    bursts::ROW,
    tls::HANDSHAKES,
    tls::READ,
    tls::BULK,
];

const COLUMNS: [Kind; 5] = [Kind::Floor, Kind::Ours, Kind::Ninedoor, Kind::Diod, Kind::OursTls];

/// Running servers, and how long to measure them.
pub(crate) struct Bench {
    rounds: usize,
    pub(crate) duration: Duration,
    cpu: usize,
    certificates: tempfile::TempDir,
    servers: Vec<Server>,
}

impl Bench {
    pub(crate) fn start(rounds: usize, seconds: f64, cpu: usize) -> Result<Self> {
        let certificates = tempfile::tempdir()?;
        init(certificates.path(), &["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let mut servers = Vec::new();
        for kind in COLUMNS {
            servers.push(Server::start(kind, cpu, certificates.path())?);
        }
        let duration = Duration::from_secs_f64(seconds);
        Ok(Self { rounds, duration, cpu, certificates, servers })
    }

    /// A server that nobody has used yet.
    pub(crate) fn fresh(&self, kind: Kind) -> Result<Server> {
        Server::start(kind, self.cpu, self.certificates.path())
    }

    pub(crate) fn authority(&self) -> AuthorityFiles {
        AuthorityFiles::of(self.certificates.path())
    }

    /// Measures every row in every round, one server after the other, and gives the medians as a table.
    pub(crate) fn run(&self, only: &str) -> Result<String> {
        let mut brought = BTreeMap::<(usize, usize, usize), Vec<f64>>::new();
        let rows: Vec<_> =
            ROWS.iter().filter(|row| row.names.iter().any(|name| name.contains(only))).collect();
        for round in 0..self.rounds {
            eprintln!("round {} of {}", round + 1, self.rounds);
            for (number, row) in rows.iter().enumerate().filter(|(_, row)| round < row.rounds_max) {
                for (column, server) in self.servers.iter().enumerate() {
                    if !row.servers.contains(&server.kind) {
                        continue;
                    }
                    let numbers = (row.measure)(self, server)
                        .with_context(|| format!("{} of {:?}", row.names[0], server.kind))?;
                    for (line, value) in numbers.into_iter().enumerate() {
                        brought.entry((number, line, column)).or_default().push(value);
                    }
                }
            }
        }
        Ok(table(&rows, brought))
    }
}

fn table(rows: &[&Row], mut brought: BTreeMap<(usize, usize, usize), Vec<f64>>) -> String {
    let mut table = String::from(
        "| | TCP floor | ours | ours, NineDoor | diod | ours, TLS |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (number, row) in rows.iter().enumerate() {
        for (line, name) in row.names.iter().enumerate() {
            let _ = write!(table, "| {name} |");
            for column in 0..COLUMNS.len() {
                let number = brought.remove(&(number, line, column)).map(median);
                let _ = write!(table, " {} |", number.map_or_else(|| "–".to_owned(), readable));
            }
            table.push('\n');
        }
    }
    table
}
