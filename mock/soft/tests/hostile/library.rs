//! What `printf`, `assert`, `malloc` and `free` are given.

use super::End::{Fault, Fuel, Well};
use super::Kernel;

pub(crate) const KERNELS: &[Kernel] = &[
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
        "text without end, printed for ever",
        "mov.u64 %d3, text; mov.u64 %d4, 0; $L: { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); } bra $L;",
        1,
        32,
        Fuel,
    ),
    (
        "format that is nowhere",
        "mov.u64 %d3, 0x99; mov.u64 %d4, 0; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); }",
        1,
        32,
        Fault("read of 1 byte at 0x99: null pointer"),
    ),
    (
        "arguments that are nowhere",
        "mov.u64 %d3, wild_text; mov.u64 %d4, 0; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); }",
        1,
        32,
        Fault("read of 8 bytes at 0x0: null pointer"),
    ),
    (
        "text argument that is nowhere",
        "mov.u64 %d3, wild_text; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d1; call.uni (c), vprintf, (a, b); }",
        1,
        32,
        Fault("read of 1 byte at 0x100000001: no allocation there"),
    ),
    (
        "more arguments than there are",
        "mov.u64 %d3, many; add.s64 %d4, %d1, 248; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d4; call.uni (c), vprintf, (a, b); }",
        1,
        32,
        Fault("past the end of the 256-byte allocation"),
    ),
    (
        "a number two thousand million wide",
        "mov.u64 %d3, broad; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d3; st.param.b64 [b], %d1; call.uni (c), vprintf, (a, b); }",
        4,
        32,
        Well,
    ),
    (
        "assertion whose text is nowhere",
        "mov.u64 %d3, -8; { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e; st.param.b64 [a], %d3; \
         st.param.b64 [b], %d3; st.param.b32 [c], 9; st.param.b64 [d], %d3; st.param.b64 [e], 1; call.uni __assertfail, (a, b, c, d, e); }",
        1,
        32,
        Fault("read of 1 byte at 0xfffffffffffffff8"),
    ),
    (
        "heap taken until there is none",
        "$L: { .param .b64 a; .param .b64 b; st.param.b64 [a], 65536; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } st.global.u32 [%d3], 1; bra $L;",
        2,
        32,
        Fault("null pointer"),
    ),
    (
        "heap of the largest number",
        "{ .param .b64 a; .param .b64 b; st.param.b64 [a], -1; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } st.global.u64 [%d1], %d3;",
        1,
        32,
        Well,
    ),
    (
        "past the end of the heap",
        "{ .param .b64 a; .param .b64 b; st.param.b64 [a], 16; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } st.global.u32 [%d3+8388608], 1;",
        1,
        32,
        Fault("past the end of the 8388608-byte allocation"),
    ),
    (
        "freed without a heap",
        "{ .param .b64 a; st.param.b64 [a], %d1; call.uni free, (a); }",
        1,
        32,
        Fault("free of 0x700000000000: not the start of a live heap allocation"),
    ),
    (
        "freed inside of what malloc gave",
        "{ .param .b64 a; .param .b64 b; st.param.b64 [a], 64; call.uni (b), malloc, (a); ld.param.b64 %d3, [b]; } add.s64 %d3, %d3, 16; { .param .b64 a; st.param.b64 [a], %d3; call.uni free, (a); }",
        1,
        1,
        Fault("free of 0x500000000010: not the start"),
    ),
    (
        "null freed",
        "{ .param .b64 a; st.param.b64 [a], 0; call.uni free, (a); } st.global.u32 [%d1], 1;",
        1,
        32,
        Well,
    ),
];
