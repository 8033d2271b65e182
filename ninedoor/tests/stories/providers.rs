//! Providers in the same process: what they are asked, what they get back.

use secure9p::{Errno, OpenFlags, Rmessage, Tmessage};

use crate::world::World;

/// Proves NS-17.
#[test]
fn every_node_that_a_provider_hands_out_comes_back_once() {
    let mut world = World::bridge();
    let queen = world.queen();
    world.stage(queen, "/bundles", "a", "x").unwrap();
    world.ls(queen, "/bundles").unwrap();
    world.ls(queen, "/gpu/GPU-0").unwrap();
    world.read(queen, "/gpu/GPU-0/info").unwrap();
    world.order(queen, "/gpu/GPU-0/ctl", "REVOKE lease-1\n").0.unwrap();
    let _ = world.walk(queen, "/gpu/GPU-0/nothing");
    let fid = world.walk(queen, "/bundles/a").unwrap();
    assert!(world.call(queen.line, Tmessage::Remove { fid }).is_ok());
    assert_eq!(world.gpus.handles(), 0);
    world.open(queen, "/gpu/GPU-1/stats", OpenFlags::RDONLY).unwrap();
    world.open(queen, "/bundles", OpenFlags::RDONLY).unwrap();
    world.walk(queen, "/gpu/GPU-1").unwrap();
    assert_eq!(world.gpus.handles(), 3);
    world.hang_up(queen.line);
    assert_eq!(world.gpus.handles(), 0);
}

/// Proves NS-17.
#[test]
fn an_answer_to_a_peer_that_is_gone_hands_its_nodes_back() {
    let mut world = World::bridge();
    let queen = world.queen();
    let id = world.connection(queen.line);
    let newfid = world.new_fid(queen.line);
    let (_, session) = &mut world.lines[0];
    session
        .call(Tmessage::Walk { fid: queen.root, newfid, wname: vec!["gpu".into(), "GPU-0".into()] })
        .unwrap();
    let bytes = session.transmit().to_vec();
    world.server.receive(id, &bytes, world.now).unwrap();
    world.server.disconnect(id, world.now);
    world.lines.clear();
    world.run();
    assert_eq!(world.gpus.handles(), 0);
}

/// Proves NS-18.
#[test]
fn a_file_that_a_provider_closes_answers_nothing_more() {
    let mut world = World::bridge();
    let worker = world.worker("worker-7", &["GPU-0"]);
    let ctl = world.open(worker, "/gpu/GPU-0/ctl", OpenFlags::RDWR).unwrap();
    let other = world.open(worker, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    let (mount, node) = (world.gpus.mount_of("gpu"), world.gpus.node_at("/gpu/GPU-0/ctl").unwrap());
    world.server.close_node(mount, node, world.now);
    world.run();
    assert_eq!(world.write_to(ctl, "LEASE\n"), Err(Errno::EPERM));
    assert_eq!(world.read_at(ctl, 0), Err(Errno::EPERM));
    assert!(world.read_at(other, 0).is_ok());
    assert_eq!(world.clunk(ctl), Ok(()));
    world.hang_up(worker.line);
    assert_eq!(world.gpus.handles(), 0);
}

/// Proves NS-19.
#[test]
fn a_provider_may_answer_late_and_nobody_else_waits() {
    let mut world = World::bridge();
    let queen = world.queen();
    let info = world.open(queen, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.gpus.slow = true;
    let slow = world.send(queen.line, Tmessage::Read { fid: info.fid, offset: 0, count: 100 });
    assert!(world.read(queen, "/proc/boot").is_ok());
    assert_eq!(world.answer(queen.line, slow), None);
    assert!(!world.server.is_idle(world.connection(queen.line)));
    world.let_go();
    assert!(matches!(world.answer(queen.line, slow), Some(Ok(Rmessage::Read { .. }))));
    assert!(world.server.is_idle(world.connection(queen.line)));
}

/// Proves NS-19.
#[test]
fn a_late_answer_after_a_revocation_gives_nothing_away() {
    let mut world = World::bridge();
    let worker = world.worker("worker-7", &["GPU-0"]);
    let info = world.open(worker, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.gpus.slow = true;
    let slow = world.send(worker.line, Tmessage::Read { fid: info.fid, offset: 0, count: 100 });
    let until_ms = world.now.unix_ms;
    let revocation =
        ninedoor::Revocation::Subject { subject: "worker-7".parse().unwrap(), until_ms };
    world.server.revoke(&revocation, world.now).unwrap();
    world.let_go();
    assert_eq!(world.answer(worker.line, slow), Some(Err(Errno::EPERM)));
}

/// Proves NS-20.
#[test]
fn an_unmounted_place_is_empty_and_what_was_open_there_fails() {
    let mut world = World::bridge();
    let queen = world.queen();
    let info = world.open(queen, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    world.server.unmount(&crate::world::path("/gpu")).unwrap();
    assert_eq!(world.ls(queen, "/gpu").unwrap(), Vec::<String>::new());
    assert_eq!(world.read(queen, "/gpu/GPU-0/info"), Err(Errno::ENOENT));
    assert_eq!(world.clunk(info), Ok(()));
    let refusal = world.server.unmount(&crate::world::path("/gpu")).unwrap_err();
    assert_eq!(refusal.text, "nothing is mounted at /gpu");
    world.hang_up(queen.line);
    assert_eq!(world.gpus.handles(), 0);
}

#[test]
fn a_place_is_mounted_once() {
    let mut world = World::bridge();
    let refused = |world: &mut World, at: &str| {
        world.server.mount_provider(&crate::world::path(at)).unwrap_err().text
    };
    assert_eq!(refused(&mut world, "/gpu"), "something is mounted at /gpu, unmount it first");
    assert_eq!(refused(&mut world, "/"), "/ is the server's own, wanted a path below it");
    assert_eq!(refused(&mut world, "/proc/boot"), "/proc/boot is, or is below, a file");
}
