//! What a fuzzer calls: any bytes as a module, every kernel of it run, and the two engines must agree.
//!
//! Each body takes bytes and panics when a promise is broken; `tests/corpus.rs` replays what was worth keeping.

use crate::launch::{Engine, Launch, LaunchError, Options, launch};
use crate::memory::DeviceMemory;
use crate::program::Program;

/// Memory of the device that texts are loaded on.
const MEMORY_BYTES: u64 = 1 << 20;
/// What every pointer of a kernel points to.
const BUFFER_BYTES: usize = 4096;
/// Loops that a block may close.
const FUEL: u64 = 200;
/// Kernels of one text that are run.
const KERNELS_MAX: usize = 3;
/// Threads of the launch whose results are not compared: their order may show.
const MANY_THREADS: u32 = 96;

/// What came of a kernel: how it ended, what it printed, what lies in the buffer.
struct Ending {
    ended: Result<(), LaunchError>,
    printed: String,
    buffer: Vec<u8>,
}

/// Loads a text and runs its kernels: one thread must leave the same on both engines; many must leave the engines standing.
///
/// # Panics
/// Where the engines disagree.
pub fn load(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok((module, _)) = mock_ptx::compile_each(text) else { return };
    for kernel in module.kernels.iter().take(KERNELS_MAX) {
        let run = |engine, threads| run(&module, kernel, engine, threads);
        let both = [Engine::Scalar, Engine::Vector(None)].map(|engine| run(engine, 1));
        if let [Some(scalar), Some(vector)] = &both {
            agree(&kernel.name, scalar, vector);
        }
        for engine in [Engine::Scalar, Engine::Vector(None)] {
            run(engine, MANY_THREADS);
        }
    }
}

/// Both ended well and left the same, or both did not end well; fuel runs out at once on neither.
fn agree(kernel: &str, scalar: &Ending, vector: &Ending) {
    let out_of_fuel = |ending: &Ending| matches!(ending.ended, Err(LaunchError::OutOfFuel { .. }));
    if out_of_fuel(scalar) || out_of_fuel(vector) {
        return;
    }
    assert_eq!(scalar.ended, vector.ended, "{kernel}");
    assert_eq!(scalar.printed, vector.printed, "{kernel}");
    assert!(scalar.buffer == vector.buffer, "{kernel} left different bytes");
}

/// Nothing where the module has no room on the device.
fn run(
    module: &mock_ptx::ir::Module,
    kernel: &mock_ptx::ir::Kernel,
    engine: Engine,
    threads: u32,
) -> Option<Ending> {
    let mut memory = DeviceMemory::new(MEMORY_BYTES);
    let program = Program::load(module.clone(), &mut memory).ok()?;
    let buffer = memory.allocate(BUFFER_BYTES as u64).ok()?;
    let pattern: Vec<u8> = (0..BUFFER_BYTES).map(|i| (i * 7 / 3) as u8).collect();
    memory.write(buffer, &pattern).ok()?;
    let asked = Launch {
        kernel: &kernel.name,
        grid: [2, 1, 1],
        block: [threads, 1, 1],
        shared_bytes: 64,
        parameters: &parameters(kernel, buffer),
    };
    let asked = if threads == 1 { Launch { grid: [1; 3], ..asked } } else { asked };
    let options = Options { engine, fuel: Some(FUEL), printf_bytes: 256, ..Options::default() };
    let outcome = launch(&program, &mut memory, &asked, &options, &|| false);
    let mut left = vec![0; BUFFER_BYTES];
    memory.read(buffer, &mut left).ok()?;
    Some(Ending { ended: outcome.ended, printed: outcome.printed, buffer: left })
}

/// Eight bytes are a pointer, anything else a small number.
fn parameters(kernel: &mock_ptx::ir::Kernel, buffer: u64) -> Vec<u8> {
    let mut bytes = vec![0; kernel.parameter_bytes as usize];
    for parameter in &kernel.parameters {
        let value = if parameter.bytes == 8 { buffer } else { 5 };
        let places = bytes.iter_mut().skip(parameter.offset as usize);
        for (place, byte) in places.zip(value.to_le_bytes()).take(parameter.bytes as usize) {
            *place = byte;
        }
    }
    bytes
}
