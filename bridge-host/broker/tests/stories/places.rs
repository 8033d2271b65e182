//! Fewer executors than leases with work: who gets the next place.

use bridge_host_broker::{JobNumber, Policy, Sharing};
use ninedoor_abi::LeaseId;

use crate::world::World;

/// Leases of as many workers, each with one job, and room for two executors.
fn crowd(workers: &[&str]) -> (World, Vec<LeaseId>) {
    let policy = Policy { executors_max: 2, sharing: Sharing::Together, ..Policy::default() };
    let mut world = World::with_policy(policy);
    let leases = workers.iter().map(|who| world.lease_streams(who, 256, 1)).collect();
    for who in workers {
        world.submit(who, &format!("{who}-1"));
    }
    (world, leases)
}

/// Proves JOB-27.
#[test]
fn a_lease_without_a_place_waits_for_one_and_the_executor_that_rests_longest_makes_room() {
    let (mut world, leases) = crowd(&["a", "b", "c"]);
    assert_eq!(world.spawned(), ["lease-1", "lease-2"]);
    world.ready(leases[0]);
    world.ready(leases[1]);
    assert!(world.kills().is_empty(), "both are at work");
    world.pass_ms(1);
    world.finish(leases[1], JobNumber(2));
    assert_eq!(world.kills(), ["lease-2 place"]);
    assert_eq!(world.spawned().len(), 2, "it has not died yet");
    world.die(leases[1]);
    assert_eq!(world.spawned(), ["lease-1", "lease-2", "lease-3"]);
    world.ready(leases[2]);
    assert_eq!(world.story("c-1"), ["QUEUED", "RUNNING"]);
    world.finish(leases[2], JobNumber(3));
    world.pass_ms(1);
    world.finish(leases[0], JobNumber(1));
    world.submit("b", "b-2");
    assert_eq!(world.kills(), ["lease-2 place", "lease-3 place"], "it had rested longer");
    world.die(leases[2]);
    world.ready(leases[1]);
    assert_eq!(world.story("b-2"), ["QUEUED", "RUNNING"], "its own end was no failure: no pause");
}

/// Proves JOB-27.
#[test]
fn whoever_has_wanted_a_place_longest_gets_the_next_one() {
    let (mut world, leases) = crowd(&["a", "b", "c", "d", "e"]);
    world.release("c");
    world.release("a");
    world.die(leases[0]);
    assert_eq!(world.spawned().last().unwrap(), "lease-4", "the third has gone");
    world.release("b");
    world.die(leases[1]);
    assert_eq!(world.spawned().last().unwrap(), "lease-5");
}

/// Proves JOB-27.
#[test]
fn a_lease_is_not_kept_waiting_for_ever_by_others_that_always_have_work() {
    let policy = Policy { executors_max: 2, ageing_ms: 1_000, ..Policy::default() };
    let mut world = World::with_policy(policy);
    let leases: Vec<_> =
        ["a", "b", "c"].iter().map(|who| world.lease_streams(who, 256, 1)).collect();
    for job in 0..2 {
        for who in ["a", "b"] {
            world.submit(who, &format!("{who}-{job}"));
        }
    }
    world.submit("c", "c-0");
    world.ready(leases[0]);
    world.ready(leases[1]);
    assert_eq!(world.launched(), ["a-0"], "leases have turns");
    world.pass_ms(999);
    assert!(world.kills().is_empty());
    world.pass_ms(1);
    assert_eq!(world.kills(), ["lease-2 place"], "it runs nothing now, and has work");
    world.die(leases[1]);
    world.ready(leases[2]);
    world.finish(leases[0], JobNumber(1));
    assert_eq!(world.story("c-0"), ["QUEUED", "RUNNING"]);
    world.finish(leases[2], JobNumber(5));
    assert_eq!(world.kills(), ["lease-2 place", "lease-3 place"], "the second has waited since");
    world.die(leases[2]);
    world.ready(leases[1]);
    assert_eq!(world.story("b-0"), ["QUEUED"]);
}
