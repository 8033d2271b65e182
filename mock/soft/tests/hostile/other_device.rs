//! What belongs to somebody else: memory of another device, memory that was given back.

use super::MODULE;
use super::device::{Device, Parameters};

/// Proves SOFT-2.
#[test]
fn a_pointer_into_another_device_is_no_pointer_here() {
    let (mut own, mut other) = (Device::load(MODULE), Device::load(MODULE));
    own.buffer(&[1u32; 4]);
    let theirs = [other.buffer(&[1u32; 4]), other.buffer(&[1u32; 4]), other.buffer(&[1u32; 4])];
    // the first one's address is that of a buffer here as well: it is this device's that is written
    let error = theirs.map(|pointer| {
        let parameters = Parameters::default().with(pointer);
        own.try_launch("fine", [1; 3], [32, 1, 1], 0, &parameters)
            .err()
            .map(|error| error.to_string())
    });
    assert_eq!(error[0], None);
    for error in error.iter().skip(1).flatten() {
        assert!(error.contains("past the end of the 16-byte allocation"), "{error}");
    }
    for pointer in theirs {
        assert_eq!(other.read::<u32>(pointer, 4), [1; 4]);
    }
}

/// Proves SOFT-2.
#[test]
fn a_pointer_to_what_was_freed_is_no_pointer_any_more() {
    let mut device = Device::load(MODULE);
    let [freed, kept] = [device.buffer(&[1u32; 4]), device.buffer(&[1u32; 4])];
    device.memory.free(freed).expect("live");
    let error =
        device.try_launch("fine", [1; 3], [32, 1, 1], 0, &Parameters::default().with(freed));
    let error = error.expect_err("freed").to_string();
    assert!(error.contains("write of 4 bytes at 0x700000000000"), "{error}");
    let fresh = device.buffer(&[1u32; 4]);
    assert!(fresh > kept, "while another one lives, the freed address is not given again");
}
