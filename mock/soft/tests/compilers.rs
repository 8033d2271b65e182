//! Kernels that are hard on an engine, as NVRTC 12 and 13 and clang wrote them, against plain Rust; on both engines.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::panic,
    reason = "sizes of small tests, and a story told on failure"
)]

mod device;

use device::{Device, Noise, Parameters};
use mock_soft::{Engine, Options};

const COMPILERS: [&str; 4] = ["nvrtc12-sm_80", "nvrtc12-debug", "nvrtc13-sm_90", "clang19-sm_80"];

/// Runs a test on what each compiler made of a source, with each engine.
fn each(source: &str, test: impl Fn(Device)) {
    let mut texts = 0;
    for compiler in COMPILERS {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels");
        let Ok(text) = std::fs::read_to_string(format!("{folder}/{source}.{compiler}.ptx")) else {
            assert!((source, compiler) == ("matrix", "nvrtc12-debug"), "{source} by {compiler}");
            continue;
        };
        for engine in [Engine::Scalar, Engine::Vector(None)] {
            eprintln!("{source} by {compiler} on {engine:?}");
            test(Device::load(&text).with(Options { engine, ..Options::default() }));
        }
        texts += 1;
    }
    assert!(texts >= 3);
}

fn none() -> Parameters {
    Parameters::default()
}

fn doubles(noise: &mut Noise, count: usize) -> Vec<f64> {
    (0..count).map(|_| f64::from(noise.float()) + f64::from(noise.float()) * 1e-8).collect()
}

fn words(noise: &mut Noise, count: usize, below: u64) -> Vec<i32> {
    (0..count)
        .map(|_| (((noise.next() >> 8) % below) as i32).wrapping_sub((below / 2) as i32))
        .collect()
}

#[test]
fn a_product_in_double_precision_is_exact_in_its_order() {
    each("linear", |mut device| {
        let (m, n, k) = (19usize, 23, 17);
        let mut noise = Noise(11);
        let [a, b, c] = [m * k, k * n, m * n].map(|count| doubles(&mut noise, count));
        let [pa, pb, pc] = [&a, &b, &c].map(|values| device.buffer(values));
        let sizes = none().with(pa).with(pb).with(pc).with(m as i32).with(n as i32).with(k as i32);
        device.run3("dgemm", [3, 3, 1], [8, 8, 1], 0, sizes.with(1.5f64).with(-0.5f64));
        let wanted: Vec<f64> = (0..m * n)
            .map(|i| {
                let sum =
                    (0..k).fold(0.0, |sum, j| a[i / n * k + j].mul_add(b[j * n + i % n], sum));
                // the tile is filled up with zeros, which change nothing
                1.5f64.mul_add(sum, -0.5 * c[i])
            })
            .collect();
        assert_eq!(device.read::<f64>(pc, m * n), wanted);
    });
}

/// The kernel's elimination, step by step.
fn determinant(matrix: &[f64]) -> f64 {
    let mut m: Vec<Vec<f64>> = matrix.chunks(5).map(<[f64]>::to_vec).collect();
    let mut d = 1.0;
    for c in 0..5 {
        let p = (c..5).fold(c, |p, r| if m[r][c].abs() > m[p][c].abs() { r } else { p });
        if p != c {
            d = -d;
            m.swap(p, c);
        }
        d *= m[c][c];
        if m[c][c] == 0.0 {
            break;
        }
        for r in c + 1..5 {
            let f = m[r][c] / m[c][c];
            let pivot = m[c].clone();
            for (value, above) in m[r][c..].iter_mut().zip(&pivot[c..]) {
                *value = (-f).mul_add(*above, *value);
            }
        }
    }
    d
}

#[test]
fn determinants_by_elimination_in_local_memory_are_exact() {
    each("linear", |mut device| {
        let n = 40;
        let mut input = doubles(&mut Noise(12), 25 * n);
        input[..25].fill(0.0);
        let (pin, pout) = (device.buffer(&input), device.zeros(8 * n));
        device.run("determinant", 2, 32, none().with(pin).with(pout).with(n as i32));
        let wanted: Vec<f64> = input.chunks(25).map(determinant).collect();
        assert_eq!(device.read::<f64>(pout, n), wanted);
    });
}

