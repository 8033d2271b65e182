//! How fast texts become programs: `cargo bench -p mock-ptx`.

use divan::{Bencher, counter::BytesCount};

fn main() {
    divan::main();
}

/// Small, middling, large; both compilers.
const TEXTS: [(&str, &str); 4] = [
    ("vadd 1 KB", include_str!("../tests/fixtures/vadd.nvrtc12-sm_80.ptx")),
    ("matmul 8 KB", include_str!("../tests/fixtures/matmul_f32.clang19-sm_80.ptx")),
    ("blackscholes 87 KB", include_str!("../tests/fixtures/blackscholes.clang19-sm_80.ptx")),
    ("blackscholes 100 KB", include_str!("../tests/fixtures/blackscholes.nvrtc12-sm_80.ptx")),
];

#[divan::bench(args = 0..TEXTS.len())]
fn parse(bencher: Bencher<'_, '_>, index: usize) {
    let (_, text) = TEXTS[index];
    bencher.counter(BytesCount::of_str(text)).bench(|| mock_ptx::parse(divan::black_box(text)));
}

#[divan::bench(args = 0..TEXTS.len())]
fn compile(bencher: Bencher<'_, '_>, index: usize) {
    let (_, text) = TEXTS[index];
    bencher.counter(BytesCount::of_str(text)).bench(|| mock_ptx::compile(divan::black_box(text)));
}

#[divan::bench(args = 0..TEXTS.len())]
fn signatures(bencher: Bencher<'_, '_>, index: usize) {
    let (_, text) = TEXTS[index];
    bencher
        .counter(BytesCount::of_str(text))
        .bench(|| mock_ptx::signatures(divan::black_box(text)));
}
