//! The state of one unit: a block, or several blocks side by side, in lockstep.

use mock_ptx::ir::{
    GlobalId, Guard, Instruction, Reg, RegClass, Space, SpecialRegister, Terminator,
};

use super::code::Code;
use super::fetch::InMemory;
use super::file::{File, Files};
use super::live::Registers;
use super::mask::Mask;
use super::path::Path;
use super::shape::Extent;
use crate::eval::lanes::Lanes;
use crate::fault::Cause;
use crate::kernels::Chunk;
use crate::launch::barrier::Barrier;
use crate::launch::job::{self, Job};
use crate::limits::{BARRIERS, WARP_LANES};
use crate::memory::{Access, AccessError, Place};
use crate::raw::{Isa, Region};

/// One or several blocks with all their lanes.
#[derive(Debug)]
pub struct Unit<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) code: &'a Code,
    pub(super) isa: Isa,
    /// The first block's place in the grid; the others follow along x.
    pub(super) first: [u32; 3],
    /// Lanes of one block.
    pub(super) threads: usize,
    pub(super) all: Mask,
    pub(super) alive: Mask,
    pub(super) file16: File<u16>,
    pub(super) file32: File<u32>,
    pub(super) file64: File<u64>,
    pub(super) predicates: Vec<Mask>,
    /// Registers whose lanes the next steps will fetch.
    pub(super) in_memory: Vec<InMemory<'a>>,
    /// Where lanes go that go each their own way, while they do.
    pub(super) places: Box<[Chunk<u64>]>,
    /// The path that runs.
    pub(super) path: Path,
    /// Those that do not.
    pub(super) others: Vec<Path>,
    /// What those still want.
    pub(super) wanted: Registers,
    /// Others have come or gone since.
    pub(super) wanted_is_stale: bool,
    /// Blocks that run here.
    pub(super) blocks: usize,
    /// Their shared memory, one after the other.
    pub(super) shared: Region,
    /// From one block's shared memory to the next one's.
    pub(super) shared_stride: u64,
    pub(super) local: Region,
    /// Lanes that local memory is interleaved for.
    pub(super) local_lanes: usize,
    /// Local memory that has been used, and must be zero for the next block.
    pub(super) local_used_bytes: u64,
    /// Of each block.
    pub(super) barriers: Vec<[Barrier; BARRIERS]>,
    /// Nobody has come to any of them.
    pub(super) barriers_are_fresh: bool,
    pub(super) clock: u64,
    pub(super) back_edges: u64,
    /// Since the last turn was over.
    pub(super) turn_back_edges: u32,
    /// Turns given so far.
    pub(super) turn: u64,
    /// The running path got its turn by waiting longest, and keeps it.
    pub(super) pinned: bool,
}

impl<'a> Unit<'a> {
    /// Room for units of up to `blocks` blocks; none where the host has no memory for it.
    #[must_use]
    pub fn new(job: &'a Job<'a>, code: &'a Code, isa: Isa, blocks: u32) -> Option<Self> {
        let threads = job.threads();
        let lanes = threads * blocks as usize;
        let warps = lanes.div_ceil(WARP_LANES);
        let counts = job.kernel.registers;
        let registers = |class| counts.of(class) as usize;
        let local_lanes = warps * WARP_LANES;
        let Files { file16, file32, file64 } = code.spare.take(warps).unwrap_or_else(|| Files {
            file16: File::new(registers(RegClass::B16), &code.constants16, warps),
            file32: File::new(registers(RegClass::B32), &code.constants32, warps),
            file64: File::new(registers(RegClass::B64), &code.constants64, warps),
        });
        let shared_stride = u64::from(job.shared_bytes).next_multiple_of(SHARED_ALIGN);
        Some(Self {
            job,
            code,
            isa,
            first: [0; 3],
            threads,
            all: Mask::EMPTY,
            alive: Mask::EMPTY,
            file16,
            file32,
            file64,
            predicates: vec![Mask::EMPTY; registers(RegClass::Predicate)],
            in_memory: Vec::new(),
            places: vec![Chunk::default(); warps].into_boxed_slice(),
            path: Path::entry(Mask::EMPTY),
            others: Vec::new(),
            wanted: Registers::empty(code.live.numbering().count()),
            wanted_is_stale: false,
            blocks: 1,
            shared: Region::zeroed(shared_stride * u64::from(blocks))?,
            shared_stride,
            local: Region::zeroed(job.local_bytes.next_multiple_of(8) * local_lanes as u64)?,
            local_lanes,
            local_used_bytes: 0,
            barriers: vec![[Barrier::default(); BARRIERS]; blocks as usize],
            barriers_are_fresh: true,
            clock: 0,
            back_edges: 0,
            turn_back_edges: 0,
            turn: 0,
            pinned: false,
        })
    }