#[test]
fn everything_that_sorts_sorts() {
    each("sort", |mut device| {
        let mut noise = Noise(13);
        let floats = noise.floats(256);
        let data = device.buffer(&floats);
        device.run3("bitonic", [2, 1, 1], [128, 1, 1], 512, none().with(data));
        let mut wanted = floats;
        wanted.chunks_mut(128).for_each(|part| part.sort_by(f32::total_cmp));
        assert_eq!(device.read::<f32>(data, 256), wanted);

        let mut keys: Vec<u32> = (0..500).map(|_| (noise.next() >> 9) as u32 & 0xffff).collect();
        let (mut from, mut to) = (device.buffer(&keys), device.zeros(2000));
        for shift in [0, 4, 8, 12] {
            device.run("digit", 1, 64, none().with(from).with(to).with(500).with(shift));
            std::mem::swap(&mut from, &mut to);
        }
        keys.sort_unstable();
        assert_eq!(device.read::<u32>(from, 500), keys);

        for (kernel, length, count) in [("heap", 24, 50), ("quick", 20, 32)] {
            let mut lists = words(&mut noise, length * count, 60);
            let data = device.buffer(&lists);
            let size = if kernel == "heap" { count } else { length };
            let blocks = count.div_ceil(32) as u32;
            device.run(kernel, blocks, 32, none().with(data).with(size as i32));
            lists.chunks_mut(length).for_each(<[i32]>::sort_unstable);
            assert_eq!(device.read::<i32>(data, lists.len()), lists, "{kernel}");
        }
    });
}

#[test]
fn running_sums_are_exact_by_tree_and_by_shuffles() {
    each("scan", |mut device| {
        let mut noise = Noise(14);
        let input = words(&mut noise, 230, 200);
        let data = device.buffer(&input);
        device.run3("tree", [2, 1, 1], [64, 1, 1], 512, none().with(data).with(230));
        let before = |part: &[i32]| {
            let mut sum = 0;
            part.iter()
                .map(|v| {
                    sum += v;
                    sum - v
                })
                .collect::<Vec<_>>()
        };
        let wanted: Vec<i32> = input.chunks(128).flat_map(before).collect();
        assert_eq!(device.read::<i32>(data, 230), wanted);

        let input: Vec<i64> = (0..300).map(|_| noise.next() as i64 >> 4).collect();
        let (pin, pout) = (device.buffer(&input), device.zeros(2400));
        device.run("shuffles", 3, 128, none().with(pin).with(pout).with(300));
        let upto = |part: &[i64]| {
            let mut sum = 0i64;
            part.iter()
                .map(|v| {
                    sum = sum.wrapping_add(*v);
                    sum
                })
                .collect::<Vec<_>>()
        };
        let wanted: Vec<i64> = input.chunks(128).flat_map(upto).collect();
        assert_eq!(device.read::<i64>(pout, 300), wanted);
    });
}

