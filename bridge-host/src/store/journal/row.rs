//! Rows: what is kept of leases and jobs, one JSON object each, so that a person can read them in the file.

use bridge_host_broker::{Grant, JobNumber};
use ninedoor_abi::{
    Epoch, GpuId, JobId, LeaseId, LeaseRecord, PathName, Refusal, Subject, TicketId, UnixMs,
    ctl::LeaseSize,
    job::{ModuleFormat, Sha256},
};
use serde::{Deserialize, Serialize};

use crate::store::Owner;

/// One thing that must outlive the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    /// What was counted up to, for ids that are never used again. In checkpoints.
    Counters {
        /// The last lease id given.
        last_lease: LeaseId,
        /// The last job number given.
        last_job: JobNumber,
    },
    /// The last epoch drawn for a GPU. In checkpoints.
    Epoch {
        /// Which GPU.
        gpu: GpuId,
        /// The epoch.
        epoch: Epoch,
    },
    /// A GPU was drained, or is used again.
    Drained {
        /// Which.
        gpu: GpuId,
        /// Whether nothing is granted on it.
        drained: bool,
    },
    /// A lease, as it is now.
    Lease {
        /// As it is published.
        record: LeaseRecord,
        /// What it was had by.
        ticket: Option<TicketId>,
    },
    /// What the queen granted a worker.
    Grant(Grant),
    /// The worker may not have it again.
    GrantForgotten {
        /// On which GPU.
        gpu: GpuId,
        /// Whose.
        holder: Subject,
    },
    /// A job was accepted.
    Accepted(Box<AcceptedJob>),
    /// A job has come further.
    Step(Step),
}

/// A job, with everything that it needs to run in another life of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AcceptedJob {
    /// Its number.
    pub(crate) number: JobNumber,
    /// On which GPU.
    pub(crate) gpu: GpuId,
    /// By which lease.
    pub(crate) lease: LeaseId,
    /// Whose lease.
    pub(crate) holder: Subject,
    /// Whose artefacts and outputs.
    pub(crate) owner: Owner,
    /// Its name.
    pub(crate) job: JobId,
    /// When.
    pub(crate) accepted_ms: UnixMs,
    /// Whether it was launched: then it must not be again.
    pub(crate) running: bool,
    /// The descriptor as it was written, but for a module within it, which is among the artefacts.
    pub(crate) descriptor: String,
    /// What the module is.
    pub(crate) format: ModuleFormat,
    /// Shared memory that the kernel takes by itself.
    pub(crate) static_shared_bytes: u32,
    /// What its inputs were when it was accepted; names may stand for something else by now.
    pub(crate) inputs: Vec<Input>,
}

/// An artefact that a job reads, by the name that the descriptor has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) path: PathName,
    pub(crate) digest: Sha256,
    pub(crate) bytes: u64,
}

/// A job's record, and what it means for the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) number: JobNumber,
    pub(crate) stage: Stage,
    pub(crate) gpu: GpuId,
    pub(crate) holder: Subject,
    /// `gpu-job/v1`, one line.
    pub(crate) line: String,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Queued,
    Running,
    Ended,
}

