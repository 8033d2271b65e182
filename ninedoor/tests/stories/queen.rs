//! The queen's orders: workers made and killed, through a bridge.

use ninedoor::Event;
use ninedoor_abi::{Role, Ticket};
use secure9p::{Errno, OpenFlags};

use crate::world::{User, World};

const SPAWN: &str = "{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":64,\"streams\":1,\"ttl_s\":30}}\n";

/// Spawns a GPU worker and attaches as it.
fn spawn(world: &mut World, queen: User) -> User {
    let (ok, status) = world.order(queen, "/queen/ctl", SPAWN);
    assert_eq!(ok, Ok(()), "{status}");
    let id = status.split("id=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let ticket = world.read(queen, &format!("/worker/{id}/ticket")).unwrap();
    let line = world.connect();
    world.try_attach(line, &format!("worker-gpu:{id}"), ticket.trim()).unwrap()
}

/// Proves NS-21.
#[test]
fn spawning_a_gpu_worker_takes_a_lease_on_the_bridge_and_gives_a_ticket_for_that_gpu() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let (ok, status) = world.order(queen, "/queen/ctl", SPAWN);
    assert_eq!(ok, Ok(()));
    let ticket = world.read(queen, "/worker/worker-1/ticket").unwrap();
    let ticket = Ticket::parse(ticket.trim()).unwrap();
    let wanted = format!(
        "OK SPAWN id=worker-1 role=worker-gpu ticket={} gpu=GPU-0 lease=lease-1\n",
        ticket.id()
    );
    assert_eq!(status, wanted);
    let orders = &world.bridge.as_ref().unwrap().1.gpus.orders;
    assert_eq!(orders[0], "GPU-0 LEASE mem_mb=64 streams=1 ttl_s=30 worker=worker-1");
    assert_eq!(orders[1], "GPU-0 TICKET worker=worker-1 ttl_s=30");
    assert!(world.told(|event| *event == Event::WorkerIdsTaken { next: 2 }));
    let log = world.read(queen, "/log/queen.log").unwrap();
    assert!(log.contains(" OK SPAWN id=worker-1 "), "{log}");
    assert!(!log.contains(&ticket.expose()), "{log}");
}

/// Proves NS-21.
#[test]
fn a_spawned_worker_sees_its_gpu_and_works_under_its_own_name_on_the_bridge() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let worker = spawn(&mut world, queen);
    assert_eq!(world.ls(worker, "/gpu").unwrap(), ["GPU-0"]);
    assert_eq!(world.read(worker, "/gpu/GPU-0/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    assert_eq!(world.read(worker, "/gpu/GPU-1/info"), Err(Errno::ENOENT));
    let asked = &world.bridge.as_ref().unwrap().1.gpus.asked;
    assert!(asked.iter().any(|asked| asked == "Read gpu by \"worker-1\""), "{asked:?}");
    assert_eq!(world.ls(worker, "/worker").unwrap(), ["worker-1", "jid-1"]);
    assert_eq!(world.read(worker, "/worker/jid-1/result").unwrap(), "result\n");
    world.stage(worker, "/bundles", "vadd.ptx", "x").unwrap();
}

/// Proves NS-22.
#[test]
fn killing_a_worker_closes_its_files_ends_its_sessions_and_revokes_its_lease() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let worker = spawn(&mut world, queen);
    let ctl = world.open(worker, "/gpu/GPU-0/ctl", OpenFlags::RDWR).unwrap();
    let telemetry = world.open(worker, "/worker/worker-1/telemetry", OpenFlags::WRONLY).unwrap();
    let ticket = world.read(queen, "/worker/worker-1/ticket").unwrap();
    let (ok, status) = world.order(queen, "/queen/ctl", "{\"kill\":\"worker-1\"}\n");
    assert_eq!(
        (ok, status.as_str()),
        (Ok(()), "OK KILL id=worker-1 gpu=GPU-0 lease=lease-1 bridge=revoked\n")
    );
    assert_eq!(world.write_to(ctl, "LEASE\n"), Err(Errno::EPERM));
    assert_eq!(world.write_to(telemetry, "x\n"), Err(Errno::EPERM));
    let connection = world.connection(worker.line);
    assert!(world.told(
        |event| matches!(event, Event::Close { connection: closed, .. } if *closed == connection)
    ));
    assert_eq!(world.ls(queen, "/worker").unwrap(), ["jid-1"]);
    let line = world.connect();
    let again = world.try_attach(line, "worker-gpu:worker-1", ticket.trim());
    assert!(again.is_err_and(|errno| errno == Errno::EKEYREVOKED));
    assert_eq!(
        world.bridge.as_ref().unwrap().1.gpus.orders.last().unwrap(),
        "GPU-0 REVOKE lease-1"
    );
    let orders = &world.bridge.as_ref().unwrap().1.gpus.orders;
    assert!(orders.iter().any(|order| order.starts_with("GPU-0 REVOKE ticket=")), "{orders:?}");
    assert_eq!(world.bridge.as_ref().unwrap().1.gpus.handles(), 0);
}