#[test]
fn integers_of_64_and_128_bits_divide_and_multiply() {
    each("words", |mut device| {
        let n = 64;
        let mut noise = Noise(15);
        let mut a: Vec<i64> = (0..n).map(|_| noise.next() as i64).collect();
        let mut b: Vec<i64> = (0..n).map(|i| (noise.next() as i64) >> (i % 62)).collect();
        b.iter_mut().filter(|b| **b == 0).for_each(|b| *b = 3);
        (a[0], b[0], a[1], b[1]) = (i64::MIN, -1, i64::MIN, 1);
        let (pa, pb) = (device.buffer(&a), device.buffer(&b));
        let out = device.zeros(64 * n);
        device.run("division", 2, 32, none().with(pa).with(pb).with(out).with(n as i32));
        let each = a.iter().zip(&b);
        let wanted: Vec<i64> = each
            .clone()
            .flat_map(|(&a, &b)| {
                let (ua, ub) = (a as u64, b as u64);
                let high = (i128::from(a) * i128::from(b)) >> 64;
                let unsigned = (u128::from(ua) * u128::from(ub)) >> 64;
                [
                    a.wrapping_div(b),
                    a.wrapping_rem(b),
                    ((ua / ub) ^ (ua % ub)) as i64,
                    (high ^ unsigned as i128) as i64,
                ]
            })
            .collect();
        assert_eq!(device.read::<i64>(out, 4 * n), wanted);

        device.run("wide", 2, 32, none().with(pa).with(pb).with(out).with(n as i32));
        let wanted: Vec<u64> = each
            .flat_map(|(&a, &b)| {
                let (a, b) = (a as u64, b as u64);
                let x = u128::from(a) << 64 | u128::from(b);
                let y = u128::from(b) << 32 | u128::from(a | 1);
                let shifted = (x >> (a & 127)) ^ (y << (b & 127));
                [x.wrapping_mul(y).wrapping_add(x).wrapping_sub(y), shifted, x / y, x % y]
            })
            .flat_map(|v| [v as u64, (v >> 64) as u64])
            .collect();
        assert_eq!(device.read::<u64>(out, 8 * n), wanted);
    });
}

fn bits_of(x: u32, y: u32, z: u32) -> [u32; 12] {
    let both = u64::from(y) << 32 | u64::from(x);
    let turned = u64::from(y) << 32 | u64::from(x);
    let byte = |i: u32| (both >> (8 * (z >> (4 * i) & 7))) as u32 & 0xff;
    let zeros = (u64::from(z) << 7).leading_zeros();
    [
        x.count_ones(),
        x.leading_zeros(),
        if x == 0 { 0 } else { x.trailing_zeros() + 1 },
        x.reverse_bits(),
        (0..4).map(|i| byte(i) << (8 * i)).sum(),
        (turned << (z & 31) >> 32) as u32,
        (turned >> (z & 63).min(32)) as u32,
        ((i64::from(x as i32) * i64::from(y as i32)) >> 32) as u32,
        x.abs_diff(y).wrapping_add(z),
        ((i64::from(x as i32) + i64::from(y as i32) + 1) >> 1) as u32,
        both.count_ones() + 100 * zeros,
        (x / 7).wrapping_add(y % 10).wrapping_add((z as i32 / 3) as u32),
    ]
}

fn jumps(input: u32) -> u32 {
    let (mut x, mut r) = (input, 0u32);
    for _ in 0..8 {
        match x & 7 {
            0 => r = r.wrapping_add(x),
            1 => r ^= x.wrapping_mul(3),
            2 => r = r.wrapping_sub(7),
            3 => r = r.wrapping_mul(5).wrapping_add(1),
            4 => r = r.wrapping_add(1),
            5 => r = !r,
            6 if r & 1 == 1 => return r,
            6 => r |= 8,
            _ => continue,
        }
        x = (x >> 1).wrapping_add(r);
    }
    r
}

#[test]
fn bits_jumps_and_checksums_are_exact() {
    each("words", |mut device| {
        let n = 70;
        let mut a: Vec<u32> = words(&mut Noise(16), n, 1 << 32).iter().map(|v| *v as u32).collect();
        a[..4].copy_from_slice(&[0, u32::MAX, 1 << 31, 1]);
        let (pa, out) = (device.buffer(&a), device.zeros(48 * n));
        device.run("bits", 3, 32, none().with(pa).with(out).with(n as i32));
        let wanted: Vec<u32> =
            (0..n).flat_map(|i| bits_of(a[i], a[(i + 1) % n], a[(i + 2) % n])).collect();
        assert_eq!(device.read::<u32>(out, 12 * n), wanted);

        device.run("jumps", 3, 32, none().with(pa).with(out).with(n as i32));
        let wanted: Vec<u32> = a.iter().map(|x| jumps(*x)).collect();
        assert_eq!(device.read::<u32>(out, n), wanted);

        let text = b"123456789123456789";
        let bytes = device.buffer(text);
        device.run("crc", 1, 32, none().with(bytes).with(out).with(9).with(2));
        assert_eq!(device.read::<u32>(out, 2), [0xcbf4_3926; 2]);
    });
}

