//! `/queen/ctl`: strict JSON lines, one command each.

use alloc::string::{String, ToString};
use core::{fmt, str::FromStr};

use crate::{
    Errno, GpuId, PathName, Refusal, WorkerId,
    json::{Fields, Json, Wrong},
    limits::{LEASE_MEM_MB_MAX, LEASE_STREAMS_MAX, QUEEN_LINE_BYTES_MAX, TICKS_MAX, TTL_S_MAX},
    ticket::Budget,
};

/// One line written to `/queen/ctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueenCommand {
    /// `{"spawn":"gpu","lease":{…},"budget":{…}}`.
    SpawnGpu {
        /// What its worker may take of a GPU.
        lease: GpuLeaseSpec,
        /// How long its worker may go on.
        budget: Budget,
    },
    /// `{"spawn":"heartbeat","ticks":100,"budget":{…}}`.
    SpawnHeartbeat {
        /// How many heartbeats it is for.
        ticks: u64,
        /// How long its worker may go on.
        budget: Budget,
    },
    /// `{"kill":"worker-7"}`.
    Kill(WorkerId),
    /// `{"bind":{"from":"/a","to":"/b"}}`: what is at `from` is seen at `to` as well.
    Bind {
        /// What is there.
        from: PathName,
        /// Where it is to be seen.
        to: PathName,
    },
    /// `{"mount":{"service":"gpu-bridge","at":"/gpu"}}`.
    Mount {
        /// A service by the name it was configured with.
        service: String,
        /// Where.
        at: PathName,
    },
    /// `{"unmount":"/gpu"}`.
    Unmount(PathName),
    /// `{"budget":{…}}`: what workers get that are spawned without one; a field left out stays as it is.
    Budget(Budget),
}

/// What a GPU worker may take of a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuLeaseSpec {
    /// Which GPU.
    pub gpu_id: GpuId,
    /// Device memory, MiB.
    pub mem_mb: u32,
    /// Jobs at once.
    pub streams: u16,
    /// Seconds from the grant.
    pub ttl_s: u32,
    /// Higher goes first; the broker's default where none is given.
    pub priority: Option<u8>,
}

impl FromStr for QueenCommand {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        if line.len() > QUEEN_LINE_BYTES_MAX {
            return Err(Refusal::new(
                Errno::EMSGSIZE,
                alloc::format!(
                    "line has {} bytes, wanted at most {QUEEN_LINE_BYTES_MAX}",
                    line.len()
                ),
            ));
        }
        Ok(command(Json::parse(line)?.object()?)?)
    }
}

const VERBS: [&str; 6] = ["spawn", "kill", "bind", "mount", "unmount", "budget"];

fn command(mut fields: Fields) -> Result<QueenCommand, Wrong> {
    // `spawn` takes a `budget` beside it, so it is looked for first.
    let verb = VERBS.into_iter().find(|verb| fields.names().any(|name| name == *verb));
    let command = match verb {
        Some("spawn") => spawn(&mut fields)?,
        Some("kill") => QueenCommand::Kill(fields.needed("kill", Json::parsed)?),
        Some("bind") => fields.needed("bind", bind)?,
        Some("mount") => fields.needed("mount", mount)?,
        Some("unmount") => QueenCommand::Unmount(fields.needed("unmount", Json::parsed)?),
        Some("budget") => QueenCommand::Budget(fields.needed("budget", some_budget)?),
        _ => {
            return Err(Wrong::new(
                "no command, wanted one of spawn, kill, bind, mount, unmount, budget",
            ));
        }
    };
    fields.finish()?;
    Ok(command)
}

