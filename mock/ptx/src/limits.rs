//! Every bound of the front end. What goes past one is refused with the bound in the message.

/// Bytes of one PTX text.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// Bytes of one identifier; mangled template names are long.
pub const IDENTIFIER_BYTES_MAX: usize = 16 << 10;

/// Depth of nested scopes, initialisers and constant expressions.
pub const NESTING_MAX: usize = 64;

/// Operands of one instruction, those inside of lists too.
pub const OPERANDS_MAX: usize = 4096;

/// Parameters of one kernel or function.
pub const PARAMETERS_MAX: usize = 4096;

/// Bytes of a kernel's parameter block before PTX 8.1 or sm_70.
pub const PARAMETER_BYTES_MAX: u32 = 4096;

/// Bytes of a kernel's parameter block from PTX 8.1 and sm_70 on.
pub const LARGE_PARAMETER_BYTES_MAX: u32 = 32_764;

/// Bytes a device function's parameters and results take together.
pub const FUNCTION_PARAMETER_BYTES_MAX: u32 = 32_764;

/// Instructions of one kernel, inlined calls counted as often as they are inlined.
pub const KERNEL_INSTRUCTIONS_MAX: usize = 1 << 18;

/// Instructions of all kernels of a module, counted alike.
pub const MODULE_INSTRUCTIONS_MAX: usize = 1 << 21;

/// Steps of the search for shared variables that kernels may touch, for all kernels together.
pub const SHARED_SEARCH_STEPS_MAX: usize = 1 << 24;

/// From here on functions are called instead of inlined.
pub const INLINED_INSTRUCTIONS_MAX: usize = 1 << 15;

/// Functions below this are inlined even in kernels past [`INLINED_INSTRUCTIONS_MAX`].
pub const SMALL_FUNCTION_INSTRUCTIONS: usize = 64;

/// Depth of calls that are inlined into each other.
pub const INLINE_DEPTH_MAX: usize = 32;

/// Registers that one kernel uses, before they are allocated.
pub const REGISTERS_MAX: usize = 1 << 20;

/// Words of the liveness tables of one function: blocks times registers that live across blocks, over 64.
pub const LIVENESS_WORDS_MAX: usize = 1 << 24;

/// Bytes of one variable, and of all global variables of a module.
pub const GLOBAL_BYTES_MAX: u64 = 1 << 32;

/// Bytes of initialised data in a module.
pub const IMAGE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of constant variables of a module (64 KiB is what hardware has for each of its ten banks).
pub const CONSTANT_BYTES_MAX: u64 = 640 << 10;

/// Bytes of a kernel's static shared memory.
pub const STATIC_SHARED_BYTES_MAX: u32 = 48 << 10;

/// Bytes of local memory in one frame.
pub const FRAME_BYTES_MAX: u64 = 512 << 10;

/// The largest alignment a variable may ask for.
pub const ALIGN_MAX: u32 = 1 << 16;

/// Alignment of every argument and result of a called function in memory.
pub const ARGUMENT_ALIGN: u32 = 16;

const _: () = {
    assert!(TEXT_BYTES_MAX < u32::MAX as usize, "places in the text are 32 bits");
    assert!(REGISTERS_MAX < crate::ir::Reg::INDEX_LIMIT as usize, "a register's index must fit");
    assert!(PARAMETER_BYTES_MAX < LARGE_PARAMETER_BYTES_MAX);
    assert!(INLINED_INSTRUCTIONS_MAX < KERNEL_INSTRUCTIONS_MAX);
    assert!(KERNEL_INSTRUCTIONS_MAX < MODULE_INSTRUCTIONS_MAX);
    assert!(ALIGN_MAX.is_power_of_two() && ARGUMENT_ALIGN.is_power_of_two());
    assert!(FRAME_BYTES_MAX < 1 << 30, "offsets within a variable of the frame are 31 bits");
};
