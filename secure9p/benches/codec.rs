//! What one message costs: into bytes, and out of them. `cargo bench -p secure9p --bench codec`.

use divan::{Bencher, black_box, counter::BytesCount};
use secure9p::{
    Bytes, Dialect, Fid, Qid, Rmessage, Tag, Tmessage,
    message::{AttributeMask, Attributes},
};

fn main() {
    divan::main();
}

const DIALECT: Dialect = Dialect::Linux;

fn tread() -> Tmessage {
    Tmessage::Read { fid: Fid(7), offset: 4096, count: 8168 }
}

fn twalk() -> Tmessage {
    let wname = ["gpu", "GPU-0", "info"].map(String::from).to_vec();
    Tmessage::Walk { fid: Fid(0), newfid: Fid(7), wname }
}

fn rgetattr() -> Rmessage {
    Rmessage::Getattr { attributes: Attributes::synthetic(Qid::file(7), 0o100_644) }
}

fn rread(bytes: usize) -> Rmessage {
    Rmessage::Read { data: Bytes::Owned(vec![7; bytes]) }
}

#[divan::bench]
fn tread_encode(bencher: Bencher<'_, '_>) {
    let (message, mut out) = (tread(), Vec::new());
    bencher.bench_local(|| {
        out.clear();
        black_box(&message).encode(Tag(1), DIALECT, 8192, &mut out)
    });
}

#[divan::bench]
fn tread_decode(bencher: Bencher<'_, '_>) {
    let mut frame = Vec::new();
    tread().encode(Tag(1), DIALECT, 8192, &mut frame).expect("fits");
    bencher.bench_local(|| Tmessage::decode(black_box(&frame), DIALECT));
}

#[divan::bench]
fn twalk_encode(bencher: Bencher<'_, '_>) {
    let (message, mut out) = (twalk(), Vec::new());
    bencher.bench_local(|| {
        out.clear();
        black_box(&message).encode(Tag(1), DIALECT, 8192, &mut out)
    });
}

#[divan::bench]
fn twalk_decode(bencher: Bencher<'_, '_>) {
    let mut frame = Vec::new();
    twalk().encode(Tag(1), DIALECT, 8192, &mut frame).expect("fits");
    bencher.bench_local(|| Tmessage::decode(black_box(&frame), DIALECT));
}

#[divan::bench]
fn rgetattr_encode(bencher: Bencher<'_, '_>) {
    let (message, mut out) = (rgetattr(), Vec::new());
    bencher.bench_local(|| {
        out.clear();
        black_box(&message).encode(Tag(1), DIALECT, 8192, &mut out)
    });
}

#[divan::bench]
fn rgetattr_decode(bencher: Bencher<'_, '_>) {
    let mut frame = Vec::new();
    rgetattr().encode(Tag(1), DIALECT, 8192, &mut frame).expect("fits");
    bencher.bench_local(|| Rmessage::decode(black_box(&frame), DIALECT));
}

#[divan::bench(args = [64, 8168, (1 << 20) - 24])]
fn rread_encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let (message, mut out) = (rread(bytes), Vec::new());
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        black_box(&message).encode(Tag(1), DIALECT, 1 << 20, &mut out)
    });
}

#[divan::bench(args = [64, 8168, (1 << 20) - 24])]
fn rread_decode(bencher: Bencher<'_, '_>, bytes: usize) {
    let mut frame = Vec::new();
    rread(bytes).encode(Tag(1), DIALECT, 1 << 20, &mut frame).expect("fits");
    let bytes = BytesCount::new(bytes);
    bencher.counter(bytes).bench_local(|| Rmessage::decode(black_box(&frame), DIALECT));
}

/// What copying alone costs, to measure the two above against.
#[divan::bench(args = [64, 8168, (1 << 20) - 24])]
fn copy(bencher: Bencher<'_, '_>, bytes: usize) {
    let (from, mut to) = (vec![7_u8; bytes], Vec::new());
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        to.clear();
        to.extend_from_slice(black_box(&from));
    });
}

#[divan::bench]
fn tread_print(bencher: Bencher<'_, '_>) {
    let message = tread().into();
    bencher.bench_local(|| secure9p::transcript::print(Tag(1), black_box(&message)));
}

/// Every mask of attributes is a number away.
#[divan::bench]
fn tgetattr_encode(bencher: Bencher<'_, '_>) {
    let message = Tmessage::Getattr { fid: Fid(7), request_mask: AttributeMask::BASIC };
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        black_box(&message).encode(Tag(1), DIALECT, 8192, &mut out)
    });
}
