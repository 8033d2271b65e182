//! From figures to a page: every family of the catalogue, with the samples that there are.

use std::time::Duration;

use bridge_host_gpu::{GpuSample, Health, Throttle};
use ninedoor_abi::UnixMs;
use secure9p_tokio::Tallied;

use super::{
    catalogue as table, dcgm,
    family::Family,
    figures::{ExecutorFigures, Figures, GpuFigures, StoreFigures, WorkCounts},
    histogram::Histogram,
    page::Page,
    process::ProcessFigures,
};
use crate::dispatcher::GpuState;

/// All that a page is made of.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) figures: &'a Figures,
    pub(crate) transport: &'a Tallied,
    pub(crate) process: &'a ProcessFigures,
    pub(crate) identity: &'a Identity,
    pub(crate) at: UnixMs,
    /// How long the page before this one took.
    pub(crate) took: Duration,
}

/// What does not change while the bridge runs.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) version: &'static str,
    pub(crate) backend: &'static str,
    pub(crate) host: String,
}

/// The names of our own, and DCGM's.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub(crate) native: String,
    pub(crate) dcgm: String,
}

impl Pages {
    /// Makes both; they will be about as long as those before.
    pub(crate) fn of(moment: &Moment<'_>, before: &Self) -> Self {
        let mut native = Page::with_capacity(before.native.len() + 1024);
        bridge(&mut native, moment);
        gpus(&mut native, &moment.figures.gpus);
        leases_and_jobs(&mut native, &moment.figures.gpus);
        executors(&mut native, &moment.figures.executors, &moment.figures.gpus);
        peers(&mut native, moment);
        stores(&mut native, moment);
        process(&mut native, moment.process);
        let mut dcgm = Page::with_capacity(before.dcgm.len() + 1024);
        dcgm::write(&mut dcgm, &moment.figures.gpus, &moment.identity.host);
        Self { native: native.finish(), dcgm: dcgm.finish() }
    }
}

fn bridge(page: &mut Page, moment: &Moment<'_>) {
    let Identity { version, backend, .. } = moment.identity;
    page.family(&table::BUILD_INFO).put([version, backend], 1);
    page.single(&table::DRAINING, u8::from(moment.figures.draining));
    page.single(&table::PAGE_TIMESTAMP, seconds(moment.at));
    page.single(&table::PAGE_SECONDS, moment.took.as_secs_f64());
}

fn gpus(page: &mut Page, gpus: &[GpuFigures]) {
    let mut info = page.family(&table::INFO);
    for gpu in gpus {
        let facts = &gpu.facts;
        let labels = [
            facts.id.as_str(),
            &facts.uuid,
            &facts.name,
            &facts.driver_version,
            &facts.pci_bus_id,
            facts.backend,
        ];
        info.put(labels, 1);
    }
    each_of(page, &table::STATE, gpus, &GpuState::WORDS, |gpu, state| Some(gpu.state == state));
    each_of(page, &table::HEALTH, gpus, &Health::STATES, |gpu, word| {
        Some(gpu.health.state() == word)
    });
    sampling(page, gpus);
    memory(page, gpus);
    readings(page, gpus);
    errors(page, gpus);
}

fn sampling(page: &mut Page, gpus: &[GpuFigures]) {
    by_gpu(page, &table::LAST_SAMPLE, gpus, |gpu| gpu.sampled_at.map(seconds));
    by_gpu(page, &table::SAMPLE_ERRORS, gpus, |gpu| Some(gpu.sample_errors));
}

fn memory(page: &mut Page, gpus: &[GpuFigures]) {
    const MIB: u64 = 1 << 20;
    by_gpu(page, &table::MEMORY_TOTAL, gpus, |gpu| Some(gpu.facts.memory_bytes));
    by_gpu(page, &table::MEMORY_USED, gpus, |gpu| gpu.sample.memory_used_bytes);
    by_gpu(page, &table::MEMORY_FREE, gpus, |gpu| gpu.sample.memory_free_bytes);
    by_gpu(page, &table::MEMORY_RESERVED, gpus, |gpu| gpu.sample.memory_reserved_bytes);
    by_gpu(page, &table::MEMORY_LEASABLE, gpus, |gpu| Some(gpu.view.leasable_mb * MIB));
    by_gpu(page, &table::MEMORY_LEASED, gpus, |gpu| Some(gpu.view.leased_mb * MIB));
}

