//! What a fake machine is and does, as lines of text: written by a test, read by the libraries at every call.
//!
//! ```text
//! driver 580.159.03              cuda 13000
//! device uuid=GPU-… name=Fake_H200 memory_mb=4096 sms=132 cc=9.0        more keys: see `Device`
//! fail cuMemAlloc_v2 2 2         the second call answers 2;   `fail nvmlDeviceGetName * 999`   every call answers 999
//! gate nvmlDeviceGetPowerUsage 3 the third call waits in `gate-nvmlDeviceGetPowerUsage` until the test lets it go
//! ```

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
};

/// The variable that says where the machine's directory is. Executors inherit what begins with `CUDA_`.
pub const DIRECTORY: &str = "CUDA_FAKE_MACHINE";

/// What a fake machine is and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// As `nvidia-smi` shows it.
    pub driver: String,
    /// As `cuDriverGetVersion` tells it: 13000 is 13.0.
    pub cuda: i32,
    /// In the order of NVML.
    pub devices: Vec<Device>,
    /// Function, which call (0: every), what it answers.
    pub failures: Vec<(String, u32, u32)>,
    /// Function, which call (0: every).
    pub gates: Vec<(String, u32)>,
}

/// One GPU: numbers by name, with what an H200 might say where a test does not care. `none` means "not supported".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// As NVML and CUDA write it.
    pub uuid: String,
    /// The product.
    pub name: String,
    values: BTreeMap<String, Option<u64>>,
}

/// What a device says of itself when its script does not.
const DEFAULTS: [(&str, u64); 27] = [
    ("memory_mb", 4096),
    ("reserved_mb", 256),
    ("used_mb", 300),
    ("sms", 132),
    ("cores", 16_896),
    ("cc_major", 9),
    ("cc_minor", 0),
    ("numa", 0),
    ("mig", 0),
    ("gpu_util", 35),
    ("memory_util", 20),
    ("encoder_util", 0),
    ("decoder_util", 0),
    ("temperature", 41),
    ("memory_temperature", 47),
    ("power_mw", 120_500),
    ("energy_mj", 987_654),
    ("sm_clock", 1980),
    ("memory_clock", 3201),
    ("pcie_replays", 0),
    ("ecc_corrected", 0),
    ("ecc_uncorrected", 0),
    ("throttle", 1),
    ("recovery", 0),
    ("lost", 0),
    ("nvlinks", 0),
    ("ancestor", 20),
];

impl Device {
    /// The `index`th of a machine.
    #[must_use]
    pub fn fake(index: u8) -> Self {
        Self {
            uuid: format!("GPU-fa4e0000-0000-4000-8000-{index:012x}"),
            name: "Fake_H200".to_owned(),
            values: BTreeMap::new(),
        }
    }

    /// The same with another value.
    ///
    /// # Panics
    /// When devices have no such value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Option<u64>>) -> Self {
        assert!(DEFAULTS.iter().any(|(known, _)| *known == key), "no {key} in a script");
        self.values.insert(key.to_owned(), value.into());
        self
    }

    /// A value; `None` is "not supported".
    ///
    /// # Panics
    /// When devices have no such value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<u64> {
        let default = DEFAULTS.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        assert!(default.is_some(), "no {key} in a script");
        self.values.get(key).copied().unwrap_or(default)
    }

    /// Its sixteen bytes as CUDA gives them.
    #[must_use]
    pub fn uuid_bytes(&self) -> [u8; 16] {
        let digits: Vec<u8> = self.uuid.bytes().skip(4).filter(|byte| *byte != b'-').collect();
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = std::str::from_utf8(pair)
                .ok()
                .and_then(|text| u8::from_str_radix(text, 16).ok())
                .unwrap_or_default();
        }
        bytes
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            driver: "580.159.03".to_owned(),
            cuda: 13_000,
            devices: vec![Device::fake(0)],
            failures: Vec::new(),
            gates: Vec::new(),
        }
    }
}

