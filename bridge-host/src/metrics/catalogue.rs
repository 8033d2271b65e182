//! Every metric there is, as data: what is not in this table is not served, and `docs/METRICS.md` is made from it.
//!
//! Names are Prometheus' way: `cohgpu_`, base units, `_total` for what only grows; DCGM's are in [`super::dcgm`]. No label has values without a bound: GPUs, states, reasons, codes; never
//! jobs, leases, workers or peers.

use super::{
    dcgm,
    family::{Facts, Family, Kind},
};

/// One part of the table.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its rows.
    pub families: &'static [Facts],
}

/// The whole table, in the order in which it is served.
pub fn sections() -> impl Iterator<Item = Section> {
    NATIVE.iter().copied().chain([Section { title: "DCGM's names", families: dcgm::FACTS }])
}

/// Every family.
pub fn families() -> impl Iterator<Item = &'static Facts> {
    sections().flat_map(|section| section.families)
}

const fn count(labels: &[&str]) -> usize {
    labels.len()
}

macro_rules! catalogue {
    ($($title:literal { $($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)* })*) => {
        $($(
            pub(crate) static $id: Family<{ count(&[$($label),*]) }> = Family {
                name: $name,
                kind: Kind::$kind,
                labels: [$($label),*],
                help: $help,
            };
        )*)*

        const NATIVE: &[Section] = &[$(Section {
            title: $title,
            families: &[$(Facts { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help },)*],
        },)*];
    };
}

