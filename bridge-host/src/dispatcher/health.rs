//! What is known against a GPU, and what is done about what happens to it.
//!
//! ```text
//!   sample ──────────▶ what the readings say    (comes and goes by itself)
//!   event, lost, ──┐
//!   failed reset ──┴─▶ fault                    (stays until UNDRAIN's self-test has passed)
//!
//!   fault, else what the readings say ─▶ info, stats, metrics, the broker; every change is in the log
//! ```
//! The adapter says what an event asks for; who is affected by it is known here alone.

use std::collections::BTreeMap;

use bridge_host_broker::{Command, ExecutorRef};
use bridge_host_gpu::{ErrorKind, GpuError, GpuEvent, Health, Remedy};
use ninedoor::AuditLine;
use ninedoor_abi::{GpuId, MonoUs, Now};

use super::{Dispatcher, Wish};
use crate::limits::EVENT_CODES_MAX;

/// The name of the watch over GPUs in the log.
const WATCH: &str = "gpu-watch";

/// How long an executor that an event is about may take to tell of it itself: its own word says more.
const CULPRIT_GRACE_MS: u64 = 1_000;

/// How one GPU is.
#[derive(Debug)]
pub(super) struct Condition {
    /// Why it is not to be used until someone has acted.
    fault: Option<String>,
    /// What its readings say.
    read: Health,
    /// Events that have a number, by it.
    pub(super) events: BTreeMap<u64, u64>,
    /// The number of the last one.
    pub(super) event_last: Option<u64>,
    /// An executor that an event is about.
    culprit: Option<Culprit>,
}

#[derive(Debug)]
struct Culprit {
    executor: ExecutorRef,
    why: String,
    until: MonoUs,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            fault: None,
            read: Health::Ok,
            events: BTreeMap::new(),
            event_last: None,
            culprit: None,
        }
    }
}

impl Condition {
    /// Numbers come from a driver: past the bound they share the last place, which metrics show as `other`.
    fn count(&mut self, code: u64) {
        let told_apart = self.events.len() < EVENT_CODES_MAX || self.events.contains_key(&code);
        *self.events.entry(if told_apart { code } else { u64::MAX }).or_default() += 1;
        self.event_last = Some(code);
    }

    fn health(&self) -> Health {
        self.fault.clone().map_or_else(|| self.read.clone(), Health::Unusable)
    }
}

impl Dispatcher {
    /// What a reading says of a GPU's health, where it says anything.
    pub(crate) fn read_health(&mut self, id: &GpuId, health: Option<Health>, now: Now) {
        let (Some(health), Some(gpu)) = (health, self.gpus.get_mut(id)) else { return };
        gpu.condition.read = health;
        self.show_health(id, now);
    }

    /// A GPU could not be read. One that is gone is out of use; another failure is not held against it.
    pub(crate) fn cannot_read(&mut self, id: &GpuId, error: &GpuError, now: Now) {
        tracing::warn!(gpu = %id, %error, "cannot sample");
        if error.kind == ErrorKind::NoGpu {
            self.fail_gpu(id, error.to_string(), now);
        }
    }

    /// Takes a GPU out of use until someone has acted. The first reason is kept.
    pub(crate) fn fail_gpu(&mut self, id: &GpuId, why: String, now: Now) {
        let Some(gpu) = self.gpus.get_mut(id) else { return };
        gpu.condition.fault.get_or_insert(why);
        self.show_health(id, now);
    }

    /// Someone has acted, and the GPU has shown that it works.
    pub(super) fn heal_gpu(&mut self, id: &GpuId, now: Now) {
        let Some(gpu) = self.gpus.get_mut(id) else { return };
        gpu.condition.fault = None;
        self.show_health(id, now);
    }

