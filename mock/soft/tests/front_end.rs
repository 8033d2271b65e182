//! Where front end and engines must mean the same thing: small texts, run by both engines.
#![allow(clippy::cast_possible_truncation, reason = "sizes of small tests")]

mod device;

use device::{Device, Parameters};
use mock_soft::{Engine, Options};

/// Runs a body of 32 threads that may write 4 words per thread to `out`; what they wrote.
fn run(body: &str) -> Vec<u32> {
    let text = format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.shared .align 16 .b8 tile[512];
        .visible .entry k(.param .u64 out) {{
            .reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %d<8>;
            mov.u32 %r0, %tid.x; ld.param.u64 %d0, [out];
            mul.wide.u32 %d1, %r0, 16; add.u64 %d0, %d0, %d1;
            {body} ret;
        }}"
    );
    let outcomes = [Engine::Scalar, Engine::Vector(None)].map(|engine| {
        let mut device = Device::load(&text).with(Options { engine, ..Options::default() });
        let out = device.zeros(512);
        device.run("k", 1, 32, Parameters::default().with(out));
        device.read::<u32>(out, 128)
    });
    assert_eq!(outcomes[0], outcomes[1]);
    outcomes[0].clone()
}

#[test]
fn a_32_bit_pointer_and_its_offset_wrap_at_32_bits() {
    // compilers walk backwards like this: the start minus 16 per thread, plus the last row
    let seen = run(
        "mov.b32 %r1, tile; shl.b32 %r2, %r0, 4; add.s32 %r3, %r1, %r2; st.shared.b32 [%r3], %r0;
         bar.sync 0; sub.s32 %r4, %r1, %r2; ld.shared.b32 %r5, [%r4+496]; st.global.b32 [%d0], %r5;",
    );
    let wanted: Vec<u32> = (0..32).rev().collect();
    assert_eq!(seen.chunks(4).map(|words| words[0]).collect::<Vec<_>>(), wanted);
}

#[test]
fn addc_behind_sub_cc_sees_that_nothing_was_borrowed() {
    let seen = run(
        "sub.cc.u32 %r1, %r0, 7; addc.u32 %r2, 0, 0; sub.cc.u32 %r3, %r0, 7; subc.u32 %r4, 0, 0;
         st.global.v4.b32 [%d0], {%r1, %r2, %r4, %r4};",
    );
    for (thread, words) in (0..).zip(seen.chunks(4)) {
        let borrowed = thread < 7;
        assert_eq!(words[0], 0u32.wrapping_add(thread).wrapping_sub(7));
        assert_eq!(words[1], u32::from(!borrowed));
        assert_eq!(words[2], if borrowed { u32::MAX } else { 0 });
    }
}

#[test]
fn a_matrix_load_may_write_over_its_own_address() {
    let seen = run("mov.b32 %r1, tile; shl.b32 %r2, %r0, 4; add.s32 %r3, %r1, %r2;
         st.shared.v4.b32 [%r3], {%r0, %r0, %r0, %r0}; bar.sync 0;
         ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r3];
         st.global.v4.b32 [%d0], {%r3, %r4, %r5, %r6};");
    for (thread, words) in (0..).zip(seen.chunks(4)) {
        let row = thread / 4;
        assert_eq!(words, [row, 8 + row, 16 + row, 24 + row]);
    }
}

#[test]
fn lanes_that_a_barrier_let_go_keep_their_registers_while_others_run() {
    // Both halves of the warp wait at the end of a block of code; one has numbers to keep while the other makes some.
    let keeper =
        "keep: mul.lo.u32 %r5, %r0, 7; add.u32 %r6, %r5, 3; xor.b32 %r7, %r6, %r0; bar.sync 1, 32;
         keep_on: st.global.v4.b32 [%d0], {%r5, %r6, %r7, %r0}; @%p1 bra keep_on; bra done;";
    let maker = "make: bar.sync 1, 32;
         make_on: mov.u32 %r8, %ntid.x; add.u32 %r9, %r8, 1; add.u32 %r10, %r9, %r8; add.u32 %r11, %r10, %r9;
         st.global.v4.b32 [%d0], {%r8, %r9, %r10, %r11}; @%p1 bra make_on; bra done;";
    for (first, second, low) in [(keeper, maker, "make"), (maker, keeper, "keep")] {
        let seen = run(&format!(
            "setp.lt.u32 %p0, %r0, 16; setp.gt.u32 %p1, %r0, 1000; @%p0 bra {low}; {first} {second} done:"
        ));
        for (thread, words) in (0..).zip(seen.chunks(4)) {
            let product = thread * 7;
            let kept = [product, product + 3, (product + 3) ^ thread, thread];
            let wanted = if (thread < 16) == (low == "keep") { kept } else { [32, 33, 65, 98] };
            assert_eq!(words, wanted, "thread {thread}");
        }
    }
}
