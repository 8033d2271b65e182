//! How fast texts become programs: `cargo bench -p mock-ptx`.

use std::fmt;

use divan::{Bencher, counter::BytesCount};

fn main() {
    divan::main();
}

/// A module's text, told by its name.
struct Text {
    name: &'static str,
    ptx: &'static str,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Small, middling, large; both compilers.
const TEXTS: [Text; 4] = [
    Text { name: "vadd 1 KB", ptx: include_str!("../tests/fixtures/vadd.nvrtc12-sm_80.ptx") },
    Text {
        name: "matmul 8 KB",
        ptx: include_str!("../tests/fixtures/matmul_f32.clang19-sm_80.ptx"),
    },
    Text {
        name: "blackscholes 87 KB",
        ptx: include_str!("../tests/fixtures/blackscholes.clang19-sm_80.ptx"),
    },
    Text {
        name: "blackscholes 100 KB",
        ptx: include_str!("../tests/fixtures/blackscholes.nvrtc12-sm_80.ptx"),
    },
];

#[divan::bench(args = TEXTS)]
fn parse(bencher: Bencher<'_, '_>, text: &Text) {
    let bytes = BytesCount::of_str(text.ptx);
    bencher.counter(bytes).bench(|| mock_ptx::parse(divan::black_box(text.ptx)));
}

#[divan::bench(args = TEXTS)]
fn compile(bencher: Bencher<'_, '_>, text: &Text) {
    let bytes = BytesCount::of_str(text.ptx);
    bencher.counter(bytes).bench(|| mock_ptx::compile(divan::black_box(text.ptx)));
}

#[divan::bench(args = TEXTS)]
fn signatures(bencher: Bencher<'_, '_>, text: &Text) {
    let bytes = BytesCount::of_str(text.ptx);
    bencher.counter(bytes).bench(|| mock_ptx::signatures(divan::black_box(text.ptx)));
}