    /// Begins with `blocks` blocks from `first` on, along x.
    pub fn start(&mut self, first: [u32; 3], blocks: u32) {
        let [x, y, z] = self.job.block;
        let extent = Extent(if blocks > 1 { [x, y * z, blocks] } else { [x, y, z] });
        let counts = self.job.kernel.registers;
        (self.first, self.blocks) = (first, blocks as usize);
        if extent != self.extent() || self.all.is_empty() {
            self.all = Mask::first(extent.lanes());
        }
        self.alive = self.all;
        self.file16.restart(extent, counts.b16 as usize);
        self.file32.restart(extent, counts.b32 as usize);
        self.file64.restart(extent, counts.b64 as usize);
        self.in_memory.clear();
        self.path = Path::entry(self.all);
        self.others.clear();
        self.wanted_is_stale = false;
        self.shared.clear(self.shared_stride * u64::from(blocks));
        self.local.clear(self.local_used_bytes.next_multiple_of(4) * self.local_lanes as u64);
        self.local_used_bytes = self.job.kernel.frame_bytes.into();
        if !self.barriers_are_fresh {
            self.barriers.fill([Barrier::default(); BARRIERS]);
            self.barriers_are_fresh = true;
        }
        (self.clock, self.back_edges, self.turn_back_edges) = (0, 0, 0);
        (self.turn, self.pinned) = (0, false);
    }

    /// How the lanes lie.
    #[inline]
    pub(super) const fn extent(&self) -> Extent {
        self.file32.extent()
    }

    /// How many warps there are.
    #[inline]
    pub(super) const fn warps(&self) -> usize {
        self.extent().lanes().div_ceil(WARP_LANES)
    }

    /// The lanes of one of the unit's blocks.
    pub(super) fn lanes_of(&self, block: usize) -> Mask {
        if self.blocks == 1 {
            return self.all;
        }
        Mask::first((block + 1) * self.threads).without(&Mask::first(block * self.threads))
    }

    /// The block of a lane, and its number there.
    #[inline]
    pub(super) const fn thread(&self, lane: usize) -> ([u32; 3], usize) {
        let [x, y, z] = self.first;
        ([x + (lane / self.threads) as u32, y, z], lane % self.threads)
    }

    /// The lanes for which a condition holds, of those in `mask`.
    #[inline]
    pub(super) fn holding(&self, guard: Guard, mask: &Mask) -> Mask {
        let words = &self.predicates[guard.predicate.index()];
        if guard.negated { mask.without(words) } else { mask.and(words) }
    }

