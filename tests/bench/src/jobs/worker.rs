//! A worker: its orders, its jobs, and the records that it reads.
//!
//! `stats` has no way to wait: a read at the end brings nothing, so whoever follows it asks again. What that costs is in the table
//! (reads per job).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use secure9p::{Errno, Fid, OpenFlags, Rmessage, Tag, Tmessage};
use serde::Deserialize;

use crate::{
    bridge::GPU,
    client::{Client, READ_BYTES},
    kernels::descriptor,
};

const CTL: Fid = Fid(1);
const JOB: Fid = Fid(2);
const STATS: Fid = Fid(3);
const LEASE: Fid = Fid(4);

/// Tags of requests that are in flight beside each other.
const SUBMITTING: Tag = Tag(1);
const READING: Tag = Tag(2);

/// A lease that one job at a time of the bench fits into.
pub(crate) const SMALL: &str = "LEASE mem_mb=8 streams=1 ttl_s=600";

/// How long an empty kernel may take.
const EMPTY_TIMEOUT_MS: u32 = 20_000;

/// Longer than this nothing takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker, attached.
pub(crate) struct Worker {
    pub(crate) client: Client,
    /// How far `stats` was read.
    read: u64,
    /// A record that has not arrived whole.
    part: Vec<u8>,
    /// How jobs ended that nobody has asked for yet: one read may bring more than was waited for.
    ends: BTreeMap<String, String>,
    /// Reads of `stats`, those included that brought nothing.
    pub(crate) reads: u64,
}

/// What the bench wants of a record.
#[derive(Debug, Deserialize)]
pub(crate) struct Record<'a> {
    pub(crate) job: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
}

/// How long something took from the write of a descriptor.
pub(crate) struct Seen {
    /// The write was answered: the job is durable.
    pub(crate) acknowledged: Duration,
    /// The OK record was read.
    pub(crate) ended: Duration,
}

impl Worker {
    pub(crate) fn new(mut client: Client) -> Result<Self> {
        let at = |file: &str| format!("/gpu/{GPU}/{file}");
        client.open(CTL, &at("ctl"), OpenFlags::RDWR)?;
        client.open(JOB, &at("job"), OpenFlags::WRONLY)?;
        client.open(STATS, &at("stats"), OpenFlags::RDONLY)?;
        Ok(Self { client, read: 0, part: Vec::new(), ends: BTreeMap::new(), reads: 0 })
    }

    /// Writes a control line and reads what became of it.
    pub(crate) fn order(&mut self, line: &str) -> Result<String> {
        self.client.call(&control(line)).with_context(|| line.to_owned())?;
        self.status()
    }