fn readings(page: &mut Page, gpus: &[GpuFigures]) {
    let mut reading = |family, read: fn(&GpuSample) -> Option<f32>| {
        by_gpu(page, family, gpus, |gpu| read(&gpu.sample));
    };
    reading(&table::UTILIZATION, |sample| sample.utilization_ratio);
    reading(&table::MEMORY_UTILIZATION, |sample| sample.memory_utilization_ratio);
    reading(&table::TEMPERATURE, |sample| sample.temperature_celsius);
    reading(&table::MEMORY_TEMPERATURE, |sample| sample.memory_temperature_celsius);
    reading(&table::POWER, |sample| sample.power_watts);
    by_gpu(page, &table::ENERGY, gpus, |gpu| gpu.sample.energy_millijoules.map(thousandths));
    let mut clock = page.family(&table::CLOCK);
    for gpu in gpus {
        let hertz = |mhz: Option<u32>| mhz.map(|mhz| u64::from(mhz) * 1_000_000);
        clock.put_known([gpu.facts.id.as_str(), "sm"], hertz(gpu.sample.sm_clock_mhz));
        clock.put_known([gpu.facts.id.as_str(), "memory"], hertz(gpu.sample.memory_clock_mhz));
    }
    let reasons = Throttle::REASONS.map(|(reason, _)| reason);
    each_of(page, &table::THROTTLE, gpus, &reasons, |gpu, reason| {
        Some(gpu.sample.throttle?.reasons().any(|holds| holds == reason))
    });
}

fn errors(page: &mut Page, gpus: &[GpuFigures]) {
    let mut ecc = page.family(&table::ECC_ERRORS);
    for gpu in gpus {
        let (id, errors) = (gpu.facts.id.as_str(), gpu.sample.ecc);
        ecc.put_known([id, "corrected"], errors.map(|errors| errors.corrected));
        ecc.put_known([id, "uncorrected"], errors.map(|errors| errors.uncorrected));
    }
    by_gpu(page, &table::PCIE_REPLAYS, gpus, |gpu| gpu.sample.pcie_replays);
    let mut xids = page.family(&table::XID_ERRORS);
    for gpu in gpus {
        for (xid, count) in gpu.xids.bounded() {
            xids.put([gpu.facts.id.as_str(), &xid], count);
        }
    }
}

fn leases_and_jobs(page: &mut Page, gpus: &[GpuFigures]) {
    let mut leases = page.family(&table::LEASES);
    for gpu in gpus {
        let (id, view) = (gpu.facts.id.as_str(), &gpu.view);
        leases.put([id, "active"], view.leases_active);
        leases.put([id, "queued"], view.leases_waiting);
        leases.put([id, "ending"], view.leases_ending);
    }
    by_gpu(page, &table::LEASE_GRANTS, gpus, |gpu| Some(gpu.work.grants));
    counts_of(page, &table::LEASE_ENDS, gpus, |work| work.lease_ends.iter());
    let mut orders = page.family(&table::ORDERS);
    for gpu in gpus {
        for ((verb, result), count) in &gpu.work.orders {
            orders.put([gpu.facts.id.as_str(), verb, result], count);
        }
    }
    let mut jobs = page.family(&table::JOBS);
    for gpu in gpus {
        jobs.put([gpu.facts.id.as_str(), "queued"], gpu.view.jobs_queued);
        jobs.put([gpu.facts.id.as_str(), "running"], gpu.view.jobs_running);
    }
    counts_of(page, &table::JOBS_TOTAL, gpus, |work| work.ended.iter());
    let mut times = |family, of: fn(&WorkCounts) -> &Histogram| {
        let mut samples = page.family(family);
        for gpu in gpus {
            samples.put_histogram([gpu.facts.id.as_str()], of(&gpu.work));
        }
    };
    times(&table::JOB_QUEUE, |work| &work.queue);
    times(&table::JOB_H2D, |work| &work.h2d);
    times(&table::JOB_KERNEL, |work| &work.kernel);
    times(&table::JOB_D2H, |work| &work.d2h);
    by_gpu(page, &table::JOB_OUTPUT, gpus, |gpu| Some(gpu.work.output_bytes));
}

fn executors(page: &mut Page, executors: &ExecutorFigures, gpus: &[GpuFigures]) {
    let mut processes = page.family(&table::EXECUTORS);
    processes.put(["bound"], executors.bound);
    processes.put(["spare"], executors.spare);
    page.single(&table::EXECUTORS_MAX, executors.max);
    page.single(&table::EXECUTOR_STARTS, executors.starts);
    counts_of(page, &table::EXECUTOR_KILLS, gpus, |work| work.kills.iter());
    page.single(&table::EXECUTOR_CRASHES, executors.crashes);
}

