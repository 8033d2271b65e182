//! One launch as its blocks see it: what is the same for all of them.

use std::fmt;

use mock_ptx::ir::{Axis, Kernel, ReservedShared, Space, SpecialRegister};

use super::grid;
use crate::fault::{Cause, Fault};
use crate::limits::WARP_LANES;
use crate::memory::{Access, AccessError, Map, Place, Refusal, window};
use crate::raw::Region;

/// Everything about a launch that no block changes.
pub struct Job<'a> {
    /// What runs.
    pub kernel: &'a Kernel,
    /// Where the module's variables are.
    pub symbols: &'a [u64],
    /// The device's memory.
    pub map: Map<'a>,
    /// The parameter block.
    pub parameters: Region,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Shared memory of a block, static and dynamic.
    pub shared_bytes: u32,
    /// Its dynamic part.
    pub dynamic_shared_bytes: u32,
    /// Local memory of a lane, stack included.
    pub local_bytes: u64,
    /// All that a block takes: registers, shared and local memory.
    pub block_bytes: u64,
    /// Loops that one block may close; no bound where absent.
    pub fuel: Option<u64>,
    /// Whether someone wants the launch to end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Whether atomics whose order can be seen come in the order of blocks.
    pub in_order: bool,
    /// Where a cooperative grid meets; none where it does not.
    pub grid_workspace: Option<u64>,
}

/// Why a block did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// It broke a rule.
    Fault(Box<Fault>),
    /// Someone wanted the launch to end.
    Stopped,
    /// It closed more loops than it may.
    OutOfFuel,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// How far a block has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All lanes have ended.
    Finished,
    /// It used up its turn, and would go on.
    Unfinished,
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, grid, block, shared_bytes, .. } = self;
        f.debug_struct("Job")
            .field("kernel", &kernel.name)
            .field("grid", grid)
            .field("block", block)
            .field("shared_bytes", shared_bytes)
            .finish_non_exhaustive()
    }
}

impl<'a> Job<'a> {
    /// Threads of a block.
    #[must_use]
    pub fn threads(&self) -> usize {
        usize::try_from(grid::volume(self.block)).unwrap_or(usize::MAX)
    }

    /// A fault of this kernel.
    #[must_use]
    pub fn fault(&self, block: [u32; 3], lane: usize, line: u32, cause: Cause) -> Fault {
        let thread = grid::coordinates(lane as u64, self.block);
        Fault { kernel: self.kernel.name.clone(), block, thread, line, cause }
    }

    /// What a special register holds for lane `lane` of block `block`; `clock` counts what the block has done.
    #[must_use]
    pub fn special(
        &self,
        register: SpecialRegister,
        block: [u32; 3],
        lane: usize,
        clock: u64,
    ) -> u64 {
        use SpecialRegister as R;
        let at = |extent: [u32; 3], axis: Axis| {
            u64::from(match axis {
                Axis::X => extent[0],
                Axis::Y => extent[1],
                Axis::Z => extent[2],
            })
        };
        let warp_lane = (lane % WARP_LANES) as u32;
        let bit = 1u32 << warp_lane;
        match register {
            R::Tid(axis) => at(grid::coordinates(lane as u64, self.block), axis),
            R::Ntid(axis) => at(self.block, axis),
            R::Ctaid(axis) | R::ClusterId(axis) => at(block, axis),
            R::Nctaid(axis) | R::NclusterId(axis) => at(self.grid, axis),
            R::ClusterNctaId(_) | R::ClusterNctaRank => 1,
            R::LaneId => u64::from(warp_lane),
            R::WarpId => (lane / WARP_LANES) as u64,
            R::NwarpId => self.threads().div_ceil(WARP_LANES) as u64,
            R::NsmId | R::GridId => 1,
            R::LanemaskEq => u64::from(bit),
            R::LanemaskLt => u64::from(bit - 1),
            R::LanemaskLe => u64::from(bit | (bit - 1)),
            R::LanemaskGt => u64::from(!(bit | (bit - 1))),
            R::LanemaskGe => u64::from(!(bit - 1)),
            R::Clock | R::Clock64 | R::GlobalTimer | R::GlobalTimerLo => clock,
            R::ClockHi | R::GlobalTimerHi => clock >> 32,
            R::Environment(1) => self.grid_workspace.unwrap_or(0) >> 32,
            R::Environment(2) => self.grid_workspace.unwrap_or(0) & 0xffff_ffff,
            R::TotalSharedBytes | R::AggregateSharedBytes => u64::from(self.shared_bytes),
            R::DynamicSharedBytes => u64::from(self.dynamic_shared_bytes),
            R::ReservedSharedOffset(ReservedShared::Capacity) => 0,
            R::ReservedSharedOffset(_) => u64::from(self.shared_bytes),
            R::ClusterCtaId(_)
            | R::ClusterCtaRank
            | R::SmId
            | R::Environment(_)
            | R::PerformanceCounter(_)
            | R::IsExplicitCluster
            | R::CurrentGraphExec => 0,
        }
    }

    /// Where an access to a space other than local memory lands.
    ///
    /// # Errors
    /// Where it may not.
    #[inline]
    pub fn place<'b>(
        &'b self,
        space: Space,
        address: u64,
        bytes: u64,
        access: Access,
        shared: &'b Region,
    ) -> Result<Place<'b>, AccessError> {
        match space {
            Space::Global | Space::Constant | Space::Generic | Space::Local => {
                self.map.place(address, bytes, access)
            }
            Space::Shared => inside(shared, "shared", address, bytes, access),
            Space::Parameter if access == Access::Load => {
                inside(&self.parameters, "parameter", address, bytes, access)
            }
            Space::Parameter => {
                Err(AccessError { access, bytes, address, reason: Refusal::ReadOnly })
            }
        }
    }
}

/// The space that an address of `space` really means, and the address in it.
#[inline]
#[must_use]
pub const fn resolve(space: Space, address: u64) -> (Space, u64) {
    match space {
        Space::Generic => window::resolve(address),
        _ => (space, address),
    }
}

/// Checks a place in a window.
///
/// # Errors
/// Misaligned, or past the window's end.
#[inline]
pub fn check(
    space: &'static str,
    size_bytes: u64,
    address: u64,
    bytes: u64,
    access: Access,
) -> Result<(), AccessError> {
    let reason = if !address.is_multiple_of(bytes) {
        Refusal::Misaligned
    } else if address >= size_bytes || bytes > size_bytes - address {
        Refusal::PastWindow { space, size_bytes }
    } else {
        return Ok(());
    };
    Err(AccessError { access, bytes, address, reason })
}

#[inline]
fn inside<'b>(
    region: &'b Region,
    space: &'static str,
    address: u64,
    bytes: u64,
    access: Access,
) -> Result<Place<'b>, AccessError> {
    check(space, region.bytes(), address, bytes, access)?;
    Ok(Place { region, offset: address })
}