catalogue! {
"The bridge" {
    BUILD_INFO = Gauge "cohgpu_build_info" ["version", "backend"] "This bridge; always 1.";
    DRAINING = Gauge "cohgpu_draining" [] "Whether this bridge takes nothing more, 1 or 0.";
    PAGE_TIMESTAMP = Gauge "cohgpu_page_timestamp_seconds" [] "When this page was made, in Unix time; made anew every second.";
    PAGE_SECONDS = Gauge "cohgpu_page_seconds" [] "How long it took to make the page before this one.";
}
"GPUs" {
    INFO = Gauge "cohgpu_info" ["gpu", "uuid", "name", "driver_version", "pci_bus_id", "backend"] "A GPU, and what it is; always 1.";
    STATE = Gauge "cohgpu_state" ["gpu", "state"] "Whether a GPU takes new work: 1 for the state it is in, 0 for the others.";
    HEALTH = Gauge "cohgpu_health" ["gpu", "health"] "How a GPU is: 1 for how it is, 0 for the others.";
    LAST_SAMPLE = Gauge "cohgpu_last_sample_timestamp_seconds" ["gpu"] "When its counters were last read, in Unix time.";
    SAMPLE_ERRORS = Counter "cohgpu_sample_errors_total" ["gpu"] "Times that its counters could not be read.";
    MEMORY_TOTAL = Gauge "cohgpu_memory_total_bytes" ["gpu"] "Device memory.";
    MEMORY_USED = Gauge "cohgpu_memory_used_bytes" ["gpu"] "Device memory in use, as the driver counts it.";
    MEMORY_FREE = Gauge "cohgpu_memory_free_bytes" ["gpu"] "Device memory that can be allocated, as the driver counts it.";
    MEMORY_RESERVED = Gauge "cohgpu_memory_reserved_bytes" ["gpu"] "Device memory that the driver keeps for itself.";
    MEMORY_LEASABLE = Gauge "cohgpu_memory_leasable_bytes" ["gpu"] "Device memory that leases can have in all.";
    MEMORY_LEASED = Gauge "cohgpu_memory_leased_bytes" ["gpu"] "Device memory that leases have, with their executors.";
    UTILIZATION = Gauge "cohgpu_utilization_ratio" ["gpu"] "Time with a kernel running, 0 to 1.";
    MEMORY_UTILIZATION = Gauge "cohgpu_memory_utilization_ratio" ["gpu"] "Time with device memory being read or written, 0 to 1.";
    TEMPERATURE = Gauge "cohgpu_temperature_celsius" ["gpu"] "Temperature.";
    MEMORY_TEMPERATURE = Gauge "cohgpu_memory_temperature_celsius" ["gpu"] "Temperature of device memory.";
    POWER = Gauge "cohgpu_power_watts" ["gpu"] "Power drawn.";
    ENERGY = Counter "cohgpu_energy_joules_total" ["gpu"] "Energy used since the driver was loaded.";
    CLOCK = Gauge "cohgpu_clock_hertz" ["gpu", "domain"] "Clocks: of the multiprocessors (sm) and of device memory (memory).";
    THROTTLE = Gauge "cohgpu_throttle_active" ["gpu", "reason"] "Whether its clocks are held down for this reason, 1 or 0.";
    ECC_ERRORS = Counter "cohgpu_ecc_errors_total" ["gpu", "type"] "Memory errors since the driver was loaded: corrected, uncorrected.";
    PCIE_REPLAYS = Counter "cohgpu_pcie_replays_total" ["gpu"] "Messages sent again over the bus.";
    XID_ERRORS = Counter "cohgpu_xid_errors_total" ["gpu", "xid"] "Errors told by the driver, by Xid; `other` past the first 32 of a GPU.";
}
"Leases" {
    LEASES = Gauge "cohgpu_leases" ["gpu", "state"] "Leases: active, queued, ending (over, and their executors not gone yet).";
    LEASE_GRANTS = Counter "cohgpu_lease_grants_total" ["gpu"] "Leases that became active.";
    LEASE_ENDS = Counter "cohgpu_lease_ends_total" ["gpu", "state"] "Leases that are over: released, expired, revoked.";
    ORDERS = Counter "cohgpu_orders_total" ["gpu", "verb", "result"] "Lines written to ctl, lease and job, by what was asked and by OK or the errno of the refusal.";
}
"Jobs" {
    JOBS = Gauge "cohgpu_jobs" ["gpu", "state"] "Jobs that have not ended: queued, running.";
    JOBS_TOTAL = Counter "cohgpu_jobs_total" ["gpu", "result"] "Jobs that have ended, by OK or the code of their error.";
    JOB_QUEUE = Histogram "cohgpu_job_queue_seconds" ["gpu"] "From acceptance to running, of jobs that ended OK.";
    JOB_H2D = Histogram "cohgpu_job_h2d_seconds" ["gpu"] "Loading the module and copying to the device, of jobs that ended OK.";
    JOB_KERNEL = Histogram "cohgpu_job_kernel_seconds" ["gpu"] "The kernel itself, of jobs that ended OK.";
    JOB_D2H = Histogram "cohgpu_job_d2h_seconds" ["gpu"] "Copying back, of jobs that ended OK.";
    JOB_OUTPUT = Counter "cohgpu_job_output_bytes_total" ["gpu"] "Bytes of outputs, of jobs that ended OK.";
}
"Executors" {
    EXECUTORS = Gauge "cohgpu_executors" ["duty"] "Executor processes: bound to a lease, or spare.";
    EXECUTORS_MAX = Gauge "cohgpu_executors_max" [] "Executor processes that there may be at once.";
    EXECUTOR_STARTS = Counter "cohgpu_executor_starts_total" [] "Executor processes that were asked for.";
    EXECUTOR_KILLS = Counter "cohgpu_executor_kills_total" ["gpu", "reason"] "Executors killed, by why.";
    EXECUTOR_CRASHES = Counter "cohgpu_executor_crashes_total" [] "Executors that ended, or never started, without being told to.";
}
"9P" {
    CONNECTIONS = Gauge "cohgpu_9p_connections" [] "Peers connected.";
    CONNECTS = Counter "cohgpu_9p_connects_total" [] "Peers that were let in.";
    CONNECTS_REFUSED = Counter "cohgpu_9p_connects_refused_total" [] "Peers that were turned away: a limit was reached, or the bridge ends.";
    HANDSHAKES_FAILED = Counter "cohgpu_9p_handshakes_failed_total" [] "Peers that did not pass TLS.";
    CONNECTION_ENDS = Counter "cohgpu_9p_connection_ends_total" ["reason"] "Connections that ended; violation is a peer that broke the protocol.";
    ATTACHES = Counter "cohgpu_9p_attaches_total" [] "Users that were let in.";
    REQUESTS = Counter "cohgpu_9p_requests_total" [] "Requests of peers.";
    REFUSALS = Counter "cohgpu_9p_refusals_total" ["kind"] "Requests that were refused, by what a caller can do about it: busy, quota, cut, policy, other.";
    BYTES_IN = Counter "cohgpu_9p_received_bytes_total" [] "Bytes from peers.";
    BYTES_OUT = Counter "cohgpu_9p_sent_bytes_total" [] "Bytes to peers.";
    FIDS = Gauge "cohgpu_9p_fids" [] "Fids in use.";
}
"Stores and log" {
    ARTEFACTS = Gauge "cohgpu_artefacts" [] "Staged contents, equal ones counted once.";
    ARTEFACT_BYTES = Gauge "cohgpu_artefact_bytes" [] "Their bytes.";
    ARTEFACT_BYTES_MAX = Gauge "cohgpu_artefact_limit_bytes" [] "How many bytes of artefacts there may be.";
    OUTPUT_JOBS = Gauge "cohgpu_output_jobs" [] "Jobs whose outputs are kept.";
    OUTPUT_BYTES = Gauge "cohgpu_output_bytes" [] "Bytes of outputs that are kept.";
    OUTPUT_BYTES_MAX = Gauge "cohgpu_output_limit_bytes" [] "How many bytes of outputs are kept; the oldest go.";
    STATE_FREE = Gauge "cohgpu_state_directory_free_bytes" [] "Free bytes of the file system that the state directory is on.";
    JOURNAL_BYTES = Counter "cohgpu_journal_written_bytes_total" [] "Bytes of rows about leases and jobs that were written.";
    JOURNAL_UNSYNCED = Gauge "cohgpu_journal_unsynced_bytes" [] "Of those, bytes that are not on the disk yet.";
    JOURNAL_TROUBLE = Gauge "cohgpu_journal_trouble" [] "Whether leases and jobs cannot be stored, so that nothing new is taken on, 1 or 0.";
    AUDIT_LINES = Counter "cohgpu_audit_lines_total" [] "Lines of the log.";
    AUDIT_DROPPED = Counter "cohgpu_audit_lines_dropped_total" [] "Lines of the log that were not kept, for want of room.";
    AUDIT_TROUBLE = Gauge "cohgpu_audit_trouble" [] "Whether the file system refuses lines of the log, 1 or 0.";
}
"The process" {
    RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory of this process, without its executors.";
    CPU = Counter "process_cpu_seconds_total" [] "Processor time of this process, without its executors.";
    THREADS = Gauge "process_threads" [] "Threads of this process.";
    OPEN_FILES = Gauge "process_open_fds" [] "Open file descriptors.";
    FILES_MAX = Gauge "process_max_fds" [] "Open file descriptors that there may be.";
    START_TIME = Gauge "process_start_time_seconds" [] "When this process started, in Unix time.";
}
}