    fn window(
        &self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        access: Access,
    ) -> Result<Place<'_>, AccessError> {
        let (space, address) = job::resolve(space, address);
        if space == Space::Shared {
            job::check("shared", self.job.shared_bytes.into(), address, bytes.into(), access)?;
            let offset = address + (lane / self.threads) as u64 * self.shared_stride;
            return Ok(Place { region: &self.shared, offset });
        }
        if space != Space::Local {
            return self.job.place(space, address, bytes.into(), access, &self.shared);
        }
        job::check("local", self.job.local_bytes, address, bytes.into(), access)?;
        Ok(Place { region: &self.local, offset: self.local_offset(lane, address) })
    }

    /// Local memory lies word by word, the words of all lanes side by side.
    #[inline]
    pub(super) const fn local_offset(&self, lane: usize, address: u64) -> u64 {
        (address / 4 * self.local_lanes as u64 + lane as u64) * 4 + address % 4
    }

    /// The word of local memory behind one, of the same lane.
    const fn next_word<'p>(&self, Place { region, offset }: Place<'p>) -> Place<'p> {
        Place { region, offset: offset + 4 * self.local_lanes as u64 }
    }

    const fn is_local(space: Space, address: u64) -> bool {
        matches!(job::resolve(space, address).0, Space::Local)
    }

    /// The instruction that a step was made from.
    pub(super) fn instruction(&self, block: u32, place: u32) -> Option<&'a Instruction> {
        let job = self.job;
        job.kernel.blocks.get(block as usize)?.instructions.get(place as usize)
    }

    /// How a block ends, and on which line.
    pub(super) fn terminator(&self, block: u32) -> Option<(&'a Terminator, u32)> {
        let job = self.job;
        let block = job.kernel.blocks.get(block as usize)?;
        Some((&block.terminator, block.terminator_line))
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        self.code.spare.put(Files {
            file16: std::mem::replace(&mut self.file16, File::empty()),
            file32: std::mem::replace(&mut self.file32, File::empty()),
            file64: std::mem::replace(&mut self.file64, File::empty()),
        });
    }
}

impl Lanes for Unit<'_> {
    fn register(&self, lane: usize, reg: Reg) -> u64 {
        let slot = reg.index() as u32;
        match reg.class() {
            RegClass::Predicate => u64::from(self.predicates[reg.index()].has(lane)),
            RegClass::B16 => self.file16.lane(slot, lane).into(),
            RegClass::B32 => self.file32.lane(slot, lane).into(),
            RegClass::B64 => self.file64.lane(slot, lane),
        }
    }

    fn set_register(&mut self, lane: usize, reg: Reg, bits: u64) {
        let slot = reg.index() as u32;
        match reg.class() {
            RegClass::Predicate => self.predicates[reg.index()].set(lane, bits & 1 == 1),
            RegClass::B16 => self.file16.set_lane(slot, lane, bits as u16),
            RegClass::B32 => self.file32.set_lane(slot, lane, bits as u32),
            RegClass::B64 => self.file64.set_lane(slot, lane, bits),
        }
    }

    fn special(&self, lane: usize, register: SpecialRegister) -> u64 {
        let (block, thread) = self.thread(lane);
        self.job.special(register, block, thread, self.clock)
    }

    fn symbol(&self, id: GlobalId) -> u64 {
        self.job.symbols.get(id.index()).copied().unwrap_or(0)
    }

    fn frame(&self, _lane: usize) -> u64 {
        self.path.frame
    }

    fn load(&mut self, lane: usize, space: Space, address: u64, bytes: u32) -> Result<u64, Cause> {
        let place = self.window(lane, space, address, bytes, Access::Load)?;
        if bytes == 8 && Self::is_local(space, address) {
            return Ok(place.load(4) | self.next_word(place).load(4) << 32);
        }
        Ok(place.load(bytes))
    }

    fn store(
        &mut self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        value: u64,
    ) -> Result<(), Cause> {
        let place = self.window(lane, space, address, bytes, Access::Store)?;
        if bytes == 8 && Self::is_local(space, address) {
            place.store(4, value);
            self.next_word(place).store(4, value >> 32);
        } else {
            place.store(bytes, value);
        }
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
        let place = self.window(lane, space, address, bytes, Access::Atomic)?;
        let (real, _) = job::resolve(space, address);
        if real == Space::Global {
            return Ok(place.update(bytes, new));
        }
        // Nobody else reaches this unit's own memory.
        let old = self.load(lane, space, address, bytes)?;
        self.store(lane, space, address, bytes, new(old))?;
        Ok(old)
    }
}

/// The shared memory of every block begins at a multiple of this.
const SHARED_ALIGN: u64 = 128;

/// A fault in one lane.
pub(super) type LaneFault = (usize, Cause);
