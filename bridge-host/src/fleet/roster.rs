//! Which executors there are, and for which lease.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use bridge_host_broker::ExecutorRef;
use ninedoor_abi::{GpuId, MonoUs};

use super::{
    cgroup::SPARE_MEMORY_BYTES,
    child::{ExitNote, Leash},
    inspector::{Departure, Inspector},
};
use crate::{
    executor::{
        channel::Channel,
        confine::Confinement,
        protocol::{Bind, Failure, Finished, Order, Report, Run, RunId},
    },
    limits::DETAIL_BYTES_MAX,
};

/// Pause after a spare that ended by itself, in milliseconds; doubles so often while that goes on.
const SPARE_PAUSE_MS: u64 = 100;
const SPARE_PAUSE_DOUBLINGS: u32 = 7;

/// One executor process of this daemon's life; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExecutorId(pub(crate) u64);

/// The executors, on the side that gives orders. Nothing here waits.
#[derive(Debug)]
pub(crate) struct Fleet {
    executors: BTreeMap<ExecutorId, Executor>,
    started: u64,
    /// Of those, how many ended without being told to.
    crashed: u64,
    spares_wanted: usize,
    /// Spares that ended, one after the other, since an executor last opened its GPU.
    spares_lost: u32,
    /// No spare is started before.
    spares_from: MonoUs,
    executors_max: usize,
    births: Arc<Births>,
    confinement: Option<Confinement>,
    inspector: Option<Inspector>,
}

#[derive(Debug)]
struct Executor {
    channel: Arc<Channel>,
    leash: Option<Arc<Leash>>,
    duty: Duty,
    heard: Heard,
    /// Why it cannot go on, in its own words; the kernel will only say how it ended.
    last_words: Option<String>,
    /// To be killed as soon as it can be.
    doomed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Duty {
    Spare,
    Bound { of: ExecutorRef, uuid: String, memory_bytes: u64 },
}

/// What an executor has said so far, which decides what it may say next.
///
/// ```text
/// Nothing ─Ready─▶ Ready ─Bound─▶ Bound ⟲ Finished, Failed        (anything else: it is ended)
///                    └─NotBound─▶ Over
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Ready,
    Bound,
    Over,
}

/// Executors that are to be started, on their way to the thread that does it.
#[derive(Debug, Default)]
pub(super) struct Births {
    queue: Mutex<VecDeque<Birth>>,
}

#[derive(Debug)]
pub(super) struct Birth {
    pub(super) id: ExecutorId,
    pub(super) channel: Arc<Channel>,
    pub(super) end: OwnedFd,
}

impl Births {
    pub(super) fn take(&self) -> Option<Birth> {
        self.lock().pop_front()
    }

    fn put(&self, birth: Birth) {
        self.lock().push_back(birth);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Birth>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an executor in charge of a lease has said or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// It has its GPU open.
    Ready(ExecutorRef),
    /// A run ended well, it says.
    Finished(ExecutorRef, Finished),
    /// A run ended badly, it says.
    Failed(ExecutorRef, RunId, Failure),
    /// It is gone, and was reaped.
    Died(ExecutorRef, String),
}

impl Fleet {
    /// No executor yet; [`Self::keep_spares`] asks for the first.
    pub(super) fn new(spares_wanted: usize, executors_max: usize, births: Arc<Births>) -> Self {
        Self {
            executors: BTreeMap::new(),
            started: 0,
            crashed: 0,
            spares_wanted,
            spares_lost: 0,
            spares_from: MonoUs(0),
            executors_max,
            births,
            confinement: None,
            inspector: None,
        }
    }

    /// From now on, GPUs are inspected when an executor on them has gone.
    pub(super) fn inspect_with(&mut self, inspector: Inspector) {
        self.inspector = Some(inspector);
    }

    /// Gives a spare, or a process started for it, to a lease.
    ///
    /// # Errors
    /// When no process can be had.
    pub(crate) fn bind(&mut self, executor: &ExecutorRef, bind: &Bind) -> io::Result<()> {
        let id = match self.spare() {
            Some(id) => id,
            None => self.start()?,
        };
        if let Some(spare) = self.executors.get_mut(&id) {
            spare.duty = Duty::Bound {
                of: executor.clone(),
                uuid: bind.uuid.clone(),
                memory_bytes: bind.memory_bytes,
            };
            spare.bound_memory();
            spare.channel.send(&Order::Bind(bind.clone()), &[])?;
        }
        Ok(())
    }

    /// Gives a run to an executor.
    ///
    /// # Errors
    /// When it is gone, or takes no more orders.
    pub(crate) fn run(
        &self,
        executor: &ExecutorRef,
        run: Run,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        match self.bound_to(executor) {
            Some((_, found)) => found.channel.send(&Order::Run(Box::new(run)), files),
            None => Err(io::Error::other("the executor is gone")),
        }
    }

