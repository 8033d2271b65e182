//! Kernels that break every rule there is. Each ends with its documented error, and the next launch on the same device runs.
#![allow(clippy::panic, reason = "a story told on failure")]

mod control;
#[path = "../device/mod.rs"]
mod device;
mod library;
mod meeting;
mod memory;
mod other_device;
mod stop;
mod texts;

use device::{Device, Parameters};
use mock_soft::{Engine, LaunchError, Options};

/// Declarations before the kernels, and one that does nothing wrong.
pub(crate) const MODULE: &str = r"
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
.global .align 1 .b8 wild_text[3] = {37, 115, 0};
.global .align 1 .b8 many[10] = {37, 100, 37, 100, 37, 100, 37, 100, 37, 0};
.global .align 1 .b8 broad[13] = {37, 50, 48, 48, 48, 48, 48, 48, 48, 48, 48, 100, 0};
.global .align 16 .b8 short[24];
.func quiet (.param .b32 n) { ret; }
.func pong (.param .b32 n);
.func ping (.param .b32 n) {
  .reg .b32 %r<2>;
  ld.param.b32 %r1, [n];
  { .param .b32 a; st.param.b32 [a], %r1; call.uni pong, (a); }
  st.global.u32 [cell], %r1;
  ret;
}
.func pong (.param .b32 n) {
  .reg .b32 %r<2>;
  ld.param.b32 %r1, [n];
  { .param .b32 a; st.param.b32 [a], %r1; call.uni ping, (a); }
  st.global.u32 [cell], %r1;
  ret;
}
.func wide_and_deeper (.param .b32 n) {
  .reg .b32 %r<2>;
  .local .align 8 .b8 much[20000];
  ld.param.b32 %r1, [n];
  st.local.u32 [much+16], %r1;
  { .param .b32 a; st.param.b32 [a], %r1; call.uni wide_and_deeper, (a); }
  ld.local.u32 %r1, [much+16];
  st.global.u32 [cell], %r1;
  ret;
}
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
  .reg .b32 %r<8>; .reg .b64 %d<8>; .reg .b16 %h<4>; .reg .f32 %f<8>; .reg .pred %p<4>;
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
pub(crate) enum End {
    /// With a fault whose text has this in it.
    Fault(&'static str),
    /// Out of fuel.
    Fuel,
    /// Well.
    Well,
}

/// Name, body, blocks, threads, and how it ends. The buffer has 64 words.
pub(crate) type Kernel = (&'static str, &'static str, u32, u32, End);

/// All of them.
fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [memory::KERNELS, control::KERNELS, meeting::KERNELS, library::KERNELS].into_iter().flatten()
}

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
    assert!(kernels().count() >= 100);
    let mut wrong = Vec::new();
    for kernel in kernels() {
        for engine in [Engine::Scalar, Engine::Vector(None)] {
            if let Some(text) = ends_otherwise(kernel, engine) {
                wrong.push(format!("{} on {engine:?}: {text}", kernel.0));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How a kernel ended, if not as it should; and whether the next one runs.
fn ends_otherwise((name, body, blocks, threads, end): &Kernel, engine: Engine) -> Option<String> {
    let text =
        format!("{MODULE}.visible .entry k(.param .u64 p)\n{{{REGISTERS}  {body}\n  ret;\n}}\n");
    if let Err(error) = mock_ptx::compile(&text) {
        return Some(error.to_string());
    }
    let fuel = if matches!(end, End::Fuel) { Some(100_000) } else { OPTIONS.fuel };
    let mut device = Device::load(&text).with(Options { engine, fuel, ..OPTIONS });
    let buffer = device.buffer(&[1u32; 64]);
    let parameters = Parameters::default().with(buffer);
    let ended = device.try_launch("k", [*blocks, 1, 1], [*threads, 1, 1], 0, &parameters);
    let as_it_should = match (end, &ended) {
        (End::Fuel, Err(LaunchError::OutOfFuel { .. })) => true,
        (End::Well, Ok(printed)) => printed.len() <= OPTIONS.printf_bytes,
        (End::Fault(part), Err(LaunchError::Fault(fault))) => {
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
