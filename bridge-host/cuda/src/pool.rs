//! The memory of one context: exactly counted here, and held to its bound by the driver's own pool where it has one.

use std::{
    collections::BTreeMap,
    ffi::{c_int, c_void},
    ptr,
};

use bridge_host_gpu::{DevicePtr, ErrorKind, GpuError, MemoryEnforcement};
use cudarc::driver::sys::{CUdevice, CUmemoryPool};

use crate::driver::Driver;

/// From this version on a pool has a `maxSize`; before it, the same bytes of the structure were reserved.
const BOUNDED_POOLS_SINCE: i32 = 12_020;

/// The driver takes memory for a pool in pieces; a bound below one piece would refuse what the lease may have.
const PIECE_BYTES: u64 = 32 << 20;

const CU_MEM_ALLOCATION_TYPE_PINNED: c_int = 1;
const CU_MEM_LOCATION_TYPE_DEVICE: c_int = 1;

/// `CUmemPoolProps` of cuda.h since 12.2.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct PoolProperties {
    kind: c_int,
    handles: c_int,
    place_kind: c_int,
    place: CUdevice,
    security: *mut c_void,
    bytes_max: usize,
    reserved: [u8; 56],
}

/// Whose memory is bounded, by whom, and what of it is in use.
#[derive(Debug)]
pub(crate) struct Ledger {
    bytes_max: u64,
    used: u64,
    /// Start to size.
    live: BTreeMap<u64, u64>,
    pub(crate) pool: Option<CUmemoryPool>,
}

impl Ledger {
    /// For a context on `device`, with a pool where this driver has bounded ones.
    pub(crate) fn new(driver: &Driver, device: CUdevice, bytes_max: u64) -> Result<Self, GpuError> {
        let pool = if driver.version()? >= BOUNDED_POOLS_SINCE {
            pool(driver, device, bytes_max)
        } else {
            None
        };
        Ok(Self { bytes_max, used: 0, live: BTreeMap::new(), pool })
    }

    pub(crate) const fn enforcement(&self) -> MemoryEnforcement {
        match self.pool {
            Some(_) => MemoryEnforcement::Pool,
            None => MemoryEnforcement::Accounting,
        }
    }

    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    /// Whether `bytes` more may be had.
    pub(crate) fn admit(&self, bytes: u64) -> Result<(), GpuError> {
        if self.used.saturating_add(bytes) <= self.bytes_max {
            return Ok(());
        }
        let detail = format!("{bytes} bytes asked, {} of {} in use", self.used, self.bytes_max);
        Err(GpuError::new(ErrorKind::OutOfMemory, "allocate", detail))
    }

    pub(crate) fn note(&mut self, start: u64, bytes: u64) {
        self.used += bytes;
        self.live.insert(start, bytes);
    }

    /// Forgets an allocation.
    pub(crate) fn remove(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        let Some(bytes) = self.live.remove(&pointer.0) else {
            let detail = format!("{:#x} is not the start of an allocation", pointer.0);
            return Err(GpuError::new(ErrorKind::InvalidArgument, "free", detail));
        };
        self.used -= bytes;
        Ok(())
    }

    /// Whether `bytes` from `pointer` on are inside one allocation.
    pub(crate) fn check_range(
        &self,
        doing: &str,
        pointer: DevicePtr,
        bytes: usize,
    ) -> Result<(), GpuError> {
        let holds = |(start, size): (&u64, &u64)| {
            (pointer.0 - start).checked_add(bytes as u64).is_some_and(|end| end <= *size)
        };
        if self.live.range(..=pointer.0).next_back().is_some_and(holds) {
            return Ok(());
        }
        let detail = format!("{bytes} bytes at {:#x} are not inside one allocation", pointer.0);
        Err(GpuError::new(ErrorKind::InvalidArgument, doing, detail))
    }
}

/// A driver that refuses a pool (a virtual GPU may) leaves it to the counting.
fn pool(driver: &Driver, device: CUdevice, bytes_max: u64) -> Option<CUmemoryPool> {
    let create = driver.cuMemPoolCreate?;
    driver.cuMemAllocFromPoolAsync.and(driver.cuMemFreeAsync)?;
    let bytes_max = bytes_max.max(1).next_multiple_of(PIECE_BYTES);
    let properties = PoolProperties {
        kind: CU_MEM_ALLOCATION_TYPE_PINNED,
        handles: 0,
        place_kind: CU_MEM_LOCATION_TYPE_DEVICE,
        place: device,
        security: ptr::null_mut(),
        bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        reserved: [0; 56],
    };
    let mut pool: CUmemoryPool = ptr::null_mut();
    #[allow(unsafe_code, reason = "calls into libcuda: ARCHITECTURE, invariant 8")]
    // SAFETY: an out parameter, and the structure that this version of the driver reads.
    let number = unsafe { create(&raw mut pool, &raw const properties) };
    (number == 0).then_some(pool)
}
