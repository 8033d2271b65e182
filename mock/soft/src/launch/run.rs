//! From what is asked to what comes of it.

use mock_ptx::ir::{Intrinsic, Kernel, Op, SpecialRegister};

use super::check;
use super::crew::Crew;
use super::job::Job;
use super::library::Library;
use super::{Atomics, Launch, LaunchError, Options};
use crate::limits::{GRID_WORKSPACE_BYTES, HEAP_BYTES};
use crate::memory::{DeviceMemory, Heap, MemoryError};
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
    let entry = program.entry(launch.kernel).ok_or_else(|| LaunchError::UnknownKernel {
        name: launch.kernel.to_owned(),
        known: program.kernels().iter().map(|kernel| kernel.name.clone()).collect(),
    })?;
    let (kernel, _) = entry;
    let sizes = check::check(kernel, launch)?;
    let code = program.code(entry);
    let parameters = parameters(launch.parameters)?;
    let cooperative = uses(kernel, is_cooperative);
    if cooperative {
        check::check_cooperative(kernel, launch, sizes)?;
    }
    let mut extras = Extras::default();
    let ended = extras.place(memory, (uses(kernel, is_malloc), cooperative)).map_or_else(
        |error| Err(error.into()),
        |()| {
            let heap = extras.heap.map_or_else(Heap::default, |start| Heap::new(start, HEAP_BYTES));
            let library = Library::new(options.printf_bytes, heap);
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
                block_bytes: sizes.block_bytes,
                fuel: options.fuel,
                stop,
                in_order: options.atomics == Atomics::InOrder || extras.heap.is_some(),
                grid_workspace: extras.workspace,
            };
            let failed = Crew::new(&job, code, options, &library).run().err();
            *printed = library.into_text(failed.as_ref().map_or(u64::MAX, |failed| failed.unit));
            failed.map_or(Ok(()), |failed| Err(failed.error))
        },
    );
    extras.give_back(memory)?;
    ended
}

/// What a launch allocates for itself, and gives back at its end: the next one finds memory as this one did.
#[derive(Debug, Default)]
struct Extras {
    heap: Option<u64>,
    workspace: Option<u64>,
}

impl Extras {
    fn place(
        &mut self,
        memory: &mut DeviceMemory,
        (heap, workspace): (bool, bool),
    ) -> Result<(), MemoryError> {
        let mut place =
            |wanted: bool, bytes| wanted.then(|| memory.allocate_for_launch(bytes)).transpose();
        self.heap = place(heap, HEAP_BYTES)?;
        self.workspace = place(workspace, GRID_WORKSPACE_BYTES)?;
        Ok(())
    }

    fn give_back(self, memory: &mut DeviceMemory) -> Result<(), MemoryError> {
        [self.workspace, self.heap].into_iter().flatten().try_for_each(|start| memory.free(start))
    }
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
