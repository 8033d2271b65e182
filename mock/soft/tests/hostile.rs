//! Kernels that break every rule there is. Each ends with its documented error, and the next launch on the same device runs.
#![allow(clippy::panic, reason = "a story told on failure")]

mod device;

use device::{Device, Parameters};
use mock_soft::{Engine, LaunchError, Options};

/// Declarations before the kernels, and one that does nothing wrong.
const MODULE: &str = r"
.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b64 r) malloc (.param .b64 n);
.extern .func free (.param .b64 p);
.extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);
.extern .func __assertfail (.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 s);
.const .align 4 .u32 fixed[4] = {1, 2, 3, 4};
.global .align 4 .u32 cell[16];
.global .align 1 .b8 text[8] = {102, 108, 111, 111, 100, 33, 10, 0};
.func forever_deeper (.param .b32 n) {
  .reg .b32 %r<3>;
  ld.param.b32 %r1, [n];
  add.s32 %r1, %r1, 1;
  { .param .b32 a; st.param.b32 [a], %r1; call.uni forever_deeper, (a); }
  st.global.u32 [cell], %r1;
  ret;
}
.visible .entry fine(.param .u64 p) { .reg .b64 %d<2>; ld.param.u64 %d1, [p]; st.global.u32 [%d1], 7; ret; }
";

/// What every kernel here may use.
const REGISTERS: &str = "
  .reg .b32 %r<8>; .reg .b64 %d<8>; .reg .b16 %h<4>; .reg .pred %p<4>;
  .shared .align 16 .b8 box[256];
  .local .align 16 .b8 own[64];
  ld.param.u64 %d1, [p];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %d2, %r1, 4;
  add.s64 %d2, %d2, %d1;
  mov.u32 %r7, %ctaid.x;
  setp.eq.s32 %p1, %r1, 5;
";

