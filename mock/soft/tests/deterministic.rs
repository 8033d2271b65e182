//! The same job gives the same bytes, however many threads run it; grids whose blocks meet come to their end.
#![allow(
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "sizes of small tests, and a story told on failure"
)]

mod device;

use device::{Device, Noise, Parameters, fixture};
use mock_soft::{Atomics, Engine, LaunchError, Options};

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

/// What shows an order: exchanged and compared values, tickets, text, places of the heap, clocks, sums of floats. A few blocks
/// work so long that they must step back in between.
const SHOWS: &str = r"
.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b64 r) malloc (.param .b64 n);
.extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);
.global .align 1 .b8 text[12] = {98, 108, 111, 99, 107, 32, 37, 100, 10, 0, 0, 0};
.global .align 8 .b64 cells[4];
.visible .entry shows(.param .u64 out, .param .u32 long)
{
  .local .align 8 .b8 arguments[8];
  .reg .b32 %r<12>; .reg .f32 %f<3>; .reg .b64 %d<8>; .reg .pred %p<4>;
  ld.param.u64 %d1, [out]; ld.param.u32 %r9, [long];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x;
  mad.lo.s32 %r4, %r2, %r3, %r1; mul.wide.u32 %d2, %r4, 32; add.s64 %d1, %d1, %d2;
  rem.u32 %r5, %r2, 120; setp.ne.s32 %p1, %r5, 3; mov.u32 %r6, 0;
  @%p1 bra $GO;
$LONG:
  add.s32 %r6, %r6, 1; setp.lt.u32 %p2, %r6, %r9; @%p2 bra $LONG;
$GO:
  atom.global.exch.b32 %r7, [cells], %r4; st.global.u32 [%d1], %r7;
  rem.u32 %r8, %r4, 5; atom.global.cas.b32 %r7, [cells+4], %r8, %r4; st.global.u32 [%d1+4], %r7;
  cvt.rn.f32.u32 %f1, %r4; mul.f32 %f1, %f1, 0f3DCCCCCD; atom.global.add.f32 %f2, [cells+8], %f1; st.global.f32 [%d1+8], %f2;
  mov.u32 %r7, %clock; st.global.u32 [%d1+12], %r7;
  mov.u64 %d3, %globaltimer; st.global.u64 [%d1+16], %d3;
  setp.ne.s32 %p3, %r1, 0; @%p3 bra $E;
  { .param .b64 a; .param .b64 b; st.param.b64 [a], 40; call.uni (b), malloc, (a); ld.param.b64 %d4, [b]; }
  st.global.u64 [%d1+24], %d4;
  st.local.u32 [arguments], %r2; cvta.local.u64 %d5, arguments; mov.u64 %d6, text;
  { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d6; st.param.b64 [b], %d5; call.uni (c), vprintf, (a, b); }
$E: ret;
}
";

/// Proves SOFT-9.
#[test]
fn whatever_shows_an_order_shows_the_same_one_for_any_number_of_threads() {
    for (blocks, printf_bytes, long) in [(300u32, 1 << 20, 530_000), (1500, 5000, 10)] {
        let run = |workers| {
            let options = Options { workers, printf_bytes, ..Options::default() };
            let mut device = Device::load(SHOWS).with(options);
            let out = device.zeros(blocks as usize * 64 * 32);
            let printed =
                device.run("shows", blocks, 64, Parameters::default().with(out).with(long));
            (printed, device.read::<u64>(out, blocks as usize * 64 * 4))
        };
        let first = run(1);
        assert!(first.0.starts_with("block 0\nblock 1\n") && first.0.len() <= printf_bytes);
        for workers in [2, 8] {
            assert!(run(workers) == first, "{workers} threads, {blocks} blocks");
        }
    }
}

