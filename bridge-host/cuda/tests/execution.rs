//! What an executor does with libcuda, on machines with a fake driver: each test runs again in a process on one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use bridge_host_cuda::{CudaBackend, ERRORS, ErrorClass};
use bridge_host_gpu::{
    DeviceLimits, Dim3, ErrorKind, GpuBackend, GpuDevice, GpuError, LaunchSpec, MemoryEnforcement,
    ModuleFormat, ModuleId, ModuleImage, StopSignal,
};
use tests_fake_driver::{Device, Library::Cuda, Machine, Script, is_here, script::DIRECTORY};

fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY).unwrap().into()
}

fn rewrite(script: &Script) {
    fs::write(directory().join("script.new"), script.to_text()).unwrap();
    fs::rename(directory().join("script.new"), directory().join("script")).unwrap();
}

/// Runs `look` in a process on a machine with this script.
fn on(script: &Script, test: &str, look: impl FnOnce()) {
    if is_here() { look() } else { Machine::new(script).run_test(test) }
}

const MIB: u64 = 1 << 20;

fn open() -> Result<Box<dyn GpuDevice>, GpuError> {
    let limits = DeviceLimits { memory_bytes: 64 * MIB, streams: 1, printf_bytes: 4096 };
    CudaBackend::new()?.open(&Device::fake(0).uuid, limits)
}

fn ptx(kernel: &str) -> String {
    format!(
        ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry {kernel}() {{ ret; }}\n"
    )
}

fn load(device: &mut dyn GpuDevice, text: &str) -> Result<ModuleId, GpuError> {
    device.load(ModuleImage { format: ModuleFormat::Ptx, bytes: text.as_bytes() })
}

fn run(device: &mut dyn GpuDevice, kernel: &str) -> Result<(), GpuError> {
    let module = load(device, &ptx(kernel))?;
    let one = Dim3 { x: 1, y: 1, z: 1 };
    let launch = LaunchSpec {
        module,
        kernel: kernel.to_owned(),
        grid: one,
        block: one,
        shared_bytes: 0,
        parameters: Vec::new(),
    };
    device.launch(&launch, &StopSignal::new()).map(|_| ())
}

/// Proves GPU-2.
#[test]
fn every_error_of_the_table_is_what_its_row_says_wherever_it_comes() {
    on(
        &Script::default(),
        "every_error_of_the_table_is_what_its_row_says_wherever_it_comes",
        || {
            let mut device = open().unwrap();
            for row in ERRORS {
                for function in
                    ["cuModuleLoadDataEx", "cuLaunchKernel", "cuStreamSynchronize", "cuEventRecord"]
                {
                    rewrite(&Script::default().fail(function, 0, row.code));
                    let error = run(&mut *device, "nothing").unwrap_err();
                    rewrite(&Script::default());
                    let sticky = row.class == ErrorClass::Sticky;
                    let seen = (error.code, error.kind, error.sticky);
                    assert_eq!(
                        seen,
                        (Some(row.code), row.kind, sticky),
                        "{} in {function}: {error}",
                        row.name
                    );
                    assert!(
                        error.to_string().ends_with(&format!("(CUresult {})", row.code)),
                        "{error}"
                    );
                }
            }
        },
    );
}

/// Proves GPU-2.
#[test]
fn a_sticky_error_shows_when_the_kernel_is_waited_for_and_stays() {
    let sticky: Vec<_> = ERRORS
        .iter()
        .filter(|row| row.class == ErrorClass::Sticky && !matches!(row.code, 4 | 201))
        .collect();
    if is_here() {
        let code: u32 = fs::read_to_string(directory().join("code")).unwrap().parse().unwrap();
        let mut device = open().unwrap();
        let error = run(&mut *device, &format!("code_{code}")).unwrap_err();
        assert_eq!((error.code, error.sticky), (Some(code), true), "{error}");
        let later = device.alloc(1).unwrap_err();
        assert_eq!((later.code, later.sticky), (Some(code), true), "{later}");
        let again = open().map(|_| ()).unwrap_err();
        assert!(again.sticky, "{again}");
        return;
    }
    assert!(sticky.len() > 18);
    // And two that no table has.
    for code in sticky.iter().map(|row| row.code).chain([9999, 70_000]) {
        let machine = Machine::new(&Script::default());
        fs::write(machine.path().join("code"), code.to_string()).unwrap();
        machine.run_test("a_sticky_error_shows_when_the_kernel_is_waited_for_and_stays");
    }
}

/// Proves GPU-2.
#[test]
fn a_gpu_that_is_busy_or_lost_makes_no_context_and_may_be_tried_again() {
    on(
        &Script::default(),
        "a_gpu_that_is_busy_or_lost_makes_no_context_and_may_be_tried_again",
        || {
            rewrite(&Script {
                devices: vec![Device::fake(0).with("lost", 1)],
                ..Script::default()
            });
            let error = open().map(|_| ()).unwrap_err();
            assert_eq!((error.kind, error.code, error.sticky), (ErrorKind::NoGpu, Some(46), false));
            rewrite(&Script::default());
            open().unwrap();
        },
    );
}

/// What no executor is without.
const NEEDED: [&str; 24] = [
    "cuInit",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDevicePrimaryCtxRetain",
    "cuCtxSetCurrent",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuEventCreate",
    "cuEventRecord",
    "cuModuleLoadDataEx",
    "cuModuleGetFunction",
    "cuLaunchKernel",
    "cuGetErrorString",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemsetD8Async",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuEventElapsedTime",
    "cuModuleUnload",
    "cuFuncGetAttribute",
    "cuFuncSetAttribute",
    "cuCtxSetLimit",
    "cuDriverGetVersion",
];

