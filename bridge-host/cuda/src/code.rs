//! `CUresult` as the number that it is, and what each number means for the context it happened in.
//!
//! Never read through an enum: a newer driver returns numbers that this program does not know.

use bridge_host_gpu::{ErrorKind, GpuError};

/// What a driver function returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);

    /// What kind of failure it is, as the job record names it.
    const fn kind(self) -> ErrorKind {
        match self.0 {
            2 => ErrorKind::OutOfMemory,
            1 | 400 => ErrorKind::InvalidArgument,
            3 | 34 | 35 | 36 => ErrorKind::NoDriver,
            46 | 100 | 101 => ErrorKind::NoGpu,
            200 | 218 | 300 | 301 | 302 => ErrorKind::InvalidModule,
            209 | 221 | 222 | 223 | 801 => ErrorKind::Unsupported,
            500 => ErrorKind::UnknownKernel,
            701 | 720 => ErrorKind::InvalidLaunch,
            700 | 702 | 710 | 714..=719 => ErrorKind::Fault,
            _ => ErrorKind::Device,
        }
    }

    /// After these, and after every number that is not known here, the context is good for nothing.
    const fn is_sticky(self) -> bool {
        !matches!(
            self.0,
            0 | 1 | 2 | 3 | 34..=36 | 46 | 100 | 101 | 200 | 209 | 218 | 221..=223 | 300..=302 | 400 | 500 | 600
                | 701 | 720 | 801
        )
    }

    /// As an error of the port.
    pub(crate) fn error(
        self,
        doing: impl Into<String>,
        detail: impl std::fmt::Display,
    ) -> GpuError {
        let text = format!("{detail} (CUresult {})", self.0);
        let error = GpuError::new(self.kind(), doing, text).with_code(self.0);
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
    fn what_a_bad_module_or_a_small_lease_causes_leaves_the_context_usable() {
        for (number, kind) in [
            (2, ErrorKind::OutOfMemory),
            (209, ErrorKind::Unsupported),
            (218, ErrorKind::InvalidModule),
            (500, ErrorKind::UnknownKernel),
            (701, ErrorKind::InvalidLaunch),
        ] {
            let error = Code(number).error("load", "");
            assert_eq!((error.kind, error.sticky), (kind, false), "{number}");
        }
    }
}
