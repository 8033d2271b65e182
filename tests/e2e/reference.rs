//! What the examples must come to, computed here in plain Rust.

use std::fs;

use crate::example;

const MATRIX_SIDE: usize = 256;

/// Little-endian floats of a file of the examples.
fn floats(name: &str) -> Vec<f32> {
    let bytes = fs::read(example(name)).expect("an example's input");
    bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect()
}

fn bytes_of(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// `vadd`: one sum an element.
pub(crate) fn vadd() -> Vec<u8> {
    let (a, b) = (floats("vadd.a.f32"), floats("vadd.b.f32"));
    bytes_of(a.iter().zip(&b).map(|(a, b)| a + b))
}

/// `matmul`: sums of small integers, so the order in which they are added does not matter.
pub(crate) fn matmul() -> Vec<u8> {
    let (a, b) = (floats("matmul.a.f32"), floats("matmul.b.f32"));
    let element = |row: usize, column: usize| -> f32 {
        (0..MATRIX_SIDE).map(|k| a[row * MATRIX_SIDE + k] * b[k * MATRIX_SIDE + column]).sum()
    };
    bytes_of((0..MATRIX_SIDE * MATRIX_SIDE).map(|at| element(at / MATRIX_SIDE, at % MATRIX_SIDE)))
}

/// `mandelbrot`: the escape time of the point in this column and row, with the fused operations that the compiler chose.
pub(crate) fn escape_time(column: u16, row: u16) -> u32 {
    let cx = f32::from(column).mul_add(0.003_906_25, -2.25);
    let cy = f32::from(row).mul_add(0.003_906_25, -1.0);
    let (mut x, mut y, mut steps) = (0.0_f32, 0.0_f32, 0);
    let (mut xx, mut yy) = (0.0_f32, 0.0_f32);
    while xx + yy < 4.0 && steps < 256 {
        let next = (xx - yy) + cx;
        y = (x + x).mul_add(y, cy);
        x = next;
        (xx, yy) = (x * x, y * y);
        steps += 1;
    }
    steps
}
