//! A run of bytes that all worker threads read and write at once, as a GPU's lanes do.
//!
//! No Rust reference to the bytes ever exists. One value is read and written by relaxed atomics, as a racing kernel may demand; a
//! row of values is copied plainly, for atomics are not made into vector instructions. A kernel that races on a row, or on values of
//! two sizes in one place, gets unspecified bytes, as on a GPU; it cannot reach anything else, because every method checks its offset
//! against the region's end. Rust has no words yet for a copy that may race ("atomic, byte by byte"): by its letter such a kernel is a
//! data race of this program; by LLVM's a racing load gives undefined bits and does no harm. What is loaded here goes to registers in
//! memory, and is checked anew whenever it serves as an address.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Zeroed bytes at a fixed place, aligned to [`Region::ALIGN`].
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    bytes: u64,
    layout: Layout,
}

// SAFETY: a region owns its bytes alone, and every access to them goes through a raw pointer that allows aliasing.
unsafe impl Send for Region {}
// SAFETY: as above; single values are accessed atomically, and rows are copied as bytes for which every bit pattern is a value.
unsafe impl Sync for Region {}

/// What hosts have beside pages of 4 KiB.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Regions from this size on are worth pages of their own.
const HUGE_PAGES_FROM_BYTES: usize = 2 * HUGE_PAGE_BYTES;

/// An unsigned integer that a region holds.
///
/// # Safety
/// Any bytes are a value of the type, and it has no padding: rows of it are copied as bytes.
pub unsafe trait Word: Copy + Default {
    /// The same number in 64 bits.
    fn number(self) -> u64;
    /// The low bits of a number.
    fn narrow(bits: u64) -> Self;
    /// The value at an address.
    ///
    /// # Safety
    /// `at` is valid for reads of the type, aligned, and not otherwise accessed than atomically or as raw bytes.
    unsafe fn load(at: *mut u8) -> Self;
    /// Puts a value at an address.
    ///
    /// # Safety
    /// As for `load`, and valid for writes.
    unsafe fn store(self, at: *mut u8);
    /// Replaces the value by a function of it, atomically; the old one.
    ///
    /// # Safety
    /// As for `store`.
    unsafe fn update(at: *mut u8, new: impl FnMut(Self) -> Self) -> Self;
}