    /// Asks a run to end soon. An executor that does not listen is killed later, without its help.
    pub(crate) fn stop(&self, executor: &ExecutorRef, run: RunId) {
        if let Some((_, found)) = self.bound_to(executor)
            && let Err(error) = found.channel.send(&Order::Stop { run }, &[])
        {
            tracing::warn!(lease = %executor.lease, %error, "executor takes no order to stop");
        }
    }

    /// Ends an executor at once; `false` when there is none to end.
    pub(crate) fn kill(&mut self, executor: &ExecutorRef) -> bool {
        let Some(id) = self.bound_to(executor).map(|(id, _)| id) else { return false };
        self.doom(id);
        true
    }

    /// The same; the reason is among its last words.
    pub(crate) fn kill_for(&mut self, executor: &ExecutorRef, why: String) {
        let Some(id) = self.bound_to(executor).map(|(id, _)| id) else { return };
        if let Some(executor) = self.executors.get_mut(&id) {
            executor.last_words = Some(why);
        }
        self.doom(id);
    }

    /// Those that have this GPU open.
    pub(crate) fn on_gpu(&self, gpu: &GpuId) -> Vec<ExecutorRef> {
        let bound = |executor: &Executor| match &executor.duty {
            Duty::Bound { of, .. } if of.gpu == *gpu && !executor.doomed => Some(of.clone()),
            _ => None,
        };
        self.executors.values().filter_map(bound).collect()
    }

    /// Ends every executor at once, and starts no more.
    pub(crate) fn kill_all(&mut self) {
        self.spares_wanted = 0;
        self.executors_max = 0;
        self.inspector = None;
        for id in self.executors.keys().copied().collect::<Vec<_>>() {
            self.doom(id);
        }
    }

    /// Starts as many spares as are missing; not at once where they keep ending by themselves.
    ///
    /// # Errors
    /// When there are no more file descriptors for their sockets.
    pub(crate) fn keep_spares(&mut self, now: MonoUs) -> io::Result<()> {
        while self.lacks_spares() && self.spares_from <= now {
            self.start()?;
        }
        Ok(())
    }

    /// When [`Self::keep_spares`] has something to do next, if it is not at once.
    pub(crate) fn spares_due(&self) -> Option<MonoUs> {
        (self.spares_lost > 0 && self.lacks_spares()).then_some(self.spares_from)
    }

    fn lacks_spares(&self) -> bool {
        let spares = self.executors.values().filter(|executor| executor.is_spare()).count();
        spares < self.spares_wanted && self.executors.len() < self.executors_max
    }

    /// Whether the watch has processes to start.
    pub(crate) fn has_births(&self) -> bool {
        !self.births.lock().is_empty()
    }

    /// The executor now runs as a process; kills it right away if that was wished meanwhile.
    pub(crate) fn born(&mut self, id: ExecutorId, leash: Arc<Leash>) {
        let Some(executor) = self.executors.get_mut(&id) else { return leash.kill() };
        if executor.doomed {
            leash.kill();
        }
        executor.leash = Some(leash);
        executor.bound_memory();
    }

    /// Passes on what an executor in charge of a lease may say; one that says anything else is ended, and not believed any more.
    pub(crate) fn reported(&mut self, id: ExecutorId, report: Report) -> Option<News> {
        let executor = self.executors.get_mut(&id).filter(|executor| !executor.doomed)?;
        match (report, executor.heard, &executor.duty) {
            (Report::Ready { confinement }, Heard::Nothing, _) => {
                executor.heard = Heard::Ready;
                self.note_confinement(*confinement);
                None
            }
            (Report::Bound, Heard::Ready, Duty::Bound { of, .. }) => {
                executor.heard = Heard::Bound;
                self.spares_lost = 0;
                Some(News::Ready(of.clone()))
            }
            (Report::NotBound(failure), Heard::Ready, Duty::Bound { .. }) => {
                executor.heard = Heard::Over;
                executor.last_words = Some(bounded(failure).detail);
                None
            }
            (Report::Finished(finished), Heard::Bound, Duty::Bound { of, .. }) => {
                Some(News::Finished(of.clone(), finished))
            }
            (Report::Failed { run, failure }, Heard::Bound, Duty::Bound { of, .. }) => {
                Some(News::Failed(of.clone(), run, bounded(failure)))
            }
            (_, heard, duty) => {
                tracing::error!(
                    executor = id.0,
                    ?heard,
                    ?duty,
                    "an executor said what it cannot know or has said before; killing it"
                );
                self.doom(id);
                None
            }
        }
    }

    fn note_confinement(&mut self, confinement: Confinement) {
        if self.confinement.as_ref() != Some(&confinement) {
            let missing = confinement.missing();
            if !missing.is_empty() {
                tracing::warn!(
                    missing = missing.join(", "),
                    "executors are not confined in every way"
                );
            }
            self.confinement = Some(confinement);
        }
    }

