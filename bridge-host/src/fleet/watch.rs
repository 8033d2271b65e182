//! The one thread that starts executors, reads their reports and reaps them.
//!
//! It lives as long as the daemon: executors ask the kernel to die with the thread that started them.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rustix::{
    buffer::spare_capacity,
    event::{EventfdFlags, epoll, eventfd},
};

use super::{
    child::{ExecutorProgram, ExitNote, Pidfd, Process},
    roster::{Birth, Births, ExecutorId, Fleet},
};
use crate::executor::{channel::Channel, protocol::Report};

/// Whom the watch tells.
pub(crate) trait Warden: Send + 'static {
    /// An executor runs now.
    fn born(&self, id: ExecutorId, pidfd: Pidfd);
    /// An executor said something.
    fn reported(&self, id: ExecutorId, report: Report);
    /// An executor is gone; nothing of it will be heard any more.
    fn exited(&self, id: ExecutorId, note: &ExitNote);
}

/// Wakes the watch: for a birth, or to end.
#[derive(Debug, Clone)]
pub(crate) struct WatchHandle(Arc<OwnedFd>);

impl WatchHandle {
    /// Makes the watch look for births, and whether to end.
    pub(crate) fn wake(&self) {
        // The counter cannot fill up: that would take 2^64 - 1 wakes between two looks.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// The watch before its thread runs.
#[derive(Debug)]
pub(crate) struct Watch {
    program: ExecutorProgram,
    epoll: OwnedFd,
    bell: WatchHandle,
    births: Arc<Births>,
    processes: BTreeMap<ExecutorId, Watched>,
}

#[derive(Debug)]
struct Watched {
    process: Process,
    channel: Arc<Channel>,
}

/// What an epoll event is about: the bell, or one of the two descriptors of an executor.
const BELL: u64 = u64::MAX;
const REPORTS: u64 = 0;
const EXIT: u64 = 1;

/// Reports read from one executor before the others get their turn.
const REPORTS_PER_TURN: usize = 16;

impl Watch {
    /// A watch and the fleet that it watches.
    pub(crate) fn new(
        program: ExecutorProgram,
        spares_wanted: usize,
        executors_max: usize,
    ) -> io::Result<(Self, WatchHandle, Fleet)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let bell = WatchHandle(Arc::new(bell));
        let births = Arc::new(Births::default());
        let fleet = Fleet::new(spares_wanted, executors_max, Arc::clone(&births));
        let watch = Self { program, epoll, bell: bell.clone(), births, processes: BTreeMap::new() };
        Ok((watch, bell, fleet))
    }

    /// Runs until `ends` says so; it is asked after every turn.
    pub(crate) fn start(
        mut self,
        warden: impl Warden,
        ends: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("executors".to_owned()).spawn(move || {
            while !ends() || !self.processes.is_empty() {
                if let Err(error) = self.turn(&warden) {
                    tracing::error!(%error, "cannot wait for executors");
                    return;
                }
            }
        })
    }

    fn turn(&mut self, warden: &impl Warden) -> io::Result<()> {
        while let Some(birth) = self.births.take() {
            self.bear(birth, warden);
        }
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in events {
            match event.data.u64() {
                BELL => {
                    let _ = rustix::io::read(&*self.bell.0, &mut [0; 8]);
                }
                data if data % 2 == REPORTS => {
                    self.read_reports(ExecutorId(data / 2), warden, REPORTS_PER_TURN)
                }
                data => self.reap(ExecutorId(data / 2), warden)?,
            }
        }
        Ok(())
    }

    fn bear(&mut self, birth: Birth, warden: &impl Warden) {
        let Birth { id, channel, end } = birth;
        let started = self.program.start(end).and_then(|process| {
            self.listen(&channel, id, REPORTS)?;
            self.listen(&*process.pidfd, id, EXIT)?;
            Ok(process)
        });
        match started {
            Ok(process) => {
                tracing::debug!(executor = id.0, pid = process.id(), "executor started");
                warden.born(id, Arc::clone(&process.pidfd));
                self.processes.insert(id, Watched { process, channel });
            }
            Err(error) => {
                tracing::error!(%error, "cannot start an executor");
                warden.exited(id, &ExitNote::never_started(&error));
            }
        }
    }

    fn listen(&self, to: impl AsFd, id: ExecutorId, what: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id.0 * 2 + what);
        Ok(epoll::add(&self.epoll, to, data, epoll::EventFlags::IN)?)
    }

    /// At most `count` reports. A socket that ended or broke is not listened to any more: the exit will say the rest.
    fn read_reports(&self, id: ExecutorId, warden: &impl Warden, count: usize) {
        let Some(watched) = self.processes.get(&id) else { return };
        for _ in 0..count {
            match watched.channel.receive::<Report>() {
                Ok(Some(packet)) => warden.reported(id, packet.message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(None) => return self.deafen(watched),
                // It was killed with something of ours unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return self.deafen(watched);
                }
                Err(error) => {
                    tracing::error!(executor = id.0, %error, "executor does not speak our language; killing it");
                    super::child::kill(&watched.process.pidfd);
                    return self.deafen(watched);
                }
            }
        }
    }

    fn deafen(&self, watched: &Watched) {
        let _ = epoll::delete(&self.epoll, &*watched.channel); // twice is no harm
    }

    fn reap(&mut self, id: ExecutorId, warden: &impl Warden) -> io::Result<()> {
        let Some(watched) = self.processes.get_mut(&id) else { return Ok(()) };
        let Some(status) = watched.process.reap()? else { return Ok(()) };
        // What it said before it ended counts.
        self.read_reports(id, warden, usize::MAX);
        if let Some(watched) = self.processes.remove(&id) {
            self.deafen(&watched);
            let _ = epoll::delete(&self.epoll, &*watched.process.pidfd);
        }
        warden.exited(id, &ExitNote::of(status));
        Ok(())
    }
}
