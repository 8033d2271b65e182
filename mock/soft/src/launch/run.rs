//! From what is asked to what comes of it.

use mock_ptx::ir::{Intrinsic, Kernel, Op, SpecialRegister};

use super::check;
use super::crew::Crew;
use super::job::Job;
use super::library::Library;
use super::{Atomics, Launch, LaunchError, Options};
use crate::limits::{GRID_WORKSPACE_BYTES, HEAP_BYTES};
use crate::memory::{DeviceMemory, MemoryError};
use crate::program::Program;
use crate::raw::Region;

/// What a launch leaves beside its buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it printed, also where it did not end well.
    pub printed: String,
    /// How it ended.
    pub ended: Result<(), LaunchError>,
}

/// Runs one kernel of a program to its end, or to where it breaks a rule, runs out of fuel, or `stop` answers true.
#[must_use]
pub fn launch(
    program: &Program,
    memory: &mut DeviceMemory,
    launch: &Launch<'_>,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Outcome {
    let mut printed = String::new();
    let ended = run(program, memory, launch, options, stop, &mut printed);
    Outcome { printed, ended }
}

fn run(
    program: &Program,
    memory: &mut DeviceMemory,
    launch: &Launch<'_>,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
    printed: &mut String,
) -> Result<(), LaunchError> {
    let (kernel, code) =
        program.entry(launch.kernel).ok_or_else(|| LaunchError::UnknownKernel {
            name: launch.kernel.to_owned(),
            known: program.kernels().iter().map(|kernel| kernel.name.clone()).collect(),
        })?;
    let sizes = check::check(kernel, launch)?;
    let parameters = parameters(launch.parameters)?;
    if uses(kernel, is_malloc) {
        memory.open_heap(HEAP_BYTES)?;
    }
    let cooperative = uses(kernel, is_cooperative);
    if cooperative {
        check::check_cooperative(kernel, launch)?;
    }
    let workspace = match cooperative {
        true => Some(memory.allocate(GRID_WORKSPACE_BYTES)?),
        false => None,
    };
    let library = Library::new(options.printf_bytes, memory.take_heap());
    let ended = {
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
            in_order: options.atomics == Atomics::InOrder || uses(kernel, is_malloc),
            grid_workspace: workspace,
        };
        Crew::new(&job, code, options, &library).run()
    };
    let (text, heap) = library.into_parts();
    *printed = text;
    memory.put_heap(heap);
    if let Some(workspace) = workspace {
        memory.free(workspace)?;
    }
    ended
}

fn uses(kernel: &Kernel, wanted: fn(&Op) -> bool) -> bool {
    let mut ops = kernel.blocks.iter().flat_map(|block| &block.instructions);
    ops.any(|instruction| wanted(&instruction.op))
}

fn is_malloc(op: &Op) -> bool {
    matches!(op, Op::Intrinsic(intrinsic) if matches!(**intrinsic, Intrinsic::Allocate { .. }))
}

/// Only the grid's own barrier reads these registers.
const fn is_cooperative(op: &Op) -> bool {
    matches!(op, Op::ReadSpecial { register: SpecialRegister::Environment(_), .. })
}

fn parameters(bytes: &[u8]) -> Result<Region, LaunchError> {
    let region =
        Region::zeroed(bytes.len() as u64).ok_or(LaunchError::Memory(MemoryError::NoRoomToRun))?;
    region.store_row(0, bytes);
    Ok(region)
}
