//! GPUs whose readings and events a test decides while the bridge runs.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use bridge_host::{Backend, Inventory};
use bridge_host_gpu::{
    BackendKind, EccErrors, ErrorKind, GpuDiscovery, GpuError, GpuEvent, GpuEvents, GpuInfo,
    GpuSample, Health, Throttle,
};
use mock::{machines::workstation, scripted::ScriptedDiscovery, soft::SoftDiscovery};

/// The daemon's side.
pub(crate) struct Puppet {
    under: Box<dyn GpuDiscovery>,
    healths: Healths,
    events: Option<Receiver<GpuEvent>>,
}

/// By uuid.
type Healths = Arc<Mutex<BTreeMap<String, Health>>>;

/// The test's side.
pub(crate) struct Strings {
    uuids: Vec<String>,
    healths: Healths,
    events: Sender<GpuEvent>,
}

impl Puppet {
    /// The two scripted GPUs of a workstation.
    pub(crate) fn scripted() -> (Inventory, Strings) {
        Self::over(BackendKind::Mock, Box::new(ScriptedDiscovery::new(workstation())))
    }

    /// The software GPU, which computes.
    pub(crate) fn on_software() -> (Inventory, Strings) {
        Self::over(
            BackendKind::Soft,
            Box::new(SoftDiscovery::new(mock::soft::SoftConfig::default())),
        )
    }

    /// Scripted GPUs that say they are software GPUs.
    pub(crate) fn that_lies() -> (Inventory, Strings) {
        let mut machine = workstation();
        machine.gpus.iter_mut().for_each(|gpu| gpu.backend = BackendKind::Soft);
        Self::over(BackendKind::Mock, Box::new(ScriptedDiscovery::new(machine)))
    }

    fn over(executors: BackendKind, mut under: Box<dyn GpuDiscovery>) -> (Inventory, Strings) {
        let uuids = under.inventory().unwrap().into_iter().map(|gpu| gpu.uuid).collect();
        let (healths, (events, received)) = (Healths::default(), channel());
        let strings = Strings { uuids, healths: Arc::clone(&healths), events };
        let puppet = Self { under, healths, events: Some(received) };
        (Inventory::found(Backend::from(executors), Box::new(puppet)).unwrap(), strings)
    }
}

impl Strings {
    /// What the GPU's readings say from now on.
    pub(crate) fn health(&self, gpu: &str, health: Health) {
        let index: usize = gpu.trim_start_matches("GPU-").parse().unwrap();
        self.healths.lock().unwrap().insert(self.uuids[index].clone(), health);
    }

    /// The driver tells this.
    pub(crate) fn event(&self, event: GpuEvent) {
        self.events.send(event).unwrap();
    }
}

impl GpuDiscovery for Puppet {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        self.under.inventory()
    }

    /// Everything that a GPU can tell.
    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError> {
        let sample = self.under.sample(uuid)?;
        Ok(GpuSample {
            memory_utilization_ratio: Some(0.25),
            encoder_utilization_ratio: Some(0.0),
            decoder_utilization_ratio: Some(0.0),
            memory_used_bytes: Some(3 << 30),
            memory_free_bytes: Some(5 << 30),
            memory_reserved_bytes: Some(1 << 29),
            memory_temperature_celsius: Some(60.0),
            energy_millijoules: Some(1_234_500),
            sm_clock_mhz: Some(1980),
            memory_clock_mhz: Some(2619),
            pcie_replays: Some(0),
            ecc: Some(EccErrors { corrected: 2, uncorrected: 0 }),
            throttle: Some(Throttle(0x4)),
            health: self.healths.lock().unwrap().get(uuid).cloned(),
            ..sample
        })
    }

    fn events(&mut self) -> Result<Option<Box<dyn GpuEvents>>, GpuError> {
        Ok(self.events.take().map(|received| Box::new(Told(received)) as Box<dyn GpuEvents>))
    }
}

struct Told(Receiver<GpuEvent>);

impl GpuEvents for Told {
    fn wait(&mut self, timeout_ms: u32) -> Result<Option<GpuEvent>, GpuError> {
        match self.0.recv_timeout(Duration::from_millis(timeout_ms.into())) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(GpuError::new(ErrorKind::Device, "wait for events", "the driver is gone"))
            }
        }
    }
}
