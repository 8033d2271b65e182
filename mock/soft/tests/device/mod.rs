//! A device for tests: a module loaded from a fixture, buffers of typed values, launches that must end well.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::panic, reason = "a test that cannot be set up fails here")]

use mock_soft::{DeviceMemory, Launch, LaunchError, Options, Program, launch};

/// The PTX of a fixture, as each of the two compilers wrote it.
pub(crate) fn fixture(name: &str) -> [(&'static str, String); 2] {
    ["nvrtc12", "clang19"].map(|compiler| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ptx/tests/fixtures");
        let path = format!("{folder}/{name}.{compiler}-sm_80.ptx");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        (compiler, text)
    })
}

/// A value that lies in device memory and in parameter blocks.
pub(crate) trait Value: Copy {
    fn bytes(self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! value {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    )*};
}
value!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

/// One module on one device.
pub(crate) struct Device {
    pub(crate) memory: DeviceMemory,
    pub(crate) program: Program,
    pub(crate) options: Options,
}

/// A parameter block, laid out as C does.
#[derive(Default, Clone)]
pub(crate) struct Parameters(pub(crate) Vec<u8>);

impl Parameters {
    pub(crate) fn with<V: Value>(mut self, value: V) -> Self {
        let bytes = value.bytes();
        self.0.resize(self.0.len().next_multiple_of(bytes.len()), 0);
        self.0.extend(bytes);
        self
    }
}

impl Device {
    pub(crate) fn load(ptx: &str) -> Self {
        let module = mock_ptx::compile(ptx).unwrap_or_else(|error| panic!("{error}"));
        let mut memory = DeviceMemory::new(1 << 30);
        let program = Program::load(module, &mut memory).expect("room for its variables");
        Self { memory, program, options: Options::default() }
    }

    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// A buffer of these values.
    pub(crate) fn buffer<V: Value>(&mut self, values: &[V]) -> u64 {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.bytes()).collect();
        let address = self.memory.allocate(bytes.len() as u64).expect("memory");
        self.memory.write(address, &bytes).expect("just allocated");
        address
    }

    pub(crate) fn zeros(&mut self, bytes: usize) -> u64 {
        self.memory.allocate(bytes as u64).expect("memory")
    }

    pub(crate) fn read<V: Value>(&self, address: u64, count: usize) -> Vec<V> {
        let mut bytes = vec![0; count * size_of::<V>()];
        self.memory.read(address, &mut bytes).expect("allocated");
        bytes.chunks(size_of::<V>()).map(V::from_bytes).collect()
    }

    pub(crate) fn try_launch(
        &mut self,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        parameters: &Parameters,
    ) -> Result<String, LaunchError> {
        let asked = Launch { kernel, grid, block, shared_bytes, parameters: &parameters.0 };
        let outcome = launch(&self.program, &mut self.memory, &asked, &self.options, &|| false);
        outcome.ended.map(|()| outcome.printed)
    }

    pub(crate) fn run(
        &mut self,
        kernel: &str,
        grid: u32,
        block: u32,
        parameters: Parameters,
    ) -> String {
        self.run3(kernel, [grid, 1, 1], [block, 1, 1], 0, parameters)
    }

    pub(crate) fn run3(
        &mut self,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        parameters: Parameters,
    ) -> String {
        self.try_launch(kernel, grid, block, shared_bytes, &parameters)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Numbers from a seed, the same everywhere.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// In [-1, 1).
    pub(crate) fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}
