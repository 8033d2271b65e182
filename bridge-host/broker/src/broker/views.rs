//! What may be seen of a broker: by the namespace, by metrics, by tests.

use alloc::vec::Vec;

use bridge_host_gpu::Health;
use ninedoor_abi::{GpuId, JobId, LeaseId, LeaseRecord, Subject, TicketId};

use super::Broker;
use crate::{Account, JobNumber, lease::Lease};

/// One GPU, in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuView {
    /// MiB that leases can have in all.
    pub leasable_mb: u64,
    /// MiB that leases have, with their executors.
    pub leased_mb: u64,
    /// Leases that are held.
    pub leases_active: usize,
    /// Leases that are over and whose executors have not died yet.
    pub leases_ending: usize,
    /// Leases that wait for room.
    pub leases_waiting: usize,
    /// Jobs that wait.
    pub jobs_queued: u32,
    /// Jobs that run.
    pub jobs_running: u32,
    /// Executors that may exist.
    pub executors: u32,
    /// Whether nothing new is granted.
    pub drained: bool,
    /// How it is.
    pub health: Health,
    /// Why nothing is launched, if so.
    pub unusable: Option<alloc::string::String>,
}

/// One lease, with what it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// As it is published.
    pub record: LeaseRecord,
    /// What it was had by.
    pub ticket: Option<TicketId>,
    /// What it used.
    pub account: Account,
    /// Jobs that wait in it.
    pub jobs_queued: usize,
    /// Jobs that run in it.
    pub jobs_running: usize,
}

impl Broker {
    /// The GPUs there are.
    pub fn gpus(&self) -> impl Iterator<Item = &GpuId> {
        self.gpus.keys()
    }

    /// One GPU, in figures.
    #[must_use]
    pub fn gpu_view(&self, gpu: &GpuId) -> Option<GpuView> {
        let state = self.gpus.get(gpu)?;
        let leases_active =
            state.leases.iter().filter(|&&lease| self.lease_at(lease).is_active()).count();
        Some(GpuView {
            leasable_mb: state.leasable_mb(),
            leased_mb: state.used_mb,
            leases_active,
            leases_ending: state.leases.len() - leases_active,
            leases_waiting: state.waiting.len(),
            jobs_queued: state.queued,
            jobs_running: state.running,
            executors: state.executors,
            drained: state.drained,
            health: state.info.health.clone(),
            unusable: state.unusable(),
        })
    }

    /// The leases of one GPU that wait, are held, or are ending, in order of their ids.
    #[must_use]
    pub fn leases(&self, gpu: &GpuId) -> Vec<LeaseView> {
        self.leases.values().filter(|lease| lease.gpu == *gpu).map(view).collect()
    }

    /// One lease that waits, is held, or is ending.
    #[must_use]
    pub fn lease_view(&self, lease: LeaseId) -> Option<LeaseView> {
        self.leases.get(&lease).map(view)
    }

    /// The lease that a holder has on a GPU, waiting or held.
    #[must_use]
    pub fn lease_of(&self, gpu: &GpuId, holder: &Subject) -> Option<LeaseId> {
        self.holders.get(&(gpu.clone(), holder.clone())).copied()
    }

    /// The number of a live job, and the lease it runs by.
    #[must_use]
    pub fn live_job(&self, job: &JobId) -> Option<(JobNumber, LeaseId)> {
        let number = self.names.get(job)?;
        Some((*number, self.job_at(*number).lease))
    }

    /// What was used by all leases that were had by a ticket, those that are over included.
    #[must_use]
    pub fn ticket_account(&self, ticket: TicketId) -> Account {
        let mut sum = self.ledger.of(ticket);
        self.leases
            .values()
            .filter(|lease| lease.ticket == Some(ticket))
            .for_each(|lease| sum.add(&lease.account));
        sum
    }
}

fn view(lease: &Lease) -> LeaseView {
    LeaseView {
        record: lease.record(),
        ticket: lease.ticket,
        account: lease.account,
        jobs_queued: lease.queue.len(),
        jobs_running: lease.running.len(),
    }
}
