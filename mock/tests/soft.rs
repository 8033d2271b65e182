//! The software GPU as the daemon and its executors see it.

use bridge_host_gpu::{
    DeviceLimits, Dim3, ErrorKind, GpuBackend, GpuDevice, GpuDiscovery, LaunchSpec, ModuleFormat,
    ModuleId, ModuleImage, ParameterSlot, StopSignal,
};
use mock::soft::{SoftBackend, SoftConfig, SoftDiscovery};

const VADD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/ptx/tests/fixtures/vadd.clang19-sm_80.ptx"));

const LIMITS: DeviceLimits = DeviceLimits { memory_bytes: 1 << 20, streams: 1, printf_bytes: 64 };

fn open() -> Box<dyn GpuDevice> {
    SoftBackend::new(SoftConfig::default()).open("GPU-soft-0", LIMITS).expect("it is there")
}

fn load(device: &mut dyn GpuDevice, text: &str) -> ModuleId {
    device
        .load(ModuleImage { format: ModuleFormat::Ptx, bytes: text.as_bytes() })
        .expect("compiles")
}

fn spec(module: ModuleId, kernel: &str, parameters: Vec<u8>) -> LaunchSpec {
    let one = Dim3 { x: 1, y: 1, z: 1 };
    let block = Dim3 { x: 64, ..one };
    LaunchSpec { module, kernel: kernel.into(), grid: one, block, shared_bytes: 0, parameters }
}

/// A kernel that never ends, one that writes to null, and one that prints.
const ODD: &str = r#"
.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);
.global .align 1 .b8 text[4] = {104, 105, 10, 0};
.visible .entry forever() { $L: bra $L; }
.visible .entry wild() { .reg .b64 %rd<2>; mov.u64 %rd1, 0; st.global.u32 [%rd1], 1; ret; }
.visible .entry talk()
{
    .reg .b64 %rd<3>; .reg .b32 %r<2>;
    mov.u64 %rd1, text;
    cvta.global.u64 %rd1, %rd1;
    mov.u64 %rd2, 0;
    {
        .param .b64 p0; .param .b64 p1; .param .b32 r0;
        st.param.b64 [p0], %rd1;
        st.param.b64 [p1], %rd2;
        call.uni (r0), vprintf, (p0, p1);
        ld.param.b32 %r1, [r0];
    }
    ret;
}
"#;

#[test]
fn info_says_what_it_is() {
    let config = SoftConfig { devices: 2, memory_mb: 64, workers: 3, ..SoftConfig::default() };
    let mut discovery = SoftDiscovery::new(config);
    let gpus = discovery.inventory().expect("always there");
    let [first, second] = &gpus[..] else { panic!("two were asked for") };
    assert_eq!((first.name.as_str(), first.uuid.as_str()), ("Software GPU", "GPU-soft-0"));
    assert_eq!((second.memory_mb, second.sm_count), (64, 3));
    assert_eq!((first.compute_capability.major, first.compute_capability.minor), (8, 0));
    assert!(discovery.sample("GPU-soft-1").is_ok());
    let error = discovery.sample("GPU-soft-2").expect_err("not there");
    assert_eq!(
        error.to_string(),
        "sample: no software GPU GPU-soft-2; there are GPU-soft-0, GPU-soft-1"
    );
}

