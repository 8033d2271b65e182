//! `[leases]`: how GPUs are shared. The broker's policy, in the operator's words.

use bridge_host_broker::{Eviction, Policy, Sharing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};

/// How GPUs are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaseSettings {
    /// `turns`: one lease at a time; `together`: jobs of any lease beside each other.
    pub sharing: SharingWord,
    /// Microseconds of weighted use after which the turn passes.
    pub turn_us: u64,
    /// Whether a waiting lease of higher priority ends those of lower priority.
    pub evict_lower_priority: bool,
    /// Seconds that an evicted lease has left.
    pub eviction_grace_s: u32,
    /// Milliseconds of waiting that count as one more of priority.
    pub ageing_ms: u32,
    /// Priority where none is asked for.
    pub priority_default: u8,
    /// Whether a worker may have only what the queen granted it, by a lease of hers for it or by `spawn`.
    pub grants_required: bool,
    /// Seconds that a lease may be asked for.
    pub ttl_s_max: u32,
    /// Leases on one GPU.
    pub leases_max: u32,
    /// Leases waiting for one GPU.
    pub waiters_max: u32,
    /// Jobs waiting in one lease.
    pub lease_jobs_max: u32,
    /// Jobs waiting on one GPU.
    pub gpu_jobs_max: u32,
    /// Jobs that one lease may submit in a second, on average; 0 is without bound.
    pub submits_per_s: u32,
    /// Jobs that one lease may submit at once above that average.
    pub submits_burst: u32,
}

/// The words for [`Sharing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SharingWord {
    /// One lease at a time has the GPU.
    Turns,
    /// The driver slices time between leases.
    Together,
}

impl Default for LeaseSettings {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            sharing: match policy.sharing {
                Sharing::Turns => SharingWord::Turns,
                Sharing::Together => SharingWord::Together,
            },
            turn_us: policy.turn_us,
            evict_lower_priority: policy.eviction == Eviction::LowerPriority,
            eviction_grace_s: policy.eviction_grace_s,
            ageing_ms: policy.ageing_ms,
            priority_default: policy.priority_default,
            grants_required: policy.grants_required,
            ttl_s_max: policy.lease_ttl_s_max,
            leases_max: policy.leases_max,
            waiters_max: policy.lease_waiters_max,
            lease_jobs_max: policy.lease_jobs_max,
            gpu_jobs_max: policy.gpu_jobs_max,
            submits_per_s: policy.lease_submits_per_s,
            submits_burst: policy.lease_submits_burst,
        }
    }
}

impl LeaseSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("leases.turn_us", self.turn_us, 0..=60_000_000)?;
        within("leases.eviction_grace_s", self.eviction_grace_s, 0..=86_400)?;
        within("leases.ageing_ms", self.ageing_ms, 1..=86_400_000)?;
        within("leases.ttl_s_max", self.ttl_s_max, 1..=ninedoor_abi::limits::TTL_S_MAX)?;
        within("leases.leases_max", self.leases_max, 1..=65_536)?;
        within("leases.waiters_max", self.waiters_max, 0..=65_536)?;
        within("leases.lease_jobs_max", self.lease_jobs_max, 1..=1_048_576)?;
        within("leases.gpu_jobs_max", self.gpu_jobs_max, 1..=1_048_576)?;
        within("leases.submits_burst", self.submits_burst, 1..=1_048_576)
    }

    /// For the broker.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            sharing: match self.sharing {
                SharingWord::Turns => Sharing::Turns,
                SharingWord::Together => Sharing::Together,
            },
            turn_us: self.turn_us,
            eviction: if self.evict_lower_priority {
                Eviction::LowerPriority
            } else {
                Eviction::Never
            },
            eviction_grace_s: self.eviction_grace_s,
            ageing_ms: self.ageing_ms,
            priority_default: self.priority_default,
            grants_required: self.grants_required,
            lease_ttl_s_max: self.ttl_s_max,
            leases_max: self.leases_max,
            lease_waiters_max: self.waiters_max,
            lease_jobs_max: self.lease_jobs_max,
            gpu_jobs_max: self.gpu_jobs_max,
            lease_submits_per_s: self.submits_per_s,
            lease_submits_burst: self.submits_burst,
            ..Policy::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_nobody_changed_are_the_brokers_own_policy() {
        assert_eq!(LeaseSettings::default().policy(), Policy::default());
    }
}