/// Proves GPU-4.
#[test]
fn a_function_that_libcuda_lacks_is_named() {
    if is_here() {
        let missing = fs::read_to_string(directory().join("missing")).unwrap();
        let error = open().map(|_| ()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDriver);
        assert_eq!(
            error.to_string(),
            format!("load the CUDA driver: libcuda lacks {missing}; update the driver")
        );
        return;
    }
    for function in NEEDED {
        let machine = Machine::new(&Script::default()).without(Cuda, function);
        fs::write(machine.path().join("missing"), function).unwrap();
        machine.run_test("a_function_that_libcuda_lacks_is_named");
    }
}

/// Proves GPU-4.
#[test]
fn a_machine_without_libcuda_is_told_what_was_looked_for_and_where() {
    if is_here() {
        let text = open().map(|_| ()).unwrap_err().to_string();
        assert!(
            text.starts_with("load the CUDA driver: libcuda.so.1 (also libcuda.so) is not on this machine; looked in LD_LIBRARY_PATH ("),
            "{text}"
        );
        return;
    }
    Machine::with(&Script::default(), &[])
        .run_test("a_machine_without_libcuda_is_told_what_was_looked_for_and_where");
}

/// Proves GPU-4.
#[test]
fn a_driver_before_12_4_says_that_it_cannot_check_parameters() {
    if is_here() {
        let mut device = open().unwrap();
        let module = load(&mut *device, &ptx("nothing")).unwrap();
        let error = device.kernel(module, "nothing").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.to_string().contains("cuFuncGetParamInfo came with CUDA 12.4"), "{error}");
        return;
    }
    let machine = Machine::new(&Script { cuda: 12_030, ..Script::default() })
        .without(Cuda, "cuFuncGetParamInfo");
    machine.run_test("a_driver_before_12_4_says_that_it_cannot_check_parameters");
}

/// Proves GPU-9.
#[test]
fn a_module_that_does_not_compile_is_refused_with_the_compilers_log() {
    on(
        &Script::default(),
        "a_module_that_does_not_compile_is_refused_with_the_compilers_log",
        || {
            let mut device = open().unwrap();
            let text = ptx("nothing").replace("ret;", "bad_instruction;");
            let error = load(&mut *device, &text).unwrap_err();
            assert_eq!((error.kind, error.sticky), (ErrorKind::InvalidModule, false));
            assert_eq!(
                error.to_string(),
                "load module: a PTX JIT compilation failed (CUresult 218): ptxas application ptx input, line 7; error   : \
             Not a name of any known instruction: 'bad_instruction'"
            );
        },
    );
}

/// Proves GPU-10.
#[test]
fn memory_is_bounded_by_a_pool_where_the_driver_has_one() {
    on(&Script::default(), "memory_is_bounded_by_a_pool_where_the_driver_has_one", || {
        let mut device = open().unwrap();
        assert_eq!(device.memory_enforcement(), MemoryEnforcement::Pool);
        // The counting says no before the driver does.
        rewrite(&Script::default().fail("cuMemAllocFromPoolAsync", 0, 999));
        let error = device.alloc(64 * MIB + 1).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::OutOfMemory, None));
        // What the driver says is no lease's bound is told as it is.
        rewrite(&Script::default().fail("cuMemAllocFromPoolAsync", 0, 2));
        let error = device.alloc(MIB).unwrap_err();
        assert_eq!(
            (error.kind, error.code, error.sticky),
            (ErrorKind::OutOfMemory, Some(2), false)
        );
        assert_eq!(device.memory_used(), 0);
        rewrite(&Script::default());
        device.alloc(64 * MIB).unwrap();
    });
}

/// Proves GPU-10.
#[test]
fn a_driver_that_refuses_a_pool_leaves_memory_to_the_counting() {
    on(
        &Script::default().fail("cuMemPoolCreate", 0, 801),
        "a_driver_that_refuses_a_pool_leaves_memory_to_the_counting",
        || {
            let mut device = open().unwrap();
            assert_eq!(device.memory_enforcement(), MemoryEnforcement::Accounting);
            let pointer = device.alloc(64 * MIB).unwrap();
            assert_eq!(device.alloc(1).unwrap_err().kind, ErrorKind::OutOfMemory);
            device.free(pointer).unwrap();
        },
    );
}

/// Proves GPU-10.
#[test]
fn what_cannot_be_zeroed_is_not_kept() {
    on(&Script::default(), "what_cannot_be_zeroed_is_not_kept", || {
        let mut device = open().unwrap();
        rewrite(&Script::default().fail("cuMemsetD8Async", 0, 1));
        assert_eq!(device.alloc(MIB).unwrap_err().code, Some(1));
        assert_eq!(device.memory_used(), 0);
    });
}

/// Proves GPU-1.
#[test]
fn a_copy_goes_on_where_memory_cannot_be_pinned() {
    on(&Script::default(), "a_copy_goes_on_where_memory_cannot_be_pinned", || {
        let mut device = open().unwrap();
        let pointer = device.alloc(2 * MIB).unwrap();
        let bytes = vec![7; 2 << 20];
        for code in [1, 2, 712, 801] {
            rewrite(&Script::default().fail("cuMemHostRegister_v2", 0, code));
            device.write(pointer, &bytes).unwrap();
        }
        let mut back = vec![0; 2 << 20];
        device.read(pointer, &mut back).unwrap();
        assert_eq!(back, bytes);
    });
}
