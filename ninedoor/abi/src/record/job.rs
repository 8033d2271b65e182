//! `gpu-job/v1`.

use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{parse, to_line};
use crate::{JobId, LeaseId, PathName, Refusal, UnixMs, job::Sha256};

const SCHEMA: &str = "gpu-job/v1";

/// One step of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// When.
    pub ts_ms: UnixMs,
    /// Which.
    pub job: JobId,
    /// By which lease.
    pub lease: LeaseId,
    /// What happened.
    pub step: JobStep,
}

/// What happened to a job. `Ok` and `Err` are ends, and a job has exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStep {
    /// It was accepted and waits.
    Queued {
        /// Its place among the lease's jobs, from 1.
        pos: u32,
        /// For what it waits.
        reason: QueueReason,
    },
    /// It was handed to its executor.
    Running,
    /// Done.
    Ok {
        /// From acceptance to running, microseconds.
        queue_us: u64,
        /// Copying to the device.
        h2d_us: u64,
        /// The kernel itself.
        kernel_us: u64,
        /// Copying back.
        d2h_us: u64,
        /// What it wrote.
        outputs: Vec<OutputRecord>,
    },
    /// Ended without result.
    Err {
        /// Why, in one word.
        code: JobCode,
        /// Why, in a sentence.
        detail: String,
        /// Whether the executor had to end with it.
        sticky: bool,
    },
}

impl JobStep {
    /// Whether nothing more will become of the job.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Ok { .. } | Self::Err { .. })
    }
}

/// One file that a job wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRecord {
    /// Where it is read.
    pub path: PathName,
    /// Its length.
    pub bytes: u64,
    /// Its content's hash.
    pub sha256: Sha256,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in the record.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one with this word.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// For what a job waits.
    QueueReason {
        /// For nothing: it is next.
        Next = "next",
        /// For jobs of its own lease with higher priority or submitted earlier.
        Priority = "priority",
        /// For a free stream of its lease.
        Streams = "streams",
        /// For device memory that other jobs of its lease have.
        Memory = "memory",
        /// For the GPU, which another lease has the turn on.
        Share = "share",
        /// For its executor to be ready.
        Executor = "executor",
        /// For the GPU to be usable again.
        Gpu = "gpu",
    }
}

words! {
    /// Why a job ended without result.
    JobCode {
        /// It ran longer than `timeout_ms`.
        Timeout = "TIMEOUT",
        /// It waited longer than `queue_timeout_ms`.
        QueueTimeout = "QUEUE_TIMEOUT",
        /// The module's bytes do not have the hash that was given.
        Hash = "HASH",
        /// It needed more device memory than its lease has.
        Oom = "OOM",
        /// The kernel broke a rule while running.
        Fault = "FAULT",
        /// Its lease ended: time over, or given back.
        LeaseExpired = "LEASE_EXPIRED",
        /// Its lease was taken back.
        Revoked = "REVOKED",
        /// Someone who may asked for its end.
        Cancelled = "CANCELLED",
        /// What became of it cannot be known: its executor or the daemon died.
        Lost = "LOST",
        /// No executor could be started for its lease.
        Executor = "EXECUTOR",
        /// It asked for something that cannot be: grid, block, parameters.
        Invalid = "INVALID",
        /// The module is malformed or does not compile.
        Module = "MODULE",
        /// The module has no such kernel.
        Kernel = "KERNEL",
        /// Well-formed, and this GPU cannot run it.
        Unsupported = "UNSUPPORTED",
        /// The GPU or its driver failed.
        Device = "DEVICE",
        /// The GPU was reset.
        Reset = "RESET",
    }
}

/// The record as JSON has it: one flat object, the order of fields is the order of keys.
#[derive(Serialize, Deserialize)]
struct Wire {
    schema: String,
    ts_ms: u64,
    job: String,
    lease: String,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pos: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<QueueReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h2d_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d2h_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<OutputWire>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<JobCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sticky: Option<bool>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Queued,
    Running,
    Ok,
    Err,
}

#[derive(Serialize, Deserialize)]
struct OutputWire {
    path: String,
    bytes: u64,
    sha256: String,
}

impl JobRecord {
    /// The record as one line, without the newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        to_line(&Wire::from(self))
    }
}

impl From<&JobRecord> for Wire {
    fn from(record: &JobRecord) -> Self {
        let blank = Self {
            schema: SCHEMA.into(),
            ts_ms: record.ts_ms.0,
            job: record.job.as_str().into(),
            lease: alloc::format!("{}", record.lease),
            state: State::Running,
            pos: None,
            reason: None,
            queue_us: None,
            h2d_us: None,
            kernel_us: None,
            d2h_us: None,
            outputs: None,
            code: None,
            detail: None,
            sticky: None,
        };
        match &record.step {
            JobStep::Queued { pos, reason } => {
                Self { state: State::Queued, pos: Some(*pos), reason: Some(*reason), ..blank }
            }
            JobStep::Running => blank,
            JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, outputs } => Self {
                state: State::Ok,
                queue_us: Some(*queue_us),
                h2d_us: Some(*h2d_us),
                kernel_us: Some(*kernel_us),
                d2h_us: Some(*d2h_us),
                outputs: Some(outputs.iter().map(OutputWire::from).collect()),
                ..blank
            },
            JobStep::Err { code, detail, sticky } => Self {
                state: State::Err,
                code: Some(*code),
                detail: Some(detail.clone()),
                sticky: Some(*sticky),
                ..blank
            },
        }
    }
}