fn talk(values: &[i32], lane: usize) -> [u32; 10] {
    let v = values[lane];
    let all = |yes: &dyn Fn(i32) -> bool, who: u32| {
        (0..32)
            .filter(|i| who >> i & 1 == 1 && yes(values[*i as usize]))
            .fold(0u32, |m, i| m | 1 << i)
    };
    let same = values.iter().all(|other| other >> 31 == v >> 31);
    let odd = lane % 2 == 1;
    [
        values[(lane * 5 + 3) & 31] as u32,
        (if lane % 16 >= 2 { values[lane - 2] } else { v }) as u32,
        (if lane + 7 < 32 { values[lane + 7] } else { v }) as u32,
        values[lane ^ 13] as u32,
        all(&|v| v & 1 == 1, u32::MAX),
        all(&|other| other & 3 == v & 3, u32::MAX),
        if same { u32::MAX } else { 0 },
        same.into(),
        if odd { all(&|v| v & 2 != 0, 0xaaaa_aaaa) } else { values[(lane * 3) & 30] as u32 },
        32,
    ]
}

#[test]
fn lanes_talk_in_whole_warps_and_in_parts() {
    each("warps", |mut device| {
        let mut input = words(&mut Noise(17), 64, 2000);
        input[32..].iter_mut().for_each(|v| *v = v.abs());
        let (pin, out) = (device.buffer(&input), device.zeros(64 * 40));
        device.run("talk", 1, 64, none().with(pin).with(out));
        let wanted: Vec<u32> =
            input.chunks(32).flat_map(|warp| (0..32).flat_map(|lane| talk(warp, lane))).collect();
        assert_eq!(device.read::<u32>(out, 640), wanted);

        let (kept, count) = (device.zeros(4 * 64), device.zeros(4));
        device.run("gather", 2, 32, none().with(pin).with(kept).with(count).with(60));
        let mut wanted: Vec<i32> = input[..60].iter().copied().filter(|v| *v > 0).collect();
        assert_eq!(device.read::<u32>(count, 1), [wanted.len() as u32]);
        let mut seen = device.read::<i32>(kept, wanted.len());
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted);

        let odd = input.iter().filter(|v| *v & 1 == 1).count() as i32;
        let above = i32::from(input.iter().all(|v| *v > -5));
        let lucky = i32::from(input.contains(&77));
        device.run("votes", 1, 64, none().with(pin).with(out));
        assert_eq!(device.read::<i32>(out, 64), [odd * 4 + above * 2 + lucky; 64]);

        let (parts, ticket, sum) = (device.zeros(64), device.zeros(4), device.zeros(4));
        let parameters = none().with(pin).with(parts).with(ticket).with(sum).with(64);
        device.run("last", 5, 64, parameters);
        assert_eq!(device.read::<i32>(sum, 1), [input.iter().sum::<i32>()]);
    });
}

#[test]
fn calls_find_their_targets_at_run_time() {
    each("calls", |mut device| {
        let input: Vec<f32> = words(&mut Noise(18), 60, 40).iter().map(|v| *v as f32).collect();
        let (pin, out) = (device.buffer(&input), device.zeros(240));
        device.run("shapes", 2, 32, none().with(pin).with(out).with(60));
        let area = |(i, x): (usize, &f32)| {
            if i % 2 == 0 { (i % 5) as f32 * x * x } else { 3.0f32.mul_add(*x, 1.0) }
        };
        let wanted: Vec<f32> = input.iter().enumerate().map(area).collect();
        assert_eq!(device.read::<f32>(out, 60), wanted);

        let mut noise = Noise(19);
        let [a, b] = [0, 1].map(|_| words(&mut noise, 60, 1 << 32));
        let [pa, pb] = [&a, &b].map(|values| device.buffer(values));
        device.run("pointers", 2, 32, none().with(pa).with(pb).with(out).with(60));
        let call = |(a, b): (&i32, &i32)| match a & 3 {
            0 => a.wrapping_add(*b),
            1 => a.wrapping_sub(*b),
            2 => a.wrapping_mul(*b),
            _ => a ^ b,
        };
        let wanted: Vec<i32> = a.iter().zip(&b).map(call).collect();
        assert_eq!(device.read::<i32>(out, 60), wanted);

        device.run("fibonacci", 1, 40, none().with(out));
        let fibonacci = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89];
        let wanted: Vec<i32> = (0..40).map(|i| fibonacci[i % 12]).collect();
        assert_eq!(device.read::<i32>(out, 40), wanted);
    });
}

