//! A module: kernels, variables, and how they are laid out.

use super::{Block, BlockId, RegisterCounts};

/// Everything one PTX text says, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// `.version` and `.target`.
    pub target: TargetVersion,
    /// Variables of module scope, `.global` and `.const`.
    pub globals: Vec<Global>,
    /// In the text's order.
    pub kernels: Vec<Kernel>,
}

impl Module {
    /// The kernel of this name.
    #[must_use]
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }

    /// The variable of this id.
    #[must_use]
    pub fn global(&self, id: GlobalId) -> Option<&Global> {
        self.globals.get(id.index())
    }
}

/// What the text was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetVersion {
    /// PTX version, as in `.version 8.8`.
    pub ptx: (u16, u16),
    /// As in `.target sm_80`: 80.
    pub sm: u32,
}

/// A variable's place in [`Module::globals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalId(pub u32);

impl GlobalId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a variable of module scope lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GlobalSpace {
    /// May be written by kernels.
    Global,
    /// May not; written by the host before the launch.
    Constant,
}

/// A variable of module scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// As in the text.
    pub name: String,
    /// Where it lives.
    pub space: GlobalSpace,
    /// Its size.
    pub bytes: u64,
    /// A power of two.
    pub align: u32,
    /// Its first bytes; zeros follow.
    pub image: Vec<u8>,
    /// Parts of the image that hold addresses of other variables.
    pub relocations: Vec<Relocation>,
}

/// Part of an image that is known only when variables have been placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Where in the image.
    pub offset: u64,
    /// How many bytes are written, little end first: 1, 2, 4 or 8.
    pub bytes: u8,
    /// How far the address is shifted right first (`mask(...)` of one byte); 0 as a rule.
    pub shift: u8,
    /// Whose address.
    pub symbol: GlobalId,
    /// Added to it.
    pub addend: i64,
}

/// An entry point, with everything it calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// As in the text, mangled where it is.
    pub name: String,
    /// Line of its `.entry`.
    pub line: u32,
    /// In order.
    pub parameters: Vec<Parameter>,
    /// Size of the parameter block.
    pub parameter_bytes: u32,
    /// Its shared memory.
    pub shared: SharedLayout,
    /// Its own frame in local memory: what every lane needs at least.
    pub frame_bytes: u32,
    /// The largest frame of it and of [`Kernel::functions`]; a lane with `n` calls open needs no more
    /// than `(n + 1)` of these.
    pub frame_bytes_max: u32,
    /// Functions that are really called, in ascending order of id; empty for most kernels.
    pub functions: Vec<FunctionEntry>,
    /// What it says about its launches.
    pub bounds: LaunchBounds,
    /// The register file of one lane.
    pub registers: RegisterCounts,
    /// Block 0 is the entry; functions follow.
    pub blocks: Vec<Block>,
}

impl Kernel {
    /// The block of this id.
    #[must_use]
    pub fn block(&self, id: BlockId) -> Option<&Block> {
        self.blocks.get(id.index())
    }

    /// The function of this id, if this kernel may call it.
    #[must_use]
    pub fn function(&self, id: FunctionId) -> Option<&FunctionEntry> {
        let place = self.functions.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.functions.get(place)
    }

    /// The function whose address this is, if this kernel may call it.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<&FunctionEntry> {
        self.function(FunctionId::from_address(address)?)
    }

    /// How many instructions it has, terminators too.
    #[must_use]
    pub fn instruction_count(&self) -> usize {
        self.blocks.iter().map(|block| block.instructions.len() + 1).sum()
    }
}

/// A function of the module; its address is a number of its own, no address of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

impl FunctionId {
    /// Addresses of functions start here, 16 bytes apart: outside of what any window uses.
    pub const ADDRESS_BASE: u64 = 0xF000_0000_0000_0000;

    /// What a pointer to it holds.
    #[must_use]
    pub const fn address(self) -> u64 {
        Self::ADDRESS_BASE + self.0 as u64 * 16
    }

    /// The function such a pointer names, whether or not it exists.
    #[must_use]
    pub fn from_address(address: u64) -> Option<Self> {
        let past = address.checked_sub(Self::ADDRESS_BASE)?;
        (past % 16 == 0).then(|| u32::try_from(past / 16).ok().map(Self)).flatten()
    }
}

/// Where a called function begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Which.
    pub id: FunctionId,
    /// Its first block.
    pub entry: BlockId,
    /// Its frame in local memory, arguments and results included.
    pub frame_bytes: u32,
}

/// One parameter of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Bytes from the block's start.
    pub offset: u32,
    /// Its size.
    pub bytes: u32,
    /// A power of two.
    pub align: u32,
}

/// A kernel's shared memory: static variables first, the dynamic part behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SharedLayout {
    /// Taken whatever the launch says.
    pub static_bytes: u32,
    /// Of the window.
    pub align: u32,
    /// Where `extern __shared__` arrays begin: `static_bytes`, aligned for them.
    pub dynamic_offset: u32,
}

/// What a kernel says about its launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaunchBounds {
    /// `.maxntid`: the most threads a block may have.
    pub block_threads_max: Option<u32>,
    /// `.reqntid`: the only block it accepts.
    pub block_required: Option<[u32; 3]>,
}
