//! The files in `docs/examples` are what their README says: made by formula, hashed, and described by valid job files.

use std::fs;
use std::path::PathBuf;

use ninedoor_abi::JobDescriptor;
use sha2::{Digest, Sha256};

const MATRIX_SIDE: u16 = 256;
const VECTOR_LENGTH: u16 = 32768;

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name)
}

fn little_endian(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

fn matrix(at: fn(i32, i32) -> i32) -> Vec<u8> {
    let side = i32::from(MATRIX_SIDE);
    let small = |value: i32| f32::from(i16::try_from(value).expect("entries are below 31"));
    little_endian((0..side).flat_map(|r| (0..side).map(move |c| small(at(r, c)))))
}

/// Every input of the examples, by the formulas in their README.
fn inputs() -> [(&'static str, Vec<u8>); 4] {
    [
        ("vadd.a.f32", little_endian((0..VECTOR_LENGTH).map(f32::from))),
        ("vadd.b.f32", little_endian((0..VECTOR_LENGTH).map(|i| 2.0 * f32::from(i)))),
        ("matmul.a.f32", matrix(|r, c| (7 * r + 3 * c) % 31 - 15)),
        ("matmul.b.f32", matrix(|r, c| (r + 5 * c) % 31 - 15)),
    ]
}

/// Proves EX-1.
#[test]
fn inputs_are_made_by_the_formulas_in_the_readme() {
    for (name, bytes) in inputs() {
        if std::env::var_os("WRITE_EXAMPLES").is_some() {
            fs::write(example(name), &bytes).unwrap();
        }
        assert!(fs::read(example(name)).unwrap() == bytes, "{name} is not what its formula makes");
    }
}

/// Proves EX-2.
#[test]
fn every_job_file_is_valid_and_names_files_beside_it() {
    for name in ["vadd", "matmul", "mandelbrot"] {
        let text = fs::read(example(&format!("{name}.json"))).unwrap();
        let job = JobDescriptor::parse(&text).unwrap();
        assert_eq!(job.job.as_str(), name);
        for input in &job.inputs {
            assert!(example(input.last().unwrap()).is_file(), "{input} has no file");
        }
        let module = fs::read(example(&format!("{name}.ptx"))).unwrap();
        let hash: [u8; 32] = Sha256::digest(module).into();
        assert_eq!(job.bytes_hash.0, hash, "bytes_hash of {name}.json");
    }
}