/// Blocks print, add in order where asked to, and from one on they fail: most at once, some late.
const FAILS: &str = r"
.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);
.global .align 1 .b8 text[2] = {120, 0};
.global .align 4 .f32 sum;
.visible .entry fails(.param .u32 from, .param .u32 ordered)
{
  .reg .b32 %r<12>; .reg .f32 %f<3>; .reg .b64 %d<8>; .reg .pred %p<6>;
  ld.param.u32 %r1, [from]; ld.param.u32 %r2, [ordered];
  mov.u32 %r3, %ctaid.x; mov.u32 %r4, %tid.x;
  setp.ne.s32 %p1, %r4, 0; @%p1 bra $PRINTED;
  mov.u64 %d1, text; mov.u64 %d2, 0;
  { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d1; st.param.b64 [b], %d2; call.uni (c), vprintf, (a, b); }
$PRINTED:
  setp.eq.s32 %p2, %r2, 0; @%p2 bra $ADDED;
  atom.global.add.f32 %f1, [sum], 0f3F800000;
$ADDED:
  setp.lt.u32 %p3, %r3, %r1; @%p3 bra $E;
  sub.u32 %r5, %r3, %r1; mov.u32 %r6, 9000; setp.ge.u32 %p4, %r5, 2; @%p4 mov.u32 %r6, 0;
$WORK:
  setp.eq.u32 %p5, %r6, 0; @%p5 bra $FAIL;
  sub.u32 %r6, %r6, 1; bra $WORK;
$FAIL:
  mul.wide.u32 %d3, %r3, 4; st.global.u32 [%d3], 1;
$E: ret;
}
";

/// Proves SOFT-9.
#[test]
fn the_block_that_is_blamed_does_not_depend_on_the_number_of_threads() {
    for ordered in [0u32, 1] {
        let run = |workers| {
            let mut device = Device::load(FAILS).with(Options { workers, ..Options::default() });
            let parameters = Parameters::default().with(700u32).with(ordered).0;
            let asked = mock_soft::Launch {
                kernel: "fails",
                grid: [1000, 1, 1],
                block: [64, 1, 1],
                shared_bytes: 0,
                parameters: &parameters,
            };
            mock_soft::launch(&device.program, &mut device.memory, &asked, &device.options, &|| {
                false
            })
        };
        let first = run(1);
        let Err(LaunchError::Fault(fault)) = &first.ended else { panic!("{:?}", first.ended) };
        assert_eq!((fault.block, fault.thread), ([700, 0, 0], [0, 0, 0]));
        assert_eq!(first.printed.len(), 701, "no text of blocks behind the one that is blamed");
        for round in 0..20 {
            assert_eq!(run(2 + round % 7), first, "round {round}, ordered: {ordered}");
        }
    }
}

/// Proves SOFT-9.
#[test]
fn a_cooperative_grid_leaves_the_same_bytes_after_it_has_met() {
    let text = GRID.replace(
        "  @!%p1 st.global.u32 [%d4], %r11;\n",
        "  @!%p1 st.global.u32 [%d4], %r11;\n  @!%p1 atom.global.inc.u32 %r11, [%d1], 100000;\n  @!%p1 st.global.u32 [%d4+2048], %r11;\n",
    );
    assert_ne!(text, GRID);
    let run = |workers| {
        let mut device = Device::load(&text).with(Options { workers, ..Options::default() });
        let (sum, out) = (device.buffer(&[0u32]), device.zeros(4096));
        device.run("meet", 120, 64, Parameters::default().with(sum).with(out));
        device.read::<u32>(out, 1024)
    };
    let first = run(1);
    for workers in [2, 4, 8] {
        assert!(run(workers) == first, "{workers} threads");
    }
}

/// Proves SOFT-9.
#[test]
fn streams_do_not_disturb_each_other() {
    let run = || {
        let mut device = Device::load(SHOWS).with(Options { workers: 2, ..Options::default() });
        let out = device.zeros(100 * 64 * 32);
        let printed = device.run("shows", 100, 64, Parameters::default().with(out).with(1000u32));
        (printed, device.read::<u64>(out, 100 * 64 * 4))
    };
    let alone = run();
    let together = std::thread::scope(|scope| {
        let streams = [(); 4].map(|()| scope.spawn(run));
        streams.map(|stream| stream.join().expect("no panic"))
    });
    assert!(together.iter().all(|stream| *stream == alone));
}