impl From<&OutputRecord> for OutputWire {
    fn from(output: &OutputRecord) -> Self {
        Self { path: output.path.as_str().into(), bytes: output.bytes, sha256: output.sha256.hex() }
    }
}

impl FromStr for JobRecord {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        let wire: Wire = parse(line, SCHEMA)?;
        if wire.schema != SCHEMA {
            return Err(Refusal::invalid(alloc::format!(
                "schema is {:?}, wanted {SCHEMA:?}",
                wire.schema
            )));
        }
        let (job, lease) = (wire.job.parse()?, wire.lease.parse()?);
        let ts_ms = UnixMs(wire.ts_ms);
        Ok(Self { ts_ms, job, lease, step: wire.step()? })
    }
}

impl Wire {
    fn step(self) -> Result<JobStep, Refusal> {
        match self.state {
            State::Queued => Ok(JobStep::Queued {
                pos: needed("pos", self.pos)?,
                reason: needed("reason", self.reason)?,
            }),
            State::Running => Ok(JobStep::Running),
            State::Ok => Ok(JobStep::Ok {
                queue_us: needed("queue_us", self.queue_us)?,
                h2d_us: needed("h2d_us", self.h2d_us)?,
                kernel_us: needed("kernel_us", self.kernel_us)?,
                d2h_us: needed("d2h_us", self.d2h_us)?,
                outputs: needed("outputs", self.outputs)?
                    .into_iter()
                    .map(output)
                    .collect::<Result<_, _>>()?,
            }),
            State::Err => Ok(JobStep::Err {
                code: needed("code", self.code)?,
                detail: needed("detail", self.detail)?,
                sticky: needed("sticky", self.sticky)?,
            }),
        }
    }
}

fn output(wire: OutputWire) -> Result<OutputRecord, Refusal> {
    Ok(OutputRecord {
        path: wire.path.parse()?,
        bytes: wire.bytes,
        sha256: Sha256::of_hex(&wire.sha256)?,
    })
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(alloc::format!("{SCHEMA} record has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn record(step: JobStep) -> JobRecord {
        JobRecord {
            ts_ms: UnixMs(1_700_000_000_000),
            job: "jid-42".parse().unwrap(),
            lease: LeaseId(7),
            step,
        }
    }

    /// Proves REC-3.
    #[test]
    fn every_step_of_a_job_is_written_as_the_design_says_and_read_back() {
        let head =
            r#"{"schema":"gpu-job/v1","ts_ms":1700000000000,"job":"jid-42","lease":"lease-7","#;
        let result = OutputRecord {
            path: "/worker/jid-42/result".parse().unwrap(),
            bytes: 131_072,
            sha256: Sha256([0xab; 32]),
        };
        let hex = "ab".repeat(32);
        for (step, tail) in [
            (
                JobStep::Queued { pos: 2, reason: QueueReason::Priority },
                r#""state":"QUEUED","pos":2,"reason":"priority"}"#.into(),
            ),
            (JobStep::Running, r#""state":"RUNNING"}"#.into()),
            (
                JobStep::Ok {
                    queue_us: 1,
                    h2d_us: 2,
                    kernel_us: 3,
                    d2h_us: 4,
                    outputs: vec![result],
                },
                alloc::format!(
                    r#""state":"OK","queue_us":1,"h2d_us":2,"kernel_us":3,"d2h_us":4,"outputs":[{{"path":"/worker/jid-42/result","bytes":131072,"sha256":"{hex}"}}]}}"#
                ),
            ),
            (
                JobStep::Err {
                    code: JobCode::Timeout,
                    detail: "ran \"5000\" ms".into(),
                    sticky: false,
                },
                r#""state":"ERR","code":"TIMEOUT","detail":"ran \"5000\" ms","sticky":false}"#
                    .into(),
            ),
        ] {
            let record = record(step);
            let line = record.to_line();
            assert_eq!(line, alloc::format!("{head}{tail}"));
            assert_eq!(line.parse(), Ok(record));
        }
    }

    #[test]
    fn code_has_one_word_and_the_word_one_code() {
        for code in JobCode::ALL {
            assert_eq!(JobCode::of_word(code.as_str()), Some(*code));
        }
        assert_eq!(JobCode::of_word("timeout"), None);
    }

    #[test]
    fn record_without_what_its_state_needs_is_refused() {
        let line = r#"{"schema":"gpu-job/v1","ts_ms":1,"job":"j","lease":"lease-1","state":"ERR","code":"LOST"}"#;
        let refusal = line.parse::<JobRecord>().unwrap_err();
        assert_eq!(refusal.text, "gpu-job/v1 record has no detail");
    }
}
