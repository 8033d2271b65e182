//! The kernels of a PTX text in the port's words: what the daemon checks a descriptor against, and what a scripted device says.

use bridge_host_gpu::{Dim3, ErrorKind, GpuError, KernelSignature, ParameterSlot};

/// What a PTX text says of its kernels, in the text's order. Instructions are not looked at.
///
/// # Errors
/// `InvalidModule` or `Unsupported`, with the line.
pub fn signatures(ptx: &str) -> Result<Vec<KernelSignature>, GpuError> {
    let read = mock_ptx::signatures(ptx.strip_suffix('\0').unwrap_or(ptx));
    read.map(|kernels| kernels.into_iter().map(in_the_ports_words).collect())
        .map_err(|error| refused(&error))
}

fn in_the_ports_words(kernel: mock_ptx::KernelSignature) -> KernelSignature {
    let slots = kernel
        .parameters
        .iter()
        .map(|slot| ParameterSlot { offset: slot.offset, bytes: slot.bytes });
    KernelSignature {
        parameters: slots.collect(),
        name: kernel.name,
        static_shared_bytes: kernel.static_shared_bytes,
        block_threads_max: kernel.bounds.block_threads_max,
        block_required: kernel.bounds.block_required.map(|[x, y, z]| Dim3 { x, y, z }),
    }
}

fn refused(error: &mock_ptx::PtxError) -> GpuError {
    let kind = match error.fault {
        mock_ptx::Fault::Unsupported => ErrorKind::Unsupported,
        mock_ptx::Fault::Malformed | mock_ptx::Fault::TooLarge => ErrorKind::InvalidModule,
    };
    GpuError::new(kind, "read module", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_shows_its_parameters_and_its_bounds() {
        let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n\
                   .visible .entry k(.param .u64 p, .param .u32 n, .param .f64 x)\n.reqntid 8, 4, 1\n{ ret; }\n";
        let [kernel] = <[KernelSignature; 1]>::try_from(signatures(ptx).unwrap()).unwrap();
        let slots: Vec<_> =
            kernel.parameters.iter().map(|slot| (slot.offset, slot.bytes)).collect();
        assert_eq!(slots, [(0, 8), (8, 4), (16, 8)]);
        assert_eq!(kernel.block_required, Some(Dim3 { x: 8, y: 4, z: 1 }));
    }

    #[test]
    fn a_text_that_is_no_ptx_is_an_invalid_module() {
        let error = signatures("int main() {}").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidModule);
        assert!(error.to_string().starts_with("read module: "), "{error}");
    }
}