impl Row {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&Wire::from(self)).expect("text and numbers alone")
    }

    pub(super) fn of_json(json: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        wire.read().map_err(|refusal| refusal.text)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    Counters {
        last_lease: u64,
        last_job: u64,
    },
    Epoch {
        gpu: String,
        epoch: u64,
    },
    Drained {
        gpu: String,
        drained: bool,
    },
    Lease {
        record: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
    },
    Grant {
        gpu: String,
        holder: String,
        mem_mb: u32,
        streams: u16,
        ttl_s: u32,
        priority: u8,
    },
    GrantForgotten {
        gpu: String,
        holder: String,
    },
    Accepted(Box<AcceptedWire>),
    Step {
        number: u64,
        stage: Stage,
        gpu: String,
        holder: String,
        line: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptedWire {
    number: u64,
    gpu: String,
    lease: String,
    holder: String,
    /// Nobody's in particular where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    job: String,
    accepted_ms: u64,
    running: bool,
    descriptor: String,
    format: Format,
    static_shared_bytes: u32,
    inputs: Vec<InputWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputWire {
    path: String,
    sha256: String,
    bytes: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Ptx,
    Cubin,
    Fatbin,
}

impl From<&Row> for Wire {
    fn from(row: &Row) -> Self {
        match row {
            Row::Counters { last_lease, last_job } => {
                Self::Counters { last_lease: last_lease.0, last_job: last_job.0 }
            }
            Row::Epoch { gpu, epoch } => Self::Epoch { gpu: gpu.to_string(), epoch: epoch.0 },
            Row::Drained { gpu, drained } => {
                Self::Drained { gpu: gpu.to_string(), drained: *drained }
            }
            Row::Lease { record, ticket } => Self::Lease {
                record: record.to_line(),
                ticket: ticket.as_ref().map(ToString::to_string),
            },
            Row::Grant(Grant { gpu, holder, size, priority }) => Self::Grant {
                gpu: gpu.to_string(),
                holder: holder.to_string(),
                mem_mb: size.mem_mb,
                streams: size.streams,
                ttl_s: size.ttl_s,
                priority: *priority,
            },
            Row::GrantForgotten { gpu, holder } => {
                Self::GrantForgotten { gpu: gpu.to_string(), holder: holder.to_string() }
            }
            Row::Accepted(job) => Self::Accepted(Box::new(AcceptedWire::from(&**job))),
            Row::Step(Step { number, stage, gpu, holder, line }) => Self::Step {
                number: number.0,
                stage: *stage,
                gpu: gpu.to_string(),
                holder: holder.to_string(),
                line: line.clone(),
            },
        }
    }
}

impl Wire {
    fn read(self) -> Result<Row, Refusal> {
        Ok(match self {
            Self::Counters { last_lease, last_job } => {
                Row::Counters { last_lease: LeaseId(last_lease), last_job: JobNumber(last_job) }
            }
            Self::Epoch { gpu, epoch } => Row::Epoch { gpu: gpu.parse()?, epoch: Epoch(epoch) },
            Self::Drained { gpu, drained } => Row::Drained { gpu: gpu.parse()?, drained },
            Self::Lease { record, ticket } => Row::Lease {
                record: record.parse()?,
                ticket: ticket.map(|ticket| ticket.parse()).transpose()?,
            },
            Self::Grant { gpu, holder, mem_mb, streams, ttl_s, priority } => Row::Grant(Grant {
                gpu: gpu.parse()?,
                holder: holder.parse()?,
                size: LeaseSize { mem_mb, streams, ttl_s },
                priority,
            }),
            Self::GrantForgotten { gpu, holder } => {
                Row::GrantForgotten { gpu: gpu.parse()?, holder: holder.parse()? }
            }
            Self::Accepted(job) => Row::Accepted(Box::new(job.read()?)),
            Self::Step { number, stage, gpu, holder, line } => Row::Step(Step {
                number: JobNumber(number),
                stage,
                gpu: gpu.parse()?,
                holder: holder.parse()?,
                line,
            }),
        })
    }
}

impl From<&AcceptedJob> for AcceptedWire {
    fn from(job: &AcceptedJob) -> Self {
        let input = |input: &Input| InputWire {
            path: input.path.to_string(),
            sha256: input.digest.hex(),
            bytes: input.bytes,
        };
        Self {
            number: job.number.0,
            gpu: job.gpu.to_string(),
            lease: job.lease.to_string(),
            holder: job.holder.to_string(),
            owner: match &job.owner {
                Owner::Shared => None,
                Owner::Subject(subject) => Some(subject.to_string()),
            },
            job: job.job.to_string(),
            accepted_ms: job.accepted_ms.0,
            running: job.running,
            descriptor: job.descriptor.clone(),
            format: match job.format {
                ModuleFormat::Ptx => Format::Ptx,
                ModuleFormat::Cubin => Format::Cubin,
                ModuleFormat::Fatbin => Format::Fatbin,
            },
            static_shared_bytes: job.static_shared_bytes,
            inputs: job.inputs.iter().map(input).collect(),
        }
    }
}

impl AcceptedWire {
    fn read(self) -> Result<AcceptedJob, Refusal> {
        let input = |input: InputWire| {
            Ok::<_, Refusal>(Input {
                path: input.path.parse()?,
                digest: Sha256::of_hex(&input.sha256)?,
                bytes: input.bytes,
            })
        };
        let owner = self.owner.map(|owner| owner.parse()).transpose()?;
        Ok(AcceptedJob {
            number: JobNumber(self.number),
            gpu: self.gpu.parse()?,
            lease: self.lease.parse()?,
            holder: self.holder.parse()?,
            owner: owner.map_or(Owner::Shared, Owner::Subject),
            job: self.job.parse()?,
            accepted_ms: UnixMs(self.accepted_ms),
            running: self.running,
            descriptor: self.descriptor,
            format: match self.format {
                Format::Ptx => ModuleFormat::Ptx,
                Format::Cubin => ModuleFormat::Cubin,
                Format::Fatbin => ModuleFormat::Fatbin,
            },
            static_shared_bytes: self.static_shared_bytes,
            inputs: self.inputs.into_iter().map(input).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ninedoor_abi::record::LeaseState;

    use super::*;

    pub(in super::super) fn accepted(number: u64) -> Row {
        Row::Accepted(Box::new(AcceptedJob {
            number: JobNumber(number),
            gpu: "GPU-0".parse().unwrap(),
            lease: LeaseId(1),
            holder: "w".parse().unwrap(),
            owner: Owner::Subject("w".parse().unwrap()),
            job: format!("j{number}").parse().unwrap(),
            accepted_ms: UnixMs(5),
            running: false,
            descriptor: format!("{{\"job\":\"j{number}\"}}"),
            format: ModuleFormat::Ptx,
            static_shared_bytes: 16,
            inputs: vec![Input {
                path: "/bundles/a".parse().unwrap(),
                digest: Sha256([7; 32]),
                bytes: 9,
            }],
        }))
    }

    pub(in super::super) fn step(number: u64, stage: Stage) -> Row {
        Row::Step(Step {
            number: JobNumber(number),
            stage,
            gpu: "GPU-0".parse().unwrap(),
            holder: "w".parse().unwrap(),
            line: format!("{stage:?} {number}"),
        })
    }

    pub(in super::super) fn lease(number: u64, state: LeaseState, epoch: u64) -> Row {
        let record = LeaseRecord {
            state,
            gpu_id: "GPU-0".parse().unwrap(),
            worker_id: "w".parse().unwrap(),
            mem_mb: 64,
            streams: 1,
            ttl_s: 60,
            priority: 2,
            lease: LeaseId(number),
            epoch: Epoch(epoch),
            deadline_ms: UnixMs(99),
        };
        Row::Lease { record, ticket: Some(TicketId([1, 2, 3, 4])) }
    }

    pub(in super::super) fn grant(holder: &str) -> Row {
        Row::Grant(Grant {
            gpu: "GPU-0".parse().unwrap(),
            holder: holder.parse().unwrap(),
            size: LeaseSize { mem_mb: 1, streams: 2, ttl_s: 3 },
            priority: 4,
        })
    }

    #[test]
    fn every_row_reads_back_as_it_was_written() {
        let gpu: GpuId = "GPU-0".parse().unwrap();
        let rows = [
            Row::Counters { last_lease: LeaseId(3), last_job: JobNumber(4) },
            Row::Epoch { gpu: gpu.clone(), epoch: Epoch(9) },
            Row::Drained { gpu: gpu.clone(), drained: true },
            lease(7, LeaseState::Active, 3),
            grant("w"),
            Row::GrantForgotten { gpu, holder: "w".parse().unwrap() },
            accepted(5),
            step(5, Stage::Running),
        ];
        for row in rows {
            let json = row.to_json();
            assert_eq!(Row::of_json(&json), Ok(row), "{}", String::from_utf8_lossy(&json));
        }
    }

    #[test]
    fn a_row_that_is_not_one_of_ours_is_refused_with_the_reason() {
        let unknown = Row::of_json(br#"{"pardon":{}}"#).unwrap_err();
        assert!(unknown.contains("unknown variant `pardon`"), "{unknown}");
        let bad = Row::of_json(br#"{"epoch":{"gpu":"a/b","epoch":1}}"#).unwrap_err();
        assert_eq!(bad, "gpu id is \"a/b\", wanted 1 to 64 of A-Z a-z 0-9 . _ -");
    }
}
