//! Another server, mounted: what goes over, what is left when it is lost.

use std::time::Duration;

use ninedoor::Event;
use secure9p::{Errno, OpenFlags, Rmessage, Tmessage};

use crate::world::World;

/// Proves NS-28.
#[test]
fn reads_and_writes_go_over_and_errors_come_back_as_they_are() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    assert_eq!(world.read(queen, "/gpu/GPU-0/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    world.stage(queen, "/bundles", "a", &"x".repeat(100_000)).unwrap();
    assert_eq!(world.read(queen, "/bundles/a").unwrap().len(), 100_000);
    let (refused, status) = world.order(queen, "/gpu/GPU-0/ctl", "DRAIN\n");
    assert_eq!(
        (refused, status.as_str()),
        (Err(Errno::EINVAL), "ERR DRAIN EINVAL not in this story\n")
    );
    let directory = world.walk(queen, "/bundles").unwrap();
    let unlink = |name: &str| Tmessage::Unlinkat { dirfd: directory, name: name.into(), flags: 0 };
    assert!(world.call(queen.line, unlink("a")).is_ok());
    assert_eq!(world.call(queen.line, unlink("a")), Err(Errno::ENOENT));
    world.hang_up(queen.line);
    assert_eq!(world.bridge.as_ref().unwrap().1.gpus.handles(), 0);
}

/// Proves NS-29.
#[test]
fn a_lost_bridge_fails_what_waits_and_what_is_open_and_comes_back() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let info = world.open(queen, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.bridge_moves = false;
    let waiting = world.send(queen.line, Tmessage::Read { fid: info.fid, offset: 0, count: 10 });
    assert_eq!(world.answer(queen.line, waiting), None);
    world.lose_bridge();
    assert_eq!(world.answer(queen.line, waiting), Some(Err(Errno::EIO)));
    assert_eq!(world.read_at(info, 0), Err(Errno::EIO));
    assert_eq!(world.stage(queen, "/bundles", "a", "x"), Err(Errno::EIO));
    assert_eq!(world.ls(queen, "/gpu"), Err(Errno::EIO));
    assert!(world.ls(queen, "/").unwrap().contains(&"gpu".to_string()));
    assert_eq!(world.read(queen, "/proc/lifecycle/state").unwrap(), "state=DEGRADED\n");
    world.bridge_moves = true;
    world.dial_bridge();
    assert_eq!(world.read(queen, "/gpu/GPU-0/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    assert_eq!(world.read_at(info, 0), Err(Errno::EIO));
    assert_eq!(world.clunk(info), Err(Errno::EIO));
    assert_eq!(world.read(queen, "/proc/lifecycle/state").unwrap(), "state=ONLINE\n");
}

/// Proves NS-29.
#[test]
fn a_union_directory_still_lists_its_own_entries_and_then_says_what_is_wrong() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n").0.unwrap();
    world.lose_bridge();
    let directory = world.open(queen, "/worker", OpenFlags::RDONLY).unwrap();
    let page = |offset| Tmessage::Readdir { fid: directory.fid, offset, count: 4096 };
    let Ok(Rmessage::Readdir { entries }) = world.call(queen.line, page(0)) else {
        panic!("no entries")
    };
    assert_eq!(entries[0].name, "worker-1");
    assert_eq!(world.call(queen.line, page(entries[0].offset)), Err(Errno::EIO));
}

/// Proves NS-30.
#[test]
fn a_flushed_request_is_called_off_over_there() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let info = world.open(queen, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.bridge.as_mut().unwrap().1.gpus.slow = true;
    let read = world.send(queen.line, Tmessage::Read { fid: info.fid, offset: 0, count: 10 });
    world.cancel(queen.line, read);
    assert_eq!(world.answer(queen.line, read), Some(Err(Errno::EINTR)));
    let (_, bridge, _) = world.bridge.as_mut().unwrap();
    assert_eq!(bridge.gpus.let_go().len(), 1, "it had reached the bridge");
    bridge.gpus.slow = false;
    assert!(world.read(queen, "/gpu/GPU-0/info").is_ok());
}

/// Proves NS-37.
#[test]
fn who_waits_for_a_walk_to_a_silent_bridge_can_be_interrupted() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    assert!(world.read(queen, "/gpu/GPU-0/info").is_ok());
    let handles = world.bridge.as_ref().unwrap().1.gpus.handles();
    world.bridge_moves = false;
    let newfid = world.new_fid(queen.line);
    let wname = ["gpu", "GPU-0"].map(str::to_owned).to_vec();
    let walk = world.send(queen.line, Tmessage::Walk { fid: queen.root, newfid, wname });
    assert_eq!(world.answer(queen.line, walk), None);
    world.cancel(queen.line, walk);
    assert_eq!(
        world.answer(queen.line, walk),
        Some(Err(Errno::EINTR)),
        "while the bridge is silent"
    );
    world.bridge_moves = true;
    world.run();
    assert_eq!(
        world.bridge.as_ref().unwrap().1.gpus.handles(),
        handles,
        "what came late is handed back"
    );
    assert!(world.read(queen, "/gpu/GPU-0/info").is_ok());
}

/// Proves NS-31.
#[test]
fn a_bridge_that_owes_an_answer_and_says_nothing_is_hung_up_on() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let info = world.open(queen, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.advance_s(3600);
    assert!(world.read_at(info, 0).is_ok(), "a bridge that owes nothing may be silent");
    world.bridge_moves = false;
    let waiting = world.send(queen.line, Tmessage::Read { fid: info.fid, offset: 0, count: 10 });
    world.advance(Duration::from_millis(29_999));
    assert_eq!(world.answer(queen.line, waiting), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.answer(queen.line, waiting), Some(Err(Errno::EIO)));
    let (upstream, ..) = world.bridge.as_ref().unwrap();
    let upstream = *upstream;
    assert!(
        world.told(
            |event| matches!(event, Event::HangUp { upstream: away, .. } if *away == upstream)
        )
    );
}

/// Proves NS-32.
#[test]
fn a_worker_of_an_earlier_life_gets_a_fresh_ticket_of_the_bridge() {
    let mut world = World::hive_on_bridge();
    let worker = world.worker("worker-9", &["GPU-1"]);
    assert_eq!(world.read(worker, "/gpu/GPU-1/info").unwrap(), "{\"id\":\"GPU-1\"}\n");
    let orders = &world.bridge.as_ref().unwrap().1.gpus.orders;
    assert_eq!(orders[..], ["GPU-1 TICKET worker=worker-9 ttl_s=86400"]);
    world.lose_bridge();
    world.dial_bridge();
    assert_eq!(world.read(worker, "/gpu/GPU-1/info").unwrap(), "{\"id\":\"GPU-1\"}\n");
    let without = world.worker("worker-10", &[]);
    assert_eq!(world.ls(without, "/bundles"), Err(Errno::EACCES));
}

/// Proves NS-33.
#[test]
fn a_lease_whose_bridge_is_away_is_revoked_when_it_is_back() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let spawn = "{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":64,\"streams\":1,\"ttl_s\":30}}\n";
    world.order(queen, "/queen/ctl", spawn).0.unwrap();
    world.lose_bridge();
    let (ok, status) = world.order(queen, "/queen/ctl", "{\"kill\":\"worker-1\"}\n");
    assert_eq!(
        (ok, status.as_str()),
        (Ok(()), "OK KILL id=worker-1 gpu=GPU-0 lease=lease-1 bridge=away\n")
    );
    let (refused, _) = world.order(queen, "/queen/ctl", spawn);
    assert_eq!(refused, Err(Errno::EBUSY));
    world.dial_bridge();
    assert_eq!(
        world.bridge.as_ref().unwrap().1.gpus.orders.last().unwrap(),
        "GPU-0 REVOKE lease-1"
    );
}

