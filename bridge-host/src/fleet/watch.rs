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

use bridge_host_gpu::GpuDiscovery;
use rustix::{
    buffer::spare_capacity,
    event::{EventfdFlags, epoll, eventfd},
};

use super::{
    cgroup::{Cgroup, Nursery},
    child::{ExecutorProgram, ExitNote, Leash, Process},
    inspector::{Departure, Inspector},
    roster::{Birth, Births, ExecutorId, Fleet},
};
use crate::executor::{channel::Channel, protocol::Report};

/// Whom the watch tells.
pub(crate) trait Warden: Clone + Send + 'static {
    /// An executor runs now.
    fn born(&self, id: ExecutorId, leash: Arc<Leash>);
    /// An executor said something.
    fn reported(&self, id: ExecutorId, report: Report);
    /// An executor is gone; nothing of it will be heard any more.
    fn exited(&self, id: ExecutorId, note: &ExitNote);
    /// The GPU of an executor that is gone was looked at; says what is wrong with it.
    fn inspected(&self, departure: Departure, finding: Option<String>);
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
    nursery: Nursery,
    epoll: OwnedFd,
    bell: WatchHandle,
    births: Arc<Births>,
    processes: BTreeMap<ExecutorId, Watched>,
}

#[derive(Debug)]
struct Watched {
    process: Process,
    channel: Arc<Channel>,
    /// Nothing more is to be heard of it: its socket ended, or it does not speak our language.
    deaf: bool,
}

/// What an epoll event is about: the bell, or one of the two descriptors of an executor.
const BELL: u64 = u64::MAX;
const REPORTS: u64 = 0;
const EXIT: u64 = 1;

/// Reports read from one executor before the others get their turn.
const REPORTS_PER_TURN: usize = 16;

/// Reports read from one that has ended: more than a socket holds, so that whatever it has started cannot go on in its name.
const LAST_REPORTS_MAX: usize = 4096;

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
        let watch = Self {
            program,
            nursery: Nursery::of_this_daemon(),
            epoll,
            bell: bell.clone(),
            births,
            processes: BTreeMap::new(),
        };
        Ok((watch, bell, fleet))
    }

    /// Has GPUs inspected, through `discovery`, when executors on them have gone.
    pub(crate) fn inspect(
        fleet: &mut Fleet,
        discovery: Box<dyn GpuDiscovery>,
        warden: impl Warden,
    ) -> io::Result<()> {
        let tell = move |departure, finding| warden.inspected(departure, finding);
        fleet.inspect_with(Inspector::start(discovery, tell)?);
        Ok(())
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
        let started = self.program.start(end, self.cgroup(id)).and_then(|process| {
            self.listen(&channel, id, REPORTS)?;
            self.listen(process.leash.ended(), id, EXIT)?;
            Ok(process)
        });
        match started {
            Ok(process) => {
                tracing::debug!(executor = id.0, pid = process.id(), "executor started");
                warden.born(id, Arc::clone(&process.leash));
                self.processes.insert(id, Watched { process, channel, deaf: false });
            }
            Err(error) => {
                tracing::error!(%error, "cannot start an executor");
                warden.exited(id, &ExitNote::never_started(&error));
            }
        }
    }

    /// Where there is none to be had, the executor tells.
    fn cgroup(&self, id: ExecutorId) -> Option<Cgroup> {
        match self.nursery.make(id.0) {
            Ok(cgroup) => Some(cgroup),
            Err(error) => {
                tracing::debug!(%error, "no cgroup for an executor");
                None
            }
        }
    }

    fn listen(&self, to: impl AsFd, id: ExecutorId, what: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id.0 * 2 + what);
        Ok(epoll::add(&self.epoll, to, data, epoll::EventFlags::IN)?)
    }

    /// At most `count` reports. A socket that ended or broke is not listened to any more: the exit will say the rest.
    fn read_reports(&mut self, id: ExecutorId, warden: &impl Warden, count: usize) {
        let Some(watched) = self.processes.get_mut(&id) else { return };
        for _ in 0..count {
            if watched.deaf {
                return;
            }
            match watched.channel.receive::<Report>() {
                Ok(Some(packet)) => warden.reported(id, packet.message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(None) => watched.deafen(&self.epoll),
                // It was killed with something of ours unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    watched.deafen(&self.epoll);
                }
                Err(error) => {
                    tracing::error!(executor = id.0, %error, "executor does not speak our language; killing it");
                    watched.process.leash.kill();
                    watched.deafen(&self.epoll);
                }
            }
        }
    }

    fn reap(&mut self, id: ExecutorId, warden: &impl Warden) -> io::Result<()> {
        let Some(watched) = self.processes.get_mut(&id) else { return Ok(()) };
        let Some(status) = watched.process.reap()? else { return Ok(()) };
        // What it said before it ended counts, as much as its socket holds.
        self.read_reports(id, warden, LAST_REPORTS_MAX);
        let mut watched = self.processes.remove(&id);
        if let Some(watched) = &mut watched {
            watched.deafen(&self.epoll);
            let _ = epoll::delete(&self.epoll, watched.process.leash.ended());
        }
        warden.exited(id, &ExitNote::of(status));
        drop(watched); // last, so that its cgroup is removed on this thread and not by whoever else held its leash
        Ok(())
    }
}

impl Watched {
    fn deafen(&mut self, epoll: &OwnedFd) {
        self.deaf = true;
        let _ = epoll::delete(epoll, &*self.channel); // twice is no harm
    }
}
