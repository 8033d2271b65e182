//! What a lane of the reference engine is, and how operations reach it.

use mock_ptx::ir::{BlockId, GlobalId, Reg, RegClass, RegisterCounts, Space, SpecialRegister};

use crate::eval::lanes::Lanes;
use crate::fault::Cause;
use crate::launch::job::{self, Job};
use crate::memory::{Access, Place};
use crate::raw::Region;

/// Where one lane stands.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) block: BlockId,
    pub(super) next: usize,
    pub(super) frame: u64,
    pub(super) stack: Vec<Frame>,
    pub(super) state: State,
}

impl Default for Lane {
    fn default() -> Self {
        Self { block: BlockId(0), next: 0, frame: 0, stack: Vec::new(), state: State::Ready }
    }
}

/// A call that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) then: BlockId,
    pub(super) frame: u64,
}

/// Whether a lane can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Waiting(Wait),
    Ended,
}

/// What a lane waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The lanes of its warp in this mask.
    Members(u32),
    /// Whoever of its warp comes to the same place.
    Converged,
    /// A barrier of the block.
    Barrier(usize),
}

/// The registers of all lanes, each as wide as the widest.
#[derive(Debug)]
pub(super) struct Registers {
    bits: Vec<u64>,
    counts: RegisterCounts,
    stride: usize,
}

impl Registers {
    pub(super) fn new(counts: RegisterCounts, lanes: usize) -> Self {
        let stride: u32 = RegClass::ALL.iter().map(|class| counts.of(*class)).sum();
        Self { bits: vec![0; stride as usize * lanes], counts, stride: stride as usize }
    }

    fn place(&self, lane: usize, reg: Reg) -> usize {
        let before = RegClass::ALL.iter().take_while(|class| **class != reg.class());
        let start: u32 = before.map(|class| self.counts.of(*class)).sum();
        lane * self.stride + start as usize + reg.index()
    }
}

/// A block's lanes as operations see them.
pub(super) struct View<'b> {
    pub(super) job: &'b Job<'b>,
    pub(super) block: [u32; 3],
    pub(super) lanes: &'b [Lane],
    pub(super) registers: &'b mut Registers,
    pub(super) shared: &'b Region,
    pub(super) local: &'b Region,
    pub(super) clock: u64,
}

impl View<'_> {
    fn place(
        &self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        access: Access,
    ) -> Result<Place<'_>, Cause> {
        let (space, address) = job::resolve(space, address);
        if space == Space::Local {
            let size = self.job.local_bytes;
            job::check("local", size, address, bytes.into(), access)?;
            return Ok(Place { region: self.local, offset: lane as u64 * size + address });
        }
        Ok(self.job.place(space, address, bytes.into(), access, self.shared)?)
    }
}

impl Lanes for View<'_> {
    fn register(&self, lane: usize, reg: Reg) -> u64 {
        self.registers.bits[self.registers.place(lane, reg)]
    }

    fn set_register(&mut self, lane: usize, reg: Reg, bits: u64) {
        let place = self.registers.place(lane, reg);
        self.registers.bits[place] = bits & (u64::MAX >> (64 - reg.class().bits()));
    }

    fn special(&self, lane: usize, register: SpecialRegister) -> u64 {
        self.job.special(register, self.block, lane, self.clock)
    }

    fn symbol(&self, id: GlobalId) -> u64 {
        self.job.symbols.get(id.index()).copied().unwrap_or(0)
    }

    fn frame(&self, lane: usize) -> u64 {
        self.lanes[lane].frame
    }

    fn load(&mut self, lane: usize, space: Space, address: u64, bytes: u32) -> Result<u64, Cause> {
        Ok(self.place(lane, space, address, bytes, Access::Load)?.load(bytes))
    }

    fn store(
        &mut self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        value: u64,
    ) -> Result<(), Cause> {
        self.place(lane, space, address, bytes, Access::Store)?.store(bytes, value);
        Ok(())
    }

    fn update(
        &mut self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        new: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Cause> {
        let place = self.place(lane, space, address, bytes, Access::Atomic)?;
        Ok(place.update(bytes, new))
    }
}
