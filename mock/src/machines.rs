//! Machines as data: inventories that a test, a simulation or `--mock` can start from.
//!
//! Knows no behaviour: what these GPUs do when asked is in [`crate::scripted`]. Every name says that it is a mock.

use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};

/// A computer with GPUs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What it is called in tests and logs.
    pub name: &'static str,
    /// In the order the driver would list them; the first is `GPU-0`.
    pub gpus: Vec<GpuInfo>,
}

/// What the mock's driver says its version is.
pub const DRIVER_VERSION: &str = "mock-1";

/// The machine behind `--mock`: a "Mock 4090" and a "Mock 4060".
#[must_use]
pub fn workstation() -> Machine {
    Machine {
        name: "mock-workstation",
        gpus: vec![
            mock_gpu(Model { index: 0, name: "Mock 4090", memory_mb: 24_576, sm_count: 144 }),
            mock_gpu(Model { index: 1, name: "Mock 4060", memory_mb: 8_192, sm_count: 64 }),
        ],
    }
}

/// A rack of `count` equal GPUs of 80 GiB, for tests of many.
#[must_use]
pub fn rack(count: u8) -> Machine {
    let gpu =
        |index| mock_gpu(Model { index, name: "Mock H100", memory_mb: 81_920, sm_count: 132 });
    Machine { name: "mock-rack", gpus: (0..count).map(gpu).collect() }
}

/// A machine whose driver works and finds nothing.
#[must_use]
pub fn bare() -> Machine {
    Machine { name: "mock-bare", gpus: Vec::new() }
}

/// What differs between mock GPUs.
struct Model {
    index: u8,
    name: &'static str,
    memory_mb: u32,
    sm_count: u32,
}

fn mock_gpu(model: Model) -> GpuInfo {
    let Model { index, name, memory_mb, sm_count } = model;
    GpuInfo {
        uuid: format!("GPU-mock0000-0000-4000-8000-{index:012x}"),
        name: name.to_owned(),
        vendor: "Mock".to_owned(),
        backend: BackendKind::Mock,
        memory_mb,
        memory_reserved_mb: 0,
        sm_count,
        compute_capability: ComputeCapability { major: 8, minor: 9 },
        driver_version: DRIVER_VERSION.to_owned(),
        runtime_version: "12.4".to_owned(),
        pci_bus_id: Some(format!("00000000:{:02x}:00.0", u16::from(index) + 1)),
        streams_max: 16,
        block_threads_max: 1024,
        block_max: [1024, 1024, 64],
        grid_max: [2_147_483_647, 65_535, 65_535],
        shared_bytes_max: 101_376,
        memory_enforcement: MemoryEnforcement::Accounting,
        topology: bridge_host_gpu::Topology::default(),
        mig: None,
        health: Health::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_a_machine_shows_says_mock() {
        for machine in [workstation(), rack(8), bare()] {
            assert!(machine.name.contains("mock"), "{}", machine.name);
            for gpu in machine.gpus {
                assert!(gpu.name.contains("Mock"), "{}", gpu.name);
                assert!(gpu.uuid.contains("mock"), "{}", gpu.uuid);
                assert!(gpu.vendor.contains("Mock") && gpu.driver_version.contains("mock"));
            }
        }
    }

    #[test]
    fn the_gpus_of_one_machine_have_different_identities() {
        let gpus = rack(16).gpus;
        let uuids: std::collections::BTreeSet<_> = gpus.iter().map(|gpu| &gpu.uuid).collect();
        let slots: std::collections::BTreeSet<_> = gpus.iter().map(|gpu| &gpu.pci_bus_id).collect();
        assert_eq!((uuids.len(), slots.len()), (16, 16));
    }
}
