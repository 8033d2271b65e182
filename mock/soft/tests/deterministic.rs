//! The same job gives the same bytes, however many threads run it; grids whose blocks meet come to their end.
#![allow(clippy::cast_possible_truncation, reason = "sizes of small tests")]

mod device;

use device::{Device, Noise, Parameters, fixture};
use mock_soft::{Atomics, Engine, Options};

/// A sum of floats over all blocks, and who came when: both depend on the order of blocks.
const ORDERED: &str = r"
.version 8.0
.target sm_80
.address_size 64
.visible .entry ordered(.param .u64 in, .param .u64 sum, .param .u64 ticket, .param .u64 seen)
{
  .reg .b32 %r<6>; .reg .f32 %f<3>; .reg .b64 %d<8>; .reg .pred %p<2>;
  ld.param.u64 %d1, [in]; ld.param.u64 %d2, [sum]; ld.param.u64 %d3, [ticket]; ld.param.u64 %d4, [seen];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x;
  mad.lo.s32 %r4, %r2, %r3, %r1;
  mul.wide.u32 %d5, %r4, 4; add.s64 %d6, %d1, %d5;
  ld.global.f32 %f1, [%d6];
  atom.global.add.f32 %f2, [%d2], %f1;
  setp.ne.s32 %p1, %r1, 0; @%p1 bra $E;
  atom.global.inc.u32 %r5, [%d3], 1000000;
  mul.wide.u32 %d5, %r2, 4; add.s64 %d7, %d4, %d5; st.global.u32 [%d7], %r5;
$E: ret;
}
";

/// Proves SOFT-9.
#[test]
fn ordered_atomics_come_in_the_order_of_blocks_for_any_number_of_threads() {
    let blocks = 2400usize;
    let input = Noise(21).floats(blocks * 64);
    let run = |engine, workers| {
        let mut device =
            Device::load(ORDERED).with(Options { engine, workers, ..Options::default() });
        let (pin, sum) = (device.buffer(&input), device.buffer(&[0f32]));
        let (ticket, seen) = (device.buffer(&[0u32]), device.zeros(4 * blocks));
        let parameters = Parameters::default().with(pin).with(sum).with(ticket).with(seen);
        device.run("ordered", blocks as u32, 64, parameters);
        (device.read::<u32>(sum, 1)[0], device.read::<u32>(seen, blocks))
    };
    let (sum, tickets) = run(Engine::Scalar, 1);
    assert_eq!(f32::from_bits(sum), input.iter().fold(0.0, |sum, value| sum + value));
    assert_eq!(tickets, (0..blocks as u32).collect::<Vec<_>>());
    for workers in 1..=8 {
        assert_eq!(run(Engine::Vector(None), workers), (sum, tickets.clone()), "{workers} threads");
    }
}

/// Proves SOFT-11.
#[test]
fn where_order_does_not_matter_every_block_still_adds_once() {
    let blocks = 2400usize;
    let input = Noise(21).floats(blocks * 64);
    for workers in [1, 4] {
        let options = Options { workers, atomics: Atomics::AsTheyCome, ..Options::default() };
        let mut device = Device::load(ORDERED).with(options);
        let (pin, sum) = (device.buffer(&input), device.buffer(&[0f32]));
        let (ticket, seen) = (device.buffer(&[0u32]), device.zeros(4 * blocks));
        let parameters = Parameters::default().with(pin).with(sum).with(ticket).with(seen);
        device.run("ordered", blocks as u32, 64, parameters);
        let wanted: f64 = input.iter().copied().map(f64::from).sum();
        let sum = f64::from(device.read::<f32>(sum, 1)[0]);
        assert!((sum - wanted).abs() < 0.1, "{sum}, wanted about {wanted}");
        let mut tickets = device.read::<u32>(seen, blocks);
        tickets.sort_unstable();
        assert_eq!(tickets, (0..blocks as u32).collect::<Vec<_>>(), "each ticket is drawn once");
    }
}

/// Proves SOFT-9.
#[test]
fn a_hundred_runs_leave_the_same_bytes() {
    let [(_, text), _] = fixture("reduce");
    let input = Noise(22).floats(150_000);
    let run = |workers| {
        let options = Options { engine: Engine::Vector(None), workers, ..Options::default() };
        let mut device = Device::load(&text).with(options);
        let (pin, pout) = (device.buffer(&input), device.buffer(&[0f32]));
        let parameters = Parameters::default().with(pin).with(pout).with(input.len() as i32);
        device.run("reduce_sum", 520, 256, parameters);
        device.read::<u32>(pout, 1)
    };
    let first = run(1);
    for round in 0..100 {
        assert_eq!(run(1 + round % 8), first, "round {round}");
    }
}

/// All blocks add, meet, and read the sum: twice, with a barrier of the grid made of the workspace that the driver gives.
const GRID: &str = r"
.version 8.0
.target sm_80
.address_size 64
.visible .entry meet(.param .u64 sum, .param .u64 out)
{
  .reg .b32 %r<12>; .reg .b64 %d<8>; .reg .pred %p<4>;
  ld.param.u64 %d1, [sum]; ld.param.u64 %d2, [out];
  mov.u32 %r1, %envreg1; mov.u32 %r2, %envreg2;
  mov.b64 %d3, {%r2, %r1};
  mov.u32 %r3, %tid.x; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %nctaid.x;
  mov.u32 %r9, 0;
$AGAIN:
  setp.ne.s32 %p1, %r3, 0;
  add.s32 %r6, %r4, 1;
  @!%p1 red.global.add.u32 [%d1], %r6;
  bar.sync 0;
  @%p1 bra $MET;
  membar.gl;
  setp.eq.s32 %p2, %r4, 0;
  sub.s32 %r7, 0x80000001, %r5;
  selp.u32 %r7, %r7, 1, %p2;
  atom.global.add.u32 %r8, [%d3], %r7;
$SPIN:
  ld.volatile.global.u32 %r10, [%d3];
  xor.b32 %r10, %r10, %r8;
  setp.ge.s32 %p3, %r10, 0;
  @%p3 bra $SPIN;
$MET:
  bar.sync 0;
  add.s32 %r9, %r9, 1;
  setp.lt.s32 %p2, %r9, 2;
  @%p2 bra $AGAIN;
  ld.volatile.global.u32 %r11, [%d1];
  mul.wide.u32 %d4, %r4, 4; add.s64 %d4, %d4, %d2;
  @!%p1 st.global.u32 [%d4], %r11;
  ret;
}
";

/// Proves SOFT-10.
#[test]
fn blocks_of_a_cooperative_grid_meet() {
    for (engine, workers) in
        [(Engine::Scalar, 1), (Engine::Vector(None), 1), (Engine::Vector(None), 3)]
    {
        let mut device = Device::load(GRID).with(Options { engine, workers, ..Options::default() });
        let (sum, out) = (device.buffer(&[0u32]), device.zeros(4 * 20));
        device.run("meet", 20, 64, Parameters::default().with(sum).with(out));
        assert_eq!(device.read::<u32>(out, 20), vec![420; 20], "{engine:?} with {workers} threads");
    }
    let mut device = Device::load(GRID);
    let (sum, out) = (device.buffer(&[0u32]), device.zeros(4));
    let parameters = Parameters::default().with(sum).with(out);
    let error = device.try_launch("meet", [1025, 1, 1], [32, 1, 1], 0, &parameters);
    assert_eq!(
        error.expect_err("too many").to_string(),
        "meet synchronises its grid, whose blocks must all be there at once: 1025 blocks, at most 1024"
    );
}
