//! What two real compilers make of the project's own kernels.

mod fixtures_folder;

use fixtures_folder::fixtures;

/// A kernel of a source: parameter bytes, static shared bytes, frame bytes by clang and by NVRTC, functions that are really called.
type Row = (&'static str, &'static str, u32, u32, [u32; 2], usize);

const KERNELS: [Row; 22] = [
    ("blackscholes", "blackscholes", 52, 0, [0, 0], 0),
    ("blackscholes", "blackscholes_fast", 44, 0, [0, 0], 0),
    ("blackscholes", "math_f64", 20, 0, [80, 80], 0),
    ("blackscholes", "math_f32", 20, 0, [32, 32], 0),
    ("calls", "calls", 20, 0, [48, 48], 3),
    ("constmem", "conv3", 24, 0, [0, 0], 0),
    ("histogram", "histogram", 20, 1024, [0, 0], 0),
    ("histogram", "atomics_mix", 40, 0, [0, 0], 0),
    ("mandelbrot", "mandelbrot", 36, 0, [0, 0], 0),
    ("matmul_f32", "matmul_tiled", 36, 2048, [0, 0], 0),
    ("matmul_f32", "matmul_naive", 36, 0, [0, 0], 0),
    ("nbody", "nbody", 20, 0, [0, 0], 0),
    ("printf", "hello", 16, 0, [32, 32], 0),
    ("printf", "asserts", 12, 0, [0, 0], 0),
    ("reduce", "reduce_sum", 20, 128, [0, 0], 0),
    ("reduce", "reduce_tree", 20, 1024, [0, 0], 0),
    ("saxpy", "saxpy", 24, 0, [0, 0], 0),
    ("stencil", "stencil1d", 20, 1048, [0, 0], 0),
    ("stencil", "jacobi2d", 24, 0, [0, 0], 0),
    ("structparam", "structparam", 60, 0, [0, 64], 0),
    ("transpose", "transpose", 24, 4224, [0, 0], 0),
    ("vadd", "vadd", 28, 0, [0, 0], 0),
];

/// Proves PTX-4.
#[test]
fn every_kernel_of_both_compilers_lowers_to_what_its_source_says() {
    let mut kernels = 0;
    for (name, text) in fixtures() {
        let module = mock_ptx::compile(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (source, compiler) = name.split_once('.').unwrap_or_default();
        for kernel in &module.kernels {
            kernel.check().unwrap_or_else(|broken| panic!("{name}, {}: {broken}", kernel.name));
            let (.., parameter_bytes, shared_bytes, frame_bytes, functions) = KERNELS
                .into_iter()
                .find(|row| (row.0, row.1) == (source, kernel.name.as_str()))
                .unwrap_or_else(|| panic!("{name}: no row for {}", kernel.name));
            let frame_bytes = frame_bytes[usize::from(compiler.starts_with("nvrtc"))];
            assert_eq!(kernel.parameter_bytes, parameter_bytes, "{name}, {}", kernel.name);
            assert_eq!(kernel.shared.static_bytes, shared_bytes, "{name}, {}", kernel.name);
            assert_eq!(kernel.frame_bytes, frame_bytes, "{name}, {}", kernel.name);
            assert_eq!(kernel.functions.len(), functions, "{name}, {}", kernel.name);
            kernels += 1;
        }
    }
    assert_eq!(kernels, 2 * KERNELS.len());
}

/// Proves PTX-5.
#[test]
fn signatures_say_the_same_as_the_programs() {
    for (name, text) in fixtures() {
        let module = mock_ptx::compile(&text).expect(&name);
        let signatures = mock_ptx::signatures(&text).expect(&name);
        assert_eq!(signatures.len(), module.kernels.len(), "{name}");
        for (signature, kernel) in signatures.iter().zip(&module.kernels) {
            assert_eq!(signature.name, kernel.name);
            assert_eq!(signature.parameters, kernel.parameters);
            assert_eq!(signature.parameter_bytes, kernel.parameter_bytes);
            assert_eq!(signature.static_shared_bytes, kernel.shared.static_bytes);
            assert_eq!(signature.bounds, kernel.bounds);
        }
    }
}

/// Proves PTX-6.
#[test]
fn every_operation_says_which_line_it_comes_from() {
    for (name, text) in fixtures() {
        let lines: Vec<&str> = text.lines().collect();
        for kernel in &mock_ptx::compile(&text).expect(&name).kernels {
            for instruction in kernel.blocks.iter().flat_map(|block| &block.instructions) {
                let line = lines.get(instruction.line as usize - 1).copied().unwrap_or_default();
                assert!(
                    line.contains([';', '(', '{', ':', '}', ',']),
                    "{name}: {line}: {instruction:?}"
                );
            }
        }
    }
}

/// Proves PTX-7.
#[test]
fn the_same_text_gives_the_same_program() {
    for (name, text) in fixtures() {
        let first = mock_ptx::compile(&text).expect(&name);
        let second = mock_ptx::compile(&text).expect(&name);
        assert!(first == second, "{name}");
    }
}
