//! The allocations as a launch sees them: an address becomes a place in a region, or a reason why not.

use std::fmt;

use crate::raw::Region;

/// What is done to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads.
    Load,
    /// Writes.
    Store,
    /// Both at once.
    Atomic,
    /// Gives it back.
    Free,
}

/// Where an access lands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The bytes.
    pub region: &'a Region,
    /// Where in them.
    pub offset: u64,
}

impl Place<'_> {
    /// The 1, 2, 4 or 8 bytes there.
    #[must_use]
    pub fn load(self, bytes: u32) -> u64 {
        let Self { region, offset } = self;
        match bytes {
            1 => region.load::<u8>(offset).into(),
            2 => region.load::<u16>(offset).into(),
            4 => region.load::<u32>(offset).into(),
            _ => region.load::<u64>(offset),
        }
    }

    /// Puts 1, 2, 4 or 8 bytes there.
    pub fn store(self, bytes: u32, value: u64) {
        let Self { region, offset } = self;
        match bytes {
            1 => region.store(offset, value as u8),
            2 => region.store(offset, value as u16),
            4 => region.store(offset, value as u32),
            _ => region.store(offset, value),
        }
    }

    /// Replaces 2, 4 or 8 bytes by a function of them, atomically; the old ones.
    pub fn update(self, bytes: u32, new: &mut dyn FnMut(u64) -> u64) -> u64 {
        let Self { region, offset } = self;
        match bytes {
            2 => region.update(offset, |old: u16| new(old.into()) as u16).into(),
            4 => region.update(offset, |old: u32| new(old.into()) as u32).into(),
            _ => region.update(offset, |old: u64| new(old)),
        }
    }
}

/// An access that memory does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessError {
    /// What was tried.
    pub access: Access,
    /// How many bytes.
    pub bytes: u64,
    /// At which address of its space.
    pub address: u64,
    /// Why not.
    pub reason: Refusal,
}

/// Why an access is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Address 0, or a small offset from it.
    Null,
    /// Not a multiple of the size.
    Misaligned,
    /// Constants, or parameters.
    ReadOnly,
    /// Begins inside this allocation, or behind it, and ends past it.
    Past {
        /// Its first byte.
        start: u64,
        /// Its size.
        size_bytes: u64,
    },
    /// No allocation lies before it.
    Unmapped,
    /// Not what device-side `malloc` gave.
    NotFromHeap,
    /// Past the end of a window of this many bytes.
    PastWindow {
        /// Which: "shared", "local", "parameter".
        space: &'static str,
        /// Bytes that the block or lane has there.
        size_bytes: u64,
    },
}

/// Addresses below this count as null.
const NULL_END: u64 = 4096;

/// The allocations in order of address.
#[derive(Debug)]
pub struct Map<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    start: u64,
    region: &'a Region,
    writable: bool,
}

impl<'a> Map<'a> {
    pub(super) fn new(entries: impl Iterator<Item = (u64, &'a Region, bool)>) -> Self {
        let entries = entries.map(|(start, region, writable)| Entry { start, region, writable });
        Self { entries: entries.collect() }
    }

    /// Where `bytes` at a kernel's `address` lie.
    ///
    /// # Errors
    /// Anything but an aligned place inside one allocation that may be accessed so.
    #[inline]
    pub fn place(
        &self,
        address: u64,
        bytes: u64,
        access: Access,
    ) -> Result<Place<'a>, AccessError> {
        if !address.is_multiple_of(bytes) {
            return Err(AccessError { access, bytes, address, reason: Refusal::Misaligned });
        }
        self.range(address, bytes, access)
    }

    /// The allocation that holds `bytes` at `address`, which need not be aligned.
    ///
    /// # Errors
    /// A range that is not inside one allocation, or may not be accessed so.
    #[inline]
    pub fn range(
        &self,
        address: u64,
        bytes: u64,
        access: Access,
    ) -> Result<Place<'a>, AccessError> {
        let place = self.entries.partition_point(|entry| entry.start <= address);
        let entry = place.checked_sub(1).and_then(|before| self.entries.get(before));
        let inside = entry.filter(|entry| {
            let offset = address - entry.start;
            offset <= entry.region.bytes() && bytes <= entry.region.bytes() - offset
        });
        match inside {
            Some(entry) if entry.writable || access == Access::Load => {
                Ok(Place { region: entry.region, offset: address - entry.start })
            }
            _ => {
                Err(AccessError { access, bytes, address, reason: refusal(entry, inside, address) })
            }
        }
    }

    /// As [`Map::range`], for the host, which may write constants.
    pub(super) fn host_range(
        &self,
        address: u64,
        bytes: u64,
        access: Access,
    ) -> Result<Place<'a>, AccessError> {
        self.range(address, bytes, Access::Load).map_err(|error| AccessError { access, ..error })
    }
}

