//! `libcuda.so.1` as a script says: the driver functions that an executor calls, with strict handles, real memory and late errors.
//!
//! ```text
//! cuLaunchKernel ─▶ kernels (in Rust, by name) ─▶ memory; what goes wrong is told by the next wait, and sticks
//! ```
//! A launch runs at once, as a stream of one; time is the host's. Numbers and structures are those of cuda.h.
#![allow(unsafe_code, reason = "a C library: ARCHITECTURE, invariant 8 (test-only)")]
#![allow(non_snake_case, reason = "NVIDIA's names")]
#![allow(clippy::missing_safety_doc, reason = "as cuda.h says")]
#![allow(missing_docs, reason = "as cuda.h says")]
#![allow(unreachable_pub, reason = "found by name, with dlsym")]

mod kernels;
mod ptx;
mod state;

use std::{
    cell::Cell,
    ffi::{CStr, CString, c_char, c_int, c_uint, c_void},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Instant,
};

use tests_fake_driver::Script;

use kernels::{Ending, Extent};
use state::{Kind, State, Stream, handle, index, is_sticky};

type CUresult = u32;
type Handle = *mut c_void;

thread_local! {
    /// The context that is current in this thread.
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

fn state() -> MutexGuard<'static, State> {
    static STATE: OnceLock<Mutex<State>> = OnceLock::new();
    STATE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" {
    fn printf(format: *const c_char, ...) -> c_int;
}

/// What a kernel prints goes where the C library's standard output goes.
fn say(text: &str) {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: a format with one string, and a string.
    unsafe { printf(c"%s".as_ptr(), text.as_ptr()) };
}

/// # Safety
/// `to` is null or takes a `T`.
unsafe fn put<T>(to: *mut T, value: T) -> Result<(), u32> {
    if to.is_null() {
        return Err(1);
    }
    // SAFETY: as the caller promises.
    unsafe { to.write(value) };
    Ok(())
}