macro_rules! word {
    ($type:ty, $atomic:ty) => {
        // SAFETY: an unsigned integer is all of its bits.
        unsafe impl Word for $type {
            #[inline(always)]
            fn number(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn narrow(bits: u64) -> Self {
                bits as Self
            }
            #[inline(always)]
            unsafe fn load(at: *mut u8) -> Self {
                // SAFETY: the caller's promise is that of `from_ptr`.
                unsafe { <$atomic>::from_ptr(at.cast()) }.load(Ordering::Relaxed)
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut u8) {
                // SAFETY: the caller's promise is that of `from_ptr`.
                unsafe { <$atomic>::from_ptr(at.cast()) }.store(self, Ordering::Relaxed);
            }
            #[inline(always)]
            unsafe fn update(at: *mut u8, mut new: impl FnMut(Self) -> Self) -> Self {
                // SAFETY: the caller's promise is that of `from_ptr`.
                let cell = unsafe { <$atomic>::from_ptr(at.cast()) };
                let mut old = cell.load(Ordering::Relaxed);
                while let Err(seen) =
                    cell.compare_exchange_weak(old, new(old), Ordering::AcqRel, Ordering::Relaxed)
                {
                    old = seen;
                }
                old
            }
        }
    };
}
word!(u8, AtomicU8);
word!(u16, AtomicU16);
word!(u32, AtomicU32);
word!(u64, AtomicU64);

impl Region {
    /// Every region starts at a multiple of this.
    pub const ALIGN: usize = 512;

    /// `bytes` zeros; none where the host has not that much memory.
    #[must_use]
    pub fn zeroed(bytes: u64) -> Option<Self> {
        let size = usize::try_from(bytes).ok()?.max(1);
        let large = size >= HUGE_PAGES_FROM_BYTES;
        let layout =
            Layout::from_size_align(size, if large { HUGE_PAGE_BYTES } else { Self::ALIGN });
        let layout = layout.ok()?;
        // SAFETY: the layout's size is at least 1.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        let region = Self { start, bytes, layout };
        if large {
            region.ask_for_huge_pages();
        }
        region.clear(bytes);
        Some(region)
    }

    /// Where the host has them, walks through much memory miss fewer translations. What it answers changes nothing else.
    fn ask_for_huge_pages(&self) {
        #[cfg(all(target_os = "linux", not(miri)))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the advice is about pages that lie wholly in the allocation, and does not change what they hold.
            let asked = unsafe {
                madvise(
                    self.start().cast(),
                    self.layout.size() & !(HUGE_PAGE_BYTES - 1),
                    Advice::LinuxHugepage,
                )
            };
            let _ = asked;
        }
    }

    /// Its size.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it begins.
    #[inline(always)]
    pub(super) const fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The address of `count` bytes from `offset`.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "an offset inside the region fits a usize")]
    fn at(&self, offset: u64, count: usize) -> *mut u8 {
        let inside = offset <= self.bytes && count as u64 <= self.bytes - offset;
        assert!(inside, "{count} bytes at offset {offset} of a region of {}", self.bytes);
        // SAFETY: checked to lie within the allocation.
        unsafe { self.start.as_ptr().add(offset as usize) }
    }

    /// The address of one aligned value.
    #[inline(always)]
    fn word_at<W: Word>(&self, offset: u64) -> *mut u8 {
        let size = size_of::<W>();
        assert!(offset.is_multiple_of(size as u64), "offset {offset} is not a multiple of {size}");
        self.at(offset, size)
    }

    /// The value at an aligned offset.
    ///
    /// # Panics
    /// Where the value does not lie within the region, aligned; so do all methods below.
    #[inline(always)]
    #[must_use]
    pub fn load<W: Word>(&self, offset: u64) -> W {
        // SAFETY: `word_at` gave an aligned place inside the region.
        unsafe { W::load(self.word_at::<W>(offset)) }
    }

    /// Puts a value at an aligned offset.
    #[inline(always)]
    pub fn store<W: Word>(&self, offset: u64, value: W) {
        // SAFETY: `word_at` gave an aligned place inside the region.
        unsafe { value.store(self.word_at::<W>(offset)) }
    }

    /// Replaces the value at an aligned offset by a function of it, atomically among all threads; the old value.
    #[inline(always)]
    pub fn update<W: Word>(&self, offset: u64, new: impl FnMut(W) -> W) -> W {
        // SAFETY: `word_at` gave an aligned place inside the region.
        unsafe { W::update(self.word_at::<W>(offset), new) }
    }

    /// Zeros the first `bytes`.
    pub fn clear(&self, bytes: u64) {
        let count = usize::try_from(bytes).unwrap_or(usize::MAX);
        let at = self.at(0, count);
        // SAFETY: `at` is valid for `count` bytes, and no reference to them exists.
        unsafe { std::ptr::write_bytes(at, 0, count) }
    }

    /// Copies a row of values out.
    #[inline(always)]
    pub fn load_row<W: Word>(&self, offset: u64, row: &mut [W]) {
        let count = size_of_val(row);
        let from = self.at(offset, count);
        // SAFETY: `from` is valid for `count` bytes, `row` is a place of its own, and any bytes are a value of an unsigned integer.
        unsafe { std::ptr::copy_nonoverlapping(from, row.as_mut_ptr().cast::<u8>(), count) }
    }

    /// Copies a row of values in.
    #[inline(always)]
    pub fn store_row<W: Word>(&self, offset: u64, row: &[W]) {
        let count = size_of_val(row);
        let to = self.at(offset, count);
        // SAFETY: `to` is valid for `count` bytes, and `row` is memory outside of the region, of which no references exist.
        unsafe { std::ptr::copy_nonoverlapping(row.as_ptr().cast::<u8>(), to, count) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nothing points here any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_starts_as_zeros_and_keeps_what_is_stored() {
        let region = Region::zeroed(64).expect("64 bytes");
        assert_eq!(region.load::<u64>(56), 0);
        region.store::<u32>(4, 0x0102_0304);
        let mut row = [0u8; 8];
        region.load_row(0, &mut row);
        assert_eq!(row, [0, 0, 0, 0, 4, 3, 2, 1]);
        region.store_row(8, &[5u16, 6]);
        assert_eq!(region.load::<u32>(8), 0x0006_0005);
        assert_eq!(region.update::<u16>(10, |old| old + 1), 6);
        assert_eq!(region.load::<u16>(10), 7);
    }

    #[test]
    #[should_panic(expected = "4 bytes at offset 64 of a region of 64")]
    fn an_offset_past_the_end_stops_the_engine_not_the_host() {
        let region = Region::zeroed(64).expect("64 bytes");
        let _ = region.load::<u32>(64);
    }

    #[test]
    fn updates_from_many_threads_are_all_counted() {
        let region = Region::zeroed(8).expect("8 bytes");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).map(|_| region.update::<u64>(0, |v| v + 1)).max());
            }
        });
        assert_eq!(region.load::<u64>(0), 4000);
    }

    #[test]
    fn an_empty_region_is_allowed() {
        let region = Region::zeroed(0).expect("nothing");
        region.load_row::<u8>(0, &mut []);
        assert_eq!(region.bytes(), 0);
    }
}
