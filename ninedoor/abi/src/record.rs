//! Records: one JSON object a line, the same wherever they are read.
//!
//! [`LeaseRecord`] (`gpu-lease/v1`) tells one state of one lease, [`JobRecord`] (`gpu-job/v1`) one step of one job. Written with
//! keys in a fixed order; read with unknown keys ignored, because a reader may be older than the writer.

mod job;
mod lease;

pub use job::{JobCode, JobRecord, JobStep, OutputRecord, QueueReason};
pub use lease::{LeaseRecord, LeaseState};

use alloc::string::String;

use crate::Refusal;

/// Reads one record of the schema.
fn parse<'a, T: serde::Deserialize<'a>>(line: &'a str, schema: &str) -> Result<T, Refusal> {
    serde_json::from_str(line)
        .map_err(|error| Refusal::invalid(alloc::format!("not a {schema} record: {error}")))
}

/// Writes one record as a line, without the newline.
fn to_line<T: serde::Serialize>(wire: &T) -> String {
    serde_json::to_string(wire).expect("strings, numbers and lists of them always serialise")
}