fn peers(page: &mut Page, moment: &Moment<'_>) {
    let (transport, traffic) = (moment.transport, &moment.figures.traffic);
    page.single(&table::CONNECTIONS, transport.connected);
    page.single(&table::CONNECTS, transport.accepted);
    page.single(&table::CONNECTS_REFUSED, transport.refused);
    page.single(&table::HANDSHAKES_FAILED, transport.handshakes_failed);
    let mut ends = page.family(&table::CONNECTION_ENDS);
    for (how, count) in transport.ends {
        ends.put([how], count);
    }
    page.single(&table::ATTACHES, traffic.attaches);
    page.single(&table::REQUESTS, traffic.requests);
    let mut refusals = page.family(&table::REFUSALS);
    let mut sorted = 0;
    for (kind, count) in traffic.pressure {
        refusals.put([kind], count);
        sorted += count;
    }
    refusals.put(["other"], traffic.refusals.saturating_sub(sorted));
    page.single(&table::BYTES_IN, traffic.bytes_in);
    page.single(&table::BYTES_OUT, traffic.bytes_out);
    page.single(&table::FIDS, traffic.fids);
}

fn stores(page: &mut Page, moment: &Moment<'_>) {
    let StoreFigures {
        artefacts,
        artefact_bytes,
        artefact_bytes_max,
        output_jobs,
        output_bytes,
        output_bytes_max,
        journal_bytes,
        journal_unsynced_bytes,
        journal_trouble,
    } = moment.figures.stores;
    page.single(&table::ARTEFACTS, artefacts);
    page.single(&table::ARTEFACT_BYTES, artefact_bytes);
    page.single(&table::ARTEFACT_BYTES_MAX, artefact_bytes_max);
    page.single(&table::OUTPUT_JOBS, output_jobs);
    page.single(&table::OUTPUT_BYTES, output_bytes);
    page.single(&table::OUTPUT_BYTES_MAX, output_bytes_max);
    page.family(&table::STATE_FREE).put_known([], moment.process.state_directory_free_bytes);
    page.single(&table::JOURNAL_BYTES, journal_bytes);
    page.single(&table::JOURNAL_UNSYNCED, journal_unsynced_bytes);
    page.single(&table::JOURNAL_TROUBLE, u8::from(journal_trouble));
    page.single(&table::AUDIT_LINES, moment.figures.traffic.audit_lines);
    let lost = moment.figures.traffic.audit_lines_dropped + moment.figures.audit_lost;
    page.single(&table::AUDIT_DROPPED, lost);
    page.single(&table::AUDIT_TROUBLE, u8::from(moment.figures.audit_trouble));
}

fn process(page: &mut Page, process: &ProcessFigures) {
    page.family(&table::RESIDENT).put_known([], process.resident_bytes);
    page.family(&table::CPU).put_known([], process.cpu_seconds);
    page.family(&table::THREADS).put_known([], process.threads);
    page.family(&table::OPEN_FILES).put_known([], process.open_files);
    page.family(&table::FILES_MAX).put_known([], process.files_max);
    page.family(&table::START_TIME).put_known([], process.start_time_seconds);
}

/// A figure of each GPU that has it.
fn by_gpu<T: std::fmt::Display>(
    page: &mut Page,
    family: &Family<1>,
    gpus: &[GpuFigures],
    figure: impl Fn(&GpuFigures) -> Option<T>,
) {
    let mut samples = page.family(family);
    for gpu in gpus {
        samples.put_known([gpu.facts.id.as_str()], figure(gpu));
    }
}

/// 1 for each word that holds of a GPU, 0 for the others.
fn each_of(
    page: &mut Page,
    family: &Family<2>,
    gpus: &[GpuFigures],
    words: &[&str],
    holds: impl Fn(&GpuFigures, &str) -> Option<bool>,
) {
    let mut samples = page.family(family);
    for gpu in gpus {
        for word in words {
            samples.put_known([gpu.facts.id.as_str(), word], holds(gpu, word).map(u8::from));
        }
    }
}

/// Counts by a second label.
fn counts_of<'a, I>(
    page: &mut Page,
    family: &Family<2>,
    gpus: &'a [GpuFigures],
    counts: impl Fn(&'a WorkCounts) -> I,
) where
    I: Iterator<Item = (&'a &'static str, &'a u64)>,
{
    let mut samples = page.family(family);
    for gpu in gpus {
        for (word, count) in counts(&gpu.work) {
            samples.put([gpu.facts.id.as_str(), word], count);
        }
    }
}

pub(super) fn seconds(at: UnixMs) -> f64 {
    thousandths(at.0)
}

#[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1000.0
}
