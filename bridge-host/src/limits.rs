//! The daemon's bounds, in one place, and how they relate.

use std::time::Duration;

/// Modules that an executor keeps loaded between the jobs of its lease.
pub const EXECUTOR_MODULES_MAX: usize = 8;

/// Bytes of device-side `printf` kept per job.
pub const PRINTF_BYTES_MAX: u32 = 256 * 1024;

/// Bytes of text in the `detail` of one failure (a compiler's log, a panic).
pub const DETAIL_BYTES_MAX: usize = 4 * 1024;

/// Between asking a kernel to stop and killing its process.
pub const STOP_GRACE: Duration = Duration::from_millis(250);

/// Numbers of events told apart for one GPU; those of more share one place.
pub const EVENT_CODES_MAX: usize = 256;

/// Lines of the list of executors before it is written anew with those that live.
pub const KIN_LINES_MAX: usize = 4096;

/// Leases that are over and still shown.
pub const LEASES_OVER_MAX: usize = 256;
