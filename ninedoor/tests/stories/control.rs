//! Control files: orders in, status lines out.

use secure9p::{Errno, OpenFlags, Rmessage, Tmessage};

use crate::world::World;

const OPS: &str = "{\"budget\":{\"ops\":5}}\n";
const OPS_DONE: &str = "OK BUDGET ticks=- ops=5 ttl_s=-\n";

/// Proves NS-13.
#[test]
fn an_order_ends_at_its_newline_however_it_is_cut() {
    let mut world = World::hive();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap();
    for piece in ["{\"budget\"", ":{\"op", "s\":5}}"] {
        assert_eq!(world.write_to(ctl, piece), Ok(u32::try_from(piece.len()).unwrap()));
    }
    assert_eq!(world.read_at(ctl, 0).unwrap(), "");
    assert_eq!(world.write_to(ctl, "\n"), Ok(1));
    assert_eq!(world.read_at(ctl, 0).unwrap(), OPS_DONE);
}

/// Proves NS-13.
#[test]
fn an_order_without_a_newline_is_carried_out_when_its_fid_is_clunked() {
    let mut world = World::hive();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::WRONLY).unwrap();
    world.write_to(ctl, "{\"budget\":{\"ops\":5}}").unwrap();
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), "");
    assert_eq!(world.clunk(ctl), Ok(()));
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), OPS_DONE);
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::WRONLY).unwrap();
    world.write_to(ctl, "nonsense").unwrap();
    assert_eq!(world.clunk(ctl), Err(Errno::EINVAL));
}

/// Proves NS-13.
#[test]
fn an_order_of_a_peer_that_is_gone_is_not_guessed_at() {
    let mut world = World::hive();
    let queen = world.queen();
    let other = world.queen();
    let ctl = world.open(other, "/queen/ctl", OpenFlags::WRONLY).unwrap();
    world.write_to(ctl, "{\"budget\":{\"ops\":5}}").unwrap();
    world.hang_up(other.line);
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), "");
}

/// Proves NS-14.
#[test]
fn a_refused_order_fails_its_write_and_the_reason_stays_readable() {
    let mut world = World::hive();
    let queen = world.queen();
    let (refused, status) = world.order(queen, "/queen/ctl", "{\"kill\":\"worker-7\"}\n");
    assert_eq!(
        (refused, status.as_str()),
        (Err(Errno::ENOENT), "ERR KILL ENOENT there is no worker-7\n")
    );
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), "ERR KILL ENOENT there is no worker-7\n");
}

/// Proves NS-14.
#[test]
fn what_follows_a_refused_order_in_its_write_is_not_carried_out() {
    let mut world = World::hive();
    let queen = world.queen();
    let orders = format!("{OPS}nonsense\n{{\"budget\":{{\"ops\":6}}}}\n{{\"bud");
    let (refused, status) = world.order(queen, "/queen/ctl", &orders);
    assert_eq!(refused, Err(Errno::EINVAL));
    let lines: Vec<&str> = status.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, OPS_DONE.trim_end()));
    assert!(lines[1].starts_with("ERR ? EINVAL "), "{status}");
}

/// Proves NS-15.
#[test]
fn a_fid_reads_its_own_status_and_a_fresh_one_the_recent_log() {
    let mut world = World::hive();
    let queen = world.queen();
    let (mine, theirs) = (
        world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap(),
        world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap(),
    );
    world.write_to(mine, OPS).unwrap();
    let _ = world.write_to(theirs, "{\"kill\":\"worker-7\"}\n");
    assert_eq!(world.read_at(mine, 0).unwrap(), OPS_DONE);
    assert_eq!(world.read_at(theirs, 0).unwrap(), "ERR KILL ENOENT there is no worker-7\n");
    let both = format!("{OPS_DONE}ERR KILL ENOENT there is no worker-7\n");
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), both);
}