/// How a kernel ends.
enum End {
    /// With a fault whose text has this in it.
    Fault(&'static str),
    /// Out of fuel.
    Fuel,
    /// Well.
    Well,
}
use End::{Fault, Fuel, Well};

/// Name, body, blocks, threads, and how it ends. The buffer has 64 words.
const KERNELS: &[(&str, &str, u32, u32, End)] = &[
    ("endless loop", "$L: bra $L;", 1, 32, Fuel),
    ("endless loop of one lane", "$L: @%p1 bra $L;", 1, 64, Fuel),
    (
        "endless loop that diverges",
        "$L: and.b32 %r2, %r1, 1; add.s32 %r1, %r1, 1; setp.eq.s32 %p2, %r2, 0; @%p2 bra $M; add.s32 %r3, %r3, 1; $M: bra $L;",
        1,
        32,
        Fuel,
    ),
    (
        "a lock never given back",
        "$L: atom.global.cas.b32 %r2, [cell], 0, 1; setp.ne.s32 %p2, %r2, 0; @%p2 bra $L;",
        1,
        32,
        Fuel,
    ),
    ("one past the end", "st.global.u32 [%d2], %r1;", 1, 65, Fault("thread (64,0,0) PTX line")),
    (
        "one past the end, the text",
        "st.global.u32 [%d2], %r1;",
        1,
        96,
        Fault(
            "write of 4 bytes at 0x700000030100: 0 bytes past the end of the 256-byte allocation at 0x700000030000",
        ),
    ),
    (
        "one before the start",
        "ld.global.u32 %r2, [%d1+-4]; st.global.u32 [%d2], %r2;",
        1,
        32,
        Fault("past the end of the"),
    ),
    (
        "one bad lane of many",
        "@%p1 add.s64 %d2, %d2, 4096; ld.global.u32 %r2, [%d2]; st.global.u32 [%d1], %r2;",
        1,
        64,
        Fault("thread (5,0,0)"),
    ),
    (
        "null",
        "mov.u64 %d3, 0; ld.global.u32 %r2, [%d3]; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("read of 4 bytes at 0x0: null pointer"),
    ),
    (
        "null through a member",
        "mov.u64 %d3, 0; st.global.u32 [%d3+16], 1;",
        1,
        32,
        Fault("0x10: null pointer"),
    ),
    (
        "wild pointer",
        "mov.u64 %d3, 0x123456789abc; st.global.u32 [%d3], 1;",
        1,
        32,
        Fault("0x123456789abc: no allocation there"),
    ),
    (
        "pointer past the address space",
        "mov.u64 %d3, -4; st.global.u32 [%d3], 1;",
        1,
        32,
        Fault("past the end of the"),
    ),
    (
        "function address as data",
        "mov.u64 %d3, 0xF000000000000010; ld.global.u32 %r2, [%d3]; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("read of 4 bytes at 0xf000000000000010"),
    ),
    (
        "misaligned word",
        "st.global.u32 [%d1+2], 1;",
        1,
        32,
        Fault("misaligned, must be a multiple of 4"),
    ),
    (
        "misaligned double",
        "ld.global.u64 %d3, [%d1+4]; st.global.u64 [%d1], %d3;",
        1,
        32,
        Fault("misaligned, must be a multiple of 8"),
    ),
    (
        "misaligned vector",
        "ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%d1+8]; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("misaligned, must be a multiple of 16"),
    ),
    ("misaligned atomic", "red.global.add.u32 [%d1+1], 1;", 1, 32, Fault("atomic of 4 bytes")),
    (
        "atomic on nothing",
        "mov.u64 %d3, 64; atom.global.add.u32 %r2, [%d3], 1; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("atomic of 4 bytes at 0x40: null pointer"),
    ),
    (
        "write to a constant",
        "mov.u64 %d3, fixed; st.global.u32 [%d3], 1;",
        1,
        32,
        Fault("this memory is read-only"),
    ),
    (
        "past the shared array",
        "mov.u32 %r2, box; st.shared.u32 [%r2+256], 1;",
        1,
        32,
        Fault("past the 256 bytes of shared memory"),
    ),
    (
        "far past the shared array",
        "mov.u32 %r2, 0x7ffffffc; ld.shared.u32 %r3, [%r2]; st.global.u32 [%d1], %r3;",
        1,
        32,
        Fault("of shared memory"),
    ),
    (
        "shared overrun by one lane",
        "mov.u32 %r2, box; mul.lo.s32 %r3, %r1, 4; add.s32 %r2, %r2, %r3; st.shared.u32 [%r2], %r1;",
        1,
        96,
        Fault("thread (64,0,0)"),
    ),
    (
        "shared address as generic",
        "mov.u64 %d3, 0x1000000400; ld.u32 %r2, [%d3]; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("of shared memory"),
    ),
    (
        "past the local array",
        "mov.u64 %d3, own; mul.wide.u32 %d4, %r1, 8; add.s64 %d3, %d3, %d4; st.local.u64 [%d3], %d4;",
        1,
        32,
        Fault("of local memory"),
    ),
    (
        "local address far away",
        "mov.u64 %d3, own; ld.local.u32 %r2, [%d3+1048576]; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("of local memory"),
    ),
    ("trap", "@%p1 trap;", 1, 32, Fault("thread (5,0,0)")),
    ("breakpoint", "brkpt;", 1, 32, Fault("no debugger is there")),
    (
        "endless recursion",
        "{ .param .b32 a; st.param.b32 [a], 0; call.uni forever_deeper, (a); }",
        1,
        32,
        Fault("stack overflow"),
    ),
    (
        "call through rubbish",
        "mov.u64 %d3, 0x1234; $proto: .callprototype _ (.param .b32 _); { .param .b32 a; st.param.b32 [a], 0; call %d3, (a), $proto; }",
        1,
        32,
        Fault("call through 0x1234, which is no function of this kernel"),
    ),
    (
        "barrier in one branch only",
        "@%p1 bra $E; bar.sync 0; $E: st.global.u32 [%d1], 1;",
        1,
        64,
        Well,
    ),
    (
        "barrier after early exits",
        "setp.gt.s32 %p2, %r1, 40; @%p2 exit; bar.sync 0; st.global.u32 [%d1], 1;",
        1,
        64,
        Well,
    ),
    (
        "barrier for more than there are",
        "bar.sync 1, 64;",
        1,
        32,
        Fault("deadlock: 32 threads wait at a barrier"),
    ),
    (
        "two barriers, each waited for by half",
        "@%p1 bra $E; bar.sync 1, 64; $E: bar.sync 2, 64;",
        1,
        64,
        Fault("deadlock: 64 threads wait"),
    ),
    (
        "barrier that does not exist",
        "mov.u32 %r2, 16; bar.sync %r2;",
        1,
        32,
        Fault("barrier 16, and a block has barriers 0 to 15"),
    ),
    (
        "barrier of half a warp",
        "mov.u32 %r2, 48; bar.sync 1, %r2;",
        1,
        64,
        Fault("wanted a multiple of 32 up to 1024"),
    ),
    (
        "warp lanes wait for a lane at a barrier",
        "@%p1 bra $B; bar.warp.sync -1; bra $E; $B: bar.sync 1, 64; $E: st.global.u32 [%d1], 1;",
        1,
        32,
        Fault("deadlock: 32 threads wait"),
    ),
    ("not in its own mask", "bar.warp.sync 0xf;", 1, 32, Fault("thread (4,0,0)")),
    (
        "spin lock, fair",
        "$L: atom.global.cas.b32 %r2, [cell+4], 0, 1; setp.ne.s32 %p2, %r2, 0; @%p2 bra $L; \
         ld.volatile.global.u32 %r3, [%d1]; add.s32 %r3, %r3, 1; st.volatile.global.u32 [%d1], %r3; \
         atom.global.exch.b32 %r4, [cell+4], 0;",
        1,
        64,
        Well,
    ),
    (
        "spin on a later block",
        "setp.ne.s32 %p2, %r7, 0; @%p2 bra $S; $L: ld.volatile.global.u32 %r2, [cell+8]; setp.eq.s32 %p3, %r2, 0; @%p3 bra $L; bra $E; \
         $S: st.volatile.global.u32 [cell+8], 1; $E: st.global.u32 [%d1], 1;",
        2,
        32,
        Well,
    ),
    (
        "spin on a later block's atomic",
        "setp.ne.s32 %p2, %r7, 0; @%p2 bra $S; $L: atom.global.add.u32 %r2, [cell+12], 0; setp.eq.s32 %p3, %r2, 0; @%p3 bra $L; bra $E; \
         $S: atom.global.exch.b32 %r2, [cell+12], 1; $E: st.global.u32 [%d1], %r2;",
        2,
        32,
        Well,
    ),
    (
        "a flood of text",
        "mov.u64 %d3, text; mov.u64 %d4, 0; mov.u32 %r2, 0; $L: { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; \
         st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); } add.s32 %r2, %r2, 1; setp.lt.s32 %p2, %r2, 100; @%p2 bra $L;",
        4,
        32,
        Well,
    ),
    (
        "assertion",
        "mov.u64 %d3, text; @!%p1 bra $E; { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e; st.param.b64 [a], %d3; \
         st.param.b64 [b], %d3; st.param.b32 [c], 9; st.param.b64 [d], %d3; st.param.b64 [e], 1; \
         call.uni __assertfail, (a, b, c, d, e); } $E: st.global.u32 [%d1], 1;",
        1,
        32,
        Fault("thread (5,0,0)"),
    ),
    (
        "text that never ends",
        "mov.u64 %d4, 0; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d1; \
         st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); }",
        1,
        1,
        Well,
    ),
    (
        "more heap than there is",
        "{ .param .b64 a; .param .b64 b; st.param.b64 [a], 0x100000000; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } st.global.u32 [%d3], 1;",
        1,
        32,
        Fault("null pointer"),
    ),
    (
        "heap given back twice",
        "{ .param .b64 a; .param .b64 b; st.param.b64 [a], 64; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } \
         { .param .b64 a; st.param.b64 [a], %d3; call.uni free, (a); } { .param .b64 a; st.param.b64 [a], %d3; call.uni free, (a); }",
        1,
        1,
        Fault("not the start of a live heap allocation"),
    ),
    (
        "copy to misaligned shared memory",
        "mov.u32 %r2, box; cp.async.ca.shared.global [%r2+4], [%d1], 8; cp.async.wait_all;",
        1,
        32,
        Fault("misaligned, must be a multiple of 8"),
    ),
    (
        "matrix row misaligned",
        "mov.u32 %r2, box; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r3}, [%r2+8]; st.global.u32 [%d1], %r3;",
        1,
        32,
        Fault("misaligned, must be a multiple of 16"),
    ),
    (
        "matrix of half a warp",
        "mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%r2, %r3}, {%r4, %r5}, {%r6}, {%r2, %r3}; st.global.u32 [%d1], %r2;",
        1,
        48,
        Fault("thread (32,0,0) PTX line"),
    ),
    (
        "matrix of a warp that one lane has left",
        "@%p1 exit; movmatrix.sync.aligned.m8n8.trans.b16 %r2, %r1; st.global.u32 [%d1], %r2;",
        1,
        32,
        Fault("matrix operation by 31 lanes of a warp, wanted all 32"),
    ),
];

const OPTIONS: Options = Options {
    engine: Engine::Scalar,
    workers: 2,
    fuel: Some(1 << 24),
    printf_bytes: 4096,
    unit_lanes: 1024,
    atomics: mock_soft::Atomics::InOrder,
};

/// Proves SOFT-8.
#[test]
fn every_hostile_kernel_ends_as_documented_and_the_next_one_runs() {
    assert!(KERNELS.len() >= 40);
    let mut wrong = Vec::new();
    for kernel in KERNELS {
        for engine in [Engine::Scalar, Engine::Vector(None)] {
            if let Some(text) = ends_otherwise(kernel, engine) {
                wrong.push(format!("{} on {engine:?}: {text}", kernel.0));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How a kernel ended, if not as it should; and whether the next one runs.
fn ends_otherwise(
    (name, body, blocks, threads, end): &(&str, &str, u32, u32, End),
    engine: Engine,
) -> Option<String> {
    let text =
        format!("{MODULE}.visible .entry k(.param .u64 p)\n{{{REGISTERS}  {body}\n  ret;\n}}\n");
    if let Err(error) = mock_ptx::compile(&text) {
        return Some(error.to_string());
    }
    let fuel = if matches!(end, Fuel) { Some(100_000) } else { OPTIONS.fuel };
    let mut device = Device::load(&text).with(Options { engine, fuel, ..OPTIONS });
    let buffer = device.buffer(&[1u32; 64]);
    let parameters = Parameters::default().with(buffer);
    let ended = device.try_launch("k", [*blocks, 1, 1], [*threads, 1, 1], 0, &parameters);
    let as_it_should = match (end, &ended) {
        (Fuel, Err(LaunchError::OutOfFuel { .. })) => true,
        (Well, Ok(printed)) => printed.len() <= OPTIONS.printf_bytes,
        (Fault(part), Err(LaunchError::Fault(fault))) => {
            let text = fault.to_string();
            text.starts_with("k: block (") && text.contains(part)
        }
        _ => false,
    };
    device.run("fine", 1, 32, Parameters::default().with(buffer));
    assert_eq!(device.read::<u32>(buffer, 1), [7], "after {name} on {engine:?}");
    let told = match ended {
        Ok(printed) => format!("ended well, {} bytes printed", printed.len()),
        Err(error) => error.to_string(),
    };
    (!as_it_should).then_some(told)
}

/// Proves SOFT-3.
#[test]
fn launches_that_cannot_be_are_refused_before_they_begin() {
    let mut device = Device::load(MODULE);
    let buffer = device.zeros(4);
    let parameters = Parameters::default().with(buffer);
    for (grid, block, shared, part) in [
        ([1 << 31, 1, 1], [32, 1, 1], 0, "grid x is 2147483648, wanted 1 to 2147483647"),
        ([1, 65_536, 1], [32, 1, 1], 0, "grid y is 65536"),
        ([0, 1, 1], [32, 1, 1], 0, "grid x is 0"),
        ([1, 1, 1], [1025, 1, 1], 0, "block x is 1025"),
        ([1, 1, 1], [32, 33, 1], 0, "block of 1056 threads, at most 1024"),
        ([1, 1, 1], [32, 1, 1], u32::MAX, "a block has 166912"),
    ] {
        let error = device.try_launch("fine", grid, block, shared, &parameters);
        let text = error.expect_err("refused").to_string();
        assert!(text.contains(part), "{text}");
    }
    let error = device.try_launch("nothing", [1; 3], [1; 3], 0, &parameters);
    let text = error.expect_err("no such kernel").to_string();
    assert_eq!(text, "no kernel nothing; the module has fine");
}

/// Proves SOFT-6.
#[test]
fn the_largest_grid_stops_when_it_is_told_to() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let mut device = Device::load(MODULE);
    let buffer = device.zeros(4);
    let parameters = Parameters::default().with(buffer);
    let asked = AtomicU32::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 1000;
    let launch = mock_soft::Launch {
        kernel: "fine",
        grid: [0x7fff_ffff, 1, 1],
        block: [32, 1, 1],
        shared_bytes: 0,
        parameters: &parameters.0,
    };
    let outcome =
        mock_soft::launch(&device.program, &mut device.memory, &launch, &device.options, &stop);
    assert_eq!(outcome.ended, Err(LaunchError::Stopped));
}