/// A matrix of small whole numbers, by rows; every product and sum of them is exact in every format.
struct Whole {
    columns: usize,
    values: Vec<i32>,
}

impl Whole {
    fn new(noise: &mut Noise, rows: usize, columns: usize, below: u64) -> Self {
        Self { columns, values: words(noise, rows * columns, below) }
    }

    fn at(&self, row: usize, column: usize) -> i32 {
        self.values[row * self.columns + column]
    }
}

/// Rows × columns of sums over `k` of what `a` and `b` have.
fn product(
    rows: usize,
    columns: usize,
    depth: usize,
    a: impl Fn(usize, usize) -> i32,
    b: impl Fn(usize, usize) -> i32,
) -> Vec<i32> {
    (0..rows * columns)
        .map(|i| (0..depth).map(|k| a(i / columns, k) * b(k, i % columns)).sum())
        .collect()
}

/// A whole number below 2048 as an `f16`.
fn half(value: i32) -> u16 {
    let sign = if value < 0 { 0x8000 } else { 0 };
    match value.unsigned_abs() {
        0 => sign,
        size => {
            let exponent = size.ilog2();
            sign | ((15 + exponent) << 10 | ((size << 10) >> exponent) & 0x3ff) as u16
        }
    }
}

fn brain(value: i32) -> u16 {
    ((value as f32).to_bits() >> 16) as u16
}

#[test]
fn tensor_cores_multiply_every_kind_of_number() {
    each("matrix", |mut device| {
        let mut noise = Noise(20);
        let floats = |values: Vec<i32>| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();

        let (m, n, k) = (32, 48, 64);
        let (a, b) = (Whole::new(&mut noise, m, k, 9), Whole::new(&mut noise, n, k, 9));
        let [pa, pb] =
            [&a, &b].map(|w| device.buffer(&w.values.iter().map(|v| half(*v)).collect::<Vec<_>>()));
        let c = device.zeros(4 * m * n);
        let sizes = none().with(pa).with(pb).with(c).with(m as i32).with(n as i32).with(k as i32);
        device.run3("halves", [3, 2, 1], [32, 1, 1], 0, sizes);
        let wanted = product(m, n, k, |r, k| a.at(r, k), |k, c| 2 * b.at(c, k));
        assert_eq!(device.read::<f32>(c, m * n), floats(wanted));

        let (a, b) = (Whole::new(&mut noise, 16, 16, 256), Whole::new(&mut noise, 16, 16, 256));
        let [pa, pb] =
            [&a, &b].map(|w| device.buffer(&w.values.iter().map(|v| *v as i8).collect::<Vec<_>>()));
        device.run("bytes", 1, 32, none().with(pa).with(pb).with(c));
        // stored by columns
        let wanted = product(16, 16, 16, |c, k| b.at(c, k), |k, r| a.at(r, k));
        let wanted: Vec<i32> = wanted.iter().map(|sum| sum + 7).collect();
        assert_eq!(device.read::<i32>(c, 256), wanted);

        let (a, b) = (Whole::new(&mut noise, 16, 16, 9), Whole::new(&mut noise, 16, 16, 9));
        let [pa, pb] = [&a, &b]
            .map(|w| device.buffer(&w.values.iter().map(|v| brain(*v)).collect::<Vec<_>>()));
        device.run("brains", 1, 32, none().with(pa).with(pb).with(c));
        let wanted = product(16, 16, 16, |r, k| a.at(k, r), |k, c| b.at(k, c));
        assert_eq!(device.read::<f32>(c, 256), floats(wanted));

        let (a, b) = (Whole::new(&mut noise, 16, 8, 200), Whole::new(&mut noise, 16, 8, 200));
        let [pa, pb] = [&a, &b].map(|w| device.buffer(&floats(w.values.clone())));
        device.run("singles", 1, 32, none().with(pa).with(pb).with(c));
        let wanted = product(16, 16, 8, |r, k| a.at(r, k), |k, c| b.at(c, k));
        assert_eq!(device.read::<f32>(c, 256), floats(wanted));

        let (a, b) = (Whole::new(&mut noise, 8, 4, 2000), Whole::new(&mut noise, 8, 4, 2000));
        let start = Whole::new(&mut noise, 8, 8, 2000);
        let [pa, pb, pc] = [&a, &b, &start]
            .map(|w| device.buffer(&w.values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>()));
        device.run("doubles", 1, 32, none().with(pa).with(pb).with(pc));
        let wanted = product(8, 8, 4, |r, k| a.at(r, k), |k, c| b.at(c, k));
        let wanted: Vec<f64> =
            wanted.iter().zip(&start.values).map(|(p, c)| f64::from(p + c)).collect();
        assert_eq!(device.read::<f64>(pc, 64), wanted);

        let (a, b) = (Whole::new(&mut noise, 16, 16, 9), Whole::new(&mut noise, 16, 8, 9));
        let [pa, pb] =
            [&a, &b].map(|w| device.buffer(&w.values.iter().map(|v| half(*v)).collect::<Vec<_>>()));
        device.run("by_hand", 1, 32, none().with(pa).with(pb).with(c));
        let wanted = product(16, 8, 16, |r, k| a.at(r, k), |k, c| b.at(k, c));
        assert_eq!(device.read::<f32>(c, 128), floats(wanted));
    });
}

