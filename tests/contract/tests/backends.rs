//! The contract over every backend that runs without hardware.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bridge_host_cuda::CudaBackend;
use mock::{
    machines::workstation,
    scripted::ScriptedBackend,
    soft::{SoftBackend, SoftConfig},
};
use tests_contract::{Subject, assert_kept};
use tests_fake_driver::{Device, Machine, Script, is_here};

fn one_kernel(name: &str) -> String {
    format!(".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry {name}() {{ ret; }}\n")
}

/// Proves GPU-1.
#[test]
fn scripted_devices_keep_the_contract() {
    let machine = workstation();
    let uuid = machine.gpus[0].uuid.clone();
    let mut backend = ScriptedBackend::new(machine);
    let mut subject = Subject::computing(&mut backend, &uuid);
    subject.computes = false;
    subject.endless = (one_kernel("mock_waits"), "mock_waits");
    subject.faulty = (one_kernel("mock_fault"), "mock_fault");
    assert_kept(&mut subject);
}

/// Proves GPU-1.
#[test]
fn the_software_gpu_keeps_the_contract() {
    let mut backend = SoftBackend::new(SoftConfig::default());
    assert_kept(&mut Subject::computing(&mut backend, "GPU-soft-0"));
}

fn cuda_keeps_the_contract() {
    let mut backend = CudaBackend::new().unwrap();
    let uuid = Device::fake(0).uuid;
    let mut subject = Subject::computing(&mut backend, &uuid);
    subject.fault_is_final = true;
    assert_kept(&mut subject);
}

/// Proves GPU-1.
#[test]
fn cuda_keeps_the_contract_through_the_fake_driver() {
    if is_here() {
        return cuda_keeps_the_contract();
    }
    let machine = Machine::new(&Script::default());
    machine.run_test("cuda_keeps_the_contract_through_the_fake_driver");
}

/// Proves GPU-1.
#[test]
fn cuda_keeps_the_contract_with_a_driver_that_has_no_pools_and_pins_nothing() {
    if is_here() {
        return cuda_keeps_the_contract();
    }
    use tests_fake_driver::Library::Cuda;
    let machine = Machine::new(&Script { cuda: 12_010, ..Script::default() })
        .without(Cuda, "cuMemPoolCreate")
        .without(Cuda, "cuMemHostRegister_v2");
    machine.run_test("cuda_keeps_the_contract_with_a_driver_that_has_no_pools_and_pins_nothing");
}
