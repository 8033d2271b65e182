//! Whether a launch is allowed: its extents, its shared and local memory, its parameters.

use mock_ptx::ir::{Kernel, RegClass, Terminator};

use super::{Launch, LaunchError, grid};
use crate::limits::{
    BLOCK_LOCAL_BYTES_MAX, BLOCK_MAX, BLOCK_REGISTER_BYTES_MAX, BLOCK_THREADS_MAX,
    COOPERATIVE_BLOCKS_MAX, COOPERATIVE_BYTES_MAX, GRID_MAX, LIVENESS_WORDS_MAX, LOCAL_BYTES_MAX,
    SHARED_BYTES_MAX, STACK_BYTES, WARP_LANES,
};

/// What a launch of a kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Shared memory of a block.
    pub(super) shared_bytes: u32,
    /// Local memory of a lane, stack included.
    pub(super) local_bytes: u64,
    /// All that a block takes: registers, shared and local memory.
    pub(super) block_bytes: u64,
}

/// Checks everything that is known before the first block runs.
pub(super) fn check(kernel: &Kernel, launch: &Launch<'_>) -> Result<Sizes, LaunchError> {
    extents(launch)?;
    bounds(kernel, launch)?;
    let wanted = kernel.parameter_bytes as usize;
    if launch.parameters.len() != wanted {
        return Err(invalid(format!(
            "{} takes {wanted} bytes of parameters, got {}",
            kernel.name,
            launch.parameters.len()
        )));
    }
    tables(kernel)?;
    let shared_bytes = shared(kernel, launch)?;
    let local_bytes = local(kernel, launch)?;
    let block_bytes =
        registers(kernel, launch)? + u64::from(shared_bytes) + local_bytes * lanes(launch);
    Ok(Sizes { shared_bytes, local_bytes, block_bytes })
}

/// Whether a grid whose blocks wait for each other can be there at once.
pub(super) fn check_cooperative(
    kernel: &Kernel,
    launch: &Launch<'_>,
    sizes: Sizes,
) -> Result<(), LaunchError> {
    let blocks = grid::volume(launch.grid);
    let bytes = sizes.block_bytes;
    let (what, most) = match blocks {
        0..=COOPERATIVE_BLOCKS_MAX if blocks * bytes <= COOPERATIVE_BYTES_MAX => return Ok(()),
        0..=COOPERATIVE_BLOCKS_MAX => {
            (format!("{blocks} blocks of {bytes} bytes"), format!("{COOPERATIVE_BYTES_MAX} bytes"))
        }
        _ => (format!("{blocks} blocks"), COOPERATIVE_BLOCKS_MAX.to_string()),
    };
    let name = &kernel.name;
    Err(invalid(format!(
        "{name} synchronises its grid, whose blocks must all be there at once: {what}, at most {most}"
    )))
}

/// Lanes of a block, in whole warps.
const fn lanes(launch: &Launch<'_>) -> u64 {
    grid::volume(launch.block).next_multiple_of(WARP_LANES as u64)
}

fn invalid(text: String) -> LaunchError {
    LaunchError::Invalid(text)
}

fn extents(launch: &Launch<'_>) -> Result<(), LaunchError> {
    for (what, extent, most) in
        [("grid", launch.grid, GRID_MAX), ("block", launch.block, BLOCK_MAX)]
    {
        for ((axis, n), most) in ["x", "y", "z"].iter().zip(extent).zip(most) {
            if n == 0 || n > most {
                return Err(invalid(format!("{what} {axis} is {n}, wanted 1 to {most}")));
            }
        }
    }
    let threads = grid::volume(launch.block);
    if threads > u64::from(BLOCK_THREADS_MAX) {
        return Err(invalid(format!("block of {threads} threads, at most {BLOCK_THREADS_MAX}")));
    }
    Ok(())
}

fn bounds(kernel: &Kernel, launch: &Launch<'_>) -> Result<(), LaunchError> {
    let Kernel { name, bounds, .. } = kernel;
    let threads = grid::volume(launch.block);
    if let Some(most) = bounds.block_threads_max
        && threads > u64::from(most)
    {
        return Err(invalid(format!(
            "block of {threads} threads, and {name} was compiled for at most {most}"
        )));
    }
    if let Some(wanted) = bounds.block_required
        && wanted != launch.block
    {
        let seen = launch.block;
        return Err(invalid(format!("block is {seen:?}, and {name} accepts only {wanted:?}")));
    }
    Ok(())
}

fn shared(kernel: &Kernel, launch: &Launch<'_>) -> Result<u32, LaunchError> {
    let layout = kernel.shared;
    let bytes = if launch.shared_bytes == 0 {
        Some(layout.static_bytes)
    } else {
        layout.dynamic_offset.checked_add(launch.shared_bytes)
    };
    bytes.filter(|bytes| *bytes <= SHARED_BYTES_MAX).ok_or_else(|| {
        invalid(format!(
            "{} takes {} bytes of shared memory and the launch adds {}, a block has {SHARED_BYTES_MAX}",
            kernel.name, layout.static_bytes, launch.shared_bytes
        ))
    })
}

fn local(kernel: &Kernel, launch: &Launch<'_>) -> Result<u64, LaunchError> {
    let calls = |terminator: &Terminator| {
        matches!(terminator, Terminator::Call { .. } | Terminator::CallIndirect { .. })
    };
    let stack =
        if kernel.blocks.iter().any(|block| calls(&block.terminator)) { STACK_BYTES } else { 0 };
    let bytes = u64::from(kernel.frame_bytes) + stack;
    if bytes > LOCAL_BYTES_MAX {
        return Err(invalid(format!(
            "{} takes {bytes} bytes of local memory, a thread has {LOCAL_BYTES_MAX}",
            kernel.name
        )));
    }
    let lanes = lanes(launch);
    if bytes * lanes > BLOCK_LOCAL_BYTES_MAX {
        return Err(invalid(format!(
            "{lanes} threads of {bytes} bytes of local memory each, a block has {BLOCK_LOCAL_BYTES_MAX}; \
             launch smaller blocks"
        )));
    }
    Ok(bytes)
}

