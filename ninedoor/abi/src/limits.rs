//! Every bound on what a peer may say, in one place, with the relations between them proved.

/// Bytes of one path element (9P's own bound for portable names).
pub const ELEMENT_BYTES_MAX: usize = 255;
/// Elements of one path.
pub const PATH_DEPTH_MAX: usize = 8;
/// Bytes of a whole path.
pub const PATH_BYTES_MAX: usize = 1024;
/// Characters of a GPU id, job id or subject.
pub const NAME_CHARS_MAX: usize = 64;

/// Bytes of a ticket's payload, before hex.
pub const TICKET_PAYLOAD_BYTES_MAX: usize = 2048;
/// Scopes in one ticket.
pub const TICKET_SCOPES_MAX: usize = 32;
/// Characters of a whole ticket: prefix, payload in hex, dot, MAC in hex.
pub const TICKET_CHARS_MAX: usize = 15 + 2 * TICKET_PAYLOAD_BYTES_MAX + 1 + 64;

/// Bytes of one control line, without its newline.
pub const CTL_LINE_BYTES_MAX: usize = 1024;
/// Bytes of one `/queen/ctl` line, without its newline.
pub const QUEEN_LINE_BYTES_MAX: usize = 4096;
/// MiB that a lease may ask for; what a GPU has is the broker's affair.
pub const LEASE_MEM_MB_MAX: u32 = 16 * 1024 * 1024;
/// Streams that a lease may ask for.
pub const LEASE_STREAMS_MAX: u16 = 128;
/// Seconds that a lease or a ticket may be asked for: one year.
pub const TTL_S_MAX: u32 = 365 * 86_400;
/// Seconds that a lease may wait in the queue: one day.
pub const WAIT_S_MAX: u32 = 86_400;
/// Ticks of a heartbeat worker.
pub const TICKS_MAX: u64 = 1 << 32;

/// Bytes of one job descriptor.
pub const DESCRIPTOR_BYTES_MAX: usize = 1 << 20;
/// Bytes of an inline module, decoded.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// Characters of a kernel's name, mangled.
pub const KERNEL_CHARS_MAX: usize = 1024;
/// Inputs of one job.
pub const JOB_INPUTS_MAX: usize = 64;
/// Outputs of one job.
pub const JOB_OUTPUTS_MAX: usize = 64;
/// Parameters of one kernel.
pub const JOB_PARAMS_MAX: usize = 256;
/// Bytes of one by-value parameter, and of all parameters together (CUDA 12.1, compute capability 7.0).
pub const PARAM_BYTES_MAX: usize = 32_764;
/// Bytes of one output: 16 TiB.
pub const OUTPUT_BYTES_MAX: u64 = 1 << 44;
/// Milliseconds that a job may run or wait: one day.
pub const JOB_TIMEOUT_MS_MAX: u32 = 86_400_000;
/// Labels of one job.
pub const JOB_LABELS_MAX: usize = 16;
/// Characters of a label's value.
pub const LABEL_CHARS_MAX: usize = 256;

// The largest inline module fits into the largest descriptor, with room for everything else.
const _: () = assert!(PAYLOAD_BYTES_MAX.div_ceil(3) * 4 + (256 << 10) <= DESCRIPTOR_BYTES_MAX);
// A ticket fits into the attach message of a peer that negotiated the default msize.
const _: () = assert!(TICKET_CHARS_MAX + 256 < 8192);
// Every name is a path element.
const _: () = assert!(NAME_CHARS_MAX <= ELEMENT_BYTES_MAX);
