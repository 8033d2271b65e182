//! Two servers and their peers over real sockets and in-memory pairs: that the shell does what the stories of the core assume.
#![allow(clippy::unwrap_used, reason = "a test that goes wrong ends")]

#[path = "../../tests/stories/gpus.rs"]
#[expect(dead_code, reason = "the stories of the core use more of it")]
mod gpus;

use std::{sync::Arc, time::Duration};

use gpus::{Gpus, secret};
use ninedoor::{Answer, Ask, AskId, Config, ProviderNode, Secrets, Server};
use ninedoor_abi::{Claims, Now, Role, UnixMs};
use ninedoor_host::{BridgeLink, Clock, Hive, Keeper, LocalProvider, NineDoor, Order, Setup};
use secure9p::Errno;
use secure9p_tokio::{
    Client, ClientError, ConnectOptions, Dialer, Limits, ListenOptions, Listener, Root, Uri, serve,
};
use tokio::{sync::oneshot, task::JoinHandle};

/// The stories' provider, behind the shell's trait.
struct Gpu(Gpus);

impl LocalProvider for Gpu {
    fn ask(&mut self, ask: Ask, now: Now) -> Option<Answer> {
        self.0.ask(ask, now).map(|(_, answer)| answer)
    }

    fn released(&mut self, node: ProviderNode) {
        self.0.released(node);
    }

    fn poll_answer(&mut self) -> Option<(AskId, Answer)> {
        None
    }

    fn poll_order(&mut self) -> Option<Order> {
        None
    }

    fn tick(&mut self, _now: Now) {}

    fn next_deadline(&self) -> Option<UnixMs> {
        None
    }
}

struct Serving {
    uri: Uri,
    close: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Serving {
    async fn stop(self) {
        drop(self.close);
        self.served.await.unwrap();
    }
}

/// A bridge with two GPUs, listening at `uri`.
async fn bridge(uri: &Uri) -> Serving {
    let secrets = Role::ALL.into_iter().map(|role| (role, secret(role))).collect();
    let clock = Clock::system();
    let mut server = Server::new(Config::bridge("bridge", "0", Secrets::new(secrets)), clock.now());
    let mut gpus = Gpus::default();
    for (at, root) in [("/gpu", "gpu"), ("/bundles", "bundles"), ("/worker", "worker")] {
        gpus.mounted(server.mount_provider(&at.parse().unwrap()).unwrap(), root);
    }
    let hive = Hive::new(server, Gpu(gpus), clock, None);
    let listener = Listener::bind(uri, &ListenOptions::default()).await.unwrap();
    let uri = listener.uri().clone();
    let (close, closed) = oneshot::channel::<()>();
    let limits = Limits { drain_timeout: Duration::from_millis(200), ..Limits::default() };
    let served = tokio::spawn(serve(vec![listener], Arc::new(hive), limits, async {
        let _ = closed.await;
    }));
    Serving { uri, close, served }
}

fn anywhere() -> Uri {
    "tcp://127.0.0.1:0".parse().unwrap()
}

/// A hive that mounts the bridge at `uri`.
async fn hive(state_dir: &std::path::Path, uri: &Uri) -> NineDoor {
    let ticket = Claims::new(Role::Queen, None, Clock::system().now().unix_ms)
        .mint(&secret(Role::Queen))
        .unwrap();
    let link = BridgeLink {
        service: "gpu-bridge".to_owned(),
        uri: uri.clone(),
        ticket: ticket.expose(),
        options: ConnectOptions::default(),
    };
    let setup = Setup {
        state_dir: state_dir.to_owned(),
        bridges: vec![link],
        listen: vec![Uri::Embedded, anywhere()],
        options: ListenOptions::default(),
        limits: Limits { drain_timeout: Duration::from_millis(200), ..Limits::default() },
    };
    let hive = NineDoor::start(setup).await.unwrap();
    assert!(hive.wait_for_bridges(Duration::from_secs(20)).await, "the bridge did not come");
    hive
}

async fn inside(dialer: &Dialer) -> Client {
    let options = ConnectOptions { embedded: Some(dialer.clone()), ..ConnectOptions::default() };
    Client::connect(&Uri::Embedded, options).await.unwrap()
}

async fn queen(hive: &NineDoor) -> Root {
    inside(hive.dialer().unwrap()).await.attach("queen", "").await.unwrap()
}

async fn text(root: &Root, path: &str) -> Result<String, ClientError> {
    Ok(String::from_utf8(root.read(path).await?.to_vec()).unwrap())
}

/// Proves AUTH-3, NS-21, NS-22.
#[tokio::test]
async fn a_queen_inside_spawns_a_worker_that_works_over_tcp_until_it_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let bridge = bridge(&anywhere()).await;
    let hive = hive(directory.path(), &bridge.uri).await;
    let queen = queen(&hive).await;
    assert_eq!(text(&queen, "/gpu/GPU-0/info").await.unwrap(), "{\"id\":\"GPU-0\"}\n");
    let spawn = b"{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":64,\"streams\":1,\"ttl_s\":30}}\n";
    queen.write("/queen/ctl", spawn).await.unwrap();
    let ticket = text(&queen, "/worker/worker-1/ticket").await.unwrap();

