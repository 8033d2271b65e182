//! What `CUresult` numbers mean for the context they happened in: a table, and what is done about a number that is not in it.
//!
//! Never read through an enum: a newer driver returns numbers that this program does not know.

use bridge_host_gpu::{ErrorKind, GpuError};

/// What an error leaves of its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Reported, and the context goes on.
    Reported,
    /// No context was made: another try, later, may succeed.
    Retry,
    /// "The process must be terminated and relaunched": the executor ends.
    Sticky,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRow {
    /// As the driver returns it.
    pub code: u32,
    /// As cuda.h names it, without `CUDA_ERROR_`.
    pub name: &'static str,
    /// As the job record names it.
    pub kind: ErrorKind,
    /// What it leaves of its context.
    pub class: ErrorClass,
}

const fn row(code: u32, name: &'static str, kind: ErrorKind, class: ErrorClass) -> ErrorRow {
    ErrorRow { code, name, kind, class }
}

use ErrorClass::{Reported, Retry, Sticky};
use ErrorKind as Kind;

/// Version of [`ERRORS`]: raised with every change of a row.
pub const ERRORS_VERSION: u32 = 1;

/// The numbers that are known. Source: CUDA driver API 13.0, "Data types used by CUDA driver", what it says of each about the
/// process; 46 and the MPS rows by NVIDIA's guides. A number that is not here is [`ErrorClass::Sticky`].
pub const ERRORS: [ErrorRow; 53] = [
    row(1, "INVALID_VALUE", Kind::InvalidArgument, Reported),
    row(2, "OUT_OF_MEMORY", Kind::OutOfMemory, Reported),
    row(3, "NOT_INITIALIZED", Kind::NoDriver, Reported),
    row(4, "DEINITIALIZED", Kind::NoDriver, Sticky),
    row(34, "STUB_LIBRARY", Kind::NoDriver, Reported),
    row(35, "INSUFFICIENT_DRIVER", Kind::NoDriver, Reported),
    row(36, "CALL_REQUIRES_NEWER_DRIVER", Kind::NoDriver, Reported),
    row(46, "DEVICE_UNAVAILABLE", Kind::NoGpu, Retry),
    row(100, "NO_DEVICE", Kind::NoGpu, Reported),
    row(101, "INVALID_DEVICE", Kind::NoGpu, Reported),
    row(200, "INVALID_IMAGE", Kind::InvalidModule, Reported),
    row(201, "INVALID_CONTEXT", Kind::Device, Sticky),
    row(209, "NO_BINARY_FOR_GPU", Kind::Unsupported, Reported),
    row(214, "ECC_UNCORRECTABLE", Kind::Device, Sticky),
    row(215, "UNSUPPORTED_LIMIT", Kind::Unsupported, Reported),
    row(218, "INVALID_PTX", Kind::InvalidModule, Reported),
    row(220, "NVLINK_UNCORRECTABLE", Kind::Device, Sticky),
    row(221, "JIT_COMPILER_NOT_FOUND", Kind::Unsupported, Reported),
    row(222, "UNSUPPORTED_PTX_VERSION", Kind::Unsupported, Reported),
    row(223, "JIT_COMPILATION_DISABLED", Kind::Unsupported, Reported),
    row(226, "CONTAINED", Kind::Device, Sticky),
    row(300, "INVALID_SOURCE", Kind::InvalidModule, Reported),
    row(301, "FILE_NOT_FOUND", Kind::InvalidModule, Reported),
    row(302, "SHARED_OBJECT_SYMBOL_NOT_FOUND", Kind::InvalidModule, Reported),
    row(400, "INVALID_HANDLE", Kind::InvalidArgument, Reported),
    row(500, "NOT_FOUND", Kind::UnknownKernel, Reported),
    row(600, "NOT_READY", Kind::Device, Reported),
    row(700, "ILLEGAL_ADDRESS", Kind::Fault, Sticky),
    row(701, "LAUNCH_OUT_OF_RESOURCES", Kind::InvalidLaunch, Reported),
    row(702, "LAUNCH_TIMEOUT", Kind::Fault, Sticky),
    row(709, "CONTEXT_IS_DESTROYED", Kind::Device, Sticky),
    row(710, "ASSERT", Kind::Fault, Sticky),
    row(712, "HOST_MEMORY_ALREADY_REGISTERED", Kind::InvalidArgument, Reported),
    row(713, "HOST_MEMORY_NOT_REGISTERED", Kind::InvalidArgument, Reported),
    row(714, "HARDWARE_STACK_ERROR", Kind::Fault, Sticky),
    row(715, "ILLEGAL_INSTRUCTION", Kind::Fault, Sticky),
    row(716, "MISALIGNED_ADDRESS", Kind::Fault, Sticky),
    row(717, "INVALID_ADDRESS_SPACE", Kind::Fault, Sticky),
    row(718, "INVALID_PC", Kind::Fault, Sticky),
    row(719, "LAUNCH_FAILED", Kind::Fault, Sticky),
    row(720, "COOPERATIVE_LAUNCH_TOO_LARGE", Kind::InvalidLaunch, Reported),
    row(721, "TENSOR_MEMORY_LEAK", Kind::Device, Sticky),
    row(801, "NOT_SUPPORTED", Kind::Unsupported, Reported),
    row(802, "SYSTEM_NOT_READY", Kind::NoDriver, Reported),
    row(803, "SYSTEM_DRIVER_MISMATCH", Kind::NoDriver, Reported),
    row(805, "MPS_CONNECTION_FAILED", Kind::Device, Sticky),
    row(806, "MPS_RPC_FAILURE", Kind::Device, Sticky),
    row(807, "MPS_SERVER_NOT_READY", Kind::Device, Sticky),
    row(808, "MPS_MAX_CLIENTS_REACHED", Kind::Device, Sticky),
    row(809, "MPS_MAX_CONNECTIONS_REACHED", Kind::Device, Sticky),
    row(810, "MPS_CLIENT_TERMINATED", Kind::Device, Sticky),
    row(900, "STREAM_CAPTURE_UNSUPPORTED", Kind::InvalidArgument, Reported),
    row(999, "UNKNOWN", Kind::Device, Sticky),
];

