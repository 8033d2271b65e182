//! The bridge as a whole, to be started and stopped: in its own program, or inside another.
//!
//! ```text
//!   Bridge::start ─▶ state directory, GPUs, stores
//!        │                                    ┌──────── one lock ────────┐
//!        ├─▶ Hive ── 9P connections ────────▶ │ namespace ⇄ Publisher    │
//!        ├─▶ Watch (thread) ── executors ───▶ │              └ Dispatcher│ ⇄ Broker
//!        ├─▶ Sampler (task) ── counters ────▶ └──────────────────────────┘
//!        └─▶ BridgeHandle ─▶ drain ─▶ stop
//! ```

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bridge_host_broker::Broker;
use bridge_host_gpu::GpuError;
use ninedoor::{AuditLine, Server};
use ninedoor_abi::Refusal;
use ninedoor_host::{Clock, Hive, Keeper, KeeperError};
use secure9p_tokio::{
    BindRefused, Dialer, ListenOptions, Listener, Tally, Uri, serve_tallied, tls::TlsRefused,
};
use tokio::{sync::oneshot, task::JoinHandle as Task};

use crate::{
    audit::{AuditDir, AuditLog, AuditWriter, Inbox},
    backend::{Backend, BackendChoice},
    config::{Config, ConfigRefused},
    dispatcher::{Dispatcher, Parts, Readers},
    events,
    executor::protocol::Report,
    fleet::{Departure, ExecutorId, ExecutorProgram, ExitNote, Leash, Warden, Watch, WatchHandle},
    inventory::Inventory,
    metrics,
    publisher::Publisher,
    pulse::Pulse,
    reload::{self, Reloaded},
    sampler,
    store::{
        Artefacts, Journal, JournalError, JournalThreads, KinList, Outputs, Rows, Scribes,
        StateDir, StateDirError,
    },
};

/// How often drain looks whether the last job has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// How often it is looked whether executors of an earlier daemon are gone, and how long they are waited for.
const EXECUTORS_LOOK: Duration = Duration::from_millis(10);
const EXECUTORS_PATIENCE: Duration = Duration::from_secs(10);

/// Why a bridge does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartRefused {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigRefused),
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The secrets cannot be used.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// There are no GPUs to serve.
    #[error("{0}; --backend soft needs no hardware")]
    Gpu(#[from] GpuError),
    /// Processes of an earlier daemon may have GPU memory.
    #[error(
        "executors of an earlier gpu-bridge-host have not ended after {waited_s} s, and may have GPU memory: {pids:?}; kill them, or look for what is wrong with the driver, and start again"
    )]
    Executors {
        /// How long they were waited for.
        waited_s: u64,
        /// Their process ids.
        pids: Vec<u32>,
    },
    /// Leases and jobs that an earlier daemon left cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A store cannot be opened.
    #[error("open the {what} store: {error}")]
    Store {
        /// Which.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Executors cannot be watched.
    #[error("watch executors: {0}")]
    Watch(io::Error),
    /// Nothing can be listened on.
    #[error(transparent)]
    Bind(#[from] BindRefused),
    /// Metrics cannot be served.
    #[error("{0}")]
    Metrics(io::Error),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsRefused),
    /// The parts do not fit together: our fault.
    #[error("internal: {0}")]
    Internal(Refusal),
}

/// The namespace of a bridge.
pub(crate) type BridgeHive = Hive<Publisher>;

/// Starts bridges.
#[derive(Debug)]
pub struct Bridge;

/// A bridge that runs. Dropping it stops it without waiting for its jobs.
#[derive(Debug)]
pub struct BridgeHandle {
    hive: BridgeHive,
    config: Mutex<Config>,
    uris: Vec<Uri>,
    metrics: Option<SocketAddr>,
    dialer: Option<Dialer>,
    backend: Backend,
    note: Option<String>,
    bell: WatchHandle,
    ending: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
    close: Option<oneshot::Sender<()>>,
    serving: Option<Task<()>>,
    timers: Vec<Task<()>>,
    /// Ends before the state directory is let go of, and after the last that was to be stored.
    _store: JournalThreads,
    /// The same for what is being staged.
    _scribes: Scribes,
    _readers: Readers,
    /// Writes the last lines of the log.
    _audit: AuditWriter,
    /// Held until everything else is gone.
    _state: StateDir,
}

