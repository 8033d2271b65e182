//! The functions of libcuda that an executor calls, found by name, each returning its number as a plain `u32`.
//!
//! cudarc finds the library and gives the types; its own calls are not used, because they read the returned number as a Rust
//! enum (a number unknown to it is undefined behaviour) and panic when the library or a function is missing.
#![allow(unsafe_code, reason = "calls into libcuda: ARCHITECTURE, invariant 8")]

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    sync::OnceLock,
};

use bridge_host_gpu::{ErrorKind, GpuError};
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdeviceptr, CUevent, CUfunction, CUmemoryPool, CUmodule, CUstream, CUuuid,
};

use crate::{code::Code, pool::PoolProperties};

/// What is looked for, as the error says it.
const LIBRARY: &str = "libcuda.so.1 (also libcuda.so)";

/// Where the loader looks, for people.
pub(crate) fn searched() -> String {
    let path = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let first = if path.is_empty() {
        "LD_LIBRARY_PATH (not set)".to_owned()
    } else {
        format!("LD_LIBRARY_PATH ({path})")
    };
    format!("looked in {first}, the loader's cache (ldconfig -p), /lib and /usr/lib")
}

macro_rules! functions {
    ($(fn $name:ident($($type:ty),* $(,)?);)* optional: $(fn $optional:ident($($optional_type:ty),* $(,)?);)*) => {
        /// The table.
        #[allow(non_snake_case, reason = "NVIDIA's names")]
        #[derive(Debug)]
        pub(crate) struct Driver {
            $(pub(crate) $name: unsafe extern "C" fn($($type),*) -> u32,)*
            $(pub(crate) $optional: Option<unsafe extern "C" fn($($optional_type),*) -> u32>,)*
        }

        impl Driver {
            fn load() -> Result<Self, GpuError> {
                // SAFETY: loading libcuda runs its constructors, which ask nothing of this process.
                if !unsafe { cudarc::driver::sys::is_culib_present() } {
                    return Err(missing(&format!("{LIBRARY} is not on this machine; {}", searched())));
                }
                // SAFETY: the library was there a moment ago; it stays loaded for good.
                let library = unsafe { cudarc::driver::sys::culib() };
                Ok(Self {
                    $($name: {
                        // SAFETY: the type is the one that cuda.h gives this name, with the enum CUresult as the integer it is.
                        let found = unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) };
                        *found.map_err(|_| missing(concat!("libcuda lacks ", stringify!($name), "; update the driver")))?
                    },)*
                    $($optional: {
                        // SAFETY: as above.
                        let found = unsafe { library.get(concat!(stringify!($optional), "\0").as_bytes()) };
                        found.ok().map(|function| *function)
                    },)*
                })
            }
        }
    };
}

functions! {
    fn cuInit(c_uint);
    fn cuDeviceGetCount(*mut c_int);
    fn cuDeviceGet(*mut CUdevice, c_int);
    fn cuDevicePrimaryCtxRetain(*mut CUcontext, CUdevice);
    fn cuCtxSetCurrent(CUcontext);
    fn cuStreamCreate(*mut CUstream, c_uint);
    fn cuStreamSynchronize(CUstream);
    fn cuEventCreate(*mut CUevent, c_uint);
    fn cuEventRecord(CUevent, CUstream);
    fn cuModuleLoadDataEx(*mut CUmodule, *const c_void, c_uint, *mut c_int, *mut *mut c_void);
    fn cuModuleGetFunction(*mut CUfunction, CUmodule, *const c_char);
    fn cuLaunchKernel(
        CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, CUstream, *mut *mut c_void, *mut *mut c_void,
    );
    fn cuGetErrorString(u32, *mut *const c_char);
    fn cuMemAlloc_v2(*mut CUdeviceptr, usize);
    fn cuMemFree_v2(CUdeviceptr);
    fn cuMemsetD8Async(CUdeviceptr, u8, usize, CUstream);
    fn cuMemcpyHtoDAsync_v2(CUdeviceptr, *const c_void, usize, CUstream);
    fn cuMemcpyDtoHAsync_v2(*mut c_void, CUdeviceptr, usize, CUstream);
    fn cuEventElapsedTime(*mut f32, CUevent, CUevent);
    fn cuModuleUnload(CUmodule);
    fn cuFuncGetAttribute(*mut c_int, c_int, CUfunction);
    fn cuFuncSetAttribute(CUfunction, c_int, c_int);
    fn cuCtxSetLimit(c_int, usize);
    fn cuDeviceGetUuid(*mut CUuuid, CUdevice);
    fn cuDriverGetVersion(*mut c_int);
    optional:
    fn cuFuncGetParamInfo(CUfunction, usize, *mut usize, *mut usize);
    fn cuModuleGetFunctionCount(*mut c_uint, CUmodule);
    fn cuModuleEnumerateFunctions(*mut CUfunction, c_uint, CUmodule);
    fn cuFuncGetName(*mut *const c_char, CUfunction);
    fn cuMemPoolCreate(*mut CUmemoryPool, *const PoolProperties);
    fn cuMemAllocFromPoolAsync(*mut CUdeviceptr, usize, CUmemoryPool, CUstream);
    fn cuMemFreeAsync(CUdeviceptr, CUstream);
    fn cuMemPoolTrimTo(CUmemoryPool, usize);
    fn cuMemHostRegister_v2(*mut c_void, usize, c_uint);
    fn cuMemHostUnregister(*mut c_void);
}

impl Driver {
    /// The driver of this machine, initialised.
    ///
    /// # Errors
    /// `NoDriver`, saying what was looked for; what `cuInit` says.
    pub(crate) fn of_this_machine() -> Result<&'static Self, GpuError> {
        static DRIVER: OnceLock<Result<Driver, GpuError>> = OnceLock::new();
        DRIVER.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self, GpuError> {
        let driver = Self::load()?;
        // SAFETY: cuInit may be called at any time, from any thread.
        driver.check("initialise the CUDA driver", unsafe { (driver.cuInit)(0) })?;
        Ok(driver)
    }

    /// CUDA's version as a number: 12020 is 12.2.
    pub(crate) fn version(&self) -> Result<i32, GpuError> {
        let mut version = 0;
        // SAFETY: an out parameter of the right type.
        self.check("read the driver's version", unsafe {
            (self.cuDriverGetVersion)(&raw mut version)
        })?;
        Ok(version)
    }

    /// `Ok` for 0, else the driver's own sentence.
    pub(crate) fn check(&self, doing: &str, number: u32) -> Result<(), GpuError> {
        match Code(number) {
            Code::SUCCESS => Ok(()),
            code => Err(code.error(doing, self.sentence(code))),
        }
    }

    fn sentence(&self, code: Code) -> String {
        let mut text = std::ptr::null();
        // SAFETY: for a number that it knows, the driver sets the pointer to a string that lives as long as the library.
        let known =
            unsafe { (self.cuGetErrorString)(code.0, &raw mut text) } == 0 && !text.is_null();
        if !known {
            return "the driver gives no text for this error".to_owned();
        }
        // SAFETY: not null, and NUL-terminated by the driver's contract.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

fn missing(what: &str) -> GpuError {
    GpuError::new(ErrorKind::NoDriver, "load the CUDA driver", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_driver_is_told_what_was_looked_for() {
        match Driver::of_this_machine() {
            Err(error) if error.kind == ErrorKind::NoDriver => {
                assert!(error.to_string().starts_with("load the CUDA driver: libcuda"), "{error}");
            }
            Err(error) => panic!("a driver that is there and broken: {error}"),
            Ok(_) => eprintln!("skipped: this machine has a CUDA driver"),
        }
    }
}
