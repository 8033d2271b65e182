//! A launch: what is asked for, whether it is allowed, and the running of its blocks.

pub mod barrier;
mod check;
mod crew;
pub mod grid;
pub mod job;
mod library;
mod run;
mod turns;

pub use run::{Outcome, launch};

use crate::fault::Fault;
use crate::limits::UNIT_LANES_MAX;
use crate::memory::MemoryError;
use crate::raw::Level;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch<'a> {
    /// The kernel's name.
    pub kernel: &'a str,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Dynamic shared memory.
    pub shared_bytes: u32,
    /// The parameter block, laid out as the kernel says.
    pub parameters: &'a [u8],
}

/// How it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// By which engine.
    pub engine: Engine,
    /// Threads of the host, at most.
    pub workers: usize,
    /// Loops that one block may close before the launch ends as out of fuel; no bound where absent.
    pub fuel: Option<u64>,
    /// Bytes of `printf` kept.
    pub printf_bytes: usize,
    /// Lanes up to which blocks run side by side; what comes out does not depend on it.
    pub unit_lanes: u32,
    /// Whether blocks wait for each other where their order can be seen.
    pub atomics: Atomics,
}

/// In which order blocks come to atomics that show it: sums of floats, exchanges, whatever gives an old value that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Atomics {
    /// In the order of blocks: the same job leaves the same bytes for any number of threads.
    #[default]
    InOrder,
    /// As they come, as on a GPU: faster where blocks have such atomics, and another run may round otherwise.
    AsTheyCome,
}

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// One lane at a time: slow, and obviously right.
    Scalar,
    /// A whole block in lockstep, with the vector instructions of this level or the best there are.
    Vector(Option<Level>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::Vector(None),
            workers: 1,
            fuel: None,
            printf_bytes: 1 << 20,
            unit_lanes: UNIT_LANES_MAX,
            atomics: Atomics::InOrder,
        }
    }
}

/// Why a launch was refused or did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// The module has no such kernel.
    #[error("no kernel {name}; the module has {}", known.join(", "))]
    UnknownKernel {
        /// The name asked for.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// The kernel or the device does not allow it.
    #[error("{0}")]
    Invalid(String),
    /// No memory for what the launch needs beside its buffers.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The kernel broke a rule.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// Someone wanted it to end.
    #[error("stopped")]
    Stopped,
    /// A block closed more loops than it may.
    #[error("out of fuel: a block closed more than {fuel} loops; give it more, or end the loop")]
    OutOfFuel {
        /// How many it may.
        fuel: u64,
    },
}