impl Bridge {
    /// Starts a bridge in the runtime of the caller.
    ///
    /// # Errors
    /// What is in the way; nothing runs then.
    pub async fn start(config: Config) -> Result<BridgeHandle, StartRefused> {
        config.check()?;
        let inventory = match config.mock_gpus {
            Some(count) if config.backend == BackendChoice::Mock => Inventory::mock_rack(count)?,
            _ => Inventory::take(config.backend, config.soft.into())?,
        };
        Self::start_on(inventory, config).await
    }

    /// The same, on GPUs that were found before.
    ///
    /// # Errors
    /// As above.
    pub async fn start_on(
        mut inventory: Inventory,
        config: Config,
    ) -> Result<BridgeHandle, StartRefused> {
        config.check()?;
        let state = StateDir::open(&config.state_dir)?;
        let events = inventory.discovery.events().unwrap_or_else(|error| {
            tracing::warn!(%error, "GPU events are not heard; counters are read all the same");
            None
        });
        let clock = Clock::system();
        let program = ExecutorProgram {
            path: config.executors.program(),
            backend: inventory.backend,
            stderr: config.executors.stderr,
            confinement: config.executors.confinement,
            kin: outlive_executors(&config.state_dir).await?,
        };
        let (watch, bell, fleet) =
            Watch::new(program, config.executors.spares, config.executors.max)
                .map_err(StartRefused::Watch)?;
        let (audit, audit_writer) = AuditLog::start(
            AuditDir::of(&config.state_dir),
            config.audit.bounds(),
            "bridge",
            &clock,
        )
        .map_err(|error| StartRefused::Store { what: "audit", error })?;
        let (journal, left) = Journal::open(&config.state_dir.join("journal"))?;
        let parts = Parts {
            broker: Broker::new(config.policy()),
            fleet,
            bell: bell.clone(),
            artefacts: artefacts(&config)?,
            outputs: outputs(&config)?,
            journal,
            audit,
            keeper: Keeper::open(&config.state_dir)?,
        };
        let hive = build_hive(&config, parts, left, &inventory, clock)?;
        let store = start_store(&hive)?;
        let scribes = start_scribes(&hive)?;
        let readers = start_readers(&hive)?;
        let (listeners, dialer) = listeners(&config).await?;
        let scrapers = match config.metrics {
            Some(at) => Some(metrics::bind(at).await.map_err(StartRefused::Metrics)?),
            None => None,
        };
        let metrics = scrapers.as_ref().and_then(|listener| listener.local_addr().ok());

        let ending = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ending);
        if let Some(events) = events {
            events::keep_listening(hive.clone(), events, Arc::clone(&ending))
                .map_err(StartRefused::Watch)?;
        }
        let inspects = inventory.backend.discovery()?;
        let warden = HiveWarden(hive.clone());
        hive.with(|_, publisher, _| {
            Watch::inspect(&mut publisher.dispatcher.fleet, inspects, warden)
        })
        .map_err(StartRefused::Watch)?;
        let watch = watch
            .start(HiveWarden(hive.clone()), move || ends.load(Ordering::Acquire))
            .map_err(StartRefused::Watch)?;
        let mut timers = vec![
            tokio::spawn(hive.clone().keep_time()),
            tokio::spawn(hive.clone().keep_looking(Inbox::of(&config.state_dir))),
            tokio::spawn(sampler::keep_sampling(hive.clone(), inventory.discovery, inventory.gpus)),
        ];
        let tally = Arc::new(Tally::default());
        timers.extend(scrapers.map(|listener| {
            let sources = metrics::Sources {
                tally: Arc::clone(&tally),
                state_directory: config.state_dir.clone(),
                backend: inventory.backend,
            };
            tokio::spawn(metrics::serve(listener, hive.clone(), sources))
        }));
        let uris = listeners.iter().map(|listener| listener.uri().clone()).collect();
        let (close, closed) = oneshot::channel::<()>();
        let limits = config.sessions.transport_limits();
        let ended = async {
            let _ = closed.await; // dropped or sent: both mean the end
        };
        let service = Arc::new(hive.clone());
        let serving = tokio::spawn(serve_tallied(listeners, service, limits, tally, ended));
        Ok(BridgeHandle {
            hive,
            config: Mutex::new(config),
            uris,
            metrics,
            dialer,
            backend: inventory.backend,
            note: inventory.note,
            bell,
            ending,
            watch: Some(watch),
            close: Some(close),
            serving: Some(serving),
            timers,
            _store: store,
            _scribes: scribes,
            _readers: readers,
            _audit: audit_writer,
            _state: state,
        })
    }
}

