//! Looks whether a GPU is still there and answers after an executor on it has gone, before the next job gets it.
//!
//! On a thread of its own: a driver that is in trouble may take long to say so, and nobody else shall wait for it. That an
//! executor is gone is told to the daemon only with the finding.

use std::{
    io,
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use bridge_host_broker::ExecutorRef;
use bridge_host_gpu::{ErrorKind, GpuDiscovery};

/// An executor that is gone, and the GPU that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Departure {
    /// Which.
    pub(crate) executor: ExecutorRef,
    /// How it ended.
    pub(crate) detail: String,
    /// The hardware's identity.
    pub(super) uuid: String,
}

/// The fleet's end: departures go in.
#[derive(Debug)]
pub(super) struct Inspector(Sender<Departure>);

impl Inspector {
    /// Inspects until the fleet lets go of its end; `tell` gets each departure, and what is wrong with its GPU.
    pub(super) fn start(
        discovery: Box<dyn GpuDiscovery>,
        tell: impl Fn(Departure, Option<String>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, departures) = mpsc::channel();
        thread::Builder::new()
            .name("gpu-inspector".to_owned())
            .spawn(move || inspect_all(discovery, &departures, tell))?;
        Ok(Self(sender))
    }

    /// Takes note of a departure; gives it back when nobody inspects any more.
    pub(super) fn inspect(&self, departure: Departure) -> Result<(), Departure> {
        self.0.send(departure).map_err(|refused| refused.0)
    }
}

fn inspect_all(
    mut discovery: Box<dyn GpuDiscovery>,
    departures: &Receiver<Departure>,
    tell: impl Fn(Departure, Option<String>),
) {
    while let Ok(departure) = departures.recv() {
        let finding = finding(&mut *discovery, &departure.uuid);
        tell(departure, finding);
    }
}

/// What makes the GPU unusable. A reading that fails for another reason is not held against it.
fn finding(discovery: &mut dyn GpuDiscovery, uuid: &str) -> Option<String> {
    match discovery.sample(uuid) {
        Err(error) if matches!(error.kind, ErrorKind::NoGpu | ErrorKind::NoDriver) => {
            Some(format!("after the end of an executor: {error}"))
        }
        Err(error) => {
            tracing::warn!(uuid, %error, "a GPU does not tell how it is");
            None
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use mock::{machines, scripted::ScriptedDiscovery};

    use super::*;

    fn departure(uuid: &str) -> Departure {
        let executor = ExecutorRef {
            gpu: "GPU-0".parse().unwrap(),
            lease: "lease-1".parse().unwrap(),
            epoch: ninedoor_abi::Epoch(1),
        };
        Departure { executor, detail: "exited with 70".to_owned(), uuid: uuid.to_owned() }
    }

    fn inspected(uuid: &str) -> (Departure, Option<String>) {
        let discovery = ScriptedDiscovery::new(machines::workstation());
        let (sender, findings) = mpsc::channel();
        let tell = move |departure, finding| sender.send((departure, finding)).unwrap();
        let inspector = Inspector::start(Box::new(discovery), tell).unwrap();
        inspector.inspect(departure(uuid)).unwrap();
        findings.recv().unwrap()
    }

    /// Proves EXEC-8.
    #[test]
    fn a_gpu_that_is_there_after_a_death_is_passed() {
        let uuid = machines::workstation().gpus[0].uuid.clone();
        assert_eq!(inspected(&uuid), (departure(&uuid), None));
    }

    /// Proves EXEC-8.
    #[test]
    fn a_gpu_that_has_gone_with_its_executor_is_told() {
        let (_, finding) = inspected("GPU-gone");
        let text = finding.unwrap();
        assert!(text.starts_with("after the end of an executor: sample GPU GPU-gone: "), "{text}");
    }
}