/// Proves NS-15.
#[test]
fn a_shell_that_reads_on_at_the_offset_of_its_write_misses_nothing() {
    let mut world = World::hive();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap();
    world.write_to(ctl, OPS).unwrap();
    let offset = OPS.len() as u64;
    assert_eq!(world.read_at(ctl, offset).unwrap(), OPS_DONE);
    assert_eq!(world.read_at(ctl, offset + OPS_DONE.len() as u64).unwrap(), "");
}

/// Proves NS-16.
#[test]
fn an_order_past_its_bound_is_refused_and_the_next_one_is_not() {
    let mut world = World::hive();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap();
    assert_eq!(world.write_to(ctl, &"x".repeat(8193)), Err(Errno::EMSGSIZE));
    assert_eq!(
        world.read_at(ctl, 0).unwrap(),
        "ERR ? EMSGSIZE a record of 8193 bytes is larger than 8192; end records with a newline\n"
    );
    assert_eq!(world.write_to(ctl, OPS), Ok(u32::try_from(OPS.len()).unwrap()));
    assert_eq!(world.read_at(ctl, 0).unwrap(), OPS_DONE);
}

/// Proves NS-16.
#[test]
fn more_orders_than_the_desk_holds_are_refused_as_busy() {
    let mut world = World::hive();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap();
    assert_eq!(world.write_to(ctl, &"{}\n".repeat(257)), Err(Errno::EBUSY));
    assert_eq!(world.read(queen, "/proc/pressure/busy").unwrap(), "busy=1\n");
}

#[test]
fn the_two_writes_of_one_fid_are_carried_out_in_their_order() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let ctl = world.open(queen, "/queen/ctl", OpenFlags::RDWR).unwrap();
    let spawn = b"{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":64,\"streams\":1,\"ttl_s\":30}}\n";
    world.bridge_moves = false;
    let first =
        world.send(queen.line, Tmessage::Write { fid: ctl.fid, offset: 0, data: spawn.to_vec() });
    let kill = b"{\"kill\":\"worker-1\"}\n".to_vec();
    let second = world.send(queen.line, Tmessage::Write { fid: ctl.fid, offset: 0, data: kill });
    assert_eq!((world.answer(queen.line, first), world.answer(queen.line, second)), (None, None));
    world.bridge_moves = true;
    world.run();
    assert!(matches!(world.answer(queen.line, first), Some(Ok(Rmessage::Write { .. }))));
    assert!(matches!(world.answer(queen.line, second), Some(Ok(Rmessage::Write { .. }))));
    let status = world.read_at(ctl, 0).unwrap();
    assert!(status.starts_with("OK SPAWN id=worker-1 "), "{status}");
    assert!(status.lines().last().unwrap().starts_with("OK KILL id=worker-1 "), "{status}");
}

#[test]
fn lifecycle_words_are_orders_too() {
    let mut world = World::hive();
    let queen = world.queen();
    world.advance_s(1);
    let (ok, status) = world.order(queen, "/queen/lifecycle/ctl", "cordon\n");
    assert_eq!(ok, Ok(()));
    assert_eq!(
        status,
        "OK LIFECYCLE cordon lifecycle transition old=ONLINE new=DRAINING reason=cordon\n"
    );
    assert_eq!(world.read(queen, "/proc/lifecycle/state").unwrap(), "state=DRAINING\n");
    assert_eq!(world.read(queen, "/proc/lifecycle/reason").unwrap(), "reason=cordon\n");
    assert_eq!(world.read(queen, "/proc/lifecycle/since").unwrap(), "since_ms=1700000001000\n");
    let (refused, _) = world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n");
    assert_eq!(refused, Err(Errno::EBUSY));
    let (refused, status) = world.order(queen, "/queen/lifecycle/ctl", "stop\n");
    assert_eq!(refused, Err(Errno::EINVAL));
    assert!(status.starts_with("ERR LIFECYCLE EINVAL lifecycle word is \"stop\""), "{status}");
}
