//! What daemon and executor say to each other: one JSON object per packet, open files beside it.
//!
//! Both ends are built from this one file and run from the same binary, so there are no versions. The daemon still treats every
//! report as an allegation: an executor that has run a hostile kernel may say anything.

use serde::{Deserialize, Serialize};

use super::confine::Confinement;

/// One order to an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Open a GPU. The first order, given once.
    Bind(Bind),
    /// Run one kernel. Carries the files that [`Run::files`] counts.
    Run(Box<Run>),
    /// End a run soon, if it can be done from within.
    Stop {
        /// Which.
        run: RunId,
    },
}

/// Which GPU, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bind {
    /// The hardware's identity.
    pub uuid: String,
    /// Device memory for buffers and module globals together.
    pub memory_bytes: u64,
    /// Launches in flight at once.
    pub streams: u16,
    /// Bytes of device-side `printf` kept per run.
    pub printf_bytes: u32,
}

/// One try at one job; never used again by the same daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RunId(pub u64);

/// One kernel launch with everything it needs. Files travel beside it, in this order: the module, then for every buffer its
/// initial content and its output where it has them, then the one for `printf`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    /// Which.
    pub run: RunId,
    /// SHA-256 that the module's bytes must have, in hex.
    pub module_sha256: String,
    /// What the module's bytes are.
    pub format: Format,
    /// The entry's name.
    pub kernel: String,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads in a block.
    pub block: [u32; 3],
    /// Dynamic shared memory.
    pub shared_bytes: u32,
    /// Device memory, each piece once however many parameters point at it.
    pub buffers: Vec<Buffer>,
    /// In kernel order.
    pub arguments: Vec<Argument>,
    /// Whether what the kernel prints is wanted.
    pub printf: bool,
}

impl Run {
    /// Files that must travel with this order.
    pub(crate) fn files(&self) -> usize {
        let of_buffers = self
            .buffers
            .iter()
            .map(|buffer| usize::from(buffer.initial) + usize::from(buffer.output));
        1 + of_buffers.sum::<usize>() + usize::from(self.printf)
    }
}

/// The three forms of a module, as in the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// Text.
    Ptx,
    /// ELF for one architecture.
    Cubin,
    /// Several images.
    Fatbin,
}

/// A piece of device memory: where its first content comes from, where its last goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Buffer {
    /// Its size.
    pub bytes: u64,
    /// A file with its first bytes travels along; the rest, or all of it, is zero.
    pub initial: bool,
    /// A file for its last content travels along, already of the right size.
    pub output: bool,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Argument {
    /// The address of a buffer, by its place in [`Run::buffers`].
    Buffer(u16),
    /// These bytes as they are, in base64.
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
}

/// One report of an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Report {
    /// It has started and confined itself, and waits for [`Order::Bind`].
    Ready {
        /// What it has given up, for `info`.
        confinement: Box<Confinement>,
    },
    /// The GPU is open.
    Bound,
    /// The GPU could not be opened; the process ends.
    NotBound(Failure),
    /// A run ended well.
    Finished(Finished),
    /// A run ended badly.
    Failed {
        /// Which.
        run: RunId,
        /// How.
        failure: Failure,
    },
}

/// A run that ended well: how long its parts took, and what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finished {
    /// Which.
    pub run: RunId,
    /// Hashing, loading and compiling the module; 0 when it was there from an earlier run.
    pub load_us: u64,
    /// Allocation and copies to the device.
    pub h2d_us: u64,
    /// The kernel alone.
    pub kernel_us: u64,
    /// Copies back and their hashes.
    pub d2h_us: u64,
    /// SHA-256 in hex of each buffer that has an output, in order.
    pub outputs_sha256: Vec<String>,
    /// Bytes of `printf` written to its file.
    pub printf_bytes: u32,
}

/// Why something failed, as the job record will say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    /// `OOM`, `FAULT`, `HASH`, …
    pub code: String,
    /// What was being done and what went wrong.
    pub detail: String,
    /// The vendor's number, where there is one.
    pub vendor_code: Option<u32>,
    /// Nothing more can be asked of this process.
    pub sticky: bool,
}

mod base64_bytes {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vadd() -> Run {
        Run {
            run: RunId(7),
            module_sha256: "00".repeat(32),
            format: Format::Ptx,
            kernel: "vadd".to_owned(),
            grid: [128, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            buffers: vec![
                Buffer { bytes: 16, initial: true, output: false },
                Buffer { bytes: 16, initial: true, output: true },
                Buffer { bytes: 16, initial: false, output: true },
            ],
            arguments: vec![Argument::Buffer(0), Argument::Bytes(vec![0, 128, 255, 1])],
            printf: true,
        }
    }

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        let order = Order::Run(Box::new(vadd()));
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
        assert!(text.contains(r#""order":"run""#), "{text}");
    }

    #[test]
    fn a_run_counts_the_module_each_end_of_a_buffer_and_the_printf_file() {
        assert_eq!(vadd().files(), 1 + 1 + 2 + 1 + 1);
    }

    #[test]
    fn a_report_with_a_field_we_do_not_know_is_refused() {
        let text = r#"{"report":"failed","run":1,"failure":{"code":"OOM","detail":"","vendor_code":null,"sticky":false},"lease":9}"#;
        assert!(serde_json::from_str::<Report>(text).is_err());
    }
}