/// Proves NS-23.
#[test]
fn a_spawn_that_the_bridge_refuses_uses_up_no_id_and_says_why() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    world.bridge.as_mut().unwrap().1.gpus.full = true;
    let (refused, status) = world.order(queen, "/queen/ctl", SPAWN);
    assert_eq!(refused, Err(Errno::EBUSY));
    assert_eq!(
        status,
        "ERR SPAWN EBUSY gpu GPU-0 has 0 of 4096 MiB free; lease-5 frees 4096 MiB in 37 s\n"
    );
    let (refused, status) = world.order(queen, "/queen/ctl", &SPAWN.replace("GPU-0", "GPU-9"));
    assert_eq!(refused, Err(Errno::ENOENT));
    assert_eq!(status, "ERR SPAWN ENOENT gpu-bridge has no /gpu/GPU-9/ctl\n");
    world.bridge.as_mut().unwrap().1.gpus.full = false;
    let (_, status) = world.order(queen, "/queen/ctl", SPAWN);
    assert!(status.starts_with("OK SPAWN id=worker-1 "), "{status}");
}

/// Proves NS-23.
#[test]
fn a_spawn_without_a_bridge_is_busy_and_nothing_is_changed() {
    let mut world = World::hive();
    let queen = world.queen();
    let (refused, status) = world.order(queen, "/queen/ctl", SPAWN);
    assert_eq!(
        (refused, status.as_str()),
        (Err(Errno::EBUSY), "ERR SPAWN EBUSY no bridge is mounted at /gpu\n")
    );
    let (refused, status) = world.order(queen, "/queen/ctl", "{\"spawn\":\"gpu\",\"colour\":1}\n");
    assert_eq!(refused, Err(Errno::EINVAL));
    assert!(status.starts_with("ERR ? EINVAL "), "{status}");
    assert_eq!(world.ls(queen, "/worker").unwrap(), Vec::<String>::new());
}

/// Proves NS-24.
#[test]
fn worker_ids_go_on_where_an_earlier_life_stopped() {
    let mut world = World::hive_from(8);
    let queen = world.queen();
    let (_, status) = world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n");
    assert!(status.starts_with("OK SPAWN id=worker-8 role=worker-heartbeat "), "{status}");
}

/// Proves NS-24.
#[test]
fn the_ticket_of_an_earlier_worker_of_the_same_name_opens_nothing() {
    let mut world = World::hive();
    let old = world.claims(Role::WorkerHeartbeat, "worker-1");
    world.advance_s(5);
    let queen = world.queen();
    world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n").0.unwrap();
    let line = world.connect();
    let ticket = old.mint(&crate::gpus::secret(Role::WorkerHeartbeat)).unwrap().expose();
    let refused = world.try_attach(line, "worker-heartbeat:worker-1", &ticket);
    assert!(refused.is_err_and(|errno| errno == Errno::EKEYREVOKED));
}