fn spawn(fields: &mut Fields) -> Result<QueenCommand, Wrong> {
    let kind = fields.needed("spawn", Json::text)?;
    match kind.as_str() {
        "gpu" => Ok(QueenCommand::SpawnGpu {
            lease: fields.needed("lease", lease)?,
            budget: fields.optional("budget", budget)?.unwrap_or_default(),
        }),
        "heartbeat" => Ok(QueenCommand::SpawnHeartbeat {
            ticks: fields.needed("ticks", |ticks| ticks.integer(1..=TICKS_MAX))?,
            budget: fields.optional("budget", budget)?.unwrap_or_default(),
        }),
        _ => Err(Json::Text(kind).refuse(r#""gpu" or "heartbeat""#).in_field("spawn")),
    }
}

fn lease(value: Json) -> Result<GpuLeaseSpec, Wrong> {
    let mut fields = value.object()?;
    let spec = GpuLeaseSpec {
        gpu_id: fields.needed("gpu_id", Json::parsed)?,
        mem_mb: fields.needed("mem_mb", |n| n.integer(1..=LEASE_MEM_MB_MAX))?,
        streams: fields.needed("streams", |n| n.integer(1..=LEASE_STREAMS_MAX))?,
        ttl_s: fields.needed("ttl_s", |n| n.integer(1..=TTL_S_MAX))?,
        priority: fields.optional("priority", |n| n.integer(0..=u8::MAX))?,
    };
    fields.finish()?;
    Ok(spec)
}

fn budget(value: Json) -> Result<Budget, Wrong> {
    let mut fields = value.object()?;
    let budget = Budget {
        ticks: fields.optional("ticks", |n| n.integer(1..=TICKS_MAX))?,
        ops: fields.optional("ops", |n| n.integer(1..=u64::MAX))?,
        ttl_s: fields.optional("ttl_s", |n| n.integer(1..=u64::from(TTL_S_MAX)))?,
    };
    fields.finish()?;
    Ok(budget)
}

fn some_budget(value: Json) -> Result<Budget, Wrong> {
    match budget(value)? {
        empty if empty == Budget::default() => {
            Err(Wrong::new("changes nothing, wanted ticks, ops or ttl_s"))
        }
        budget => Ok(budget),
    }
}

fn bind(value: Json) -> Result<QueenCommand, Wrong> {
    let mut fields = value.object()?;
    let (from, to) = (fields.needed("from", Json::parsed)?, fields.needed("to", Json::parsed)?);
    fields.finish()?;
    Ok(QueenCommand::Bind { from, to })
}

fn mount(value: Json) -> Result<QueenCommand, Wrong> {
    let mut fields = value.object()?;
    // A service's name has the form of every other name.
    let service = fields.needed("service", Json::parsed::<crate::Subject>)?.to_string();
    let at = fields.needed("at", Json::parsed)?;
    fields.finish()?;
    Ok(QueenCommand::Mount { service, at })
}

/// Prints the line that reads as this command.
impl fmt::Display for QueenCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpawnGpu { lease, budget } => {
                write!(
                    f,
                    r#"{{"spawn":"gpu","lease":{{"gpu_id":"{}","mem_mb":{}"#,
                    lease.gpu_id, lease.mem_mb
                )?;
                write!(f, r#","streams":{},"ttl_s":{}"#, lease.streams, lease.ttl_s)?;
                if let Some(priority) = lease.priority {
                    write!(f, r#","priority":{priority}"#)?;
                }
                f.write_str("}")?;
                write_budget(f, ",", budget)
            }
            Self::SpawnHeartbeat { ticks, budget } => {
                write!(f, r#"{{"spawn":"heartbeat","ticks":{ticks}"#)?;
                write_budget(f, ",", budget)
            }
            Self::Kill(worker) => write!(f, r#"{{"kill":"{worker}"}}"#),
            Self::Bind { from, to } => {
                write!(
                    f,
                    r#"{{"bind":{{"from":{},"to":{}}}}}"#,
                    quoted(from.as_str()),
                    quoted(to.as_str())
                )
            }
            Self::Mount { service, at } => {
                write!(
                    f,
                    r#"{{"mount":{{"service":{},"at":{}}}}}"#,
                    quoted(service),
                    quoted(at.as_str())
                )
            }
            Self::Unmount(at) => write!(f, r#"{{"unmount":{}}}"#, quoted(at.as_str())),
            Self::Budget(budget) => {
                f.write_str("{")?;
                write_budget(f, "", budget)
            }
        }
    }
}

/// `"budget":{…}` where there is one, and the closing brace.
fn write_budget(f: &mut fmt::Formatter<'_>, comma: &str, budget: &Budget) -> fmt::Result {
    if *budget != Budget::default() {
        write!(f, r#"{comma}"budget":{{"#)?;
        let fields = [("ticks", budget.ticks), ("ops", budget.ops), ("ttl_s", budget.ttl_s)];
        let given = fields.iter().filter_map(|(name, amount)| amount.map(|amount| (name, amount)));
        for (index, (name, amount)) in given.enumerate() {
            write!(f, r#"{}"{name}":{amount}"#, if index == 0 { "" } else { "," })?;
        }
        f.write_str("}")?;
    }
    f.write_str("}")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        line.parse::<QueenCommand>().unwrap_err().text
    }

    /// Proves CTL-8.
    #[test]
    fn every_queen_command_is_read_and_printed_back() {
        for line in [
            r#"{"spawn":"gpu","lease":{"gpu_id":"GPU-0","mem_mb":4096,"streams":2,"ttl_s":120}}"#,
            r#"{"spawn":"gpu","lease":{"gpu_id":"GPU-0","mem_mb":4096,"streams":2,"ttl_s":120,"priority":1},"budget":{"ops":500,"ttl_s":180}}"#,
            r#"{"spawn":"heartbeat","ticks":100}"#,
            r#"{"spawn":"heartbeat","ticks":100,"budget":{"ticks":1,"ops":2,"ttl_s":3}}"#,
            r#"{"kill":"worker-7"}"#,
            r#"{"bind":{"from":"/a","to":"/b\"c"}}"#,
            r#"{"mount":{"service":"gpu-bridge","at":"/gpu"}}"#,
            r#"{"unmount":"/gpu"}"#,
            r#"{"budget":{"ttl_s":60}}"#,
        ] {
            assert_eq!(line.parse::<QueenCommand>().unwrap().to_string(), line);
        }
    }

    /// Proves CTL-9.
    #[test]
    fn refusal_names_the_field_and_what_was_wanted() {
        assert_eq!(
            refused(
                r#"{"spawn":"gpu","lease":{"gpu_id":"GPU-0","mem_mb":0,"streams":2,"ttl_s":120}}"#
            ),
            "lease.mem_mb: got 0, wanted 1 to 16777216"
        );
        assert_eq!(
            refused(
                r#"{"spawn":"gpu","lease":{"gpu_id":"GPU-0","mem_mb":1,"streams":2,"ttl_s":1.5}}"#
            ),
            "lease.ttl_s: got 1.5, wanted 1 to 31536000"
        );
        assert_eq!(refused(r#"{"spawn":"gpu"}"#), "lease: is missing");
        assert_eq!(
            refused(r#"{"spawn":"lora"}"#),
            r#"spawn: got "lora", wanted "gpu" or "heartbeat""#
        );
        assert_eq!(
            refused(r#"{"spawn":"heartbeat","ticks":1,"lease":{}}"#),
            r#"unknown key "lease", wanted spawn, ticks, budget"#
        );
        assert_eq!(refused(r#"{"kill":"7"}"#), r#"kill: worker id is "7", wanted worker-<number>"#);
        assert_eq!(refused(r#"{"kill":"worker-7","spawn":"gpu"}"#), "lease: is missing");
        assert_eq!(
            refused(r#"{"kill":"worker-7","mount":{}}"#),
            r#"unknown key "mount", wanted kill"#
        );
        assert_eq!(
            refused(r#"{"mount":{"service":"gpu-bridge","at":"gpu"}}"#),
            r#"mount.at: path "gpu" is not absolute, wanted a leading /"#
        );
        assert_eq!(
            refused(r#"{"budget":{}}"#),
            "budget: changes nothing, wanted ticks, ops or ttl_s"
        );
        assert_eq!(
            refused("{}"),
            "no command, wanted one of spawn, kill, bind, mount, unmount, budget"
        );
        assert_eq!(refused("[]"), "got a list of 0, wanted an object");
        assert!(
            refused(r#"{"kill":"worker-7","kill":"worker-8"}"#)
                .contains(r#"key "kill" is given twice"#)
        );
        assert!(refused("").starts_with("not strict JSON: EOF"));
        assert_eq!(refused(&" ".repeat(4097)), "line has 4097 bytes, wanted at most 4096");
    }
}
