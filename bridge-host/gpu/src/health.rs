//! How a GPU is: whether it may be given work, what its counters read, what just happened to it.

use alloc::{string::String, vec::Vec};

/// Whether a GPU may be given work.
///
/// ```text
/// Ok ⇄ Degraded      work goes on
/// Ok ⇄ Paused        nothing new is begun; ends by itself when the cause does
/// Ok ─▶ Unusable     until someone acts, and a self-test has passed
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Health {
    /// Nothing known against it.
    Ok,
    /// Usable, and something should be looked at.
    Degraded(String),
    /// Not to be given anything new for now: too hot, too little power.
    Paused(String),
    /// Not to be used until someone acts; says what.
    Unusable(String),
}

impl Health {
    /// The word in `info`, `stats` and metrics.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded(_) => "degraded",
            Self::Paused(_) => "paused",
            Self::Unusable(_) => "unusable",
        }
    }

    /// Why, where there is something to say.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Degraded(why) | Self::Paused(why) | Self::Unusable(why) => Some(why),
        }
    }

    /// Every word of [`Self::state`].
    pub const STATES: [&'static str; 4] = ["ok", "degraded", "paused", "unusable"];
}

/// One reading of a GPU's counters. A field that this GPU cannot tell is `None`, never a made-up number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuSample {
    /// Time with at least one kernel running, 0 to 1.
    pub utilization_ratio: Option<f32>,
    /// Time with its memory being read or written, 0 to 1.
    pub memory_utilization_ratio: Option<f32>,
    /// Time with its video encoder busy, 0 to 1.
    pub encoder_utilization_ratio: Option<f32>,
    /// Time with its video decoder busy, 0 to 1.
    pub decoder_utilization_ratio: Option<f32>,
    /// Device memory in use, bytes.
    pub memory_used_bytes: Option<u64>,
    /// Device memory that can be allocated, bytes.
    pub memory_free_bytes: Option<u64>,
    /// Device memory that the driver keeps for itself, bytes.
    pub memory_reserved_bytes: Option<u64>,
    /// Celsius.
    pub temperature_celsius: Option<f32>,
    /// Of its memory, Celsius.
    pub memory_temperature_celsius: Option<f32>,
    /// Watts.
    pub power_watts: Option<f32>,
    /// Since the driver was loaded, millijoules.
    pub energy_millijoules: Option<u64>,
    /// Clock of the multiprocessors, MHz.
    pub sm_clock_mhz: Option<u32>,
    /// Clock of the memory, MHz.
    pub memory_clock_mhz: Option<u32>,
    /// Messages sent again over the bus, ever.
    pub pcie_replays: Option<u64>,
    /// Memory errors since the driver was loaded.
    pub ecc: Option<EccErrors>,
    /// What holds its clocks down.
    pub throttle: Option<Throttle>,
    /// Device memory by process, of those that hold a context.
    pub processes: Vec<ProcessMemory>,
    /// What these readings say of its health, where they say anything.
    pub health: Option<Health>,
}

/// Memory errors, counted by the hardware.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EccErrors {
    /// Found and put right.
    pub corrected: u64,
    /// Found, and data was lost.
    pub uncorrected: u64,
}

/// What one process holds of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessMemory {
    /// Which.
    pub pid: u32,
    /// Bytes; `None` where the driver does not say.
    pub bytes: Option<u64>,
}

/// Why clocks are held down: a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Throttle(pub u64);

impl Throttle {
    /// Each reason and its bit, as NVML numbers them; the first column is the label in metrics.
    pub const REASONS: [(&'static str, u64); 9] = [
        ("idle", 0x1),
        ("application_clocks", 0x2),
        ("power_cap", 0x4),
        ("hardware_slowdown", 0x8),
        ("sync_boost", 0x10),
        ("software_thermal", 0x20),
        ("hardware_thermal", 0x40),
        ("power_brake", 0x80),
        ("display_clocks", 0x100),
    ];

    /// Those of [`Self::REASONS`] that hold; bits that have no name there are left out.
    pub fn reasons(self) -> impl Iterator<Item = &'static str> {
        let held = move |(_, bit): &(&str, u64)| self.0 & bit != 0;
        Self::REASONS.into_iter().filter(held).map(|(name, _)| name)
    }
}

/// Something that happened to a GPU, told by its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuEvent {
    /// To which, by uuid; `None` when it is true of all.
    pub uuid: Option<String>,
    /// The vendor's number of it (NVIDIA: Xid), where it has one.
    pub code: Option<u64>,
    /// What, in words.
    pub what: String,
    /// What is to be done.
    pub remedy: Remedy,
}

/// What is to be done about an event, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Nothing: note it.
    Log,
    /// The executor that caused it must go; the GPU stays.
    EndExecutor,
    /// Nothing more may run before the GPU was reset.
    DrainAndReset,
    /// Nothing more may run before someone has looked.
    Inspect,
    /// Nothing more may run before the machine was started again.
    Reboot,
}

impl Remedy {
    /// Every remedy.
    pub const ALL: [Self; 5] =
        [Self::Log, Self::EndExecutor, Self::DrainAndReset, Self::Inspect, Self::Reboot];

    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::EndExecutor => "end_executor",
            Self::DrainAndReset => "drain_and_reset",
            Self::Inspect => "inspect",
            Self::Reboot => "reboot",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_reasons_are_named_and_unknown_bits_are_left_out() {
        let reasons: Vec<_> = Throttle(0x40 | 0x4 | 1 << 40).reasons().collect();
        assert_eq!(reasons, ["power_cap", "hardware_thermal"]);
    }

    #[test]
    fn every_state_is_in_the_list_of_states() {
        let why = String::new;
        for health in
            [Health::Ok, Health::Degraded(why()), Health::Paused(why()), Health::Unusable(why())]
        {
            assert!(Health::STATES.contains(&health.state()));
        }
    }
}
