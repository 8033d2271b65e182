//! Random typed PTX programs: the vector engine must give what the reference engine gives, bit for bit, at every width of block
//! and every level of vector instructions. It is what stands behind every rule on shapes and every kernel.
//!
//! `RANDOM_PROGRAMS=100000` tries so many, from `RANDOM_SEED` on.

#![allow(
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "sizes of small tests, and a story told on failure"
)]

#[path = "../device/mod.rs"]
mod device;
mod forms;
mod program;

use std::ops::Range;

use device::{Device, Noise, Parameters};
use forms::FORMS;
use mock_soft::{Engine, Level, Options};
use program::{COMMON_BYTES, LANE_BYTES, program, program_of};

/// Statements of a program.
const LENGTH: u32 = 60;

/// A block, and how many of them.
type Size = ([u32; 3], u32);

/// Sizes for every program: enough of the small blocks that several lie side by side in one unit.
const SIZES: [Size; 4] = [([32, 1, 1], 13), ([16, 4, 1], 9), ([100, 1, 1], 3), ([16, 16, 1], 3)];

/// One more for this program: of one to three dimensions, seldom whole warps.
fn size_of(seed: u64) -> Size {
    let mut noise = Noise(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let mut below = |n: u64| 1 + (noise.next() >> 20) as u32 % n as u32;
    match seed % 4 {
        0 => ([below(320), 1, 1], below(7)),
        1 => ([below(40), below(8), 1], below(5)),
        2 => ([below(9), below(7), below(5)], below(9)),
        _ => ([below(31), 1, 1], below(40)),
    }
}

fn run(text: &str, engine: Engine, (block, blocks): Size) -> Vec<u8> {
    let mut device = Device::load(text).with(Options { engine, workers: 2, ..Options::default() });
    let mut noise = Noise(77);
    let input: Vec<u64> = (0..40).map(|_| noise.next()).collect();
    let lanes = u64::from(blocks * block[0] * block[1] * block[2]);
    let bytes = (lanes * LANE_BYTES + COMMON_BYTES) as usize;
    let (input, output) = (device.buffer(&input), device.zeros(bytes));
    let common = output + lanes * LANE_BYTES;
    let parameters = Parameters::default().with(output).with(input).with(common);
    device.run3("k", [blocks, 1, 1], block, 0, parameters);
    device.read(output, bytes)
}

/// Where the engines differ on a program, if they do.
fn difference(text: &str, sizes: &[Size]) -> Option<String> {
    for size in sizes {
        let wanted = run(text, Engine::Scalar, *size);
        for level in [None, Some(Level::Avx2), Some(Level::Baseline)] {
            let seen = run(text, Engine::Vector(level), *size);
            if let Some(at) = seen.iter().zip(&wanted).position(|(seen, wanted)| seen != wanted) {
                let (lane, place) = (at as u64 / LANE_BYTES, at as u64 % LANE_BYTES);
                let words = |bytes: &[u8]| -> Vec<u32> {
                    let lane = &bytes[(lane * LANE_BYTES) as usize..];
                    let words = lane.chunks_exact(4).take(LANE_BYTES as usize / 4);
                    words.map(|word| u32::from_le_bytes(word.try_into().expect("4"))).collect()
                };
                let (seen, wanted) = (words(&seen), words(&wanted));
                return Some(format!(
                    "{size:?} {level:?}: lane {lane} at byte {place}:\nseen   {seen:x?}\nwanted {wanted:x?}\nthey"
                ));
            }
        }
    }
    None
}

/// Fails with the shortest program of the seed on which the engines differ.
fn compare(seeds: Range<u64>) {
    for seed in seeds {
        let sizes: Vec<Size> = SIZES.into_iter().chain([size_of(seed)]).collect();
        if difference(&program(seed, LENGTH), &sizes).is_none() {
            continue;
        }
        let shortest = (0..=LENGTH).find_map(|length| {
            let text = program(seed, length);
            difference(&text, &sizes).map(|place| (text, place))
        });
        let (text, place) = shortest.expect("the longest differs");
        panic!("seed {seed}, {place} differ:\n{text}");
    }
}

/// The seeds of one of the two tests that share them.
fn seeds(part: u64) -> Range<u64> {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (first, count) = (number("RANDOM_SEED", 0), number("RANDOM_PROGRAMS", 40));
    first + part * count / 2..first + (part + 1) * count / 2
}

/// Proves SOFT-7.
#[test]
fn random_programs_agree_between_the_engines() {
    compare(seeds(0));
}

/// Proves SOFT-7.
#[test]
fn more_random_programs_agree_between_the_engines() {
    compare(seeds(1));
}

/// Proves SOFT-7.
#[test]
fn every_form_agrees_by_itself() {
    for (form, seed) in FORMS.iter().zip(1000..) {
        let text = program_of(seed, |writer| (0..12).for_each(|_| writer.instruction_of(form)));
        if let Some(place) = difference(&text, &SIZES[1..3]) {
            panic!("{form}: {place} differ:\n{text}");
        }
    }
}