/// A text of megabytes can keep so many registers alive that tables about them would fill the host's memory.
fn tables(kernel: &Kernel) -> Result<(), LaunchError> {
    let registers: u32 = RegClass::ALL.iter().map(|class| kernel.registers.of(*class)).sum();
    let places: usize = kernel.blocks.iter().map(|block| block.instructions.len() + 1).sum();
    if u64::from(registers.div_ceil(u64::BITS)) * places as u64 <= LIVENESS_WORDS_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "{} has {registers} registers at each of {places} instructions, at most {} together; make several kernels of it",
        kernel.name,
        LIVENESS_WORDS_MAX * u64::from(u64::BITS)
    )))
}

/// What the registers of a block take.
fn registers(kernel: &Kernel, launch: &Launch<'_>) -> Result<u64, LaunchError> {
    let of = |class: RegClass| u64::from(kernel.registers.of(class));
    let lanes = lanes(launch);
    let bytes = (of(RegClass::B16) * 2 + of(RegClass::B32) * 4 + of(RegClass::B64) * 8) * lanes
        + of(RegClass::Predicate) * u64::from(BLOCK_THREADS_MAX) / 8;
    if bytes <= BLOCK_REGISTER_BYTES_MAX {
        return Ok(bytes);
    }
    Err(invalid(format!(
        "{lanes} threads of {} take {bytes} bytes of registers, a block has {BLOCK_REGISTER_BYTES_MAX}; launch smaller blocks",
        kernel.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mock_ptx::ir::{LaunchBounds, RegisterCounts, SharedLayout};

    fn kernel() -> Kernel {
        Kernel {
            name: "k".into(),
            line: 1,
            parameters: Vec::new(),
            parameter_bytes: 4,
            shared: SharedLayout { static_bytes: 100, align: 16, dynamic_offset: 112 },
            frame_bytes: 16,
            frame_bytes_max: 16,
            functions: Vec::new(),
            bounds: LaunchBounds::default(),
            registers: RegisterCounts::default(),
            blocks: Vec::new(),
        }
    }

    const LAUNCH: Launch<'_> = Launch {
        kernel: "k",
        grid: [1, 1, 1],
        block: [32, 1, 1],
        shared_bytes: 0,
        parameters: &[0; 4],
    };

    fn refusal(kernel: &Kernel, launch: Launch<'_>) -> String {
        check(kernel, &launch).expect_err("refused").to_string()
    }

    #[test]
    fn sizes_are_static_dynamic_and_stack_together() {
        let sizes = check(&kernel(), &LAUNCH).expect("allowed");
        let block_bytes = 100 + 32 * 16;
        assert_eq!(sizes, Sizes { shared_bytes: 100, local_bytes: 16, block_bytes });
        let sizes = check(&kernel(), &Launch { shared_bytes: 8, ..LAUNCH }).expect("allowed");
        assert_eq!(sizes.shared_bytes, 120);
    }

    /// Proves SOFT-3.
    #[test]
    fn what_is_not_allowed_is_named_with_its_bound() {
        let k = kernel();
        for (launch, text) in [
            (Launch { grid: [1, 0, 1], ..LAUNCH }, "grid y is 0, wanted 1 to 65535"),
            (
                Launch { grid: [1 << 31, 1, 1], ..LAUNCH },
                "grid x is 2147483648, wanted 1 to 2147483647",
            ),
            (Launch { block: [1, 1, 65], ..LAUNCH }, "block z is 65, wanted 1 to 64"),
            (Launch { block: [1024, 2, 1], ..LAUNCH }, "block of 2048 threads, at most 1024"),
            (Launch { parameters: &[0; 3], ..LAUNCH }, "k takes 4 bytes of parameters, got 3"),
            (
                Launch { shared_bytes: 166_912, ..LAUNCH },
                "k takes 100 bytes of shared memory and the launch adds 166912, a block has 166912",
            ),
        ] {
            assert_eq!(refusal(&k, launch), text);
        }
        let bounds = LaunchBounds { block_threads_max: Some(16), block_required: None };
        let seen = refusal(&Kernel { bounds, ..kernel() }, LAUNCH);
        assert_eq!(seen, "block of 32 threads, and k was compiled for at most 16");
        let bounds = LaunchBounds { block_threads_max: None, block_required: Some([8, 8, 1]) };
        let seen = refusal(&Kernel { bounds, ..kernel() }, LAUNCH);
        assert_eq!(seen, "block is [32, 1, 1], and k accepts only [8, 8, 1]");
        let seen = refusal(&Kernel { frame_bytes: u32::MAX, ..kernel() }, LAUNCH);
        assert_eq!(seen, "k takes 4294967295 bytes of local memory, a thread has 524288");
        let registers = RegisterCounts { b64: 9000, predicates: 8, ..RegisterCounts::default() };
        let seen =
            refusal(&Kernel { registers, ..kernel() }, Launch { block: [1000, 1, 1], ..LAUNCH });
        assert_eq!(
            seen,
            "1024 threads of k take 73729024 bytes of registers, a block has 67108864; launch smaller blocks"
        );
        let fat = Kernel { frame_bytes: 400_000, ..kernel() };
        let seen = refusal(&fat, Launch { block: [1024, 1, 1], ..LAUNCH });
        assert!(seen.starts_with("1024 threads of 400000 bytes of local memory each"));
    }
}
