//! What a ticket may use up.

use ninedoor_abi::{Quotas, Role, Scope, ScopeVerb};
use secure9p::{Errno, OpenFlags};

use crate::world::{World, path};

/// Proves AUTH-11.
#[test]
fn operations_run_out_and_attaching_again_brings_none_back() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::Observer, "eve");
    claims.budget.ops = Some(4);
    let eve = world.user(&claims);
    let file = world.open(eve, "/proc/boot", OpenFlags::RDONLY).unwrap();
    assert!(world.read_at(file, 0).is_ok());
    assert!(world.read_at(file, 0).is_ok());
    assert_eq!(world.read_at(file, 0), Err(Errno::EDQUOT));
    assert_eq!(world.clunk(file), Ok(()));
    world.hang_up(eve.line);
    let again = world.user(&claims);
    assert_eq!(world.read(again, "/proc/boot"), Err(Errno::EDQUOT));
    let queen = world.queen();
    assert_eq!(world.read(queen, "/proc/pressure/quota").unwrap(), "quota=2\n");
}

/// Proves AUTH-11.
#[test]
fn bandwidth_counts_what_is_read_and_written_behind_mounts_too() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::Queen, "");
    claims.quotas = Some(Quotas { bandwidth_bytes: 20, ..Quotas::default() });
    let guest = world.user(&claims);
    world.stage(guest, "/bundles", "a", "0123456789").unwrap();
    let file = world.open(guest, "/bundles/a", OpenFlags::RDONLY).unwrap();
    assert_eq!(world.read_at(file, 0).unwrap(), "0123456789");
    assert_eq!(world.read_at(file, 0), Err(Errno::EDQUOT));
}

/// Proves AUTH-11.
#[test]
fn a_scope_with_a_rate_slows_its_place_and_no_other() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::Queen, "");
    let slow = |at: &str, rate_per_s| Scope { path: path(at), verb: ScopeVerb::Both, rate_per_s };
    claims.scopes = vec![slow("/gpu", 4), slow("/proc", 0)];
    let guest = world.user(&claims);
    let info = world.open(guest, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    let reads: Vec<_> = (0..5).map(|_| world.read_at(info, 0).map(drop)).collect();
    assert_eq!(reads.iter().filter(|read| **read == Err(Errno::EAGAIN)).count(), 2, "{reads:?}");
    assert!(world.read(guest, "/proc/boot").is_ok());
    world.advance_s(1);
    assert!(world.read_at(info, 0).is_ok());
}

/// Proves AUTH-11.
#[test]
fn each_record_of_a_heartbeat_is_a_tick() {
    let mut world = World::hive();
    let queen = world.queen();
    world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":2}\n").0.unwrap();
    let ticket = world.read(queen, "/worker/worker-1/ticket").unwrap();
    let line = world.connect();
    let worker = world.try_attach(line, "worker-heartbeat:worker-1", ticket.trim()).unwrap();
    let telemetry = world.open(worker, "/worker/worker-1/telemetry", OpenFlags::WRONLY).unwrap();
    assert_eq!(world.write_to(telemetry, "{\"tick\":1}\n"), Ok(11));
    assert_eq!(world.write_to(telemetry, "{\"tick\":2}\n"), Ok(11));
    assert_eq!(world.write_to(telemetry, "{\"tick\":3}\n"), Err(Errno::EDQUOT));
    assert_eq!(
        world.read(queen, "/worker/worker-1/telemetry").unwrap(),
        "{\"tick\":1}\n{\"tick\":2}\n"
    );
}
