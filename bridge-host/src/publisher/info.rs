//! `/gpu/<id>/info`: one JSON object of facts.

use bridge_host_gpu::{GpuInfo, Health, MigState, Peer};
use ninedoor_abi::{GpuId, Refusal};
use serde::Serialize;

use super::Publisher;
use crate::{dispatcher::GpuState, executor::confine::Confinement};

/// The facts, in the order in which they are shown.
#[derive(Debug, Serialize)]
pub(crate) struct InfoText<'a> {
    id: &'a str,
    uuid: &'a str,
    name: &'a str,
    vendor: &'a str,
    memory_mb: u32,
    memory_reserved_mb: u32,
    sm_count: u32,
    compute_capability: String,
    driver_version: &'a str,
    runtime_version: &'a str,
    backend: &'static str,
    pci_bus_id: Option<&'a str>,
    streams_max: u16,
    block_threads_max: u32,
    block_max: [u32; 3],
    grid_max: [u32; 3],
    shared_bytes_max: u32,
    memory_enforcement: &'static str,
    /// What each lease takes besides its own size, for its executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    executor_mb: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    numa_node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mig: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<PeerText<'a>>,
    /// What executors of this machine gave up before they touched a job; not known before the first has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    confinement: Option<ConfinementText>,
    health: HealthText<'a>,
    /// Whether it takes new work, while a bridge serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<String>,
}

/// What holds, and for what does not hold the reason.
#[derive(Debug, Serialize)]
struct ConfinementText {
    no_new_privs: bool,
    no_capabilities: bool,
    rlimits: bool,
    not_dumpable: bool,
    dies_with_daemon: bool,
    seccomp: String,
    landlock: String,
    cgroup: String,
}

impl ConfinementText {
    fn of(confinement: &Confinement) -> Self {
        Self {
            no_new_privs: confinement.no_new_privs,
            no_capabilities: confinement.no_capabilities,
            rlimits: confinement.rlimits,
            not_dumpable: confinement.not_dumpable,
            dies_with_daemon: confinement.dies_with_daemon,
            seccomp: confinement.seccomp.to_string(),
            landlock: confinement.landlock.to_string(),
            cgroup: confinement.cgroup.to_string(),
        }
    }
}

/// What joins it to another GPU of the machine.
#[derive(Debug, Serialize)]
struct PeerText<'a> {
    uuid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ancestor: Option<&'a str>,
    links: u32,
}

#[derive(Debug, Serialize)]
struct HealthText<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> InfoText<'a> {
    pub(crate) fn of(id: &'a GpuId, gpu: &'a GpuInfo) -> Self {
        let capability = gpu.compute_capability;
        Self {
            id: id.as_str(),
            uuid: &gpu.uuid,
            name: &gpu.name,
            vendor: &gpu.vendor,
            memory_mb: gpu.memory_mb,
            memory_reserved_mb: gpu.memory_reserved_mb,
            sm_count: gpu.sm_count,
            compute_capability: format!("{}.{}", capability.major, capability.minor),
            driver_version: &gpu.driver_version,
            runtime_version: &gpu.runtime_version,
            backend: gpu.backend.as_str(),
            pci_bus_id: gpu.pci_bus_id.as_deref(),
            streams_max: gpu.streams_max,
            block_threads_max: gpu.block_threads_max,
            block_max: gpu.block_max,
            grid_max: gpu.grid_max,
            shared_bytes_max: gpu.shared_bytes_max,
            memory_enforcement: gpu.memory_enforcement.as_str(),
            executor_mb: None,
            numa_node: gpu.topology.numa_node,
            mig: gpu.mig.map(mig_text),
            peers: gpu.topology.peers.iter().map(PeerText::of).collect(),
            confinement: None,
            health: HealthText::of(&gpu.health),
            state: None,
            state_reason: None,
        }
    }

    fn with_executor_mb(mut self, executor_mb: u32) -> Self {
        self.executor_mb = Some(executor_mb);
        self
    }

    fn in_state(mut self, state: GpuState) -> Self {
        self.state = Some(state.word);
        self.state_reason = state.reason;
        self
    }

    fn confined(mut self, confinement: Option<&Confinement>) -> Self {
        self.confinement = confinement.map(ConfinementText::of);
        self
    }

    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON") + "\n"
    }
}

const fn mig_text(mig: MigState) -> &'static str {
    match (mig.current, mig.pending) {
        (true, true) => "on",
        (false, false) => "off",
        (true, false) => "on, off after a reset",
        (false, true) => "off, on after a reset",
    }
}

impl<'a> PeerText<'a> {
    fn of(peer: &'a Peer) -> Self {
        Self { uuid: &peer.uuid, ancestor: peer.ancestor.as_deref(), links: peer.links }
    }
}

impl<'a> HealthText<'a> {
    fn of(health: &'a Health) -> Self {
        Self { state: health.state(), detail: health.detail() }
    }
}

impl Publisher {
    pub(super) fn info(&self, gpu: &GpuId) -> Result<String, Refusal> {
        let facts = InfoText::of(gpu, self.dispatcher.gpu_info(gpu)?)
            .with_executor_mb(self.dispatcher.executor_mb(gpu))
            .in_state(self.dispatcher.gpu_state(gpu)?);
        Ok(facts.confined(self.dispatcher.fleet.confinement()).to_line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves BR-3.
    #[test]
    fn info_is_one_json_object_that_says_what_a_mock_is() {
        let gpus = mock::machines::workstation().gpus;
        let id = "GPU-0".parse().unwrap();
        let line = InfoText::of(&id, &gpus[0]).to_line();
        assert_eq!(line.matches('\n').count(), 1);
        let info: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(info["id"], "GPU-0");
        assert_eq!(info["name"], "Mock 4090");
        assert_eq!(info["backend"], "mock");
        assert_eq!((&info["memory_mb"], &info["sm_count"]), (&24_576.into(), &144.into()));
        assert_eq!(info["health"]["state"], "ok");
    }
}
