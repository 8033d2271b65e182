//! Ways to write a text that the manual has and compilers do not use: sums as operands, elements of arrays, vectors of registers.

use super::device::{Device, Parameters};
use mock_soft::{Engine, Options};

/// What a kernel leaves in four words, when it finds 3, 5, 7, 11.
fn words(module: &str, body: &str) -> [u32; 4] {
    let text = format!(
        ".version 8.7\n.target sm_80\n.address_size 64\n{module}
.visible .entry k(.param .u64 in, .param .u64 out)
{{
.reg .u64 from, to; .reg .u32 a, b, c; .reg .b16 h<4>; .reg .v2 .u32 two; .reg .v2 .b16 halves;
ld.param.u64 from, [in]; ld.param.u64 to, [out];
{body}
ret;
}}\n"
    );
    let [scalar, vector] = [Engine::Scalar, Engine::Vector(None)].map(|engine| {
        let mut device = Device::load(&text).with(Options { engine, ..Options::default() });
        let (input, output) = (device.buffer(&[3u32, 5, 7, 11]), device.zeros(16));
        device.run("k", 1, 1, Parameters::default().with(input).with(output));
        device.read::<u32>(output, 4).try_into().unwrap()
    });
    assert_eq!(scalar, vector);
    scalar
}

#[test]
fn a_register_and_a_constant_are_one_operand() {
    let body = "ld.u32 a, [from]; add.u32 b, a+4, a+-1; st.u32 [to], b; st.u32 [to+4], a + 1;
        mov.u32 b, a+7; st.u32 [to+8], b; mov.u16 h0, 0xffff; add.u16 h1, h0+2, 0; st.u16 [to+12], h1;";
    assert_eq!(words("", body), [9, 4, 10, 1]);
}

#[test]
fn elements_of_arrays_are_counted_in_their_own_size() {
    let module =
        ".const .b16 ten[4] = {10, 20, 30, 40};\n.global .u32 hundred[3] = {100, 200, 300};";
    let body =
        "ld.const.b16 h0, ten[3]; st.u16 [to], h0; ld.global.u32 a, hundred[2]; st.u32 [to+4], a;
        mov.u64 from, hundred[1]; ld.global.u32 a, [from]; st.u32 [to+8], a;";
    assert_eq!(words(module, body), [40, 300, 200, 0]);
}

#[test]
fn functions_take_and_return_vectors_of_registers() {
    let module = ".func (.reg .v2 .u32 r) turned(.reg .v2 .u32 a, .reg .u32 more)
        { mov.u32 r.x, a.y; add.u32 r.y, a.x, more; ret; }";
    let body = "ld.v2.u32 two, [from]; call (two), turned, (two, 100); st.v2.u32 [to], two;
        call ({a, _}), turned, ({7, 8}, 0); st.u32 [to+8], a;";
    assert_eq!(words(module, body), [5, 103, 8, 0]);
}

#[test]
fn a_vector_of_registers_is_packed_and_unpacked_by_name() {
    let body =
        "mov.b32 a, 0x56781234; mov.b32 halves, a; st.u16 [to], halves.x; st.u16 [to+4], halves.y;
        mov.b16 halves.x, 1; mov.b32 b, halves; st.u32 [to+8], b;";
    assert_eq!(words("", body), [0x1234, 0x5678, 0x5678_0001, 0]);
}
