//! Every bound of the shell, in one place.

/// Bytes in one line of a command or script.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Lines in one script.
pub const SCRIPT_LINES_MAX: usize = 10_000;
/// Longest `WAIT` in a script.
pub const SCRIPT_WAIT_MS_MAX: u64 = 600_000;
/// Responses shown when a script stops.
pub const RECENT_RESPONSES_MAX: usize = 8;
/// Bytes kept of what the last command answered, for `EXPECT SUBSTR` and for the report.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Largest job file read.
pub const JOB_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Largest file that `stage` sends; the hive has a bound of its own.
pub const STAGE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Smallest lease that `run` asks for: module globals and rounding need room beside the buffers.
pub const LEASE_MB_MIN: u64 = 16;
/// Values of an output that `run` shows.
pub const VALUES_SHOWN_MAX: usize = 8;
/// Bytes of an output that `run` reads to show its first values, when it is not saving it.
pub const VALUES_BYTES_MAX: usize = 4096;
/// Pixels in a picture made of an output.
pub const PICTURE_PIXELS_MAX: u64 = 64 * 1024 * 1024;
/// Lines kept in the history of the interactive shell.
pub const HISTORY_LINES_MAX: usize = 1000;

const _: () = assert!(VALUES_SHOWN_MAX * 8 <= VALUES_BYTES_MAX);
const _: () = assert!(RESPONSE_BYTES_MAX >= LINE_BYTES_MAX);