impl BridgeHandle {
    /// Where it listens, with the ports that were bound.
    #[must_use]
    pub fn uris(&self) -> &[Uri] {
        &self.uris
    }

    /// Where metrics are served, with the port that was bound.
    #[must_use]
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Dials it from inside this process, where `embedded:` is among its listeners.
    #[must_use]
    pub const fn dialer(&self) -> Option<&Dialer> {
        self.dialer.as_ref()
    }

    /// Which GPUs it serves.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Why it serves the software GPU where nobody asked for it.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// What tells whether it lives.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(self.hive.clone())
    }

    /// Puts new settings into force as far as that can be done while it runs.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn reload(&self, wanted: &Config) -> Result<Reloaded, ConfigRefused> {
        wanted.check().inspect_err(|refused| self.reload_refused(&refused.to_string()))?;
        let mut running = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(reload::reload(&self.hive, &mut running, wanted))
    }

    /// Notes that new settings could not even be read.
    pub fn reload_refused(&self, why: &str) {
        reload::refuse(&self.hive, why);
    }

    /// Takes over what other programs have changed in the state directory: revoked tickets, rotated secrets.
    pub fn look_for_changes(&self) {
        self.hive.look_for_changes();
    }

    /// Grants and accepts nothing more, and waits for the last job to end.
    pub async fn drain(&self) {
        self.hive.with(|server, publisher, now| {
            server.audit(AuditLine::by("bridge").done("DRAIN", "gpu=all".to_owned()), now);
            publisher.dispatcher.drain(now);
        });
        while !self.hive.with(|_, publisher, _| publisher.dispatcher.is_idle()) {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    /// Closes every connection once it has its answers, and ends every executor.
    pub async fn stop(mut self) {
        self.close.take();
        if let Some(serving) = self.serving.take() {
            let _ = serving.await; // a panic in there was reported where it happened
        }
        self.end_executors();
    }

    fn end_executors(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.hive.with(|_, publisher, _| publisher.dispatcher.fleet.kill_all());
        self.bell.wake();
        for timer in self.timers.drain(..) {
            timer.abort();
        }
        if let Some(watch) = self.watch.take() {
            let _ = watch.join(); // as above
        }
    }
}

impl Drop for BridgeHandle {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
        self.end_executors();
    }
}

fn artefacts(config: &Config) -> Result<Artefacts, StartRefused> {
    Artefacts::open(&config.state_dir.join("artefacts"), config.artefacts.quota())
        .map_err(|error| StartRefused::Store { what: "artefact", error })
}

fn outputs(config: &Config) -> Result<Outputs, StartRefused> {
    Outputs::open(&config.state_dir.join("outputs"), config.outputs.quota())
        .map_err(|error| StartRefused::Store { what: "output", error })
}

fn build_hive(
    config: &Config,
    parts: Parts,
    left: Rows,
    inventory: &Inventory,
    clock: Clock,
) -> Result<BridgeHive, StartRefused> {
    let now = clock.now();
    let keeper = Keeper::open(&config.state_dir)?;
    let mut settings =
        ninedoor::Config::bridge(&config.name, env!("CARGO_PKG_VERSION"), keeper.secrets()?);
    settings.session = config.sessions.session_limits();
    keeper.fill(&mut settings)?;
    let mut server = Server::new(settings, now);
    let mut dispatcher = Dispatcher::new(parts);
    for (id, info) in &inventory.gpus {
        let executor_mb = config.executors.context_mb(info.backend);
        let added = dispatcher.add_gpu(id.clone(), info.clone(), executor_mb, now);
        added.map_err(StartRefused::Internal)?;
    }
    dispatcher.restore(left, now);
    let mut publisher = Publisher::new(dispatcher, now);
    publisher.mount(&mut server).map_err(StartRefused::Internal)?;
    Ok(Hive::new(server, publisher, clock, Some(keeper)))
}

