//! How a kernel breaks a rule, and where.

use std::fmt;

use mock_ptx::ir::TrapKind;

use crate::memory::AccessError;

/// A rule broken by one lane. The launch ends; memory keeps what was written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kernel.
    pub kernel: String,
    /// `%ctaid`.
    pub block: [u32; 3],
    /// `%tid`.
    pub thread: [u32; 3],
    /// Line in the PTX text.
    pub line: u32,
    /// What rule.
    pub cause: Cause,
}

/// The rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Memory that may not be accessed so.
    Access(AccessError),
    /// The program stopped itself.
    Trap(TrapKind),
    /// `assert` failed.
    Assertion {
        /// What was asserted.
        message: String,
        /// In which source.
        file: String,
        /// At which of its lines.
        line: u32,
        /// In which function.
        function: String,
    },
    /// All lanes that are left wait for each other.
    Deadlock {
        /// How many wait.
        waiting: usize,
        /// For what.
        at: &'static str,
    },
    /// Calls nested deeper than the stack allows.
    StackOverflow {
        /// Calls open.
        depth: usize,
    },
    /// A call through a pointer that is no function of this kernel.
    NoFunction {
        /// The pointer.
        address: u64,
    },
    /// A `brx` index past its table.
    NoTarget {
        /// The index.
        index: u64,
        /// Entries of the table.
        targets: usize,
    },
    /// A barrier number or count that the hardware does not have.
    BadBarrier {
        /// What was wrong.
        detail: String,
    },
    /// A member mask without the lane that names it.
    NotAMember {
        /// The mask.
        members: u32,
    },
    /// A matrix operation that not all lanes of a warp have come to: exited, or never there.
    PartOfAWarp {
        /// Those that have.
        lanes: u32,
    },
}

impl From<AccessError> for Cause {
    fn from(error: AccessError) -> Self {
        Self::Access(error)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(error) => error.fmt(f),
            Self::Trap(TrapKind::Trap) => f.write_str("trap"),
            Self::Trap(TrapKind::Breakpoint) => f.write_str("breakpoint, and no debugger is there"),
            Self::Trap(TrapKind::FellOff) => {
                f.write_str("reached a place that the compiler said is never reached")
            }
            Self::Assertion { message, file, line, function } => {
                write!(f, "assertion failed: {message}, in {function} at {file}:{line}")
            }
            Self::Deadlock { waiting, at } => {
                write!(f, "deadlock: {waiting} threads wait at {at} and none can come")
            }
            Self::StackOverflow { depth } => write!(f, "stack overflow, {depth} calls deep"),
            Self::NoFunction { address } => {
                write!(f, "call through {address:#x}, which is no function of this kernel")
            }
            Self::NoTarget { index, targets } => {
                write!(f, "branch by index {index} into a table of {targets}")
            }
            Self::BadBarrier { detail } => f.write_str(detail),
            Self::NotAMember { members } => {
                write!(f, "this thread is not in the member mask {members:#010x} that it names")
            }
            Self::PartOfAWarp { lanes } => {
                write!(f, "matrix operation by {lanes} lanes of a warp, wanted all 32")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, block: [bx, by, bz], thread: [tx, ty, tz], line, cause } = self;
        write!(
            f,
            "{kernel}: block ({bx},{by},{bz}) thread ({tx},{ty},{tz}) PTX line {line}: {cause}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Access, Refusal};

    #[test]
    fn a_fault_names_kernel_block_thread_line_and_address() {
        let cause = Cause::from(AccessError {
            access: Access::Store,
            bytes: 4,
            address: 0,
            reason: Refusal::Null,
        });
        let (block, thread) = ([3, 0, 1], [255, 0, 0]);
        let fault = Fault { kernel: "vadd".into(), block, thread, line: 41, cause };
        assert_eq!(
            fault.to_string(),
            "vadd: block (3,0,1) thread (255,0,0) PTX line 41: write of 4 bytes at 0x0: null pointer"
        );
    }

    #[test]
    fn every_cause_says_what_happened() {
        let texts = [
            Cause::Trap(TrapKind::Trap),
            Cause::Deadlock { waiting: 31, at: "barrier 0" },
            Cause::StackOverflow { depth: 1024 },
            Cause::NoFunction { address: 0x10 },
            Cause::NoTarget { index: 9, targets: 4 },
            Cause::NotAMember { members: 0xff },
            Cause::Assertion {
                message: "x > 0".into(),
                file: "a.cu".into(),
                line: 7,
                function: "f".into(),
            },
        ]
        .map(|cause| cause.to_string());
        assert_eq!(
            texts,
            [
                "trap",
                "deadlock: 31 threads wait at barrier 0 and none can come",
                "stack overflow, 1024 calls deep",
                "call through 0x10, which is no function of this kernel",
                "branch by index 9 into a table of 4",
                "this thread is not in the member mask 0x000000ff that it names",
                "assertion failed: x > 0, in f at a.cu:7",
            ]
        );
    }
}