/// Proves SOFT-4.
#[test]
fn a_kernel_runs_from_load_to_read() {
    let mut device = open();
    let module = load(&mut *device, VADD);
    let signature = device.kernel(module, "vadd").expect("it is in there");
    let slot = |offset, bytes| ParameterSlot { offset, bytes };
    assert_eq!(signature.parameters, [slot(0, 8), slot(8, 8), slot(16, 8), slot(24, 4)]);
    let pointers = [0; 3].map(|_| device.alloc(256).expect("room"));
    let floats =
        |f: fn(u8) -> f32| -> Vec<u8> { (0..64).flat_map(|i| f(i).to_le_bytes()).collect() };
    device.write(pointers[0], &floats(f32::from)).expect("fits");
    device.write(pointers[1], &floats(|i| 0.5 * f32::from(i))).expect("fits");
    let mut parameters: Vec<u8> = pointers.iter().flat_map(|p| p.0.to_le_bytes()).collect();
    parameters.extend(64u32.to_le_bytes());
    device.launch(&spec(module, "vadd", parameters), &StopSignal::new()).expect("runs");
    let mut result = vec![0; 256];
    device.read(pointers[2], &mut result).expect("allocated");
    assert_eq!(result, floats(|i| 1.5 * f32::from(i)));
    assert_eq!(device.memory_used(), 768);
    for pointer in pointers {
        device.free(pointer).expect("live");
    }
    device.unload(module).expect("loaded");
    assert_eq!(device.memory_used(), 0);
}

/// Proves SOFT-1, SOFT-4.
#[test]
fn refusals_name_what_was_asked_and_what_there_is() {
    let mut backend =
        SoftBackend::new(SoftConfig { memory_mb: 1, workers: 1, ..SoftConfig::default() });
    let refusal = |uuid: &str, limits| match SoftBackend::new(SoftConfig {
        memory_mb: 1,
        workers: 1,
        ..SoftConfig::default()
    })
    .open(uuid, limits)
    {
        Ok(_) => panic!("opened"),
        Err(error) => (error.kind, error.to_string()),
    };
    let text = "open: no software GPU GPU-9; there are GPU-soft-0";
    assert_eq!(refusal("GPU-9", LIMITS), (ErrorKind::NoGpu, text.into()));
    let text = "open: asked for 2097152 bytes of memory, GPU-soft-0 has 1048576";
    let more = DeviceLimits { memory_bytes: 2 << 20, ..LIMITS };
    assert_eq!(refusal("GPU-soft-0", more), (ErrorKind::OutOfMemory, text.into()));

    let mut device = backend.open("GPU-soft-0", LIMITS).expect("there");
    let error = device.alloc((1 << 20) + 1).expect_err("one byte too many");
    assert_eq!(error.kind, ErrorKind::OutOfMemory);
    let module = load(&mut *device, VADD);
    let error = device.kernel(module, "vsub").expect_err("not in there");
    assert_eq!(error.to_string(), "look up kernel: no kernel vsub; the module has vadd");
    let error = device.launch(&spec(module, "vadd", vec![0; 4]), &StopSignal::new());
    let error = error.expect_err("parameters are missing");
    assert_eq!(error.to_string(), "launch vadd: vadd takes 28 bytes of parameters, got 4");
    assert_eq!(error.kind, ErrorKind::InvalidLaunch);
    let image = ModuleImage { format: ModuleFormat::Cubin, bytes: b"\x7fELF" };
    let error = device.load(image).expect_err("machine code");
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().ends_with("give the module's PTX"), "{error}");
    let image = ModuleImage { format: ModuleFormat::Ptx, bytes: b"mov r1, r2" };
    assert_eq!(device.load(image).expect_err("no PTX").kind, ErrorKind::InvalidModule);
}

/// Proves SOFT-5.
#[test]
fn a_fault_names_its_place_and_the_device_lives_on() {
    let mut device = open();
    let module = load(&mut *device, ODD);
    let error = device.launch(&spec(module, "wild", Vec::new()), &StopSignal::new());
    let error = error.expect_err("writes to null");
    assert_eq!((error.kind, error.sticky), (ErrorKind::Fault, false));
    assert_eq!(
        error.to_string(),
        "launch wild: wild: block (0,0,0) thread (0,0,0) PTX line 8: write of 4 bytes at 0x0: null pointer"
    );
    device
        .launch(&spec(module, "talk", Vec::new()), &StopSignal::new())
        .expect("the next one runs");
}

