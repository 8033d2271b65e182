//! Which executors there are, and for which lease.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use bridge_host_broker::ExecutorRef;

use super::child::{ExitNote, Pidfd, kill};
use crate::executor::{
    channel::Channel,
    protocol::{Bind, Failure, Finished, Order, Report, Run, RunId},
};

/// One executor process of this daemon's life; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExecutorId(pub(crate) u64);

/// The executors, on the side that gives orders. Nothing here waits.
#[derive(Debug)]
pub(crate) struct Fleet {
    executors: BTreeMap<ExecutorId, Executor>,
    started: u64,
    spares_wanted: usize,
    executors_max: usize,
    births: Arc<Births>,
    confinement: Vec<String>,
}

#[derive(Debug)]
struct Executor {
    channel: Arc<Channel>,
    pidfd: Option<Pidfd>,
    duty: Duty,
    /// Why it cannot go on, in its own words; the kernel will only say how it ended.
    last_words: Option<String>,
    /// To be killed as soon as it can be.
    doomed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Duty {
    Spare,
    Bound(ExecutorRef),
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
            spares_wanted,
            executors_max,
            births,
            confinement: Vec::new(),
        }
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
            spare.channel.send(&Order::Bind(bind.clone()), &[])?;
            spare.duty = Duty::Bound(executor.clone());
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

    /// Ends every executor at once, and starts no more.
    pub(crate) fn kill_all(&mut self) {
        self.spares_wanted = 0;
        self.executors_max = 0;
        for id in self.executors.keys().copied().collect::<Vec<_>>() {
            self.doom(id);
        }
    }

    /// Starts as many spares as are missing.
    ///
    /// # Errors
    /// When there are no more file descriptors for their sockets.
    pub(crate) fn keep_spares(&mut self) -> io::Result<()> {
        let spares =
            |fleet: &Self| fleet.executors.values().filter(|executor| executor.is_spare()).count();
        while spares(self) < self.spares_wanted && self.executors.len() < self.executors_max {
            self.start()?;
        }
        Ok(())
    }

    /// Whether the watch has processes to start.
    pub(crate) fn has_births(&self) -> bool {
        !self.births.lock().is_empty()
    }

    /// The executor now runs as a process; kills it right away if that was wished meanwhile.
    pub(crate) fn born(&mut self, id: ExecutorId, pidfd: Pidfd) {
        let Some(executor) = self.executors.get_mut(&id) else { return kill(&pidfd) };
        if executor.doomed {
            kill(&pidfd);
        }
        executor.pidfd = Some(pidfd);
    }

    /// Passes on what an executor in charge of a lease may say; one that says anything else is ended.
    pub(crate) fn reported(&mut self, id: ExecutorId, report: Report) -> Option<News> {
        let executor = self.executors.get_mut(&id)?;
        match (report, &executor.duty) {
            (Report::Ready { confinement }, _) => {
                self.confinement = confinement;
                None
            }
            (Report::Bound, Duty::Bound(of)) => Some(News::Ready(of.clone())),
            (Report::NotBound(failure), Duty::Bound(_)) => {
                executor.last_words = Some(failure.detail);
                None
            }
            (Report::Finished(finished), Duty::Bound(of)) => {
                Some(News::Finished(of.clone(), finished))
            }
            (Report::Failed { run, failure }, Duty::Bound(of)) => {
                Some(News::Failed(of.clone(), run, failure))
            }
            (report, Duty::Spare) => {
                tracing::error!(
                    executor = id.0,
                    ?report,
                    "a spare said what only a bound executor knows; killing it"
                );
                self.doom(id);
                None
            }
        }
    }

    /// The executor is gone.
    pub(crate) fn exited(&mut self, id: ExecutorId, note: &ExitNote) -> Option<News> {
        let executor = self.executors.remove(&id)?;
        let Duty::Bound(of) = executor.duty else { return None };
        let detail = match executor.last_words {
            Some(words) => format!("{words}; {note}"),
            None => note.to_string(),
        };
        Some(News::Died(of, detail))
    }

    /// The confinements that executors of this machine report.
    pub(crate) fn confinement(&self) -> &[String] {
        &self.confinement
    }

    /// Processes, spares included.
    pub(crate) fn len(&self) -> usize {
        self.executors.len()
    }

    fn bound_to(&self, executor: &ExecutorRef) -> Option<(ExecutorId, &Executor)> {
        let is_it = |found: &Executor| !found.doomed && found.duty == Duty::Bound(executor.clone());
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
        let executor =
            Executor { channel, pidfd: None, duty: Duty::Spare, last_words: None, doomed: false };
        self.executors.insert(id, executor);
        Ok(id)
    }

    fn doom(&mut self, id: ExecutorId) {
        let Some(executor) = self.executors.get_mut(&id) else { return };
        executor.doomed = true;
        if let Some(pidfd) = &executor.pidfd {
            kill(pidfd);
        }
    }
}

impl Executor {
    fn is_spare(&self) -> bool {
        self.duty == Duty::Spare && !self.doomed
    }
}
