//! The fake driver's memory of what it gave out: every handle is of one kind, and anything else is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::ptx::Entry;

/// Device addresses begin here: none of them is an address of this process.
const MEMORY_START: u64 = 0x7fa0_0000_0000;

/// Kinds of handles, in their upper half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Kind {
    Context = 1,
    Stream,
    Event,
    Module,
    Function,
    Pool,
}

/// A handle as the caller holds it.
pub(crate) const fn handle(kind: Kind, index: usize) -> usize {
    (kind as usize) << 40 | (index + 1) << 4
}

/// The index in a handle of this kind, or 400: invalid handle.
pub(crate) fn index(kind: Kind, handle: usize) -> Result<usize, u32> {
    let index = (handle & 0xff_ffff_ffff) >> 4;
    if handle >> 40 == kind as usize && index > 0 && handle & 0xf == 0 {
        Ok(index - 1)
    } else {
        Err(400)
    }
}

/// Device memory: allocations by where they start.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    allocations: BTreeMap<u64, Allocation>,
    end: u64,
}

#[derive(Debug)]
struct Allocation {
    bytes: Vec<u8>,
    pool: Option<usize>,
}

impl Memory {
    pub(crate) fn used(&self) -> u64 {
        self.allocations.values().map(|allocation| allocation.bytes.len() as u64).sum()
    }

    pub(crate) fn used_of(&self, pool: usize) -> u64 {
        let of_pool = self.allocations.values().filter(|allocation| allocation.pool == Some(pool));
        of_pool.map(|allocation| allocation.bytes.len() as u64).sum()
    }

    /// Memory that holds what was there before: never zeroes.
    pub(crate) fn allocate(&mut self, bytes: usize, pool: Option<usize>) -> u64 {
        let start = MEMORY_START + self.end;
        self.end += (bytes as u64).next_multiple_of(512);
        self.allocations.insert(start, Allocation { bytes: vec![0xcd; bytes], pool });
        start
    }

    pub(crate) fn free(&mut self, start: u64) -> Result<(), u32> {
        self.allocations.remove(&start).map(|_| ()).ok_or(1)
    }

    /// A range inside of one allocation.
    pub(crate) fn range(&mut self, at: u64, bytes: usize) -> Option<&mut [u8]> {
        let (start, allocation) = self.allocations.range_mut(..=at).next_back()?;
        let from = usize::try_from(at - start).ok()?;
        allocation.bytes.get_mut(from..from.checked_add(bytes)?)
    }

    pub(crate) fn fetch<const N: usize>(&mut self, at: u64) -> Result<[u8; N], u32> {
        aligned::<N>(at)?;
        self.range(at, N).and_then(|bytes| (&*bytes).try_into().ok()).ok_or(700)
    }

    pub(crate) fn store<const N: usize>(&mut self, at: u64, value: [u8; N]) -> Result<(), u32> {
        aligned::<N>(at)?;
        self.range(at, N).ok_or(700_u32)?.copy_from_slice(&value);
        Ok(())
    }
}

const fn aligned<const N: usize>(at: u64) -> Result<(), u32> {
    if at.is_multiple_of(N as u64) { Ok(()) } else { Err(716) }
}

/// All that the driver of one process knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) initialised: bool,
    /// Which device the primary context is of, once there is one.
    pub(crate) context: Option<usize>,
    /// After a sticky error every call of the context answers it.
    pub(crate) poison: Option<u32>,
    pub(crate) memory: Memory,
    pub(crate) streams: Vec<Stream>,
    pub(crate) events: Vec<Option<Instant>>,
    /// `None` once unloaded.
    pub(crate) modules: Vec<Option<Vec<Entry>>>,
    /// Module, entry.
    pub(crate) functions: Vec<(usize, usize)>,
    /// Dynamic shared memory that a function may have.
    pub(crate) shared: BTreeMap<usize, usize>,
    /// Bytes that a pool may hold; 0 is no bound.
    pub(crate) pools: Vec<usize>,
    /// Host memory that is pinned: start.
    pub(crate) pinned: BTreeSet<usize>,
    pub(crate) limits: BTreeMap<i32, usize>,
}

/// What is under way on a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The number that waiting for it will answer.
    pub(crate) pending: Option<u32>,
    /// Waiting for it never ends.
    pub(crate) forever: bool,
}

/// Numbers after which a context is good for nothing: CUDA's documentation, "the process must be terminated".
pub(crate) const fn is_sticky(code: u32) -> bool {
    matches!(code, 214 | 220 | 226 | 700 | 702 | 709 | 710 | 714..=719 | 721 | 805..=810 | 999)
        || code > 999
}

impl State {
    /// An entry by its function's handle.
    pub(crate) fn entry(&self, function: usize) -> Result<&Entry, u32> {
        let (module, entry) =
            *self.functions.get(index(Kind::Function, function)?).ok_or(400_u32)?;
        self.modules
            .get(module)
            .and_then(Option::as_ref)
            .and_then(|entries| entries.get(entry))
            .ok_or(400)
    }
}