/// Proves SOFT-6.
#[test]
fn an_endless_kernel_ends_when_its_signal_is_raised() {
    let mut device = open();
    let module = load(&mut *device, ODD);
    let stop = StopSignal::new();
    let raised = stop.clone();
    let running = std::thread::spawn(move || {
        let ended = device.launch(&spec(module, "forever", Vec::new()), &stop);
        (ended.expect_err("it never ends by itself").kind, device)
    });
    raised.raise();
    let (kind, mut device) = running.join().expect("no panic");
    assert_eq!(kind, ErrorKind::Stopped);
    assert!(device.launch(&spec(module, "talk", Vec::new()), &StopSignal::new()).is_ok());
}

#[test]
fn printed_text_is_kept_up_to_its_limit() {
    let mut device = open();
    let module = load(&mut *device, ODD);
    device.launch(&spec(module, "talk", Vec::new()), &StopSignal::new()).expect("runs");
    let printed = device.take_printf();
    assert_eq!(printed.len(), 64);
    assert!(printed.starts_with("hi\nhi\n"));
    assert_eq!(device.take_printf(), "");
}

/// Proves SOFT-4.
#[test]
fn a_kernel_that_cannot_run_is_refused_and_its_neighbours_run() {
    let text = format!("{ODD}.visible .entry newer() {{ wgmma.fence.sync.aligned; ret; }}\n");
    let mut device = open();
    let module = load(&mut *device, &text);
    let error = device.kernel(module, "newer").expect_err("not on sm_80");
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().contains("wgmma.fence"), "{error}");
    let error = device.launch(&spec(module, "newer", Vec::new()), &StopSignal::new());
    assert_eq!(error.expect_err("nor this way").kind, ErrorKind::Unsupported);
    device.launch(&spec(module, "talk", Vec::new()), &StopSignal::new()).expect("runs");
}

/// Counts its launches in a variable, and shows the variable and the first place of its heap.
const STATE: &str = r"
.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b64 r) malloc (.param .b64 n);
.global .align 4 .u32 launches = 41;
.visible .entry count(.param .u64 out)
{
    .reg .b64 %rd<4>; .reg .b32 %r<3>;
    ld.param.u64 %rd1, [out];
    atom.global.add.u32 %r1, [launches], 1;
    st.global.u32 [%rd1], %r1;
    { .param .b64 a; .param .b64 b; st.param.b64 [a], 8388608; call.uni (b), malloc, (a); ld.param.b64 %rd2, [b]; }
    st.global.u64 [%rd1+8], %rd2;
    ld.global.u32 %r2, [%rd2];
    st.global.u32 [%rd1+16], %r2;
    st.global.u32 [%rd2], 7;
    ret;
}
";

/// Proves SOFT-12, SOFT-13.
#[test]
fn a_launch_finds_nothing_of_the_one_before_it() {
    let limits = DeviceLimits { memory_bytes: (8 << 20) + 4 + 24, ..LIMITS };
    let mut device =
        SoftBackend::new(SoftConfig::default()).open("GPU-soft-0", limits).expect("it is there");
    let module = load(&mut *device, STATE);
    let mut seen = [0; 2].map(|_| {
        let out = device.alloc(24).expect("room");
        let one = Dim3 { x: 1, y: 1, z: 1 };
        let spec = LaunchSpec { block: one, ..spec(module, "count", out.0.to_le_bytes().to_vec()) };
        device.launch(&spec, &StopSignal::new()).expect("runs");
        let mut bytes = [0; 24];
        device.read(out, &mut bytes).expect("allocated");
        assert_eq!(device.memory_used(), 4 + 24, "the heap went with its launch");
        device.free(out).expect("live");
        (out.0, bytes)
    });
    seen.sort_unstable();
    assert_eq!(seen[0], seen[1], "buffers, variables and heap are where and what they were");
    let (_, bytes) = seen[0];
    assert_eq!(bytes[..4], 41u32.to_le_bytes(), "the variable's first value");
    assert_ne!(bytes[8..16], [0; 8], "all of the heap could be had");
    assert_eq!(bytes[16..], [0; 8], "and holds zeros");
}
