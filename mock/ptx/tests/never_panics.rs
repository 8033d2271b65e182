//! Whatever the bytes are, the front end answers.

mod fixtures_folder;

use fixtures_folder::fixtures;
use proptest::prelude::*;

/// A text, damaged in a few places: bytes replaced, pieces cut, doubled or moved.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> = fixtures()
        .into_iter()
        .filter(|(_, text)| text.len() < 10_000)
        .map(|(_, text)| text.into_bytes())
        .collect();
    let damage = (any::<prop::sample::Index>(), 0_usize..40, any::<prop::sample::Index>(), 0..5_u8);
    let damages = prop::collection::vec((damage, any::<u8>()), 1..6);
    (prop::sample::select(texts), damages).prop_map(|(mut text, damages)| {
        for ((from, length, to, kind), byte) in damages {
            if text.is_empty() {
                break;
            }
            let start = from.index(text.len());
            let end = (start + length).min(text.len());
            let target = to.index(text.len());
            match kind {
                0 => text[start] = byte,
                1 => drop(text.drain(start..end)),
                2 => {
                    let piece = text[start..end].to_vec();
                    text.splice(target..target, piece);
                }
                3 => {
                    let piece: Vec<u8> = text[start..end].to_vec();
                    let until = (target + piece.len()).min(text.len());
                    text.splice(target..until, piece);
                }
                _ => text.truncate(start),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Proves PTX-3.
    #[test]
    fn damaged_texts_never_panic(bytes in damaged()) {
        mock_ptx::fuzzing::text(&bytes);
    }

    /// Proves PTX-3.
    #[test]
    fn noise_behind_a_good_start_never_panics(noise in "[ -~\\n]{0,200}") {
        let text = format!(".version 8.0\n.target sm_80\n{noise}");
        mock_ptx::fuzzing::text(text.as_bytes());
    }

    /// Proves PTX-3.
    #[test]
    fn words_of_the_language_in_any_order_never_panic(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60)
    ) {
        let text = format!(
            ".version 8.0\n.target sm_80\n.entry k(.param .u64 a) {{ .reg .pred %p<4>; .reg .b32 %r<9>; .reg .b64 %rd<9>;\n{}",
            words.join(" ")
        );
        mock_ptx::fuzzing::text(text.as_bytes());
    }
}

const WORDS: [&str; 60] = [
    "add.s32",
    "mov.u32",
    "mov.b64",
    "ld.param.u64",
    "st.global.u32",
    "bra",
    "bra.uni",
    "L1:",
    "L2:",
    "L1",
    "L2",
    "@%p1",
    "@!%p2",
    "%r1",
    "%r2",
    "%rd1",
    "%rd2",
    "%p1",
    "%tid.x",
    ",",
    ";",
    ";",
    ";",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "+",
    "-",
    "|",
    "!",
    "0",
    "1",
    "-1",
    "0f3F800000",
    "0d3FF0000000000000",
    "call",
    "ret",
    "exit",
    ".reg .b32 x",
    ".shared .b8 s[4]",
    ".local .b32 l",
    ".param .b32 q",
    "setp.eq.s32",
    "bar.sync",
    "trap",
    ".branchtargets",
    "brx.idx",
    "vote.sync.all.pred",
    "a",
    "_",
    "cvt.rn.f32.s32",
    "selp.b32",
    "{%r1, %r2}",
    ".visible .func f",
    "= {1, 2}",
    "0x7fffffffffffffff",
    "\"",
];

/// Every text that once made trouble, and some that ought to.
#[test]
fn the_corpus_never_panics() {
    for text in CORPUS {
        mock_ptx::fuzzing::text(text.as_bytes());
    }
}

const CORPUS: [&str; 14] = [
    "",
    "\0",
    ".version",
    ".version 8",
    ".version 8.",
    ".version 8.0 .target",
    ".version 99999999999.0\n.target sm_80",
    ".version 8.0\n.target sm_80\n/* never closed",
    ".version 8.0\n.target sm_80\n.entry k() { bra L; L: bra L; }",
    ".version 8.0\n.target sm_80\n.entry k() { L: }",
    ".version 8.0\n.target sm_80\n.entry k() { { } { L: bra L; } }",
    ".version 8.0\n.target sm_80\n.global .b8 x[18446744073709551615][18446744073709551615];",
    ".version 8.0\n.target sm_80\n.global .b32 x[] = {{{{1}}}};",
    ".version 8.0\n.target sm_80\n.func f() { call f; } .entry k() { call f; }",
];
