//! A hive that runs: its listeners, its connections to bridges, its timer. For the `ninedoor` program and for programs that
//! embed one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ninedoor::{Config, Secrets, Server};
use ninedoor_abi::{PathName, Refusal};
use secure9p_tokio::{BindRefused, Dialer, Limits, ListenOptions, Listener, Uri, serve};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    audit::{AuditDir, AuditLog, AuditWriter, ChainBounds, Inbox},
    clock::Clock,
    connector::{BridgeLink, stay_connected},
    hive::Hive,
    keeper::{Keeper, KeeperError},
    kept_log::KeptLog,
};

/// What of the first bridge is mounted at start.
const MOUNTED: [&str; 3] = ["/gpu", "/bundles", "/worker"];
/// How often the bridges are looked at while they are waited for.
const BRIDGES_LOOK: Duration = Duration::from_millis(5);

/// What a hive is made of.
#[derive(Debug)]
pub struct Setup {
    /// Where secrets, revocations and the audit log are kept.
    pub state_dir: PathBuf,
    /// The servers it mounts; the first at `/gpu`, `/bundles` and `/worker`, the others by `/queen/ctl`.
    pub bridges: Vec<BridgeLink>,
    /// Where it listens; `embedded:` for [`NineDoor::dialer`].
    pub listen: Vec<Uri>,
    /// How it listens.
    pub options: ListenOptions,
    /// What peers may cost.
    pub limits: Limits,
}

/// Why a hive does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartRefused {
    /// The state directory.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The audit log.
    #[error("open the audit log: {0}")]
    Audit(std::io::Error),
    /// A listener.
    #[error(transparent)]
    Bind(#[from] BindRefused),
    /// The bridges, as they were named.
    #[error("{0}")]
    Bridges(Refusal),
}

/// A hive that runs. Dropping it ends it without waiting for anybody.
#[derive(Debug)]
pub struct NineDoor {
    hive: Hive<KeptLog>,
    uris: Vec<Uri>,
    dialer: Option<Dialer>,
    upstreams: Vec<ninedoor::UpstreamId>,
    close: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    _tasks: JoinSet<()>,
    _audit: AuditWriter,
}

impl NineDoor {
    /// Starts a hive in the runtime of the caller. Bridges may come later.
    ///
    /// # Errors
    /// What is in the way; nothing runs then.
    pub async fn start(setup: Setup) -> Result<Self, StartRefused> {
        let keeper = Keeper::open(&setup.state_dir)?;
        let mut config = Config::hive("ninedoor", env!("CARGO_PKG_VERSION"), Secrets::default());
        keeper.fill(&mut config)?;
        let clock = Clock::system();
        let mut server = Server::new(config, clock.now());
        let upstreams =
            mount_bridges(&mut server, &setup.bridges).map_err(StartRefused::Bridges)?;
        let (listeners, dialer) = bind(&setup).await?;
        let uris = listeners.iter().map(|listener| listener.uri().clone()).collect();

        let directory = AuditDir::of(&setup.state_dir);
        let (audit, writer) =
            AuditLog::start(directory, ChainBounds::default(), "ninedoor", &clock)
                .map_err(StartRefused::Audit)?;
        let provider = KeptLog::new(audit, clock.now());
        let hive = Hive::new(server, provider, clock, Some(keeper));
        let mut tasks = JoinSet::new();
        tasks.spawn(hive.clone().keep_time());
        tasks.spawn(hive.clone().keep_looking(Inbox::of(&setup.state_dir)));
        for (upstream, link) in upstreams.iter().zip(setup.bridges) {
            tasks.spawn(stay_connected(hive.clone(), *upstream, link));
        }
        let (close, closed) = oneshot::channel::<()>();
        let serving = serve(listeners, Arc::new(hive.clone()), setup.limits, async {
            let _ = closed.await; // sent or dropped: both mean the end
        });
        let serving = Some(tokio::spawn(serving));
        hive.tick();
        Ok(Self {
            hive,
            uris,
            dialer,
            upstreams,
            close: Some(close),
            serving,
            _tasks: tasks,
            _audit: writer,
        })
    }

    /// Where it listens, with the ports that were bound.
    #[must_use]
    pub fn uris(&self) -> &[Uri] {
        &self.uris
    }

    /// Dials it from inside this process, where `embedded:` is among its listeners.
    #[must_use]
    pub const fn dialer(&self) -> Option<&Dialer> {
        self.dialer.as_ref()
    }

    /// Whether every bridge can be asked.
    #[must_use]
    pub fn bridges_are_up(&self) -> bool {
        self.hive.with(|server, _, _| {
            self.upstreams.iter().all(|upstream| server.upstream_is_up(*upstream))
        })
    }

    /// Waits until every bridge can be asked; whether that came about in time.
    pub async fn wait_for_bridges(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.bridges_are_up() {
            if Instant::now() >= until {
                return false;
            }
            sleep(BRIDGES_LOOK).await;
        }
        true
    }

    /// Listens no more, answers what is owed, and ends.
    pub async fn stop(mut self) {
        drop(self.close.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.await; // a panic in there has been reported
        }
    }
}

fn mount_bridges(
    server: &mut Server,
    bridges: &[BridgeLink],
) -> Result<Vec<ninedoor::UpstreamId>, Refusal> {
    let add = |link: &BridgeLink| server.add_upstream(&link.service, &link.ticket);
    let upstreams: Vec<_> = bridges.iter().map(add).collect::<Result<_, _>>()?;
    if let Some(first) = upstreams.first() {
        for at in MOUNTED {
            let at: PathName = at.parse().map_err(Refusal::from)?;
            server.mount_remote(*first, &at)?;
        }
    }
    Ok(upstreams)
}

async fn bind(setup: &Setup) -> Result<(Vec<Listener>, Option<Dialer>), BindRefused> {
    let (mut listeners, mut dialer) = (Vec::new(), None);
    for uri in &setup.listen {
        if *uri == Uri::Embedded {
            let (listener, dials) = Listener::embedded();
            listeners.push(listener);
            dialer = Some(dials);
        } else {
            listeners.push(Listener::bind(uri, &setup.options).await?);
        }
    }
    Ok((listeners, dialer))
}
