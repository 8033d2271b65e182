//! Runs the blocks of a launch.

use std::collections::VecDeque;

use mock_ptx::ir::{Intrinsic, Kernel, Op, SpecialRegister};

use super::check;
use super::grid;
use super::job::{Halt, Job, Progress};
use super::library::{Library, Printed};
use super::{Launch, LaunchError, Options};
use crate::limits::{GRID_WORKSPACE_BYTES, HEAP_BYTES, RESIDENT_BLOCKS_MAX, TURN_BACK_EDGES};
use crate::memory::{DeviceMemory, Heap, MemoryError};
use crate::program::Program;
use crate::raw::Region;
use crate::scalar;

/// What a launch that ended well leaves beside its buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// What it printed.
    pub printed: String,
}

/// Runs one kernel of a program to its end.
///
/// # Errors
/// A launch that is not allowed, a broken rule, an end of fuel, or `stop` answering true.
pub fn launch(
    program: &Program,
    memory: &mut DeviceMemory,
    launch: &Launch<'_>,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Finished, LaunchError> {
    let kernel = program.kernel(launch.kernel).ok_or_else(|| LaunchError::UnknownKernel {
        name: launch.kernel.to_owned(),
        known: program.kernels().iter().map(|kernel| kernel.name.clone()).collect(),
    })?;
    let sizes = check::check(kernel, launch)?;
    if uses(
        kernel,
        |op| matches!(op, Op::Intrinsic(i) if matches!(**i, Intrinsic::Allocate { .. })),
    ) {
        memory.open_heap(HEAP_BYTES)?;
    }
    let cooperative =
        |op: &Op| matches!(op, Op::ReadSpecial { register: SpecialRegister::Environment(_), .. });
    let workspace =
        if uses(kernel, cooperative) { Some(memory.allocate(GRID_WORKSPACE_BYTES)?) } else { None };
    let mut heap = memory.take_heap();
    let outcome = parameters(launch.parameters).and_then(|parameters| {
        let job = Job {
            kernel,
            symbols: program.addresses(),
            map: memory.map(),
            parameters,
            grid: launch.grid,
            block: launch.block,
            shared_bytes: sizes.shared_bytes,
            dynamic_shared_bytes: launch.shared_bytes,
            local_bytes: sizes.local_bytes,
            fuel: options.fuel,
            stop,
            grid_workspace: workspace.unwrap_or(0),
        };
        run(&job, options, heap.as_mut())
    });
    memory.put_heap(heap);
    if let Some(workspace) = workspace {
        memory.free(workspace)?;
    }
    outcome
}

fn uses(kernel: &Kernel, wanted: impl Fn(&Op) -> bool) -> bool {
    let mut ops = kernel.blocks.iter().flat_map(|block| &block.instructions);
    ops.any(|instruction| wanted(&instruction.op))
}

fn parameters(bytes: &[u8]) -> Result<Region, LaunchError> {
    let region = Region::zeroed(bytes.len() as u64).ok_or_else(no_host_memory)?;
    region.store_row(0, bytes);
    Ok(region)
}

const fn no_host_memory() -> LaunchError {
    LaunchError::Memory(MemoryError::NoRoomToRun)
}

/// Blocks in order, each until it ends; one that uses up its turn waits for the others and goes on after them.
fn run(job: &Job<'_>, options: &Options, heap: Option<&mut Heap>) -> Result<Finished, LaunchError> {
    let mut library = Library { printed: Printed::new(options.printf_bytes), heap };
    let mut resident: VecDeque<scalar::Block<'_>> = VecDeque::new();
    let blocks = grid::volume(job.grid);
    let mut next = 0;
    while next < blocks || !resident.is_empty() {
        let starts = next < blocks && resident.len() < RESIDENT_BLOCKS_MAX;
        let mut block = if starts {
            let index = grid::coordinates(next, job.grid);
            next += 1;
            scalar::Block::new(job, index).ok_or_else(no_host_memory)?
        } else {
            let Some(block) = resident.pop_front() else { break };
            block
        };
        match block.run(TURN_BACK_EDGES, &mut library) {
            Ok(Progress::Finished) => {}
            Ok(Progress::Unfinished) => resident.push_back(block),
            Err(halt) => return Err(ended_by(halt, job)),
        }
    }
    Ok(Finished { printed: library.printed.into_text() })
}

fn ended_by(halt: Halt, job: &Job<'_>) -> LaunchError {
    match halt {
        Halt::Fault(fault) => LaunchError::Fault(fault),
        Halt::Stopped => LaunchError::Stopped,
        Halt::OutOfFuel => LaunchError::OutOfFuel { fuel: job.fuel.unwrap_or(0) },
    }
}
