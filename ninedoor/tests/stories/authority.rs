//! Who sees what, and who may do what with it.

use ninedoor_abi::{Role, ScopeVerb};
use secure9p::{Errno, OpenFlags};

use crate::world::{User, World, scope};

fn open(world: &mut World, user: User, at: &str, flags: OpenFlags) -> Result<(), Errno> {
    let file = world.open(user, at, flags)?;
    world.clunk(file)
}

/// Proves AUTH-9.
#[test]
fn an_observer_sees_health_and_logs_and_the_reports_of_gpus_and_changes_nothing() {
    let mut world = World::bridge();
    let eve = world.observer();
    assert_eq!(world.ls(eve, "/").unwrap(), ["proc", "log", "gpu"]);
    assert_eq!(world.ls(eve, "/gpu/GPU-0").unwrap(), ["info", "lease", "stats"]);
    assert!(world.read(eve, "/log/bridge.log").is_ok());
    assert!(world.read(eve, "/proc/9p/limits").is_ok());
    assert_eq!(open(&mut world, eve, "/gpu/GPU-0/ctl", OpenFlags::RDONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, eve, "/gpu/GPU-0/lease", OpenFlags::RDONLY), Ok(()));
    assert_eq!(open(&mut world, eve, "/gpu/GPU-0/lease", OpenFlags::RDWR), Err(Errno::EACCES));
    assert_eq!(open(&mut world, eve, "/bundles", OpenFlags::RDONLY), Err(Errno::ENOENT));
}

/// Proves AUTH-9.
#[test]
fn a_gpu_worker_sees_the_gpus_in_its_ticket_and_no_other() {
    let mut world = World::bridge();
    let worker = world.worker("worker-7", &["GPU-1"]);
    assert_eq!(world.ls(worker, "/").unwrap(), ["proc", "log", "gpu", "bundles", "worker"]);
    assert_eq!(world.ls(worker, "/gpu").unwrap(), ["GPU-1"]);
    assert_eq!(world.ls(worker, "/proc").unwrap(), ["boot"]);
    assert_eq!(open(&mut world, worker, "/gpu/GPU-1/ctl", OpenFlags::RDWR), Ok(()));
    assert_eq!(open(&mut world, worker, "/gpu/GPU-0/info", OpenFlags::RDONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, worker, "/gpu/GPU-1/info", OpenFlags::WRONLY), Err(Errno::EACCES));
    assert_eq!(open(&mut world, worker, "/log/bridge.log", OpenFlags::RDONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, worker, "/proc/9p/fids", OpenFlags::RDONLY), Err(Errno::ENOENT));
    assert_eq!(world.read(worker, "/worker/jid-1/result").unwrap(), "result\n");
    let without = world.worker("worker-8", &[]);
    assert_eq!(open(&mut world, without, "/gpu", OpenFlags::RDONLY), Err(Errno::ENOENT));
}

/// Proves AUTH-9.
#[test]
fn workers_of_a_hive_see_their_own_directory_and_the_log() {
    let mut world = World::hive();
    let queen = world.queen();
    for _ in 0..2 {
        world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n").0.unwrap();
    }
    let ticket = world.read(queen, "/worker/worker-1/ticket").unwrap();
    let line = world.connect();
    let worker = world.try_attach(line, "worker-heartbeat:worker-1", ticket.trim()).unwrap();
    assert_eq!(world.ls(worker, "/").unwrap(), ["proc", "worker", "log"]);
    assert_eq!(world.ls(worker, "/worker").unwrap(), ["worker-1"]);
    assert_eq!(world.ls(worker, "/worker/worker-1").unwrap(), ["telemetry"]);
    assert!(world.read(worker, "/log/queen.log").is_ok());
    assert_eq!(
        open(&mut world, worker, "/worker/worker-1/ticket", OpenFlags::RDONLY),
        Err(Errno::ENOENT)
    );
    assert_eq!(
        open(&mut world, worker, "/worker/worker-2/telemetry", OpenFlags::RDONLY),
        Err(Errno::ENOENT)
    );
    assert_eq!(open(&mut world, worker, "/queen/ctl", OpenFlags::WRONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, worker, "/log/queen.log", OpenFlags::WRONLY), Err(Errno::EACCES));
}

/// Proves AUTH-10.
#[test]
fn a_queen_with_scopes_has_what_they_name_and_nothing_else() {
    let mut world = World::hive_on_bridge();
    let mut claims = world.claims(Role::Queen, "");
    claims.scopes = vec![scope("/gpu/GPU-0", ScopeVerb::Both), scope("/log", ScopeVerb::Read)];
    let guest = world.user(&claims);
    assert_eq!(world.ls(guest, "/").unwrap(), ["log", "gpu"]);
    assert_eq!(world.ls(guest, "/gpu").unwrap(), ["GPU-0"]);
    assert_eq!(open(&mut world, guest, "/gpu/GPU-0/ctl", OpenFlags::RDWR), Ok(()));
    assert_eq!(open(&mut world, guest, "/gpu/GPU-1", OpenFlags::RDONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, guest, "/queen/ctl", OpenFlags::WRONLY), Err(Errno::ENOENT));
    assert_eq!(open(&mut world, guest, "/proc/boot", OpenFlags::RDONLY), Err(Errno::ENOENT));
}

/// Proves AUTH-10.
#[test]
fn a_scope_may_open_a_place_for_reading_or_for_writing_only() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::WorkerGpu, "worker-7");
    claims.scopes = vec![
        scope("/gpu/GPU-0", ScopeVerb::Read),
        scope("/gpu/GPU-1/job", ScopeVerb::Write),
        scope("/bundles/mine", ScopeVerb::Both),
    ];
    let worker = world.user(&claims);
    assert_eq!(open(&mut world, worker, "/gpu/GPU-0/lease", OpenFlags::RDONLY), Ok(()));
    assert_eq!(open(&mut world, worker, "/gpu/GPU-0/lease", OpenFlags::RDWR), Err(Errno::EACCES));
    assert_eq!(world.ls(worker, "/gpu/GPU-1").unwrap(), ["job"]);
    assert_eq!(open(&mut world, worker, "/gpu/GPU-1/job", OpenFlags::WRONLY), Ok(()));
    assert_eq!(open(&mut world, worker, "/gpu/GPU-1/job", OpenFlags::RDONLY), Err(Errno::EACCES));
    assert_eq!(world.stage(worker, "/bundles", "other", "x"), Err(Errno::EACCES));
    let queen = world.queen();
    world.stage(queen, "/bundles", "mine", "x").unwrap();
    world.stage(queen, "/bundles", "other", "x").unwrap();
    assert_eq!(world.ls(worker, "/bundles").unwrap(), ["mine"]);
}

/// Proves AUTH-9.
#[test]
fn what_is_refused_never_reaches_a_provider() {
    let mut world = World::bridge();
    let eve = world.observer();
    let _ = world.open(eve, "/gpu/GPU-0/ctl", OpenFlags::RDWR);
    let _ = world.open(eve, "/gpu/GPU-0/lease", OpenFlags::WRONLY);
    let _ = world.stage(eve, "/gpu/GPU-0", "x", "x");
    let asked: Vec<&String> =
        world.gpus.asked.iter().filter(|asked| !asked.starts_with("Walk gpu")).collect();
    assert!(asked.is_empty(), "{asked:?}");
    world.hang_up(eve.line);
    assert_eq!(world.gpus.handles(), 0);
}