#[test]
fn a_bridge_that_refuses_our_ticket_is_hung_up_on_with_the_reason() {
    let mut world = World::hive();
    let upstream = world.server.add_upstream("gpu-bridge", "").unwrap();
    world.server.mount_remote(upstream, &crate::world::path("/gpu")).unwrap();
    let mut bridge = World::bridge();
    let line = bridge.redial();
    world.bridge = Some((upstream, Box::new(bridge), line));
    world.server.upstream_connected(upstream, world.now);
    world.run();
    assert!(world.told(|event| {
        matches!(event, Event::HangUp { why, .. } if why == "gpu-bridge refuses our ticket: EACCES (permission denied)")
    }));
    assert!(!world.server.upstream_is_up(upstream));
}

/// Proves NS-29.
#[test]
fn a_worker_who_asks_while_the_bridge_is_being_greeted_waits_and_is_answered() {
    let mut world = World::hive_on_bridge();
    let worker = world.worker("worker-9", &["GPU-1"]);
    world.lose_bridge();
    world.bridge_moves = false;
    world.dial_bridge();
    let newfid = world.new_fid(worker.line);
    let wname = ["gpu", "GPU-1"].map(ToString::to_string).to_vec();
    let walk = world.send(worker.line, Tmessage::Walk { fid: worker.root, newfid, wname });
    assert_eq!(world.answer(worker.line, walk), None);
    world.bridge_moves = true;
    world.run();
    assert!(
        matches!(world.answer(worker.line, walk), Some(Ok(Rmessage::Walk { wqid })) if wqid.len() == 2)
    );
}

/// Proves NS-13.
#[test]
fn an_order_to_a_gpu_begun_by_a_peer_that_is_gone_is_not_carried_out_over_there() {
    let mut world = World::hive_on_bridge();
    let worker = world.worker("worker-9", &["GPU-0"]);
    let ctl = world.open(worker, "/gpu/GPU-0/ctl", OpenFlags::WRONLY).unwrap();
    world.write_to(ctl, "REVOKE lease-1").unwrap();
    world.clunk(ctl).unwrap();
    let ctl = world.open(worker, "/gpu/GPU-0/ctl", OpenFlags::WRONLY).unwrap();
    world.write_to(ctl, "REVOKE lease-2").unwrap();
    world.hang_up(worker.line);
    let gpus = &world.bridge.as_ref().unwrap().1.gpus;
    let revoked: Vec<_> = gpus.orders.iter().filter(|order| order.contains("REVOKE")).collect();
    assert_eq!(revoked, ["GPU-0 REVOKE lease-1"]);
    assert_eq!(gpus.handles(), 0);
}

#[test]
fn an_observers_ticket_for_a_bridge_shows_what_an_observer_sees() {
    let mut world = World::hive();
    let ticket = world
        .claims(ninedoor_abi::Role::Observer, "hive")
        .mint(&crate::gpus::secret(ninedoor_abi::Role::Observer));
    let upstream = world.server.add_upstream("gpu-bridge", &ticket.unwrap().expose()).unwrap();
    world.server.mount_remote(upstream, &crate::world::path("/gpu")).unwrap();
    let mut bridge = World::bridge();
    let line = bridge.redial();
    world.bridge = Some((upstream, Box::new(bridge), line));
    world.server.upstream_connected(upstream, world.now);
    world.run();
    let queen = world.queen();
    assert_eq!(world.ls(queen, "/gpu/GPU-0").unwrap(), ["info", "lease", "stats"]);
}