const fn answer(outcome: Result<(), u32>) -> CUresult {
    match outcome {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// What every call goes through: its script, the driver's state, and how the context is.
fn call(
    function: &'static str,
    needs_context: bool,
    act: impl FnOnce(&Script, &mut State) -> Result<(), u32>,
) -> CUresult {
    let script = Script::of_this_process();
    let outcome = script.enter(function).and_then(|()| {
        let mut state = state();
        if !state.initialised {
            return Err(3);
        }
        if needs_context && !CURRENT.get() {
            return Err(201);
        }
        if let (true, Some(code)) = (needs_context, state.poison) {
            return Err(code);
        }
        act(&script, &mut state)
    });
    answer(outcome)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> CUresult {
    let script = Script::of_this_process();
    let outcome = match flags {
        0 => script.enter("cuInit"),
        _ => Err(1),
    };
    state().initialised |= outcome.is_ok();
    answer(outcome)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(to: *mut c_int) -> CUresult {
    // SAFETY: cuda.h gives the pointer this type, as in every function below.
    call("cuDriverGetVersion", false, |script, _| unsafe { put(to, script.cuda) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(to: *mut c_int) -> CUresult {
    call("cuDeviceGetCount", false, |script, _| {
        // SAFETY: as above.
        unsafe { put(to, c_int::try_from(script.devices.len()).unwrap_or(c_int::MAX)) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(to: *mut c_int, ordinal: c_int) -> CUresult {
    call("cuDeviceGet", false, |script, _| {
        let known = usize::try_from(ordinal).is_ok_and(|at| at < script.devices.len());
        // SAFETY: as above.
        if known { unsafe { put(to, ordinal) } } else { Err(101) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid(to: *mut [u8; 16], device: c_int) -> CUresult {
    call("cuDeviceGetUuid", false, |script, _| {
        let device =
            usize::try_from(device).ok().and_then(|at| script.devices.get(at)).ok_or(101_u32)?;
        // SAFETY: as above.
        unsafe { put(to, device.uuid_bytes()) }
    })
}

/// Memory pools are the one attribute that is asked for here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(
    to: *mut c_int,
    attribute: c_int,
    device: c_int,
) -> CUresult {
    call("cuDeviceGetAttribute", false, |script, _| {
        let known = usize::try_from(device).is_ok_and(|at| at < script.devices.len());
        let value = match attribute {
            115 => 1, // memory pools
            _ => return Err(1),
        };
        // SAFETY: as above.
        if known { unsafe { put(to, value) } } else { Err(101) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(to: *mut Handle, device: c_int) -> CUresult {
    call("cuDevicePrimaryCtxRetain", false, |script, state| {
        let at = usize::try_from(device).map_err(|_| 101_u32)?;
        let device = script.devices.get(at).ok_or(101_u32)?;
        if device.value("lost") == Some(1) {
            return Err(46);
        }
        if state.context.is_some_and(|other| other != at) {
            return Err(1); // the fake has one
        }
        state.context = Some(at);
        // SAFETY: as above.
        unsafe { put(to, handle(Kind::Context, at) as Handle) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> CUresult {
    call("cuCtxSetCurrent", false, |_, state| {
        let at = index(Kind::Context, context as usize).map_err(|_| 201_u32)?;
        if state.context != Some(at) {
            return Err(201);
        }
        CURRENT.set(true);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetLimit(limit: c_int, value: usize) -> CUresult {
    call("cuCtxSetLimit", true, |_, state| {
        if !(0..=2).contains(&limit) {
            return Err(215);
        }
        state.limits.insert(limit, value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CUresult {
    call("cuMemGetInfo_v2", true, |script, state| {
        let device = &script.devices[state.context.unwrap_or(0)];
        let bytes =
            |key| usize::try_from(device.value(key).unwrap_or(0) << 20).unwrap_or(usize::MAX);
        let used = usize::try_from(state.memory.used()).unwrap_or(usize::MAX);
        // SAFETY: as above.
        unsafe { put(free, bytes("memory_mb").saturating_sub(bytes("reserved_mb") + used)) }?;
        // SAFETY: as above.
        unsafe { put(total, bytes("memory_mb")) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(to: *mut Handle, flags: c_uint) -> CUresult {
    call("cuStreamCreate", true, |_, state| {
        if flags > 1 {
            return Err(1);
        }
        state.streams.push(Stream::default());
        // SAFETY: as above.
        unsafe { put(to, handle(Kind::Stream, state.streams.len() - 1) as Handle) }
    })
}

fn stream(state: &mut State, stream: Handle) -> Result<&mut Stream, u32> {
    let at = index(Kind::Stream, stream as usize)?;
    state.streams.get_mut(at).ok_or(400)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(on: Handle) -> CUresult {
    let mut forever = false;
    let code = call("cuStreamSynchronize", true, |_, state| {
        let stream = stream(state, on)?;
        forever = stream.forever;
        let Some(code) = stream.pending.take() else { return Ok(()) };
        if is_sticky(code) {
            state.poison = Some(code);
        }
        Err(code)
    });
    if forever {
        loop {
            thread::park(); // the kernel runs on; only the end of the process ends this
        }
    }
    code
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(to: *mut Handle, _flags: c_uint) -> CUresult {
    call("cuEventCreate", true, |_, state| {
        state.events.push(None);
        // SAFETY: as above.
        unsafe { put(to, handle(Kind::Event, state.events.len() - 1) as Handle) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Handle, on: Handle) -> CUresult {
    call("cuEventRecord", true, |_, state| {
        stream(state, on)?;
        let at = index(Kind::Event, event as usize)?;
        *state.events.get_mut(at).ok_or(400_u32)? = Some(Instant::now());
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(to: *mut f32, start: Handle, end: Handle) -> CUresult {
    call("cuEventElapsedTime", true, |_, state| {
        let moment = |event: Handle| {
            let at = index(Kind::Event, event as usize)?;
            state.events.get(at).copied().ok_or(400_u32)?.ok_or(400_u32)
        };
        let elapsed = moment(end)?.saturating_duration_since(moment(start)?);
        // SAFETY: as above.
        unsafe { put(to, elapsed.as_secs_f32() * 1000.0) }
    })
}

const JIT_ERROR_LOG: c_int = 5;
const JIT_ERROR_LOG_BYTES: c_int = 6;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadDataEx(
    to: *mut Handle,
    image: *const c_void,
    count: c_uint,
    options: *const c_int,
    values: *const *mut c_void,
) -> CUresult {
    call("cuModuleLoadDataEx", true, |_, state| {
        if image.is_null() {
            return Err(1);
        }
        // SAFETY: cuda.h: text ends with a zero, images say their length in their first bytes.
        let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
        if text.starts_with("\u{7f}ELF") {
            return Err(209);
        }
        match ptx::entries(&text) {
            Ok(entries) => {
                state.modules.push(Some(entries));
                // SAFETY: as above.
                unsafe { put(to, handle(Kind::Module, state.modules.len() - 1) as Handle) }
            }
            Err(log) => {
                let (mut buffer, mut room) = (std::ptr::null_mut::<u8>(), 0);
                for at in 0..count as usize {
                    // SAFETY: cuda.h: `count` options with a value each.
                    let (option, value) = unsafe { (*options.add(at), *values.add(at)) };
                    match option {
                        JIT_ERROR_LOG => buffer = value.cast(),
                        JIT_ERROR_LOG_BYTES => room = value as usize,
                        _ => return Err(1),
                    }
                }
                if !buffer.is_null() {
                    for (at, byte) in log.bytes().chain([0]).take(room).enumerate() {
                        // SAFETY: within the room that the options give.
                        unsafe { buffer.add(at).write(byte) };
                    }
                }
                Err(218)
            }
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: Handle) -> CUresult {
    call("cuModuleUnload", true, |_, state| {
        let at = index(Kind::Module, module as usize)?;
        state.modules.get_mut(at).and_then(Option::take).map(|_| ()).ok_or(400)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    to: *mut Handle,
    module: Handle,
    name: *const c_char,
) -> CUresult {
    call("cuModuleGetFunction", true, |_, state| {
        let at = index(Kind::Module, module as usize)?;
        let entries = state.modules.get(at).and_then(Option::as_ref).ok_or(400_u32)?;
        // SAFETY: cuda.h: a NUL-terminated string.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        let entry = entries.iter().position(|entry| entry.name == name).ok_or(500_u32)?;
        state.functions.push((at, entry));
        // SAFETY: as above.
        unsafe { put(to, handle(Kind::Function, state.functions.len() - 1) as Handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunctionCount(to: *mut c_uint, module: Handle) -> CUresult {
    call("cuModuleGetFunctionCount", true, |_, state| {
        let at = index(Kind::Module, module as usize)?;
        let entries = state.modules.get(at).and_then(Option::as_ref).ok_or(400_u32)?;
        // SAFETY: as above.
        unsafe { put(to, c_uint::try_from(entries.len()).unwrap_or(c_uint::MAX)) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleEnumerateFunctions(
    to: *mut Handle,
    count: c_uint,
    module: Handle,
) -> CUresult {
    call("cuModuleEnumerateFunctions", true, |_, state| {
        let at = index(Kind::Module, module as usize)?;
        let entries = state.modules.get(at).and_then(Option::as_ref).ok_or(400_u32)?.len();
        for entry in 0..entries.min(count as usize) {
            state.functions.push((at, entry));
            // SAFETY: cuda.h: `count` handles.
            unsafe {
                put(to.add(entry), handle(Kind::Function, state.functions.len() - 1) as Handle)
            }?;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetName(to: *mut *const c_char, function: Handle) -> CUresult {
    call("cuFuncGetName", true, |_, state| {
        let name = CString::new(state.entry(function as usize)?.name.clone()).map_err(|_| 1_u32)?;
        // SAFETY: as above; names live as long as the process.
        unsafe { put(to, name.into_raw().cast_const()) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetParamInfo(
    function: Handle,
    nth: usize,
    offset: *mut usize,
    bytes: *mut usize,
) -> CUresult {
    call("cuFuncGetParamInfo", true, |_, state| {
        let (at, size) = *state.entry(function as usize)?.parameters.get(nth).ok_or(1_u32)?;
        // SAFETY: as above.
        unsafe { put(offset, at) }?;
        // SAFETY: as above.
        unsafe { put(bytes, size) }
    })
}

const THREADS_MAX: c_int = 0;
const SHARED_BYTES: c_int = 1;
const DYNAMIC_SHARED_BYTES: c_int = 8;
/// What a kernel has without asking, and at most.
const SHARED_DEFAULT: usize = 48 << 10;
const SHARED_MAX: usize = 227 << 10;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetAttribute(
    to: *mut c_int,
    attribute: c_int,
    function: Handle,
) -> CUresult {
    call("cuFuncGetAttribute", true, |_, state| {
        let entry = state.entry(function as usize)?;
        let value = match attribute {
            THREADS_MAX => 1024,
            SHARED_BYTES => c_int::try_from(entry.shared_bytes).unwrap_or(c_int::MAX),
            _ => return Err(1),
        };
        // SAFETY: as above.
        unsafe { put(to, value) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: Handle, attribute: c_int, value: c_int) -> CUresult {
    call("cuFuncSetAttribute", true, |_, state| {
        state.entry(function as usize)?;
        let value = usize::try_from(value).map_err(|_| 1_u32)?;
        if attribute != DYNAMIC_SHARED_BYTES || value > SHARED_MAX {
            return Err(1);
        }
        state.shared.insert(function as usize, value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(to: *mut u64, bytes: usize) -> CUresult {
    call("cuMemAlloc_v2", true, |script, state| {
        let at = allocate(script, state, bytes, None)?;
        // SAFETY: as above.
        unsafe { put(to, at) }
    })
}

fn allocate(
    script: &Script,
    state: &mut State,
    bytes: usize,
    pool: Option<usize>,
) -> Result<u64, u32> {
    let device = &script.devices[state.context.unwrap_or(0)];
    let room = (device.value("memory_mb").unwrap_or(0) << 20)
        .saturating_sub(device.value("reserved_mb").unwrap_or(0) << 20);
    match bytes {
        0 => Err(1),
        _ if state.memory.used() + bytes as u64 > room => Err(2),
        _ => Ok(state.memory.allocate(bytes, pool)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(at: u64) -> CUresult {
    call("cuMemFree_v2", true, |_, state| state.memory.free(at))
}

#[repr(C)]
#[derive(Debug)]
pub struct PoolProperties {
    kind: c_int,
    handles: c_int,
    place_kind: c_int,
    place: c_int,
    security: *mut c_void,
    bytes_max: usize,
    reserved: [u8; 56],
}

/// Pinned memory of a device, with no handles to give away, is the one kind that there is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemPoolCreate(
    to: *mut Handle,
    properties: *const PoolProperties,
) -> CUresult {
    call("cuMemPoolCreate", true, |_, state| {
        if properties.is_null() {
            return Err(1);
        }
        // SAFETY: cuda.h gives the pointer this type.
        let properties = unsafe { &*properties };
        let device = usize::try_from(properties.place).ok();
        if (properties.kind, properties.handles, properties.place_kind) != (1, 0, 1)
            || device != state.context
            || properties.reserved.iter().any(|byte| *byte != 0)
        {
            return Err(1);
        }
        state.pools.push(properties.bytes_max);
        // SAFETY: as above.
        unsafe { put(to, handle(Kind::Pool, state.pools.len() - 1) as Handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocFromPoolAsync(
    to: *mut u64,
    bytes: usize,
    pool: Handle,
    on: Handle,
) -> CUresult {
    call("cuMemAllocFromPoolAsync", true, |script, state| {
        stream(state, on)?;
        let pool = index(Kind::Pool, pool as usize)?;
        let most = *state.pools.get(pool).ok_or(400_u32)? as u64;
        if most != 0 && state.memory.used_of(pool) + bytes as u64 > most {
            return Err(2);
        }
        let at = allocate(script, state, bytes, Some(pool))?;
        // SAFETY: as above.
        unsafe { put(to, at) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(at: u64, on: Handle) -> CUresult {
    call("cuMemFreeAsync", true, |_, state| {
        stream(state, on)?;
        state.memory.free(at)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolTrimTo(pool: Handle, _keep: usize) -> CUresult {
    call("cuMemPoolTrimTo", true, |_, state| {
        let at = index(Kind::Pool, pool as usize)?;
        state.pools.get(at).map(|_| ()).ok_or(400)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(at: u64, value: u8, bytes: usize, on: Handle) -> CUresult {
    call("cuMemsetD8Async", true, |_, state| {
        stream(state, on)?;
        state.memory.range(at, bytes).ok_or(1_u32)?.fill(value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const u8,
    bytes: usize,
    on: Handle,
) -> CUresult {
    call("cuMemcpyHtoDAsync_v2", true, |_, state| {
        stream(state, on)?;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: cuda.h: `bytes` bytes of this process.
        let from = unsafe { std::slice::from_raw_parts(from, bytes) };
        state.memory.range(to, bytes).ok_or(1_u32)?.copy_from_slice(from);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut u8,
    from: u64,
    bytes: usize,
    on: Handle,
) -> CUresult {
    call("cuMemcpyDtoHAsync_v2", true, |_, state| {
        stream(state, on)?;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: cuda.h: room for `bytes` bytes.
        let to = unsafe { std::slice::from_raw_parts_mut(to, bytes) };
        to.copy_from_slice(state.memory.range(from, bytes).ok_or(1_u32)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostRegister_v2(at: *mut c_void, bytes: usize, flags: c_uint) -> CUresult {
    call("cuMemHostRegister_v2", true, |_, state| {
        let whole_pages = (at as usize).is_multiple_of(4096);
        match () {
            () if bytes == 0 || !whole_pages || flags & !0xf != 0 => Err(1),
            () if state.pinned.insert(at as usize) => Ok(()),
            () => Err(712),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostUnregister(at: *mut c_void) -> CUresult {
    call("cuMemHostUnregister", true, |_, state| {
        if state.pinned.remove(&(at as usize)) { Ok(()) } else { Err(713) }
    })
}

const LAUNCH_BUFFER: usize = 1;
const LAUNCH_BUFFER_BYTES: usize = 2;

/// The parameter block that a caller laid out itself.
///
/// # Safety
/// As cuda.h says of `extra`.
unsafe fn parameter_block(extra: *const *mut c_void) -> Result<Vec<u8>, u32> {
    let (mut from, mut bytes) = (std::ptr::null::<u8>(), None);
    let mut at = 0;
    loop {
        // SAFETY: pairs up to a null, as the caller promises.
        let (name, value) = unsafe { (*extra.add(at) as usize, *extra.add(at + 1)) };
        match name {
            0 => break,
            LAUNCH_BUFFER => from = value.cast(),
            // SAFETY: the address of a size.
            LAUNCH_BUFFER_BYTES => bytes = Some(unsafe { *value.cast::<usize>() }),
            _ => return Err(1),
        }
        at += 2;
        // SAFETY: as above.
        if unsafe { *extra.add(at) }.is_null() {
            break;
        }
    }
    match bytes {
        Some(0) => Ok(Vec::new()),
        Some(bytes) if !from.is_null() => {
            // SAFETY: a block of that size.
            let block = unsafe { std::slice::from_raw_parts(from, bytes) };
            Ok(block.to_vec())
        }
        _ => Err(1),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared_bytes: c_uint,
    on: Handle,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> CUresult {
    call("cuLaunchKernel", true, |_, state| {
        stream(state, on)?;
        let entry = state.entry(function as usize)?.clone();
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        let threads: u64 = block.iter().map(|extent| u64::from(*extent)).product();
        let room = state.shared.get(&(function as usize)).copied().unwrap_or(SHARED_DEFAULT);
        if grid.contains(&0) || threads == 0 || threads > 1024 || grid_y > 65_535 || grid_z > 65_535
        {
            return Err(1);
        }
        if shared_bytes as usize + entry.shared_bytes > room.max(entry.shared_bytes) {
            return Err(1);
        }
        // One of the two ways, never both.
        let bytes = match (parameters.is_null(), extra.is_null()) {
            // SAFETY: as cuda.h says.
            (true, false) => unsafe { parameter_block(extra) }?,
            (true, true) if entry.parameters.is_empty() => Vec::new(),
            _ => return Err(1),
        };
        if bytes.len() != entry.parameter_bytes() {
            return Err(1);
        }
        let ending = kernels::run(&entry.name, Extent { grid, block }, &bytes, &mut state.memory);
        let stream = stream(state, on)?;
        match ending {
            Ending::Well => {}
            Ending::Never => stream.forever = true,
            Ending::Badly(code) => stream.pending = Some(code),
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(code: CUresult, to: *mut *const c_char) -> CUresult {
    let text = match code {
        0 => c"no error",
        1 => c"invalid argument",
        2 => c"out of memory",
        218 => c"a PTX JIT compilation failed",
        500 => c"named symbol not found",
        700 => c"an illegal memory access was encountered",
        716 => c"misaligned address",
        719 => c"unspecified launch failure",
        _ => return 1,
    };
    // SAFETY: as above.
    answer(unsafe { put(to, text.as_ptr()) })
}
