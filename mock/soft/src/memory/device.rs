//! The allocations of one device, and how much they may take together.

use std::collections::BTreeMap;

use super::map::{Access, AccessError, Map, Place};
use super::window;
use crate::raw::Region;

/// The memory of one opened device.
#[derive(Debug)]
pub struct DeviceMemory {
    allocations: BTreeMap<u64, Allocation>,
    launches: Stretch,
    constants: Stretch,
    variables: Stretch,
    buffers: Stretch,
    used_bytes: u64,
    limit_bytes: u64,
}

#[derive(Debug)]
struct Allocation {
    region: Region,
    writable: bool,
}

/// Addresses that are given one after the other.
#[derive(Debug)]
struct Stretch {
    start: u64,
    end: u64,
    next: u64,
}

impl Stretch {
    const fn new(start: u64, end: u64) -> Self {
        Self { start, end, next: start }
    }

    /// The address of `bytes`, and the one that comes next; none where they do not fit.
    fn place(&self, bytes: u64) -> Option<(u64, u64)> {
        let end = self.next.checked_add(bytes)?.checked_add(GAP_BYTES)?;
        let next = end.checked_next_multiple_of(ALIGN).filter(|next| *next < self.end)?;
        Some((self.next, next))
    }
}

/// Addresses are multiples of this: the largest alignment a variable may ask for.
const ALIGN: u64 = mock_ptx::limits::ALIGN_MAX as u64;
/// Nothing is ever mapped in this many bytes behind an allocation.
const GAP_BYTES: u64 = 4096;

/// Why memory was not given, freed, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// More than the limit.
    #[error(
        "asked for {asked_bytes} bytes with {used_bytes} of {limit_bytes} in use; free some, or lease more"
    )]
    OutOfMemory {
        /// What was asked for.
        asked_bytes: u64,
        /// What is in use.
        used_bytes: u64,
        /// What may be.
        limit_bytes: u64,
    },
    /// The host could not give what the limit allows.
    #[error("the host has no {asked_bytes} bytes left; {used_bytes} of {limit_bytes} are in use")]
    HostExhausted {
        /// What was asked for.
        asked_bytes: u64,
        /// What is in use.
        used_bytes: u64,
        /// What may be.
        limit_bytes: u64,
    },
    /// The host could not give what running the launch takes.
    #[error("the host has no memory left for a block's registers; launch smaller blocks")]
    NoRoomToRun,
    /// Not the start of a live allocation.
    #[error(
        "{address:#x} is not the start of an allocation; pass what the allocation returned, once"
    )]
    NotAllocated {
        /// The address given.
        address: u64,
    },
    /// Not inside one allocation.
    #[error("{0}")]
    Access(#[from] AccessError),
}

impl DeviceMemory {
    /// Empty memory of at most `limit_bytes`.
    #[must_use]
    pub const fn new(limit_bytes: u64) -> Self {
        Self {
            allocations: BTreeMap::new(),
            launches: Stretch::new(window::LAUNCHES, window::CONSTANTS),
            constants: Stretch::new(window::CONSTANTS, window::VARIABLES),
            variables: Stretch::new(window::VARIABLES, window::BUFFERS),
            buffers: Stretch::new(window::BUFFERS, window::BUFFERS_END),
            used_bytes: 0,
            limit_bytes,
        }
    }

    /// `bytes` zeros that kernels may write.
    ///
    /// # Errors
    /// [`MemoryError::OutOfMemory`] past the limit, [`MemoryError::HostExhausted`] where the host has not as much.
    pub fn allocate(&mut self, bytes: u64) -> Result<u64, MemoryError> {
        self.place(bytes, (true, |memory| &mut memory.buffers))
    }

    /// `bytes` zeros for a variable of a module, which only the host may write where it is constant.
    ///
    /// # Errors
    /// As for [`DeviceMemory::allocate`].
    pub fn allocate_variable(&mut self, bytes: u64, constant: bool) -> Result<u64, MemoryError> {
        if constant {
            self.place(bytes, (false, |memory| &mut memory.constants))
        } else {
            self.place(bytes, (true, |memory| &mut memory.variables))
        }
    }

    /// `bytes` zeros for what a launch needs beside its buffers.
    ///
    /// # Errors
    /// As for [`DeviceMemory::allocate`].
    pub(crate) fn allocate_for_launch(&mut self, bytes: u64) -> Result<u64, MemoryError> {
        self.place(bytes, (true, |memory| &mut memory.launches))
    }

    fn place(
        &mut self,
        bytes: u64,
        (writable, stretch): (bool, fn(&mut Self) -> &mut Stretch),
    ) -> Result<u64, MemoryError> {
        let (used_bytes, limit_bytes) = (self.used_bytes, self.limit_bytes);
        if bytes > limit_bytes - used_bytes {
            return Err(MemoryError::OutOfMemory { asked_bytes: bytes, used_bytes, limit_bytes });
        }
        let exhausted = MemoryError::HostExhausted { asked_bytes: bytes, used_bytes, limit_bytes };
        let stretch = stretch(self);
        let Some((address, next)) = stretch.place(bytes) else { return Err(exhausted) };
        let region = Region::zeroed(bytes).ok_or(exhausted)?;
        stretch.next = next;
        self.used_bytes += bytes;
        self.allocations.insert(address, Allocation { region, writable });
        Ok(address)
    }

