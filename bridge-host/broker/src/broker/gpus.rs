//! GPUs come, change, are drained and reset.

use alloc::{string::String, vec::Vec};

use bridge_host_gpu::{GpuInfo, Health};
use ninedoor_abi::{Errno, GpuId, LeaseId, Now, Refusal, record::JobCode};

use super::Broker;
use crate::{
    Answer, Effect, EventRefused, KillReason,
    gpu::{Gpu, Reset},
    job::Stop,
};

impl Broker {
    pub(super) fn add_gpu(
        &mut self,
        id: GpuId,
        info: GpuInfo,
        executor_mb: u32,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let ageing_us = self.policy.ageing_us();
        let gpu = self
            .gpus
            .entry(id.clone())
            .or_insert_with(|| Gpu::new(id.clone(), info.clone(), executor_mb, ageing_us));
        gpu.info = info;
        gpu.executor_mb = executor_mb;
        gpu.recount(
            gpu.leases
                .iter()
                .map(|lease| {
                    self.leases
                        .get(lease)
                        .expect("its id comes from an index of leases")
                        .size
                        .mem_mb
                })
                .collect::<Vec<_>>(),
        );
        self.resume(&id, now);
        Ok(Answer::Done)
    }

    pub(super) fn set_health(
        &mut self,
        gpu: &GpuId,
        health: Health,
        now: Now,
    ) -> Result<Answer, Refusal> {
        self.gpu_mut(gpu)?.info.health = health;
        self.resume(gpu, now);
        Ok(Answer::Done)
    }

    pub(super) fn drain(
        &mut self,
        gpu: &GpuId,
        drained: bool,
        now: Now,
    ) -> Result<Answer, Refusal> {
        self.gpu_mut(gpu)?.drained = drained;
        self.effects.push_back(Effect::Drained { gpu: gpu.clone(), drained });
        self.grant_waiting(gpu, now);
        Ok(Answer::Done)
    }

    /// Kills every executor; once the last has died, the daemon is told to reset.
    pub(super) fn reset(&mut self, gpu: &GpuId, now: Now) -> Result<Answer, Refusal> {
        let state = self.gpu_mut(gpu)?;
        if state.reset != Reset::No {
            return Err(Refusal::new(
                Errno::EBUSY,
                alloc::format!("gpu {gpu} is being reset already"),
            ));
        }
        state.reset = Reset::Stopping;
        let leases: Vec<LeaseId> = state.leases.iter().copied().collect();
        for lease in leases {
            self.stop_running(
                lease,
                &Stop::new(JobCode::Reset, alloc::format!("gpu {gpu} was reset")),
            );
            self.kill(lease, KillReason::Reset, now);
            self.refresh(lease);
        }
        self.reset_if_still(gpu);
        Ok(Answer::Done)
    }

    /// The next step of a reset, once no executor is left.
    pub(super) fn reset_if_still(&mut self, gpu: &GpuId) {
        let Some(state) = self.gpus.get_mut(gpu) else { return };
        if state.reset == Reset::Stopping && state.executors == 0 {
            state.reset = Reset::Resetting;
            self.effects.push_back(Effect::ResetGpu { gpu: gpu.clone() });
        }
    }

    pub(super) fn gpu_reset(
        &mut self,
        gpu: &GpuId,
        failed: Option<String>,
        now: Now,
    ) -> Result<(), EventRefused> {
        let state = self.gpus.get_mut(gpu).ok_or_else(|| EventRefused::NoGpu(gpu.clone()))?;
        if state.reset == Reset::Resetting {
            state.reset = Reset::No;
        }
        if let Some(why) = failed {
            state.info.health = Health::Unusable(alloc::format!("reset failed: {why}"));
        }
        self.resume(gpu, now);
        Ok(())
    }

    /// Takes work up again, as far as it may.
    pub(super) fn resume(&mut self, gpu: &GpuId, now: Now) {
        self.grant_waiting(gpu, now);
        let Some(state) = self.gpus.get(gpu) else { return };
        let leases: Vec<LeaseId> = state.leases.iter().copied().collect();
        for lease in leases {
            self.ensure_executor(lease, now);
        }
        self.dispatch(gpu, now);
    }
}

impl Gpu {
    /// What its leases have, counted anew.
    fn recount(&mut self, sizes_mb: Vec<u32>) {
        self.used_mb = sizes_mb.into_iter().map(|mem_mb| self.cost_mb(mem_mb)).sum();
    }
}