fn refusal(before: Option<&Entry<'_>>, inside: Option<&Entry<'_>>, address: u64) -> Refusal {
    match before {
        _ if inside.is_some() => Refusal::ReadOnly,
        _ if address < NULL_END => Refusal::Null,
        Some(entry) => Refusal::Past { start: entry.start, size_bytes: entry.region.bytes() },
        None => Refusal::Unmapped,
    }
}

impl std::error::Error for AccessError {}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.access {
            Access::Load => "read",
            Access::Store => "write",
            Access::Atomic => "atomic",
            Access::Free => "free",
        };
        let (bytes, address) = (self.bytes, self.address);
        match self.access {
            Access::Free => write!(f, "{verb} of {address:#x}: ")?,
            _ => write!(f, "{verb} of {} at {address:#x}: ", Bytes(bytes))?,
        }
        match self.reason {
            Refusal::Null => f.write_str("null pointer"),
            Refusal::Misaligned => write!(f, "misaligned, must be a multiple of {bytes}"),
            Refusal::ReadOnly => f.write_str("this memory is read-only"),
            Refusal::NotFromHeap => f.write_str("not the start of a live heap allocation"),
            Refusal::Unmapped => f.write_str("no allocation there"),
            Refusal::PastWindow { space, size_bytes } => {
                write!(f, "past the {} of {space} memory", Bytes(size_bytes))
            }
            Refusal::Past { start, size_bytes } => {
                let end = start + size_bytes;
                if address >= end {
                    write!(f, "{} past the end of", Bytes(address - end))?;
                } else {
                    let over = address.saturating_add(bytes) - end;
                    write!(f, "ends {} past", Bytes(over))?;
                }
                write!(f, " the {size_bytes}-byte allocation at {start:#x}")
            }
        }
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DeviceMemory;
    use super::*;

    fn error_of(memory: &DeviceMemory, address: u64, bytes: u64, access: Access) -> String {
        memory.map().place(address, bytes, access).expect_err("refused").to_string()
    }

    /// Proves SOFT-2.
    #[test]
    fn bounds_are_exact_to_the_byte() {
        let mut memory = DeviceMemory::new(4096);
        let a = memory.allocate(102).expect("fits");
        let map = memory.map();
        assert!(map.place(a + 96, 4, Access::Load).is_ok());
        assert!(map.place(a + 101, 1, Access::Atomic).is_ok());
        assert_eq!(
            error_of(&memory, a + 100, 4, Access::Load),
            "read of 4 bytes at 0x700000000064: ends 2 bytes past the 102-byte allocation at 0x700000000000"
        );
        assert_eq!(
            error_of(&memory, a + 102, 1, Access::Store),
            "write of 1 byte at 0x700000000066: 0 bytes past the end of the 102-byte allocation at 0x700000000000"
        );
    }

    #[test]
    fn null_wild_and_misaligned_pointers_are_told_apart() {
        let mut memory = DeviceMemory::new(4096);
        let a = memory.allocate(64).expect("fits");
        assert_eq!(error_of(&memory, 8, 4, Access::Load), "read of 4 bytes at 0x8: null pointer");
        let seen = error_of(&memory, a + 2, 4, Access::Atomic);
        assert_eq!(
            seen,
            "atomic of 4 bytes at 0x700000000002: misaligned, must be a multiple of 4"
        );
        let seen = error_of(&memory, 0x1234_5678, 4, Access::Store);
        assert_eq!(seen, "write of 4 bytes at 0x12345678: no allocation there");
        assert!(error_of(&memory, u64::MAX - 3, 4, Access::Load).contains("past the end"));
    }

    #[test]
    fn constants_are_written_by_the_host_alone() {
        let mut memory = DeviceMemory::new(64);
        let a = memory.allocate_variable(8, true).expect("fits");
        memory.write(a, &[7; 8]).expect("the host may");
        assert!(memory.map().place(a, 8, Access::Load).is_ok());
        assert!(error_of(&memory, a, 8, Access::Store).ends_with("this memory is read-only"));
    }
}