    let tcp = Client::connect(&hive.uris()[1], ConnectOptions::default()).await.unwrap();
    let stranger = tcp.attach("queen", "").await.unwrap_err();
    assert_eq!(stranger.errno(), Some(Errno::EACCES));
    let worker = tcp.attach("worker-gpu:worker-1", ticket.trim()).await.unwrap();
    assert_eq!(text(&worker, "/gpu/GPU-0/info").await.unwrap(), "{\"id\":\"GPU-0\"}\n");
    assert!(text(&worker, "/gpu/GPU-1/info").await.is_err());

    queen.write("/queen/ctl", b"{\"kill\":\"worker-1\"}\n").await.unwrap();
    assert!(text(&worker, "/proc/boot").await.is_err());
    let log = text(&queen, "/log/queen.log").await.unwrap();
    assert!(log.contains("OK KILL id=worker-1 gpu=GPU-0 lease=lease-1 bridge=revoked"), "{log}");
    hive.stop().await;
    bridge.stop().await;
}

/// Proves NS-29.
#[tokio::test]
async fn a_bridge_that_restarts_is_mounted_again() {
    let directory = tempfile::tempdir().unwrap();
    let first = bridge(&anywhere()).await;
    let uri = first.uri.clone();
    let hive = hive(directory.path(), &uri).await;
    let queen = queen(&hive).await;
    let open = queen.open("/gpu/GPU-0/info", secure9p::OpenFlags::RDONLY).await.unwrap();
    first.stop().await;
    let lost = open.read_at(0, 10).await.unwrap_err();
    assert_eq!(lost.errno(), Some(Errno::EIO));
    assert_eq!(text(&queen, "/proc/boot").await.unwrap().lines().next(), Some("name=ninedoor"));
    let second = bridge(&uri).await;
    assert!(hive.wait_for_bridges(Duration::from_secs(20)).await, "the bridge did not come back");
    assert_eq!(text(&queen, "/gpu/GPU-0/info").await.unwrap(), "{\"id\":\"GPU-0\"}\n");
    hive.stop().await;
    second.stop().await;
}

/// Proves AUTH-7, AUTH-12.
#[tokio::test]
async fn what_is_revoked_in_the_state_directory_ends_who_is_attached() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = Keeper::open(directory.path()).unwrap();
    let mut config = Config::bridge("bridge", "0", Secrets::default());
    keeper.fill(&mut config).unwrap();
    let clock = Clock::set(Now { unix_ms: UnixMs(1_700_000_000_000), ..Now::default() });
    let hive = Hive::new(Server::new(config, clock.now()), (), clock.clone(), Some(keeper));
    let (listener, dialer) = Listener::embedded();
    let served = tokio::spawn(serve(
        vec![listener],
        Arc::new(hive.clone()),
        Limits::default(),
        std::future::pending(),
    ));

    let other = Keeper::open(directory.path()).unwrap();
    let ticket = Claims::new(Role::Observer, Some("eve".parse().unwrap()), clock.now().unix_ms);
    let ticket = ticket.mint(&other.secret(Role::Observer).unwrap()).unwrap();
    let eve = inside(&dialer).await.attach("observer:eve", &ticket.expose()).await.unwrap();
    assert!(text(&eve, "/proc/boot").await.is_ok());
    other.note_revocation(&ninedoor::Revocation::Ticket(ticket.id())).unwrap();
    hive.look_for_changes();
    assert!(text(&eve, "/proc/boot").await.is_err());
    let again = inside(&dialer).await.attach("observer:eve", &ticket.expose()).await.unwrap_err();
    assert_eq!(again.errno(), Some(Errno::EKEYREVOKED));

    let queen = Claims::new(Role::Queen, None, clock.now().unix_ms)
        .mint(&other.secret(Role::Queen).unwrap())
        .unwrap();
    other.rotate(Role::Queen).unwrap();
    hive.look_for_changes();
    let void = inside(&dialer).await.attach("queen", &queen.expose()).await.unwrap_err();
    assert_eq!(void.errno(), Some(Errno::EKEYREJECTED));
    served.abort();
}

/// Proves AUTH-6.
#[tokio::test(start_paused = true)]
async fn the_timer_ends_what_has_expired_without_anybody_asking() {
    let secrets = Role::ALL.into_iter().map(|role| (role, secret(role))).collect();
    let clock = Clock::set(Now { unix_ms: UnixMs(1_700_000_000_000), ..Now::default() });
    let server = Server::new(Config::bridge("bridge", "0", Secrets::new(secrets)), clock.now());
    let hive = Hive::new(server, (), clock.clone(), None);
    let (listener, dialer) = Listener::embedded();
    tokio::spawn(serve(
        vec![listener],
        Arc::new(hive.clone()),
        Limits::default(),
        std::future::pending(),
    ));
    tokio::spawn(hive.clone().keep_time());
    let mut claims = Claims::new(Role::Observer, Some("eve".parse().unwrap()), clock.now().unix_ms);
    claims.budget.ttl_s = Some(60);
    let ticket = claims.mint(&secret(Role::Observer)).unwrap();
    let _eve = inside(&dialer).await.attach("observer:eve", &ticket.expose()).await.unwrap();
    let queen = inside(&dialer).await.attach("queen", "").await.unwrap();
    clock.advance(Duration::from_secs(60));
    tokio::time::advance(Duration::from_secs(61)).await;
    let log = text(&queen, "/log/bridge.log").await.unwrap();
    assert!(log.contains("who=observer:eve OK EXPIRE reason=ttl"), "{log}");
}