/// One block of `ChaCha20`, as RFC 8439 has it.
fn chacha(key: &[u32], nonce: &[u32], counter: u32) -> Vec<u32> {
    let mut start = vec![0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    start.extend(key);
    start.push(counter);
    start.extend(nonce);
    let mut x = start.clone();
    let columns = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]];
    let diagonals = [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
    for [a, b, c, d] in [columns, diagonals].repeat(10).concat() {
        for (to, from, by, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
            x[to] = x[to].wrapping_add(x[from]);
            x[by] = (x[by] ^ x[to]).rotate_left(turn);
        }
    }
    x.iter().zip(start).map(|(x, s)| x.wrapping_add(s)).collect()
}

#[test]
fn ciphers_and_long_products_are_exact() {
    each("textbook", |mut device| {
        // the key and nonce of RFC 8439, 2.3.2, and its block 1
        let key: Vec<u32> = (0..8).map(|i| 0x0302_0100 + i * 0x0404_0404).collect();
        let nonce = [0x0900_0000, 0x4a00_0000, 0];
        let (pkey, pnonce, out) = (device.buffer(&key), device.buffer(&nonce), device.zeros(2048));
        device.run("chacha", 1, 32, none().with(pkey).with(pnonce).with(out));
        let seen = device.read::<u32>(out, 512);
        assert_eq!(seen[..3], [0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50]);
        let wanted: Vec<u32> = (1..=32).flat_map(|i| chacha(&key, &nonce, i)).collect();
        assert_eq!(seen, wanted);

        let mut noise = Noise(21);
        let [a, b] = [0, 1].map(|_| (0..64).map(|_| noise.next()).collect::<Vec<u64>>());
        let (pa, pb) = (device.buffer(&a), device.buffer(&b));
        device.run("product", 1, 32, none().with(pa).with(pb).with(out));
        let long = |words: &[u64]| u128::from(words[1]) << 64 | u128::from(words[0]);
        let low: Vec<u128> =
            a.chunks(2).zip(b.chunks(2)).map(|(a, b)| long(a).wrapping_mul(long(b))).collect();
        let seen = device.read::<u64>(out, 128);
        assert_eq!(seen.chunks(4).map(long).collect::<Vec<_>>(), low);
        let halves = |x: u128| (x >> 64, u128::from(x as u64));
        let high = |a: u128, b: u128| {
            let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
            let middle = halves(a0 * b0).0 + halves(a1 * b0).1 + halves(a0 * b1).1;
            a1 * b1 + halves(a1 * b0).0 + halves(a0 * b1).0 + halves(middle).0
        };
        for (i, words) in seen.chunks(4).enumerate() {
            assert_eq!(long(&words[2..]), high(long(&a[2 * i..]), long(&b[2 * i..])));
        }
    });
}

