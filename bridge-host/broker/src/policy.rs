//! What the operator may set. Every field has a bound, and hitting it is a refusal that says so.

/// How a GPU's time is shared between leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// One lease at a time has the turn; within it up to its `streams` jobs run. Turns pass by weighted use.
    Turns,
    /// Jobs of any lease run beside each other, up to what the GPU supports; the driver slices time.
    Together,
}

/// Whether a lease may be ended early for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Eviction {
    /// A lease holds until its deadline.
    Never,
    /// A waiting lease of higher priority ends those of lower priority, after a grace.
    LowerPriority,
}

/// The broker's policy. `Policy::default()` is what the daemon does when nothing is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How a GPU's time is shared.
    pub sharing: Sharing,
    /// A lease keeps the turn until it is this far ahead of the one that is next, in microseconds of weighted use.
    pub turn_us: u64,
    /// Whether a lease may be ended early for another.
    pub eviction: Eviction,
    /// What an evicted lease has left, in seconds.
    pub eviction_grace_s: u32,
    /// Waiting this long counts as much as one more of priority, in milliseconds. For leases and for jobs.
    pub ageing_ms: u32,
    /// Priority where none is asked for.
    pub priority_default: u8,
    /// The highest priority that a worker may take for its lease where the queen granted it none.
    pub priority_max: u8,
    /// Whether a worker may have only what the queen granted it.
    pub grants_required: bool,
    /// Seconds that a lease may be asked or renewed for.
    pub lease_ttl_s_max: u32,
    /// Leases on one GPU, active and ending.
    pub leases_max: u32,
    /// Leases waiting for one GPU.
    pub lease_waiters_max: u32,
    /// Jobs waiting in one lease.
    pub lease_jobs_max: u32,
    /// Jobs waiting on one GPU, all leases together.
    pub gpu_jobs_max: u32,
    /// Jobs that one lease may submit in a second, on average; 0 is without bound.
    pub lease_submits_per_s: u32,
    /// Jobs that one lease may submit at once, above that average.
    pub lease_submits_burst: u32,
    /// From soft stop to kill, in milliseconds.
    pub stop_grace_ms: u32,
    /// From spawn to ready, in milliseconds; an executor that takes longer is killed.
    pub executor_start_ms: u32,
    /// Executors at once, on all GPUs.
    pub executors_max: u32,
    /// Executors of a lease that end, one after the other, before they are ready, until its waiting jobs end with that.
    pub executor_starts_max: u32,
    /// From kill to death, in milliseconds; a GPU whose executor takes longer gets no more work until it has died.
    pub executor_death_ms: u32,
    /// Pause before the third executor in a row is spawned for a lease, in milliseconds; doubles from there.
    pub respawn_ms: u32,
    /// The longest such pause.
    pub respawn_ms_max: u32,
}

impl Policy {
    /// What one of priority is worth, in microseconds; at least one.
    pub(crate) fn ageing_us(&self) -> u64 {
        u64::from(self.ageing_ms.max(1)) * 1000
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sharing: Sharing::Turns,
            turn_us: 2_000,
            eviction: Eviction::Never,
            eviction_grace_s: 10,
            ageing_ms: 10_000,
            priority_default: 0,
            priority_max: 9,
            grants_required: false,
            lease_ttl_s_max: 86_400,
            leases_max: 512,
            lease_waiters_max: 1_024,
            lease_jobs_max: 4_096,
            gpu_jobs_max: 131_072,
            lease_submits_per_s: 0,
            lease_submits_burst: 256,
            stop_grace_ms: 250,
            executor_start_ms: 10_000,
            executors_max: 256,
            executor_starts_max: 8,
            executor_death_ms: 5_000,
            respawn_ms: 100,
            respawn_ms_max: 10_000,
        }
    }
}
