//! The clauses, each as a sentence and a look.

use bridge_host_gpu::{DeviceLimits, DevicePtr, ErrorKind, ParameterSlot, StopSignal};

use crate::{
    KERNELS, Subject,
    device::{MEMORY_BYTES, Outcome, open, refused, want, well},
};

type Look = fn(&mut Subject<'_>) -> Outcome;

/// In the order in which they are looked at.
pub(crate) const ALL: [(&str, Look); 16] = [
    ("a GPU that is not there cannot be opened", no_gpu),
    ("memory is aligned, zeroed and counted", memory),
    ("memory past the bound is refused with the figures, and the context goes on", bound),
    ("an empty allocation has an address", empty),
    ("only what is allocated is freed, and once", frees),
    ("copies arrive whole, also within an allocation and when large", copies),
    ("copies never leave an allocation", ranges),
    ("a text that is no module is refused with the compiler's words", no_module),
    ("a kernel shows its parameters as they lie", signature),
    ("a kernel that is not there is refused with those that are", no_kernel),
    ("a module is unloaded once, and its kernels are gone", unloading),
    ("a launch computes what the kernel says", vadd),
    ("parameters of mixed sizes arrive at their places", scale),
    ("a launch that cannot be is refused, and the context goes on", bad_launches),
    ("a stop that was raised ends a launch", stopping),
    ("a fault is a fault, and says whether the context is lost", fault),
];

fn no_gpu(subject: &mut Subject<'_>) -> Outcome {
    let limits = DeviceLimits { memory_bytes: 1, streams: 1, printf_bytes: 0 };
    let opened = subject.backend.open("GPU-00000000-dead-beef-0000-000000000000", limits);
    refused("opening it", opened.map(|_| ()), &[ErrorKind::NoGpu]).map(|_| ())
}

fn memory(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    want(device.memory_used() == 0, || "a fresh context uses memory".to_owned())?;
    // What was there before must not be seen.
    let dirty = device.place(&[0xaa; 4096])?;
    well(device.free(dirty))?;
    let pointer = well(device.alloc(4096))?;
    want(pointer.0 != 0 && pointer.0 % 256 == 0, || format!("it begins at {:#x}", pointer.0))?;
    want(device.fetch(pointer, 4096)? == [0; 4096], || "it is not zeroed".to_owned())?;
    want(device.memory_used() == 4096, || format!("{} bytes are counted", device.memory_used()))?;
    well(device.free(pointer))?;
    want(device.memory_used() == 0, || "freed memory is counted".to_owned())
}

fn bound(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let half = well(device.alloc(MEMORY_BYTES / 2))?;
    let error = refused(
        "one byte too many",
        device.alloc(MEMORY_BYTES / 2 + 1),
        &[ErrorKind::OutOfMemory],
    )?;
    want(!error.sticky, || "the context is lost".to_owned())?;
    let figures = [MEMORY_BYTES / 2 + 1, MEMORY_BYTES];
    want(figures.iter().all(|figure| error.detail.contains(&figure.to_string())), || {
        format!("it does not name {figures:?}: {error}")
    })?;
    let rest = well(device.alloc(MEMORY_BYTES / 2))?;
    well(device.free(half))?;
    well(device.free(rest))
}

fn empty(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let (one, other) = (well(device.alloc(0))?, well(device.alloc(0))?);
    want(one.0 != 0 && one != other, || "it has none of its own".to_owned())?;
    well(device.write(one, &[]))?;
    well(device.free(one))?;
    well(device.free(other))
}

fn frees(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let pointer = well(device.alloc(512))?;
    let kinds = &[ErrorKind::InvalidArgument];
    refused("freeing its middle", device.free(DevicePtr(pointer.0 + 256)), kinds)?;
    well(device.free(pointer))?;
    refused("freeing it twice", device.free(pointer), kinds)?;
    refused("freeing null", device.free(DevicePtr(0)), kinds).map(|_| ())
}

fn copies(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let pattern: Vec<u8> =
        (0..3 << 20).map(|i: u32| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    let pointer = device.place(&pattern)?;
    want(device.fetch(pointer, pattern.len())? == pattern, || {
        "3 MiB came back changed".to_owned()
    })?;
    well(device.write(DevicePtr(pointer.0 + 5), b"hello"))?;
    want(
        device.fetch(DevicePtr(pointer.0 + 4), 7)?
            == [&pattern[4..5], b"hello", &pattern[10..11]].concat(),
        || "a small copy changed its neighbours, or nothing".to_owned(),
    )?;
    well(device.free(pointer))
}

fn ranges(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let pointer = well(device.alloc(1000))?;
    let kinds = &[ErrorKind::InvalidArgument];
    refused("a copy past the end", device.write(DevicePtr(pointer.0 + 999), &[1, 2]), kinds)?;
    refused("a copy from before it", device.read(DevicePtr(pointer.0 - 1), &mut [0; 2]), kinds)?;
    refused("a copy to null", device.write(DevicePtr(0), &[1]), kinds)?;
    refused("a copy to the end of the world", device.write(DevicePtr(u64::MAX), &[1]), kinds)?;
    well(device.free(pointer))?;
    refused("a copy to freed memory", device.write(pointer, &[1]), kinds).map(|_| ())
}

fn no_module(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let error =
        refused("it", device.load_text("int main() { return 0; }"), &[ErrorKind::InvalidModule])?;
    want(!error.sticky && error.detail.len() > 20, || format!("it says only: {error}"))?;
    well(device.load_text(KERNELS)).map(|_| ())
}

fn signature(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    let slots = well(device.kernel(module, "scale"))?.parameters;
    let lies =
        [(0, 1), (8, 8), (16, 4), (24, 8)].map(|(offset, bytes)| ParameterSlot { offset, bytes });
    want(slots == lies, || format!("scale: {slots:?}"))?;
    let none = well(device.kernel(module, "nothing"))?.parameters;
    want(none.is_empty(), || format!("nothing: {none:?}"))
}

fn no_kernel(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    let error = refused("it", device.kernel(module, "vsub"), &[ErrorKind::UnknownKernel])?;
    want(error.detail.contains("vadd") && error.detail.contains("scale"), || error.to_string())
}

fn unloading(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    well(device.unload(module))?;
    let kinds = &[ErrorKind::InvalidArgument];
    refused("unloading it twice", device.unload(module), kinds)?;
    refused("its kernel", device.kernel(module, "vadd"), kinds)?;
    let again = well(device.load_text(KERNELS))?;
    want(again != module, || "its number was given again".to_owned())
}

fn vadd(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    let (a, b): (Vec<f32>, Vec<f32>) =
        (0..1000_u16).map(|i| (f32::from(i), 0.5 * f32::from(i))).unzip();
    let bytes = |floats: &[f32]| -> Vec<u8> {
        floats.iter().flat_map(|float| float.to_le_bytes()).collect()
    };
    let pointers =
        [device.place(&bytes(&a))?, device.place(&bytes(&b))?, device.place(&[0; 4000])?];
    let mut parameters: Vec<u8> =
        pointers.iter().flat_map(|pointer| pointer.0.to_le_bytes()).collect();
    parameters.extend(1000_u32.to_le_bytes());
    well(device.run(module, "vadd", (4, 256), &parameters))?;
    let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let seen = device.fetch(pointers[2], 4000)?;
    let wanted = if subject.computes { bytes(&sums) } else { vec![0; 4000] };
    want(seen == wanted, || "the sums are wrong".to_owned())?;
    pointers.into_iter().try_for_each(|pointer| well(device.free(pointer)))
}

fn scale(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    let values: Vec<f64> = (0..100_u8).map(f64::from).collect();
    let bytes = |floats: &[f64]| -> Vec<u8> {
        floats.iter().flat_map(|float| float.to_le_bytes()).collect()
    };
    let data = device.place(&bytes(&values))?;
    let mut parameters = vec![0; 32];
    parameters[0] = 1;
    parameters[8..16].copy_from_slice(&(-2.5_f64).to_le_bytes());
    parameters[16..20].copy_from_slice(&50_u32.to_le_bytes());
    parameters[24..32].copy_from_slice(&data.0.to_le_bytes());
    well(device.run(module, "scale", (2, 64), &parameters))?;
    let scaled: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(at, value)| if at < 50 { value * -2.5 } else { *value })
        .collect();
    let wanted = if subject.computes { bytes(&scaled) } else { bytes(&values) };
    want(device.fetch(data, 800)? == wanted, || "the values are wrong".to_owned())?;
    well(device.free(data))
}

fn bad_launches(subject: &mut Subject<'_>) -> Outcome {
    if !subject.computes {
        return Ok(()); // what is not run is not looked at
    }
    let mut device = open(subject)?;
    let module = well(device.load_text(KERNELS))?;
    let kinds = &[ErrorKind::InvalidLaunch, ErrorKind::InvalidArgument];
    let few = refused("too few parameters", device.run(module, "vadd", (1, 1), &[0; 12]), kinds)?;
    let wide = refused("a block of 2048", device.run(module, "nothing", (1, 2048), &[]), kinds)?;
    let none = refused("a grid of nothing", device.run(module, "nothing", (0, 32), &[]), kinds)?;
    want(!few.sticky && !wide.sticky && !none.sticky, || "the context is lost".to_owned())?;
    well(device.run(module, "nothing", (1, 1), &[]))?;
    well(device.run(module, "talk", (1, 1), &[]))?;
    let said = device.take_printf();
    want(said == "hi\n", || format!("it printed {said:?}"))?;
    let again = device.take_printf();
    want(again.is_empty(), || format!("it printed {again:?} twice"))
}

fn stopping(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let (text, kernel) = subject.endless.clone();
    let module = well(device.load_text(&text))?;
    let stop = StopSignal::new();
    stop.raise();
    let ended = device.run_until(module, kernel, (1, 1), &[], &stop);
    let error = refused(kernel, ended, &[ErrorKind::Stopped])?;
    want(!error.sticky, || "the context is lost".to_owned())
}

fn fault(subject: &mut Subject<'_>) -> Outcome {
    let mut device = open(subject)?;
    let (text, kernel) = subject.faulty.clone();
    let module = well(device.load_text(&text))?;
    let faulted = device.run(module, kernel, (1, 1), &16_u64.to_le_bytes());
    let error = refused(kernel, faulted, &[ErrorKind::Fault])?;
    if !subject.fault_is_final {
        return Ok(());
    }
    want(error.sticky, || format!("the context is said to be well: {error}"))?;
    match device.alloc(1) {
        Err(error) if error.sticky => Ok(()),
        other => Err(format!("a lost context gives {other:?}")),
    }
}