    /// What became of the last control line.
    pub(crate) fn status(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.client.read(CTL, 0)?)?.trim_end().to_owned())
    }

    /// Puts a control line behind what is to be sent.
    pub(crate) fn queue_order(&mut self, line: &str) -> Result<()> {
        self.client.queue(Tag(0), &control(line))
    }

    /// Takes a lease, at once.
    pub(crate) fn lease(&mut self, line: &str) -> Result<()> {
        match self.order(line)? {
            status if status.starts_with("OK LEASE id=") && !status.contains("QUEUED") => Ok(()),
            status => bail!("{line}: {status}"),
        }
    }

    /// One's own leases, as the lease file shows them now.
    pub(crate) fn leases(&mut self) -> Result<String> {
        self.client.open(LEASE, &format!("/gpu/{GPU}/lease"), OpenFlags::RDONLY)?;
        let lines = self.client.read(LEASE, 0)?;
        self.client.call(&Tmessage::Clunk { fid: LEASE })?;
        Ok(String::from_utf8(lines)?)
    }

    /// Submits a job, and comes back when the bridge has acknowledged it.
    pub(crate) fn submit(&mut self, job: &str, kernel: &str, timeout_ms: u32) -> Result<()> {
        self.client.call(&submission(job, kernel, timeout_ms))?;
        Ok(())
    }

    /// The same for a kernel that does nothing.
    pub(crate) fn submit_empty(&mut self, job: &str) -> Result<()> {
        self.submit(job, "empty", EMPTY_TIMEOUT_MS)
    }

    /// Submits a job for a kernel that its module does not have: it is refused once the module has been read.
    pub(crate) fn submit_unknown(&mut self, line: &[u8]) -> Result<()> {
        let write = Tmessage::Write { fid: JOB, offset: 0, data: line.to_vec() };
        match self.client.try_call(&write)? {
            Err(Errno::EINVAL) => Ok(()),
            other => bail!("the bridge answers {other:?} to a job for an unknown kernel"),
        }
    }

    /// Puts a job that does nothing behind what is to be sent.
    pub(crate) fn queue_empty(&mut self, tag: Tag, job: &str) -> Result<()> {
        self.client.queue(tag, &submission(job, "empty", EMPTY_TIMEOUT_MS))
    }

    /// Reads once, and tells the records that came.
    pub(crate) fn follow(&mut self, tell: impl FnMut(&Record<'_>)) -> Result<()> {
        let bytes = self.client.read(STATS, self.read)?;
        self.take(&bytes, tell)
    }

    /// Tells the records that a read brought.
    fn take(&mut self, bytes: &[u8], mut tell: impl FnMut(&Record<'_>)) -> Result<()> {
        self.reads += 1;
        self.read += bytes.len() as u64;
        self.part.extend(bytes);
        let Some(end) = self.part.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        for line in self.part[..end].split(|byte| *byte == b'\n') {
            tell(&serde_json::from_slice(line).context("a record")?);
        }
        self.part.drain(..=end);
        Ok(())
    }

    /// Reads, again and again without a pause, until the job has ended; how.
    pub(crate) fn until_end(&mut self, job: &str) -> Result<String> {
        let started = Instant::now();
        let mut ends = std::mem::take(&mut self.ends);
        while !ends.contains_key(job) {
            self.follow(|record| {
                if let (Some(of), Some(state @ ("OK" | "ERR"))) = (record.job, record.state) {
                    ends.insert(of.to_owned(), record.code.unwrap_or(state).to_owned());
                }
            })?;
            ensure!(started.elapsed() < PATIENCE, "{job} did not end in {PATIENCE:?}");
        }
        self.ends = ends;
        self.ends.remove(job).context("it has ended")
    }

    /// Submits a kernel that does nothing and follows it to its end, without waiting for the acknowledgement first.
    pub(crate) fn run_empty(&mut self, job: &str) -> Result<Seen> {
        let started = Instant::now();
        self.queue_empty(SUBMITTING, job)?;
        let (mut acknowledged, mut ended, mut reading) = (None, None, false);
        loop {
            if let (Some(acknowledged), Some(ended)) = (acknowledged, ended) {
                return Ok(Seen { acknowledged, ended });
            }
            if ended.is_none() && !reading {
                let read = Tmessage::Read { fid: STATS, offset: self.read, count: READ_BYTES };
                self.client.queue(READING, &read)?;
                self.client.send()?;
                reading = true;
            }
            match self.client.hear()? {
                (SUBMITTING, answer) => {
                    Self::acknowledged(answer)?;
                    acknowledged = Some(started.elapsed());
                }
                (_, answer) => {
                    reading = false;
                    if self.shows_ok(answer, job)? {
                        ended = Some(started.elapsed());
                    }
                }
            }
        }
    }

    fn shows_ok(&mut self, answer: Rmessage, job: &str) -> Result<bool> {
        let Rmessage::Read { data } = answer else {
            bail!("the bridge answers {answer:?} to Tread")
        };
        let mut state = None;
        self.take(data.as_slice(), |record| {
            if record.job == Some(job) {
                state = record.state.map(str::to_owned);
            }
        })?;
        match state.as_deref() {
            Some("ERR") => bail!("{job} failed"),
            state => Ok(state == Some("OK")),
        }
    }

    /// Takes one acknowledgement.
    pub(crate) fn acknowledged(answer: Rmessage) -> Result<()> {
        match answer.into_result() {
            Ok(Rmessage::Write { .. }) => Ok(()),
            other => bail!("the bridge answers {other:?} to a job"),
        }
    }
}

fn control(line: &str) -> Tmessage {
    Tmessage::Write { fid: CTL, offset: 0, data: format!("{line}\n").into_bytes() }
}

fn submission(job: &str, kernel: &str, timeout_ms: u32) -> Tmessage {
    Tmessage::Write { fid: JOB, offset: 0, data: descriptor(job, kernel, timeout_ms) }
}
