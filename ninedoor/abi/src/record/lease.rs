//! `gpu-lease/v1`.

use alloc::string::String;
use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{parse, to_line};
use crate::{Epoch, GpuId, LeaseId, Refusal, Subject, UnixMs};

const SCHEMA: &str = "gpu-lease/v1";

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LeaseState {
    /// It waits for room.
    Queued,
    /// It is held.
    Active,
    /// Its holder gave it back.
    Released,
    /// Its time is over, in the queue or held.
    Expired,
    /// It was taken back.
    Revoked,
}

impl LeaseState {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Active => "ACTIVE",
            Self::Released => "RELEASED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }

    /// Whether nothing more will become of it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Released | Self::Expired | Self::Revoked)
    }
}

impl fmt::Display for LeaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One state of one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Where it stands.
    pub state: LeaseState,
    /// On which GPU.
    pub gpu_id: GpuId,
    /// Who holds it.
    pub worker_id: Subject,
    /// Device memory, MiB.
    pub mem_mb: u32,
    /// Jobs at once.
    pub streams: u16,
    /// Seconds it is granted for.
    pub ttl_s: u32,
    /// Higher goes first.
    pub priority: u8,
    /// Its id.
    pub lease: LeaseId,
    /// How often it was granted.
    pub epoch: Epoch,
    /// When it ends, or until when it waits; once over, when that was.
    pub deadline_ms: UnixMs,
}

/// The record as JSON has it; the order of fields is the order of keys.
#[derive(Serialize, Deserialize)]
struct Wire {
    schema: String,
    state: LeaseState,
    gpu_id: String,
    worker_id: String,
    mem_mb: u32,
    streams: u16,
    ttl_s: u32,
    priority: u8,
    lease: String,
    epoch: u64,
    deadline_ms: u64,
}

impl LeaseRecord {
    /// The record as one line, without the newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        to_line(&Wire {
            schema: SCHEMA.into(),
            state: self.state,
            gpu_id: self.gpu_id.as_str().into(),
            worker_id: self.worker_id.as_str().into(),
            mem_mb: self.mem_mb,
            streams: self.streams,
            ttl_s: self.ttl_s,
            priority: self.priority,
            lease: alloc::format!("{}", self.lease),
            epoch: self.epoch.0,
            deadline_ms: self.deadline_ms.0,
        })
    }
}

impl FromStr for LeaseRecord {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        let wire: Wire = parse(line, SCHEMA)?;
        if wire.schema != SCHEMA {
            return Err(Refusal::invalid(alloc::format!(
                "schema is {:?}, wanted {SCHEMA:?}",
                wire.schema
            )));
        }
        Ok(Self {
            state: wire.state,
            gpu_id: wire.gpu_id.parse()?,
            worker_id: wire.worker_id.parse()?,
            mem_mb: wire.mem_mb,
            streams: wire.streams,
            ttl_s: wire.ttl_s,
            priority: wire.priority,
            lease: wire.lease.parse()?,
            epoch: Epoch(wire.epoch),
            deadline_ms: UnixMs(wire.deadline_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves REC-1.
    #[test]
    fn lease_record_is_written_in_the_order_of_the_design_and_read_back() {
        let record = LeaseRecord {
            state: LeaseState::Active,
            gpu_id: "GPU-0".parse().unwrap(),
            worker_id: "worker-7".parse().unwrap(),
            mem_mb: 4096,
            streams: 2,
            ttl_s: 120,
            priority: 1,
            lease: LeaseId(7),
            epoch: Epoch(3),
            deadline_ms: UnixMs(1_700_000_120_000),
        };
        let line = record.to_line();
        assert_eq!(
            line,
            r#"{"schema":"gpu-lease/v1","state":"ACTIVE","gpu_id":"GPU-0","worker_id":"worker-7","mem_mb":4096,"streams":2,"ttl_s":120,"priority":1,"lease":"lease-7","epoch":3,"deadline_ms":1700000120000}"#
        );
        assert_eq!(line.parse(), Ok(record));
    }

    /// Proves REC-2.
    #[test]
    fn reader_ignores_keys_it_does_not_know_and_refuses_another_schema() {
        let line = r#"{"schema":"gpu-lease/v1","state":"QUEUED","gpu_id":"GPU-0","worker_id":"w","mem_mb":1,"streams":1,"ttl_s":1,"priority":0,"lease":"lease-1","epoch":0,"deadline_ms":5,"new":[1]}"#;
        assert_eq!(line.parse::<LeaseRecord>().unwrap().state, LeaseState::Queued);
        let refusal = line.replace("lease/v1", "lease/v2").parse::<LeaseRecord>().unwrap_err();
        assert_eq!(refusal.text, r#"schema is "gpu-lease/v2", wanted "gpu-lease/v1""#);
    }
}
