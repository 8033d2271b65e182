//! What NVML does not tell about an architecture and NVIDIA's programming guide does, by compute capability.

use bridge_host_gpu::ComputeCapability;

/// CUDA cores of one streaming multiprocessor; `None` for an architecture newer than this table.
pub(crate) const fn cores_per_sm(capability: ComputeCapability) -> Option<u32> {
    Some(match (capability.major, capability.minor) {
        (3, _) => 192,
        (6, 0) | (7, _) | (8, 0) => 64,
        (5 | 6 | 8 | 9 | 10 | 11 | 12, _) => 128,
        _ => return None,
    })
}

/// Shared memory that one block may opt in to, bytes. What every GPU has, where the architecture is not known.
pub(crate) const fn shared_bytes_max(capability: ComputeCapability) -> u32 {
    1024 * match (capability.major, capability.minor) {
        (7, 0 | 2) => 96,
        (7, _) => 64,
        (8, 0 | 7) => 163,
        (8, _) | (12, _) => 99,
        (9..=11, _) => 227,
        _ => 48,
    }
}

/// Kernels that run at the same time on one GPU.
pub(crate) const fn streams_max(capability: ComputeCapability) -> u16 {
    match capability.major {
        0..=6 => 32,
        _ => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_h200_has_132_multiprocessors_of_128_cores() {
        let hopper = ComputeCapability { major: 9, minor: 0 };
        assert_eq!(cores_per_sm(hopper).map(|cores| 16_896 / cores), Some(132));
        assert_eq!(shared_bytes_max(hopper), 232_448);
    }

    #[test]
    fn an_architecture_of_the_future_gets_what_every_gpu_has() {
        let future = ComputeCapability { major: 99, minor: 0 };
        assert_eq!((cores_per_sm(future), shared_bytes_max(future)), (None, 49_152));
    }
}
