//! Whether a GPU takes new work, in one word, and why not.

use bridge_host_broker::GpuView;
use bridge_host_gpu::Health;
use ninedoor_abi::{GpuId, Refusal};

use super::{Dispatcher, Gpu};

/// The word and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GpuState {
    pub(crate) word: &'static str,
    pub(crate) reason: Option<String>,
}

impl GpuState {
    /// Every word.
    pub(crate) const WORDS: [&'static str; 6] =
        ["ready", "paused", "draining", "drained", "testing", "unusable"];

    pub(super) fn of(gpu: &Gpu, view: &GpuView) -> Self {
        let because = |word, reason: String| Self { word, reason: Some(reason) };
        let held = view.leases_active + view.leases_ending;
        match (&view.health, &view.unusable) {
            _ if gpu.self_test.is_some() => {
                because("testing", "a self-test runs before it is given work again".to_owned())
            }
            (Health::Unusable(why), _) | (_, Some(why)) => because("unusable", why.clone()),
            (Health::Paused(why), _) => because("paused", why.clone()),
            _ if view.drained && held > 0 => {
                because("draining", format!("nothing new is granted; leases held: {held}"))
            }
            _ if view.drained => because("drained", "nothing is granted until UNDRAIN".to_owned()),
            _ => Self { word: "ready", reason: None },
        }
    }
}

impl Dispatcher {
    /// Whether a GPU takes new work.
    ///
    /// # Errors
    /// `ENODEV` when there is no such GPU.
    pub(crate) fn gpu_state(&self, id: &GpuId) -> Result<GpuState, Refusal> {
        let gpu = self.gpu(id)?;
        let view = self.broker.gpu_view(id).ok_or_else(|| super::no_gpu(id))?;
        Ok(GpuState::of(gpu, &view))
    }
}