#[test]
fn dates_fields_and_networks_are_exact() {
    each("textbook", |mut device| {
        let days = [0, -1, 59, 60, 11_016, 19_782, 20_778, -719_468];
        let dates = [
            [1970, 1, 1],
            [1969, 12, 31],
            [1970, 3, 1],
            [1970, 3, 2],
            [2000, 2, 29],
            [2024, 2, 29],
            [2026, 11, 21],
            [0, 3, 1],
        ];
        let (pin, out) = (device.buffer(&days), device.zeros(4096));
        device.run("calendar", 1, 8, none().with(pin).with(out));
        assert_eq!(device.read::<i32>(out, 24), dates.as_flattened());

        let mut noise = Noise(22);
        let input: Vec<u32> = words(&mut noise, 64, 1 << 32).iter().map(|v| *v as u32).collect();
        let pin = device.buffer(&input);
        device.run("fields", 1, 64, none().with(pin).with(out));
        let wanted = input.iter().flat_map(|word| {
            let (a, b, c, d) = (word & 7, word >> 3 & 0x7f, word << 13 >> 23, word >> 19);
            let c = c.wrapping_neg() & 0x1ff;
            let first = (a + 3) & 7 | ((b ^ d) & 0x7f) << 3 | c << 10 | d << 19;
            let second = (first & !0x00ff_0000) | ((first + c) & 0xff) << 16;
            [first, second]
        });
        assert_eq!(device.read::<u32>(out, 128), wanted.collect::<Vec<_>>());

        let mut lists: Vec<i64> = (0..256).map(|_| noise.next() as i64).collect();
        let data = device.buffer(&lists);
        device.run("network", 1, 32, none().with(data));
        lists.chunks_mut(8).for_each(<[i64]>::sort_unstable);
        assert_eq!(device.read::<i64>(data, 256), lists);
    });
}

#[test]
fn segments_swaps_and_paths_are_exact() {
    each("textbook", |mut device| {
        let mut noise = Noise(23);
        let input = words(&mut noise, 64, 200);
        let heads = words(&mut noise, 64, 8);
        let (pin, pheads, out) = (device.buffer(&input), device.buffer(&heads), device.zeros(256));
        device.run("segments", 1, 64, none().with(pin).with(pheads).with(out));
        let mut sum = 0;
        let running = |i: usize| {
            sum = if i.is_multiple_of(32) || heads[i] != 0 { input[i] } else { sum + input[i] };
            sum
        };
        assert_eq!(device.read::<i32>(out, 64), (0..64).map(running).collect::<Vec<_>>());

        for offset in [0, 1000] {
            let values: Vec<f64> = input.iter().map(|v| f64::from(v - offset)).collect();
            let (pin, word) = (device.buffer(&values), device.buffer(&[0.5f64]));
            let largest = device.buffer(&[f32::NEG_INFINITY]);
            device.run("swapped", 1, 64, none().with(pin).with(word).with(largest));
            assert_eq!(device.read::<f64>(word, 1), [values.iter().sum::<f64>() + 0.5]);
            let wanted = values.iter().fold(f64::NEG_INFINITY, |most, v| most.max(*v));
            assert_eq!(device.read::<f32>(largest, 1), [wanted as f32]);
        }

        let wall = words(&mut noise, 64 * 12, 20);
        let pwall = device.buffer(&wall);
        device.run("cheapest", 1, 64, none().with(pwall).with(out).with(12));
        let mut best = vec![0; 64];
        for row in wall.chunks(64) {
            let near = |t: usize| best[t.max(1) - 1].min(best[t]).min(best[(t + 1).min(63)]);
            best = (0..64).map(|t| row[t] + near(t)).collect();
        }
        assert_eq!(device.read::<i32>(out, 64), best);
    });
}
