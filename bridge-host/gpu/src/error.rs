//! What can go wrong on a GPU, sorted by what must be done about it.

use alloc::string::String;

/// A failure of a GPU or of something asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {detail}")]
pub struct GpuError {
    /// What was being done, in the infinitive: "load module", "launch vadd".
    pub doing: String,
    /// What went wrong, with the value seen and the value wanted.
    pub detail: String,
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The vendor's own number, where there is one (`CUresult`, `nvmlReturn_t`).
    pub code: Option<u32>,
    /// After a sticky error nothing more can be asked of this context: the executor must exit.
    pub sticky: bool,
}

/// The kinds of failure, as the job record names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The vendor's library or driver is not there.
    NoDriver,
    /// No such GPU, or it is lost.
    NoGpu,
    /// The module is malformed or will not compile.
    InvalidModule,
    /// Well-formed, and this device cannot run it.
    Unsupported,
    /// The module has no kernel of that name.
    UnknownKernel,
    /// A launch the kernel or the device does not allow: grid, block, shared memory, parameters.
    InvalidLaunch,
    /// More device memory than the context may have.
    OutOfMemory,
    /// The kernel broke a rule while running: address, alignment, trap, assertion, deadlocked barrier.
    Fault,
    /// The launch ended because its stop signal was raised.
    Stopped,
    /// An argument that the caller should not have passed.
    InvalidArgument,
    /// The driver failed in a way it does not explain, or with a code not known here.
    Device,
}

impl ErrorKind {
    /// The word in a job record: `{"state":"ERR","code":…}`.
    #[must_use]
    pub const fn record_code(self) -> &'static str {
        match self {
            Self::NoDriver | Self::NoGpu | Self::Device => "DEVICE",
            Self::InvalidModule => "MODULE",
            Self::Unsupported => "UNSUPPORTED",
            Self::UnknownKernel => "KERNEL",
            Self::InvalidLaunch | Self::InvalidArgument => "INVALID",
            Self::OutOfMemory => "OOM",
            Self::Fault => "FAULT",
            Self::Stopped => "CANCELLED",
        }
    }
}

impl GpuError {
    /// A failure that leaves the context usable.
    #[must_use]
    pub fn new(kind: ErrorKind, doing: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { doing: doing.into(), detail: detail.into(), kind, code: None, sticky: false }
    }

    /// The same, after which the context cannot be used.
    #[must_use]
    pub fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// The same, with the vendor's number.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }
}
