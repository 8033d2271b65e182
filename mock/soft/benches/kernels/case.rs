//! One benchmark: launches on the software GPU, and the same work as a plain loop of Rust.

use std::time::Duration;

use mock_soft::{Engine, Level, Options};
use rustix::time::{ClockId, clock_gettime};

use crate::device::{Device, Parameters, Value, fixture};

/// A launch with its parameters.
pub(crate) struct Call {
    pub(crate) kernel: &'static str,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: u32,
    pub(crate) parameters: Parameters,
}

/// The loop of Rust that does what a kernel does.
pub(crate) trait Twin {
    /// Once, from the same input each time.
    fn run(&mut self);
    /// What it has come to.
    fn result(&self) -> Vec<f64>;
}

/// A [`Twin`] made of its data and two functions on them.
pub(crate) struct Native<S, R> {
    pub(crate) state: S,
    pub(crate) run: fn(&mut S),
    pub(crate) result: fn(&S) -> &[R],
}

impl<S, R: Number> Twin for Native<S, R> {
    fn run(&mut self) {
        (self.run)(std::hint::black_box(&mut self.state));
    }

    fn result(&self) -> Vec<f64> {
        (self.result)(&self.state).iter().map(|value| value.number()).collect()
    }
}

/// A number that results are compared as.
pub(crate) trait Number: Value {
    fn number(self) -> f64;
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Number for $type {
            fn number(self) -> f64 {
                self.into()
            }
        }
    )*};
}
number!(u8 i32 u32 f32 f64);

/// Reads results back as numbers.
type Seen = Box<dyn Fn(&Device) -> Vec<f64>>;

/// Both sides of one benchmark.
pub(crate) struct Case {
    pub(crate) device: Device,
    pub(crate) calls: Vec<Call>,
    /// Written before each run, and not timed: the input of kernels that work in place.
    pub(crate) refresh: Vec<(u64, Vec<u8>)>,
    /// Reads what the launches have left.
    pub(crate) seen: Seen,
    pub(crate) twin: Box<dyn Twin>,
    /// How far the two may lie apart, of the larger of 1 and the number itself.
    pub(crate) tolerance: f64,
    /// What is done once, and its unit: for a rate beside the times.
    pub(crate) work: (f64, &'static str),
}

/// The CPU time of this thread so far: what others run does not count.
pub(crate) fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

impl Case {
    /// Puts back what the kernels overwrite.
    pub(crate) fn prepare(&mut self) {
        for (address, bytes) in &self.refresh {
            self.device.memory.write(*address, bytes).expect("allocated");
        }
    }

    /// All launches, one after the other.
    pub(crate) fn soft(&mut self) {
        for call in &self.calls {
            let Call { kernel, grid, block, shared_bytes, parameters } = call;
            self.device.run3(kernel, *grid, *block, *shared_bytes, parameters.clone());
        }
    }

    /// Runs both sides once; where their results differ.
    pub(crate) fn difference(&mut self) -> Option<String> {
        self.prepare();
        self.soft();
        self.twin.run();
        let (seen, wanted) = ((self.seen)(&self.device), self.twin.result());
        if seen.len() != wanted.len() {
            return Some(format!("{} results, and the twin has {}", seen.len(), wanted.len()));
        }
        let far = |(_, (seen, wanted)): &(usize, (&f64, &f64))| {
            (*seen - *wanted).abs() > self.tolerance * wanted.abs().max(1.0)
        };
        let (place, (seen, wanted)) = seen.iter().zip(&wanted).enumerate().find(far)?;
        Some(format!("result {place} is {seen}, and the twin's is {wanted}"))
    }
}

/// A device with a module: a fixture of the front end, or one of `benches/ptx`.
pub(crate) fn load(name: &str, options: Options) -> Device {
    let path = format!("{}/benches/ptx/{name}.ptx", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| {
        let [(_, text), _] = fixture(name);
        text
    });
    Device::load(&text).with(options)
}

/// Instructions of a level, the lanes of a unit, and threads.
pub(crate) fn options(level: Option<Level>, unit_lanes: u32, workers: usize) -> Options {
    Options { engine: Engine::Vector(level), workers, unit_lanes, ..Options::default() }
}

/// No parameters yet.
pub(crate) fn none() -> Parameters {
    Parameters::default()
}

/// Reads numbers at an address.
pub(crate) fn numbers<V: Number>(address: u64, count: usize) -> Seen {
    Box::new(move |device| {
        device.read::<V>(address, count).into_iter().map(Number::number).collect()
    })
}

/// The bytes of values, as they lie in memory.
pub(crate) fn bytes<V: Value>(values: &[V]) -> Vec<u8> {
    values.iter().flat_map(|value| value.bytes()).collect()
}
