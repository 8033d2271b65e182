//! Which GPUs there are, and what the namespace calls them.

use std::fmt;

use bridge_host_gpu::{BackendKind, ErrorKind, GpuDiscovery, GpuError, GpuInfo};
use mock::soft::SoftConfig;
use ninedoor_abi::GpuId;

use crate::backend::{Backend, BackendChoice};

/// A backend that answered, and its GPUs: `GPU-0` is the first that the driver lists.
pub struct Inventory {
    /// Which backend.
    pub backend: Backend,
    /// To ask it again.
    pub(crate) discovery: Box<dyn GpuDiscovery>,
    /// The GPUs by the name of their directory.
    pub gpus: Vec<(GpuId, GpuInfo)>,
    /// Why `auto` took the software GPU, where it did.
    pub note: Option<String>,
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, gpus, note, .. } = self;
        f.debug_struct("Inventory")
            .field("backend", backend)
            .field("gpus", gpus)
            .field("note", note)
            .finish()
    }
}

impl Inventory {
    /// Takes stock of what the chosen backend has; `soft` is what the software GPU would be.
    ///
    /// # Errors
    /// When the backend was chosen by name and its driver is not there, or it finds no GPU.
    pub fn take(choice: BackendChoice, soft: SoftConfig) -> Result<Self, GpuError> {
        let of = |kind| Self::of(Backend { soft, ..choice.named(kind) });
        let BackendChoice::Auto = choice else { return of(BackendKind::Soft) };
        match of(BackendKind::Nvidia) {
            Ok(found) => Ok(found),
            Err(error) => {
                let note = format!("no NVIDIA GPU ({error}); using the software GPU");
                Ok(Self { note: Some(note), ..of(BackendKind::Soft)? })
            }
        }
    }

    /// A mock machine with that many equal GPUs.
    ///
    /// # Errors
    /// When there are none.
    pub fn mock_rack(count: u8) -> Result<Self, GpuError> {
        let discovery = mock::scripted::ScriptedDiscovery::new(mock::machines::rack(count));
        Self::found(BackendKind::Mock.into(), Box::new(discovery))
    }

    fn of(backend: Backend) -> Result<Self, GpuError> {
        Self::found(backend, backend.discovery()?)
    }

    /// Takes stock of what this discovery finds; executors will work with this backend.
    ///
    /// # Errors
    /// When its driver will not answer, or it finds no GPU.
    pub fn found(backend: Backend, mut discovery: Box<dyn GpuDiscovery>) -> Result<Self, GpuError> {
        let found = discovery.inventory()?;
        if found.is_empty() {
            let detail = format!("the {backend} driver works and finds no GPU");
            return Err(GpuError::new(ErrorKind::NoGpu, "list GPUs", detail));
        }
        let gpus = (0_u32..).map(directory_name).zip(found).collect();
        Ok(Self { backend, discovery, gpus, note: None })
    }
}

fn directory_name(index: u32) -> GpuId {
    format!("GPU-{index}").parse().expect("letters, a dash and digits are a GPU id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_named_in_the_order_of_the_driver() {
        let found = Inventory::take(BackendChoice::Mock, SoftConfig::default()).unwrap();
        let names: Vec<_> =
            found.gpus.iter().map(|(id, info)| (id.as_str(), info.name.as_str())).collect();
        assert_eq!(names, [("GPU-0", "Mock 4090"), ("GPU-1", "Mock 4060")]);
    }

    /// Proves BR-6.
    #[test]
    fn auto_finds_something_to_run_on_and_says_what_was_missing() {
        let found = Inventory::take(BackendChoice::Auto, SoftConfig::default()).unwrap();
        assert!(!found.gpus.is_empty());
        match (found.backend.kind, found.note) {
            (BackendKind::Nvidia, note) => assert_eq!(note, None),
            (_, note) => {
                let note = note.unwrap();
                assert!(note.starts_with("no NVIDIA GPU (load NVML: "), "{note}");
                assert!(note.ends_with("); using the software GPU"), "{note}");
            }
        }
    }
}