/// What a driver function returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const INVALID_VALUE: u32 = 1;
    pub(crate) const NOT_FOUND: u32 = 500;

    fn row(self) -> Option<&'static ErrorRow> {
        ERRORS.iter().find(|row| row.code == self.0)
    }

    /// After these, and after every number that is not known here, the context is good for nothing.
    pub(crate) fn is_sticky(self) -> bool {
        self != Self::SUCCESS && self.row().is_none_or(|row| row.class == Sticky)
    }

    /// As an error of the port.
    pub(crate) fn error(
        self,
        doing: impl Into<String>,
        detail: impl std::fmt::Display,
    ) -> GpuError {
        let text = format!("{detail} (CUresult {})", self.0);
        let kind = self.row().map_or(Kind::Device, |row| row.kind);
        let error = GpuError::new(kind, doing, text).with_code(self.0);
        if self.is_sticky() { error.sticky() } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_illegal_address_is_a_fault_and_ends_the_context() {
        let error = Code(700).error("launch vadd", "an illegal memory access was encountered");
        assert_eq!(
            error.to_string(),
            "launch vadd: an illegal memory access was encountered (CUresult 700)"
        );
        assert_eq!((error.kind, error.code, error.sticky), (ErrorKind::Fault, Some(700), true));
    }

    #[test]
    fn a_number_that_we_do_not_know_ends_the_context() {
        let error = Code(4242).error("launch vadd", "?");
        assert_eq!((error.kind, error.sticky), (ErrorKind::Device, true));
    }

    #[test]
    fn every_number_has_one_row_in_order() {
        assert!(ERRORS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