    /// Makes an allocation all zeros again.
    ///
    /// # Errors
    /// [`MemoryError::NotAllocated`] for anything but the start of a live one.
    pub(crate) fn renew(&mut self, address: u64) -> Result<(), MemoryError> {
        let found = self.allocations.get(&address).ok_or(MemoryError::NotAllocated { address })?;
        found.region.clear(found.region.bytes());
        Ok(())
    }

    /// Gives one allocation back.
    ///
    /// # Errors
    /// [`MemoryError::NotAllocated`] for anything but the start of a live one.
    pub fn free(&mut self, address: u64) -> Result<(), MemoryError> {
        let freed =
            self.allocations.remove(&address).ok_or(MemoryError::NotAllocated { address })?;
        self.used_bytes -= freed.region.bytes();
        let Self { launches, constants, variables, buffers, .. } = self;
        for stretch in [launches, constants, variables, buffers] {
            if self.allocations.range(stretch.start..stretch.end).next().is_none() {
                stretch.next = stretch.start;
            }
        }
        Ok(())
    }

    /// Copies host bytes in.
    ///
    /// # Errors
    /// A range that is not inside one allocation.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        let map = self.map();
        let Place { region, offset } =
            map.host_range(address, bytes.len() as u64, Access::Store)?;
        region.store_row(offset, bytes);
        Ok(())
    }

    /// Copies bytes out to the host.
    ///
    /// # Errors
    /// A range that is not inside one allocation.
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), MemoryError> {
        let map = self.map();
        let Place { region, offset } = map.host_range(address, bytes.len() as u64, Access::Load)?;
        region.load_row(offset, bytes);
        Ok(())
    }

    /// Bytes in use.
    #[must_use]
    pub const fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// What a launch sees.
    #[must_use]
    pub fn map(&self) -> Map<'_> {
        Map::new(
            self.allocations
                .iter()
                .map(|(address, allocation)| (*address, &allocation.region, allocation.writable)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves SOFT-1.
    #[test]
    fn the_limit_is_exact() {
        let mut memory = DeviceMemory::new(1000);
        let first = memory.allocate(600).expect("within the limit");
        let refused = memory.allocate(401).expect_err("one byte too many");
        assert_eq!(
            refused.to_string(),
            "asked for 401 bytes with 600 of 1000 in use; free some, or lease more"
        );
        memory.allocate(400).expect("exactly the rest");
        assert_eq!(memory.used_bytes(), 1000);
        memory.free(first).expect("allocated");
        assert_eq!(memory.used_bytes(), 400);
    }

    #[test]
    fn addresses_depend_on_the_calls_alone() {
        let addresses = || {
            let mut memory = DeviceMemory::new(1 << 20);
            [1u64, 512, 513, 0].map(|bytes| memory.allocate(bytes).expect("small"))
        };
        assert_eq!(addresses(), addresses());
        assert!(addresses().iter().all(|address| address % ALIGN == 0));
    }

    #[test]
    fn a_freed_address_comes_back_only_when_all_is_free() {
        let mut memory = DeviceMemory::new(1 << 20);
        let (first, second) =
            (memory.allocate(8).expect("fits"), memory.allocate(8).expect("fits"));
        memory.free(first).expect("live");
        let third = memory.allocate(8).expect("fits");
        assert!(third > second);
        for address in [second, third] {
            memory.free(address).expect("live");
        }
        assert_eq!(memory.allocate(8).expect("fits"), first);
    }

    #[test]
    fn buffers_lie_where_they_lay_whatever_variables_there_are() {
        let mut memory = DeviceMemory::new(1 << 20);
        let first = memory.allocate(8).expect("fits");
        memory.free(first).expect("live");
        let variable = memory.allocate_variable(8, false).expect("fits");
        assert_eq!(memory.allocate(8), Ok(first));
        memory.write(variable, &[7; 8]).expect("allocated");
        memory.renew(variable).expect("allocated");
        let mut seen = [1; 8];
        memory.read(variable, &mut seen).expect("allocated");
        assert_eq!((seen, memory.used_bytes()), ([0; 8], 16));
        assert!(memory.renew(variable + 8).is_err());
    }

    #[test]
    fn only_the_start_of_a_live_allocation_can_be_freed() {
        let mut memory = DeviceMemory::new(64);
        let address = memory.allocate(8).expect("fits");
        let refused = memory.free(address + 4).expect_err("the middle");
        assert!(
            refused.to_string().starts_with("0x700000000004 is not the start of an allocation")
        );
        memory.free(address).expect("the start");
        assert!(memory.free(address).is_err());
    }

    #[test]
    fn host_copies_stay_inside_one_allocation() {
        let mut memory = DeviceMemory::new(64);
        let address = memory.allocate(8).expect("fits");
        memory.write(address + 2, &[1, 2, 3]).expect("inside");
        let mut seen = [0; 8];
        memory.read(address, &mut seen).expect("all of it");
        assert_eq!(seen, [0, 0, 1, 2, 3, 0, 0, 0]);
        let refused = memory.read(address + 1, &mut seen).expect_err("one too far");
        assert_eq!(
            refused.to_string(),
            "read of 8 bytes at 0x700000000001: ends 1 byte past the 8-byte allocation at 0x700000000000"
        );
        assert!(memory.write(address - 1, &[0]).is_err());
    }

    #[test]
    fn more_than_the_host_has_is_an_error_not_an_abort() {
        let mut memory = DeviceMemory::new(u64::MAX);
        assert!(matches!(memory.allocate(1 << 60), Err(MemoryError::HostExhausted { .. })));
    }
}
