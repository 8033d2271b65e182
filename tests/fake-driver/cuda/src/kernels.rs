//! The few kernels that the fake device can run, by name: each reads its parameters from the block that the caller laid out.
//!
//! A kernel `code_<n>` fails with that number when it is waited for; `forever` never ends; `talk` prints.

use crate::state::Memory;

/// A parameter block, read in order at natural alignment.
pub(crate) struct Parameters<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parameters<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], u32> {
        let from = self.at.next_multiple_of(N);
        self.at = from + N;
        self.bytes.get(from..self.at).and_then(|bytes| bytes.try_into().ok()).ok_or(719)
    }

    fn address(&mut self) -> Result<u64, u32> {
        self.take().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, u32> {
        self.take().map(f32::from_le_bytes)
    }
}

/// How a launch goes on after it was accepted.
pub(crate) enum Ending {
    Well,
    Never,
    Badly(u32),
}

/// Blocks and threads of a launch.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
}

impl Extent {
    fn threads(self, axis: usize) -> u64 {
        u64::from(self.grid[axis]) * u64::from(self.block[axis])
    }
}

pub(crate) fn run(name: &str, extent: Extent, bytes: &[u8], memory: &mut Memory) -> Ending {
    let mut parameters = Parameters { bytes, at: 0 };
    let done = match name {
        "vadd" | "vectorAdd" => vadd(extent, &mut parameters, memory),
        "matmul_tiled" | "matmul_naive" => matmul(extent, &mut parameters, memory),
        "mandelbrot" => mandelbrot(extent, &mut parameters, memory),
        "cohesix_self_test" => self_test(extent, &mut parameters, memory),
        "scale" => scale(extent, &mut parameters, memory),
        "wild" => parameters.address().and_then(|at| memory.store(at, [1, 0, 0, 0])),
        "talk" => {
            crate::say("hi\n");
            Ok(())
        }
        "nothing" => Ok(()),
        "forever" => return Ending::Never,
        _ => match name.strip_prefix("code_").and_then(|number| number.parse().ok()) {
            Some(code) => Err(code),
            None => Err(98), // invalid device function: not one that the fake knows
        },
    };
    done.map_or_else(Ending::Badly, |()| Ending::Well)
}

fn vadd(extent: Extent, parameters: &mut Parameters<'_>, memory: &mut Memory) -> Result<(), u32> {
    let (a, b, c) = (parameters.address()?, parameters.address()?, parameters.address()?);
    let n = u64::from(parameters.u32()?);
    for i in 0..n.min(extent.threads(0)) {
        let sum = f32::from_le_bytes(memory.fetch(a + 4 * i)?)
            + f32::from_le_bytes(memory.fetch(b + 4 * i)?);
        memory.store(c + 4 * i, sum.to_le_bytes())?;
    }
    Ok(())
}

fn matmul(_: Extent, parameters: &mut Parameters<'_>, memory: &mut Memory) -> Result<(), u32> {
    let (a, b, c) = (parameters.address()?, parameters.address()?, parameters.address()?);
    let (rows, columns, inner) =
        (parameters.u32()?.into(), u64::from(parameters.u32()?), u64::from(parameters.u32()?));
    for row in 0..rows {
        for column in 0..columns {
            let mut sum = 0.0_f32;
            for k in 0..inner {
                let one = f32::from_le_bytes(memory.fetch(a + 4 * (row * inner + k))?);
                let other = f32::from_le_bytes(memory.fetch(b + 4 * (k * columns + column))?);
                sum = one.mul_add(other, sum);
            }
            memory.store(c + 4 * (row * columns + column), sum.to_le_bytes())?;
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "pixels are far below 2^24")]
fn mandelbrot(
    extent: Extent,
    parameters: &mut Parameters<'_>,
    memory: &mut Memory,
) -> Result<(), u32> {
    let out = parameters.address()?;
    let (width, height) = (parameters.u32()?, parameters.u32()?);
    let (x0, y0, dx, dy) =
        (parameters.f32()?, parameters.f32()?, parameters.f32()?, parameters.f32()?);
    let rounds_max = parameters.u32()?;
    for py in 0..height.min(extent.grid[1] * extent.block[1]) {
        for px in 0..width.min(extent.grid[0] * extent.block[0]) {
            let (cx, cy) = ((px as f32).mul_add(dx, x0), (py as f32).mul_add(dy, y0));
            let (mut x, mut y, mut rounds) = (0.0_f32, 0.0_f32, 0_u32);
            while x.mul_add(x, y * y) < 4.0 && rounds < rounds_max {
                let next = x.mul_add(x, -(y * y)) + cx;
                y = (2.0 * x).mul_add(y, cy);
                x = next;
                rounds += 1;
            }
            let at = u64::from(py) * u64::from(width) + u64::from(px);
            memory.store(out + 4 * at, rounds.to_le_bytes())?;
        }
    }
    Ok(())
}

/// `out[i] = i * 1664525 + 1013904223`, of 32 bits.
fn self_test(
    extent: Extent,
    parameters: &mut Parameters<'_>,
    memory: &mut Memory,
) -> Result<(), u32> {
    let out = parameters.address()?;
    let n = parameters.u32()?;
    for i in 0..n.min(u32::try_from(extent.threads(0)).unwrap_or(u32::MAX)) {
        let value = i.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        memory.store(out + 4 * u64::from(i), value.to_le_bytes())?;
    }
    Ok(())
}

/// `data[i] = data[i] * factor`, a byte and a 64-bit number between them: a layout that is easily got wrong.
fn scale(extent: Extent, parameters: &mut Parameters<'_>, memory: &mut Memory) -> Result<(), u32> {
    let [flag] = parameters.take::<1>()?;
    let factor = f64::from_le_bytes(parameters.take()?);
    let n = u64::from(parameters.u32()?);
    let data = parameters.address()?;
    for i in 0..n.min(extent.threads(0)) {
        let value = f64::from_le_bytes(memory.fetch(data + 8 * i)?);
        let value = if flag == 1 { value * factor } else { value };
        memory.store(data + 8 * i, value.to_le_bytes())?;
    }
    Ok(())
}
