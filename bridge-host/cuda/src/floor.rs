//! The floor under a launch: what the driver itself takes, with nothing of ours around it. For measuring only.
#![allow(unsafe_code, reason = "calls into libcuda: ARCHITECTURE, invariant 8")]

use std::{
    ffi::CString,
    ptr,
    time::{Duration, Instant},
};

use bridge_host_gpu::{ErrorKind, GpuError};
use cudarc::driver::sys::{CUfunction, CUmodule, CUstream};

use crate::driver::Driver;

/// How long each of `count` launches of a kernel without parameters takes, waiting for its end: one block of one thread, in the
/// context that is current in this thread.
///
/// # Errors
/// What the driver says.
pub fn bare_launches(ptx: &str, kernel: &str, count: usize) -> Result<Vec<Duration>, GpuError> {
    let driver = Driver::of_this_machine()?;
    let doing = "launch without anything around it";
    let text = |of: &str| {
        CString::new(of).map_err(|_| GpuError::new(ErrorKind::InvalidModule, doing, "a NUL in it"))
    };
    let (ptx, kernel) = (text(ptx)?, text(kernel)?);
    let mut module: CUmodule = ptr::null_mut();
    // SAFETY: NUL-terminated text, no options, an out parameter of the right type.
    driver.check(doing, unsafe {
        (driver.cuModuleLoadDataEx)(
            &raw mut module,
            ptx.as_ptr().cast(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    })?;
    let mut function: CUfunction = ptr::null_mut();
    // SAFETY: a loaded module, a NUL-terminated name, an out parameter of the right type.
    driver.check(doing, unsafe {
        (driver.cuModuleGetFunction)(&raw mut function, module, kernel.as_ptr())
    })?;
    let mut stream: CUstream = ptr::null_mut();
    // SAFETY: an out parameter of the right type.
    driver.check(doing, unsafe { (driver.cuStreamCreate)(&raw mut stream, 1) })?;
    (0..count)
        .map(|_| {
            let start = Instant::now();
            // SAFETY: a function of a loaded module that takes no parameters.
            driver.check(doing, unsafe {
                (driver.cuLaunchKernel)(
                    function,
                    1,
                    1,
                    1,
                    1,
                    1,
                    1,
                    0,
                    stream,
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            })?;
            // SAFETY: a stream of this context.
            driver.check(doing, unsafe { (driver.cuStreamSynchronize)(stream) })?;
            Ok(start.elapsed())
        })
        .collect()
}