impl Script {
    /// The same with one more failure: the `nth` call (from 1; 0 is every call) of `function` answers `code`.
    #[must_use]
    pub fn fail(mut self, function: &str, nth: u32, code: u32) -> Self {
        self.failures.push((function.to_owned(), nth, code));
        self
    }

    /// The same with one more gate.
    #[must_use]
    pub fn gate(mut self, function: &str, nth: u32) -> Self {
        self.gates.push((function.to_owned(), nth));
        self
    }

    /// As lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("driver {}\ncuda {}\n", self.driver, self.cuda);
        for device in &self.devices {
            let _ = write!(text, "device uuid={} name={}", device.uuid, device.name);
            for (key, value) in &device.values {
                let value = value.map_or_else(|| "none".to_owned(), |value| value.to_string());
                let _ = write!(text, " {key}={value}"); // writing to a string cannot fail
            }
            text.push('\n');
        }
        for (function, nth, code) in &self.failures {
            let _ = writeln!(text, "fail {function} {nth} {code}");
        }
        for (function, nth) in &self.gates {
            let _ = writeln!(text, "gate {function} {nth}");
        }
        text
    }

    /// From lines.
    ///
    /// # Panics
    /// When they are none of a script: a test is wrong.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let mut script = Self { devices: Vec::new(), ..Self::default() };
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| -> u32 { words[at].parse().expect("a number") };
            match words[0] {
                "driver" => words[1].clone_into(&mut script.driver),
                "cuda" => script.cuda = words[1].parse().expect("a version"),
                "device" => script.devices.push(device(&words[1..])),
                "fail" => script.failures.push((words[1].to_owned(), number(2), number(3))),
                "gate" => script.gates.push((words[1].to_owned(), number(2))),
                other => panic!("no {other} in a script"),
            }
        }
        script
    }

    /// The script of the machine that this process is told to be on.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of_this_process() -> Self {
        let path = directory().join("script");
        let text = fs::read_to_string(&path);
        Self::of_text(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// What the script says of this call of `function`, which is counted: waits in its gate, gives its failure.
    ///
    /// # Errors
    /// The number to answer.
    pub fn enter(&self, function: &'static str) -> Result<(), u32> {
        let nth = count(function);
        let this = |at: u32| at == 0 || at == nth;
        if self.gates.iter().any(|(name, at)| name == function && this(*at)) {
            // Opening waits for the test, reading for its letting go.
            let _ = fs::read(directory().join(format!("gate-{function}")));
        }
        let failure = self.failures.iter().find(|(name, at, _)| name == function && this(*at));
        failure.map_or(Ok(()), |(_, _, code)| Err(*code))
    }
}

fn device(words: &[&str]) -> Device {
    let mut device = Device::fake(0);
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        match key {
            "uuid" => value.clone_into(&mut device.uuid),
            "name" => value.clone_into(&mut device.name),
            _ => device = device.with(key, value.parse::<u64>().ok()),
        }
    }
    device
}

/// Where the machine's files are.
///
/// # Panics
/// When the process was not told.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY).expect("CUDA_FAKE_MACHINE says where the fake machine is").into()
}

/// Calls of this function in this process, this one with them.
fn count(function: &'static str) -> u32 {
    static CALLS: OnceLock<Mutex<BTreeMap<&'static str, u32>>> = OnceLock::new();
    let mut calls =
        CALLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let calls = calls.entry(function).or_default();
    *calls += 1;
    *calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_back_as_it_was_written() {
        let mut script = Script::default().fail("cuInit", 0, 999).gate("nvmlDeviceGetName", 3);
        script.devices.push(Device::fake(1).with("mig", None).with("memory_mb", 80_000));
        assert_eq!(Script::of_text(&script.to_text()), script);
    }

    #[test]
    fn a_uuid_is_sixteen_bytes() {
        let bytes = Device::fake(7).uuid_bytes();
        assert_eq!((bytes[0], bytes[1], bytes[15]), (0xfa, 0x4e, 7));
    }
}