/// Proves NS-25.
#[test]
fn budgets_of_the_order_come_first_and_then_the_default_ones() {
    let mut world = World::hive();
    let queen = world.queen();
    world
        .order(
            queen,
            "/queen/ctl",
            "{\"budget\":{\"ttl_s\":100,\"ops\":7}}\n{\"budget\":{\"ops\":9}}\n",
        )
        .0
        .unwrap();
    world
        .order(
            queen,
            "/queen/ctl",
            "{\"spawn\":\"heartbeat\",\"ticks\":3,\"budget\":{\"ttl_s\":50}}\n",
        )
        .0
        .unwrap();
    let ticket = world.read(queen, "/worker/worker-1/ticket").unwrap();
    let ticket = Ticket::parse(ticket.trim()).unwrap();
    let secret = crate::gpus::secret(Role::WorkerHeartbeat);
    let budget = ticket.verify(&secret, world.now.unix_ms).unwrap().budget;
    assert_eq!((budget.ttl_s, budget.ops, budget.ticks), (Some(50), Some(9), Some(3)));
}

/// Proves NS-25.
#[test]
fn a_worker_whose_time_is_over_is_taken_away_with_its_lease() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let worker = spawn(&mut world, queen);
    world.advance_s(30);
    assert_eq!(world.read(worker, "/proc/boot"), Err(Errno::EPERM));
    assert_eq!(world.ls(queen, "/worker").unwrap(), ["jid-1"]);
    assert!(
        world
            .read(queen, "/log/queen.log")
            .unwrap()
            .contains("who=ninedoor OK RETIRE id=worker-1 reason=ttl")
    );
    assert_eq!(
        world.bridge.as_ref().unwrap().1.gpus.orders.last().unwrap(),
        "GPU-0 REVOKE lease-1"
    );
}

/// Proves NS-26.
#[test]
fn services_are_mounted_and_unmounted_by_name() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let order = |world: &mut World, line: &str| world.order(queen, "/queen/ctl", line);
    let (refused, status) =
        order(&mut world, "{\"mount\":{\"service\":\"lab\",\"at\":\"/lab\"}}\n");
    assert_eq!(refused, Err(Errno::ENOENT));
    assert_eq!(
        status,
        "ERR MOUNT ENOENT mount: there is no service lab, wanted one of: gpu-bridge\n"
    );
    let (ok, _) = order(&mut world, "{\"mount\":{\"service\":\"gpu-bridge\",\"at\":\"/lab\"}}\n");
    assert_eq!(ok, Ok(()));
    assert_eq!(world.read(queen, "/lab/gpu/GPU-0/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    let observer = world.observer();
    assert_eq!(world.ls(observer, "/lab"), Err(Errno::ENOENT));
    assert_eq!(order(&mut world, "{\"unmount\":\"/gpu\"}\n").0, Ok(()));
    assert_eq!(world.read(queen, "/gpu/GPU-0/info"), Err(Errno::ENOENT));
    assert_eq!(
        order(&mut world, "{\"mount\":{\"service\":\"gpu-bridge\",\"at\":\"/gpu\"}}\n").0,
        Ok(())
    );
    assert_eq!(world.read(queen, "/gpu/GPU-0/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    let mounts = world.read(queen, "/proc/mounts").unwrap();
    assert!(mounts.contains("at=/lab service=gpu-bridge state=up\n"), "{mounts}");
}

/// Proves NS-27.
#[test]
fn a_cordoned_hive_makes_no_workers_and_a_quiesced_one_takes_none() {
    let mut world = World::hive();
    let queen = world.queen();
    let heartbeat = world
        .claims(Role::WorkerHeartbeat, "w")
        .mint(&crate::gpus::secret(Role::WorkerHeartbeat))
        .unwrap();
    world.advance_s(1);
    let orders =
        |world: &mut World, words: &str| world.order(queen, "/queen/lifecycle/ctl", words).0;
    assert_eq!(orders(&mut world, "cordon\n"), Ok(()));
    assert_eq!(
        world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n").0,
        Err(Errno::EBUSY)
    );
    let line = world.connect();
    assert!(world.try_attach(line, "worker-heartbeat:w", &heartbeat.expose()).is_ok());
    assert_eq!(orders(&mut world, "drain\n"), Ok(()));
    assert!(
        world
            .try_attach(line, "worker-heartbeat:w", &heartbeat.expose())
            .is_err_and(|errno| errno == Errno::EBUSY)
    );
    assert_eq!(orders(&mut world, "resume\n"), Ok(()));
    assert!(world.try_attach(line, "worker-heartbeat:w", &heartbeat.expose()).is_ok());
}