/// Whatever the scribes have done, is told to who waits for it.
fn start_scribes(hive: &BridgeHive) -> Result<Scribes, StartRefused> {
    let told = hive.clone();
    let tell = move |done| told.with(|_, publisher, now| publisher.stored(done, now));
    hive.with(|_, publisher, _| publisher.dispatcher.artefacts.start(tell))
        .map_err(|error| StartRefused::Store { what: "artefact", error })
}

/// Whatever module has been read, the jobs that wait for it go on.
fn start_readers(hive: &BridgeHive) -> Result<Readers, StartRefused> {
    let told = hive.clone();
    let tell = move |reading| told.with(|_, publisher, now| publisher.module_read(reading, now));
    hive.with(|_, publisher, _| publisher.dispatcher.start_readers(tell))
        .map_err(|error| StartRefused::Store { what: "module", error })
}

/// Waits until no executor of an earlier daemon is left: they end with it, as soon as their drivers let them.
async fn outlive_executors(state_dir: &Path) -> Result<KinList, StartRefused> {
    let list = state_dir.join("executors");
    let world = |error| StartRefused::Store { what: "executor", error };
    let waiting = async {
        while !KinList::living(&list).map_err(world)?.is_empty() {
            tokio::time::sleep(EXECUTORS_LOOK).await;
        }
        KinList::begin(&list).map_err(world)
    };
    match tokio::time::timeout(EXECUTORS_PATIENCE, waiting).await {
        Ok(list) => list,
        Err(_) => Err(StartRefused::Executors {
            waited_s: EXECUTORS_PATIENCE.as_secs(),
            pids: KinList::living(&list).map_err(world)?,
        }),
    }
}

/// Whenever more is on the disk, the answers that waited for it are given.
fn start_store(hive: &BridgeHive) -> Result<JournalThreads, StartRefused> {
    let told = hive.clone();
    let start = |journal: &mut Journal| journal.start(move || told.with(|_, _, _| ()));
    hive.with(|_, publisher, _| start(&mut publisher.dispatcher.journal))
        .map_err(|error| StartRefused::Store { what: "lease and job", error })
}

async fn listeners(config: &Config) -> Result<(Vec<Listener>, Option<Dialer>), StartRefused> {
    let options = ListenOptions {
        tls: config.tls.as_ref().map(crate::config::TlsSettings::load).transpose()?,
        allow_plaintext: config.insecure_plaintext,
    };
    let mut listeners = Vec::new();
    let mut dialer = None;
    for uri in &config.listen {
        if *uri == Uri::Embedded {
            let (listener, dials) = Listener::embedded();
            listeners.push(listener);
            dialer = Some(dials);
        } else {
            listeners.push(Listener::bind(uri, &options).await?);
        }
    }
    Ok((listeners, dialer))
}

/// Tells the dispatcher, under the hive's lock, what the watch has seen.
#[derive(Clone)]
struct HiveWarden(BridgeHive);

impl Warden for HiveWarden {
    fn born(&self, id: ExecutorId, leash: Arc<Leash>) {
        self.0.with(|_, publisher, _| publisher.dispatcher.executor_born(id, leash));
    }

    fn reported(&self, id: ExecutorId, report: Report) {
        self.0.with(|_, publisher, now| publisher.dispatcher.executor_reported(id, report, now));
    }

    fn exited(&self, id: ExecutorId, note: &ExitNote) {
        self.0.with(|_, publisher, now| publisher.dispatcher.executor_exited(id, note, now));
    }

    fn inspected(&self, departure: Departure, finding: Option<String>) {
        self.0.with(|_, publisher, now| {
            publisher.dispatcher.gpu_inspected(departure, finding, now);
        });
    }
}
