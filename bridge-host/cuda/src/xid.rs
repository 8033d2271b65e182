//! What NVIDIA's Xid numbers ask for: a table as data, and who has the last word.
//!
//! ```text
//! Xid ─▶ the driver's own recovery action, where it gives one other than "none" ─▶ remedy
//!    └─▶ else this table (by driver version where it matters)                    ─▶ remedy
//! ```

use std::ops::RangeInclusive;

use bridge_host_gpu::Remedy;

/// Some numbers and what they ask for.
#[derive(Debug, Clone)]
pub struct XidRow {
    /// The numbers.
    pub xids: RangeInclusive<u64>,
    /// From this driver branch on; 0 is always.
    pub driver_min: u32,
    /// What is to be done.
    pub remedy: Remedy,
}

const fn row(first: u64, last: u64, remedy: Remedy) -> XidRow {
    XidRow { xids: first..=last, driver_min: 0, remedy }
}

use Remedy::{DrainAndReset, EndExecutor, Inspect, Log, Reboot};

/// Version of [`XIDS`]: raised with every change of a row.
pub const XIDS_VERSION: u32 = 1;

/// The numbers that are known. Source: NVIDIA's Xid catalogue (A100, H100, B100, GB200; its buckets RESTART_APP, IGNORE,
/// RESET_GPU, REBOOT and WORKFLOW), and for 109 also k8s-device-plugin 1b826ac, which ignored it before R570. A number that is
/// not here is [`Remedy::Inspect`]: the safe side, and a passed self-test ends it.
pub const XIDS: [XidRow; 40] = [
    row(8, 8, EndExecutor),
    row(11, 11, EndExecutor),
    row(13, 13, EndExecutor),
    row(14, 14, Log),
    row(25, 25, EndExecutor),
    row(31, 32, EndExecutor),
    row(37, 38, Log),
    row(39, 41, EndExecutor),
    // 45 follows another, or our own kill.
    row(43, 45, Log),
    row(46, 46, DrainAndReset),
    row(48, 48, DrainAndReset),
    row(60, 60, EndExecutor),
    row(62, 62, DrainAndReset),
    row(63, 63, Log),
    row(64, 64, DrainAndReset),
    row(66, 67, Log),
    row(68, 72, EndExecutor),
    row(74, 74, Inspect),
    row(75, 77, EndExecutor),
    row(79, 79, Reboot),
    row(80, 80, EndExecutor),
    row(82, 86, EndExecutor),
    row(88, 89, EndExecutor),
    row(92, 92, Log),
    row(94, 94, EndExecutor),
    row(95, 95, DrainAndReset),
    row(96, 105, EndExecutor),
    row(106, 108, Log),
    XidRow { xids: 109..=109, driver_min: 570, remedy: DrainAndReset },
    row(109, 109, EndExecutor),
    row(110, 110, DrainAndReset),
    row(119, 120, DrainAndReset),
    row(121, 121, Log),
    row(136, 136, DrainAndReset),
    row(137, 137, Log),
    row(140, 140, DrainAndReset),
    row(141, 141, Log),
    row(143, 143, DrainAndReset),
    row(144, 150, Inspect),
    // Carries the driver's own verdict, which is asked for.
    row(154, 154, Log),
];

/// What the driver itself wants done (`NVML_FI_DEV_GET_GPU_RECOVERY_ACTION`); `None` where it wants nothing.
pub(crate) const fn of_driver(action: u32) -> Option<Remedy> {
    match action {
        0 => None,
        1 | 4 => Some(DrainAndReset),
        2 => Some(Reboot),
        // 3 is "drain P2P"; what a later driver may say is looked at by people.
        _ => Some(Inspect),
    }
}

/// What the table says.
pub(crate) fn of_table(xid: u64, driver_branch: u32) -> Remedy {
    XIDS.iter()
        .find(|row| row.xids.contains(&xid) && driver_branch >= row.driver_min)
        .map_or(Inspect, |row| row.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_by_driver_version_stands_before_the_one_for_all() {
        assert_eq!((of_table(109, 580), of_table(109, 550)), (DrainAndReset, EndExecutor));
    }

    #[test]
    fn rows_stand_in_order_and_do_not_overlap() {
        for pair in XIDS.windows(2) {
            let gated = pair[0].xids == pair[1].xids && pair[0].driver_min > pair[1].driver_min;
            assert!(gated || pair[0].xids.end() < pair[1].xids.start(), "{pair:?}");
        }
    }

    #[test]
    fn a_number_that_is_not_known_is_looked_at() {
        assert_eq!(of_table(4711, 580), Inspect);
    }
}