    /// The executor is gone. That its lease has lost it is news once its GPU was inspected.
    pub(crate) fn exited(&mut self, id: ExecutorId, note: &ExitNote, now: MonoUs) -> Option<News> {
        let executor = self.executors.remove(&id)?;
        self.crashed += u64::from(!executor.doomed);
        let Duty::Bound { of, uuid, .. } = executor.duty else {
            self.spare_lost(now);
            return None;
        };
        let detail = match executor.last_words {
            Some(words) => format!("{words}; {note}"),
            None => note.to_string(),
        };
        let departure = Departure { executor: of, detail, uuid };
        let unseen = match &self.inspector {
            Some(inspector) => inspector.inspect(departure).err()?,
            None => departure,
        };
        Some(News::Died(unseen.executor, unseen.detail))
    }

    fn spare_lost(&mut self, now: MonoUs) {
        let pause_ms = SPARE_PAUSE_MS << self.spares_lost.min(SPARE_PAUSE_DOUBLINGS);
        self.spares_from = now.plus_ms(pause_ms);
        self.spares_lost = self.spares_lost.saturating_add(1);
    }

    /// What the last executor that was started has given up; `None` before the first.
    pub(crate) const fn confinement(&self) -> Option<&Confinement> {
        self.confinement.as_ref()
    }

    /// Processes that work for a lease.
    pub(crate) fn bound(&self) -> usize {
        self.executors.values().filter(|executor| executor.duty != Duty::Spare).count()
    }

    /// How many processes there may be.
    pub(crate) const fn executors_max(&self) -> usize {
        self.executors_max
    }

    /// How many were asked for, ever.
    pub(crate) const fn started(&self) -> u64 {
        self.started
    }

    /// How many ended, or never started, without being told to.
    pub(crate) const fn crashed(&self) -> u64 {
        self.crashed
    }

    /// Processes, spares included.
    pub(crate) fn len(&self) -> usize {
        self.executors.len()
    }

    fn bound_to(&self, executor: &ExecutorRef) -> Option<(ExecutorId, &Executor)> {
        let is_it = |found: &Executor| !found.doomed && found.is_bound_to(executor);
        self.executors.iter().find(|(_, found)| is_it(found)).map(|(id, found)| (*id, found))
    }

    fn spare(&self) -> Option<ExecutorId> {
        self.executors.iter().find(|(_, executor)| executor.is_spare()).map(|(id, _)| *id)
    }

    fn start(&mut self) -> io::Result<ExecutorId> {
        if self.executors.len() >= self.executors_max {
            let text = format!("{} executors run, and that is the bound", self.executors.len());
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
        }
        let (ours, end) = Channel::pair()?;
        let id = ExecutorId(self.started);
        self.started += 1;
        let channel = Arc::new(ours);
        self.births.put(Birth { id, channel: Arc::clone(&channel), end });
        let executor = Executor {
            channel,
            leash: None,
            duty: Duty::Spare,
            heard: Heard::Nothing,
            last_words: None,
            doomed: false,
        };
        self.executors.insert(id, executor);
        Ok(id)
    }

    fn doom(&mut self, id: ExecutorId) {
        let Some(executor) = self.executors.get_mut(&id) else { return };
        executor.doomed = true;
        if let Some(leash) = &executor.leash {
            leash.kill();
        }
    }
}

impl Executor {
    fn is_spare(&self) -> bool {
        self.duty == Duty::Spare && !self.doomed
    }

    fn is_bound_to(&self, executor: &ExecutorRef) -> bool {
        matches!(&self.duty, Duty::Bound { of, .. } if of == executor)
    }

