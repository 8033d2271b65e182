//! Kernels that take their time, and a launch that is told to stop: every one of them notices soon, wherever it is.

use std::sync::atomic::{AtomicU32, Ordering};

use super::MODULE;
use super::device::{Device, Parameters};
use mock_soft::{Launch, LaunchError};

/// Launches one that is told to stop when it has asked `times` times.
fn launch_until(
    device: &mut Device,
    grid: u32,
    threads: u32,
    times: u32,
) -> Result<(), LaunchError> {
    let buffer = device.zeros(256);
    let asked = AtomicU32::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= times;
    let launch = Launch {
        kernel: "k",
        grid: [grid, 1, 1],
        block: [threads, 1, 1],
        shared_bytes: 0,
        parameters: &Parameters::default().with(buffer).0,
    };
    mock_soft::launch(&device.program, &mut device.memory, &launch, &device.options, &stop).ended
}

fn stops(body: &str, (grid, threads): (u32, u32), times: u32) {
    let text = format!(
        "{MODULE}.visible .entry k(.param .u64 p)\n{{ .reg .b32 %r<8>; .reg .b64 %d<4>; .reg .f32 %f<9>; .reg .pred %p<2>; ld.param.u64 %d1, [p];\n{body}\nret;\n}}\n"
    );
    let mut device = Device::load(&text);
    let what = body.get(..60).unwrap_or(body);
    assert_eq!(
        launch_until(&mut device, grid, threads, times),
        Err(LaunchError::Stopped),
        "{what}"
    );
    assert_eq!(launch_until(&mut device, 1, 32, u32::MAX), Ok(()), "{what}");
}

/// Proves SOFT-6.
#[test]
fn the_largest_grid_stops_when_it_is_told_to() {
    let mut device = Device::load(&MODULE.replace("fine", "k"));
    let ended = launch_until(&mut device, 0x7fff_ffff, 32, 1000);
    assert_eq!(ended, Err(LaunchError::Stopped));
}

/// Proves SOFT-6.
#[test]
fn a_text_without_loops_stops_in_its_middle() {
    stops(&"add.s32 %r1, %r1, 3;\n".repeat(30_000), (1, 1024), 100);
    // lane by lane, the slowest that there is
    stops(&"red.global.add.f32 [%d1], 0f3F800000;\n".repeat(3000), (1, 1024), 10);
    let matrices = "wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 {%f1,%f2,%f3,%f4,%f5,%f6,%f7,%f8}, \
        {%r1,%r1,%r1,%r1,%r1,%r1,%r1,%r1}, {%r2,%r2,%r2,%r2,%r2,%r2,%r2,%r2}, {%f1,%f2,%f3,%f4,%f5,%f6,%f7,%f8};\n";
    stops(&matrices.repeat(1000), (1, 1024), 3);
    let branches: String =
        (0..5000).map(|i| format!("setp.eq.s32 %p1, %r1, {i}; @%p1 bra $L{i}; add.s32 %r1, %r1, 1; add.s32 %r1, %r1, 2; $L{i}:\n")).collect();
    stops(&branches, (1, 64), 100);
}

/// Proves SOFT-6.
#[test]
fn one_printf_of_a_large_block_stops_between_its_lanes() {
    let print = "mov.u64 %d2, broad; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d2; st.param.b64 [b], %d1; \
        call.uni (c), vprintf, (a, b); }";
    stops(print, (1, 1024), 200);
}
