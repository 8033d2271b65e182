//! What every backend behind the port must do: one suite, run over the scripted devices, the software GPU, CUDA through the fake
//! driver, and CUDA on hardware.
//!
//! Knows the port and nothing behind it. What backends may differ in is said by [`Subject`], not found out here.
//!
//! ```text
//! Subject (a backend, a GPU, what it can) ─▶ check ─▶ one Verdict for each clause; the one about faults is last: it may end the context
//! ```

mod clauses;
mod device;

use bridge_host_gpu::GpuBackend;

/// The kernels that the clauses run.
pub const KERNELS: &str = include_str!("kernels.ptx");

/// What is looked at.
pub struct Subject<'a> {
    /// How its GPUs are opened.
    pub backend: &'a mut dyn GpuBackend,
    /// Which GPU.
    pub uuid: String,
    /// Whether launches compute anything: on scripted devices they do not.
    pub computes: bool,
    /// Whether a fault ends the context, and with it the process's use of the GPU.
    pub fault_is_final: bool,
    /// A module, and in it a kernel that ends only when it is told to stop.
    pub endless: (String, &'static str),
    /// A module, and in it a kernel that writes where it must not.
    pub faulty: (String, &'static str),
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl<'a> Subject<'a> {
    /// A GPU that computes and whose contexts survive a fault.
    #[must_use]
    pub fn computing(backend: &'a mut dyn GpuBackend, uuid: &str) -> Self {
        Self {
            backend,
            uuid: uuid.to_owned(),
            computes: true,
            fault_is_final: false,
            endless: (KERNELS.to_owned(), "forever"),
            faulty: (KERNELS.to_owned(), "wild"),
        }
    }
}

/// What became of one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The clause, as a sentence.
    pub clause: &'static str,
    /// What was not as it says, if anything.
    pub outcome: Result<(), String>,
}

/// Looks at every clause.
pub fn check(subject: &mut Subject<'_>) -> Vec<Verdict> {
    clauses::ALL.iter().map(|(clause, look)| Verdict { clause, outcome: look(subject) }).collect()
}

/// Looks at every clause.
///
/// # Panics
/// When one is broken; says which, and how.
#[track_caller]
pub fn assert_kept(subject: &mut Subject<'_>) {
    let broken: Vec<String> = check(subject)
        .into_iter()
        .filter_map(|verdict| Some(format!("{}: {}", verdict.clause, verdict.outcome.err()?)))
        .collect();
    assert!(broken.is_empty(), "the contract is broken:\n  {}", broken.join("\n  "));
}