    /// The cgroup of a bound executor holds its lease's memory, and copies of it on their way in and out, besides its own.
    fn bound_memory(&self) {
        if let (Some(leash), Duty::Bound { memory_bytes, .. }) = (&self.leash, &self.duty) {
            leash.bound_memory(memory_bytes.saturating_mul(2).saturating_add(SPARE_MEMORY_BYTES));
        }
    }
}

/// What an executor says of a failure goes into records and logs.
fn bounded(mut failure: Failure) -> Failure {
    let fits = |at: &usize| failure.detail.is_char_boundary(*at);
    if let Some(end) = (0..=DETAIL_BYTES_MAX).rev().find(fits) {
        failure.detail.truncate(end);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::confine::Measure;

    fn fleet() -> Fleet {
        Fleet::new(1, 4, Arc::default())
    }

    fn confinement() -> Report {
        let none = || Measure::Missing("a test".to_owned());
        Report::Ready {
            confinement: Box::new(Confinement {
                no_new_privs: true,
                no_capabilities: true,
                rlimits: true,
                not_dumpable: true,
                dies_with_daemon: true,
                seccomp: none(),
                landlock: none(),
                cgroup: none(),
            }),
        }
    }

    fn executor() -> ExecutorRef {
        ExecutorRef {
            gpu: "GPU-0".parse().unwrap(),
            lease: "lease-1".parse().unwrap(),
            epoch: ninedoor_abi::Epoch(1),
        }
    }

    fn bind(fleet: &mut Fleet) -> ExecutorId {
        fleet.keep_spares(MonoUs(0)).unwrap();
        let bind = Bind { uuid: "GPU-x".to_owned(), memory_bytes: 1, streams: 1, printf_bytes: 1 };
        fleet.bind(&executor(), &bind).unwrap();
        ExecutorId(0)
    }

    fn is_doomed(fleet: &Fleet, id: ExecutorId) -> bool {
        fleet.executors[&id].doomed
    }

    fn failure(detail: &str) -> Failure {
        let (code, detail) = ("DEVICE".to_owned(), detail.to_owned());
        Failure { code, detail, vendor_code: None, sticky: false }
    }

    /// Proves EXEC-7.
    #[test]
    fn what_an_executor_gave_up_is_believed_once_and_before_it_has_seen_a_job() {
        let mut fleet = fleet();
        let id = bind(&mut fleet);
        assert_eq!(fleet.reported(id, confinement()), None);
        assert!(fleet.confinement().is_some() && !is_doomed(&fleet, id));
        assert_eq!(fleet.reported(id, confinement()), None);
        assert!(is_doomed(&fleet, id));
    }

    /// Proves EXEC-7.
    #[test]
    fn a_spare_that_speaks_of_runs_is_ended() {
        let mut fleet = fleet();
        fleet.keep_spares(MonoUs(0)).unwrap();
        let report = Report::Failed { run: RunId(1), failure: failure("a lie") };
        assert_eq!(fleet.reported(ExecutorId(0), report), None);
        assert!(is_doomed(&fleet, ExecutorId(0)));
    }

    /// Proves EXEC-7.
    #[test]
    fn what_an_executor_says_of_its_failure_is_cut_and_said_once() {
        let mut fleet = fleet();
        let id = bind(&mut fleet);
        fleet.reported(id, confinement());
        let long = "x".repeat(DETAIL_BYTES_MAX + 1);
        assert_eq!(fleet.reported(id, Report::NotBound(failure(&long))), None);
        let words = fleet.executors[&id].last_words.clone().unwrap();
        assert_eq!((words.len(), is_doomed(&fleet, id)), (DETAIL_BYTES_MAX, false));
        assert_eq!(fleet.reported(id, Report::NotBound(failure("again"))), None);
        assert!(is_doomed(&fleet, id));
        assert_eq!(fleet.reported(id, Report::Bound), None, "not believed any more");
    }

    /// Proves EXEC-7.
    #[test]
    fn a_gpu_that_is_open_cannot_be_told_not_to_be() {
        let mut fleet = fleet();
        let id = bind(&mut fleet);
        fleet.reported(id, confinement());
        assert_eq!(fleet.reported(id, Report::Bound), Some(News::Ready(executor())));
        assert_eq!(fleet.reported(id, Report::NotBound(failure("a lie"))), None);
        assert!(is_doomed(&fleet, id));
    }

    /// Proves JOB-26.
    #[test]
    fn spares_that_keep_ending_are_started_ever_more_slowly_until_an_executor_opens_its_gpu() {
        let mut fleet = fleet();
        let note = ExitNote::never_started(&io::Error::other("no such program"));
        let mut now = MonoUs(0);
        fleet.keep_spares(now).unwrap();
        for (spare, pause_ms) in [(0, 100), (1, 200), (2, 400)] {
            assert_eq!(fleet.spares_due(), None);
            assert_eq!(fleet.exited(ExecutorId(spare), &note, now), None);
            assert_eq!(fleet.spares_due(), Some(now.plus_ms(pause_ms)));
            fleet.keep_spares(now.plus_ms(pause_ms - 1)).unwrap();
            assert_eq!(fleet.started(), spare + 1);
            now = now.plus_ms(pause_ms);
            fleet.keep_spares(now).unwrap();
            assert_eq!(fleet.started(), spare + 2);
        }
        let bind = Bind { uuid: "GPU-x".to_owned(), memory_bytes: 1, streams: 1, printf_bytes: 1 };
        fleet.bind(&executor(), &bind).unwrap();
        fleet.reported(ExecutorId(3), confinement());
        fleet.reported(ExecutorId(3), Report::Bound);
        fleet.keep_spares(now).unwrap();
        assert_eq!(fleet.exited(ExecutorId(4), &note, now), None);
        assert_eq!(fleet.spares_due(), Some(now.plus_ms(100)));
    }
}