    /// The driver tells of something.
    pub(crate) fn gpu_event(&mut self, event: &GpuEvent, now: Now) {
        let of_event = |uuid: &str| event.uuid.as_deref().is_none_or(|wanted| wanted == uuid);
        let ids: Vec<GpuId> = self
            .gpus
            .iter()
            .filter(|(_, gpu)| of_event(&gpu.info.uuid))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.note_event(&id, event);
            match event.remedy {
                Remedy::Log => {}
                Remedy::EndExecutor => self.suspect_executor(&id, &event.what, now),
                Remedy::Inspect => self.fail_gpu(&id, event.what.clone(), now),
                Remedy::DrainAndReset | Remedy::Reboot => {
                    self.fail_gpu(&id, event.what.clone(), now);
                    self.end_executors(&id, now);
                }
            }
        }
    }

    fn note_event(&mut self, id: &GpuId, event: &GpuEvent) {
        tracing::warn!(gpu = %id, what = event.what, remedy = event.remedy.as_str(), "a GPU's driver tells of something");
        let Some(gpu) = self.gpus.get_mut(id) else { return };
        if let Some(code) = event.code {
            gpu.condition.count(code);
        }
        let detail = format!("gpu={id} remedy={} what={:?}", event.remedy.as_str(), event.what);
        self.wishes.push_back(Wish::Audit(AuditLine::by(WATCH).done("EVENT", detail)));
    }

    /// Where one executor is on the GPU it is the one that the event is about; of several, CUDA tells the right one.
    fn suspect_executor(&mut self, id: &GpuId, why: &str, now: Now) {
        let [executor] = &self.fleet.on_gpu(id)[..] else { return };
        let culprit = Culprit {
            executor: executor.clone(),
            why: why.to_owned(),
            until: now.mono_us.plus_ms(CULPRIT_GRACE_MS),
        };
        if let Some(gpu) = self.gpus.get_mut(id) {
            gpu.condition.culprit.get_or_insert(culprit);
        }
    }

    fn end_executors(&mut self, id: &GpuId, now: Now) {
        match self.broker.handle(Command::Reset { gpu: id.clone() }, now) {
            Ok(_) => self.settle(now),
            Err(refusal) => tracing::info!(gpu = %id, %refusal, "its executors end already"),
        }
    }

    /// Ends executors that an event was about and that did not end by themselves.
    pub(super) fn end_culprits(&mut self, now: Now) {
        let due = |culprit: &mut Culprit| culprit.until <= now.mono_us;
        let culprits: Vec<Culprit> =
            self.gpus.values_mut().filter_map(|gpu| gpu.condition.culprit.take_if(due)).collect();
        for Culprit { executor, why, .. } in culprits {
            self.fleet.kill_for(&executor, why);
        }
    }

    /// When [`Self::end_culprits`] has something to do.
    pub(super) fn culprits_due(&self) -> Option<MonoUs> {
        self.gpus.values().filter_map(|gpu| Some(gpu.condition.culprit.as_ref()?.until)).min()
    }

    /// The same, with this reason in place of any other.
    pub(super) fn fail_gpu_anew(&mut self, id: &GpuId, why: String, now: Now) {
        let Some(gpu) = self.gpus.get_mut(id) else { return };
        gpu.condition.fault = Some(why);
        self.show_health(id, now);
    }

    /// Tells everybody how a GPU is, where that has changed. The broker may have been told otherwise meanwhile.
    pub(super) fn show_health(&mut self, id: &GpuId, now: Now) {
        let Some(gpu) = self.gpus.get_mut(id) else { return };
        let health = gpu.condition.health();
        if gpu.info.health != health {
            gpu.info.health = health.clone();
            let detail = format!(
                "gpu={id} state={} why={:?}",
                health.state(),
                health.detail().unwrap_or("")
            );
            tracing::warn!(gpu = %id, state = health.state(), why = health.detail(), "a GPU's health has changed");
            self.wishes.push_back(Wish::Audit(AuditLine::by(WATCH).done("HEALTH", detail)));
        }
        if let Err(refusal) =
            self.broker.handle(Command::SetHealth { gpu: id.clone(), health }, now)
        {
            tracing::error!(%refusal, "cannot tell how a GPU is");
        }
        self.settle(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_makes_up_numbers_costs_no_more_than_the_bound() {
        let mut condition = Condition::default();
        let codes = EVENT_CODES_MAX as u64 + 100;
        (0..codes).chain(0..codes).for_each(|code| condition.count(code));
        assert_eq!(condition.events.len(), EVENT_CODES_MAX + 1);
        assert_eq!(condition.events[&7], 2);
        assert_eq!(condition.events[&u64::MAX], 200);
        assert_eq!(condition.event_last, Some(codes - 1));
    }
}
