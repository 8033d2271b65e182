//! Leases that wait for room: order, ageing, going before, eviction.

use bridge_host_broker::{Answer, Command, Eviction, Policy};
use ninedoor_abi::{LeaseId, ctl::LeaseAsk};

use crate::world::{World, ask, gpu};

fn active(world: &World, lease: LeaseId) -> bool {
    world.lease_story(lease).last().is_some_and(|last| last.starts_with("ACTIVE"))
}

/// Proves LEASE-12.
#[test]
fn waiting_leases_are_granted_in_order_of_priority_and_age() {
    let mut world = World::new();
    world.lease("a", 4096, 60).unwrap();
    let low = world.lease_waiting("low", 4096, 60, 3600, 0);
    let high = world.lease_waiting("high", 4096, 60, 3600, 1);
    assert_eq!((low.pos, high.pos), (1, 1), "the higher goes before");
    world.release("a");
    assert!(active(&world, high.id) && !active(&world, low.id));
    // Another high one comes, but by then the low one has waited for longer than one of priority is worth.
    world.pass_ms(10_001);
    let later = world.lease_waiting("later", 4096, 60, 3600, 1);
    assert_eq!(later.pos, 2);
    world.release("high");
    assert!(active(&world, low.id) && !active(&world, later.id));
}

/// Proves LEASE-13.
#[test]
fn lease_that_finds_no_room_in_time_expires() {
    let mut world = World::new();
    world.lease("a", 4096, 60).unwrap();
    let waiting = world.lease_waiting("b", 1, 60, 30, 0);
    world.pass_ms(29_999);
    assert_eq!(world.lease_story(waiting.id), ["QUEUED waits for room"]);
    world.pass_ms(1);
    assert_eq!(world.lease_story(waiting.id), ["QUEUED waits for room", "EXPIRED no room in time"]);
    assert!(world.ask("b", LeaseAsk { wait_s: 1, ..ask(1, 1) }).is_ok(), "it may ask again");
}

/// Proves LEASE-14.
#[test]
fn small_lease_goes_before_only_if_it_is_over_before_the_first_could_begin() {
    let mut world = World::new();
    world.lease("a", 3072, 60).unwrap();
    let big = world.lease_waiting("big", 4096, 60, 3600, 0);
    assert!(world.lease("long", 512, 61).unwrap_err().contains("; 1 in the queue; "));
    let short = world.lease("short", 512, 60).unwrap();
    world.pass_ms(60_000);
    assert_eq!(world.lease_story(short.id).last().unwrap(), "EXPIRED its time is over");
    assert!(active(&world, big.id));
}

/// Proves LEASE-15.
#[test]
fn holder_cannot_renew_past_one_that_has_waited_its_turn() {
    let mut world = World::new();
    world.lease_with("a", LeaseAsk { priority: Some(1), ..ask(4096, 60) });
    let waiting = world.lease_waiting("b", 4096, 60, 3600, 0);
    world.pass_ms(10_000);
    assert!(world.renew("a", None).is_ok(), "it counts for as much, not for more");
    world.pass_ms(10_000);
    assert_eq!(
        world.renew("a", None).unwrap_err(),
        "EBUSY lease-2 has waited 20 s for gpu GPU-0 and comes first, lease-1 ends at its deadline"
    );
    world.pass_ms(50_000);
    assert!(active(&world, waiting.id));
}

/// Proves LEASE-16.
#[test]
fn lease_of_lower_priority_makes_room_after_a_grace_where_the_policy_says_so() {
    let policy = Policy { eviction: Eviction::LowerPriority, ..Policy::default() };
    let mut world = World::with_policy(policy);
    let older = world.lease("older", 1024, 600).unwrap().id;
    let younger = world.lease("younger", 1024, 600).unwrap().id;
    let equal = world.lease_with("equal", LeaseAsk { priority: Some(5), ..ask(2048, 600) });
    let high = world.lease_waiting("high", 1024, 60, 60, 5);
    assert_eq!(world.lease_story(younger).last().unwrap(), "ACTIVE makes room for lease-4");
    assert_eq!(world.renew("younger", None).unwrap_err(), "EBUSY lease-2 makes room for lease-4");
    world.pass_ms(10_000);
    assert_eq!(world.lease_story(younger).last().unwrap(), "REVOKED evicted for lease-4");
    assert!(active(&world, high.id) && active(&world, older) && active(&world, equal));
}

#[test]
fn eviction_is_called_off_when_nobody_waits_for_it_any_more() {
    let policy = Policy { eviction: Eviction::LowerPriority, ..Policy::default() };
    let mut world = World::with_policy(policy);
    let lease = world.lease("a", 4096, 600).unwrap().id;
    world.lease_waiting("high", 4096, 60, 60, 5);
    world.release("high");
    world.pass_ms(10_000);
    assert_eq!(world.lease_story(lease).last().unwrap(), "ACTIVE need not make room");
    world.pass_ms(589_999);
    assert!(active(&world, lease));
    world.pass_ms(1);
    assert_eq!(world.lease_story(lease).last().unwrap(), "EXPIRED its time is over");
}

#[test]
fn nobody_is_evicted_where_the_policy_says_never_or_where_it_would_not_help() {
    let mut world = World::new();
    let lease = world.lease("a", 4096, 600).unwrap().id;
    world.lease_waiting("high", 4096, 60, 60, 9);
    world.pass_ms(30_000);
    assert_eq!(world.lease_story(lease), ["ACTIVE"]);

    let mut world =
        World::with_policy(Policy { eviction: Eviction::LowerPriority, ..Policy::default() });
    let low = world.lease("low", 1024, 600).unwrap().id;
    world.lease_with("peer", LeaseAsk { priority: Some(9), ..ask(2048, 600) });
    world.lease_waiting("high", 4096, 60, 60, 9);
    assert_eq!(world.lease_story(low), ["ACTIVE"], "even without it there is no room");
}

#[test]
fn waiting_lease_is_asked_after_released_and_moved_by_its_holder() {
    let mut world = World::new();
    world.lease("a", 4096, 60).unwrap();
    let first = world.lease_waiting("b", 1024, 60, 600, 0);
    let second = world.lease_waiting("c", 1024, 60, 600, 0);
    assert_eq!((first.pos, second.pos), (1, 2));
    let Ok(Answer::Waiting(moved)) = world.set_priority("c", 1) else { panic!("it waits") };
    assert_eq!(moved.pos, 1);
    let Ok(Answer::Waiting(seen)) = world.ask("b", LeaseAsk::default()) else { panic!("it waits") };
    assert_eq!(seen.pos, 2);
    assert_eq!(
        world.submit_request("b", crate::world::request("j")).unwrap_err(),
        "EPERM lease-2 of b still waits for room on GPU-0"
    );
    assert!(world.renew("b", None).unwrap_err().contains("still waits for room"));
    world.release("c");
    assert_eq!(world.lease_story(second.id).last().unwrap(), "RELEASED given back");
}

#[test]
fn queue_of_waiting_leases_is_bounded() {
    let mut world = World::with_policy(Policy { lease_waiters_max: 1, ..Policy::default() });
    world.lease("a", 4096, 60).unwrap();
    world.lease_waiting("b", 1, 60, 600, 0);
    let refusal = world.ask("c", LeaseAsk { wait_s: 60, ..ask(1, 60) }).unwrap_err();
    assert_eq!(
        refusal.text,
        "its queue has 1 of 1 leases; gpu GPU-0 has 0 of 4096 MiB free; 1 in the queue; lease-1 frees 4096 MiB in 60 s"
    );
}

#[test]
fn drained_gpu_keeps_who_waits_and_grants_after_undrain() {
    let mut world = World::new();
    world.lease("a", 4096, 60).unwrap();
    let waiting = world.lease_waiting("b", 1, 60, 600, 0);
    world.command(Command::Drain { gpu: gpu("GPU-0") }).unwrap();
    world.release("a");
    assert!(!active(&world, waiting.id));
    world.command(Command::Undrain { gpu: gpu("GPU-0") }).unwrap();
    assert!(active(&world, waiting.id));
}

/// Proves LEASE-17.
#[test]
fn three_hundred_leases_asked_for_at_once_are_all_granted_in_turn() {
    let mut world = World::new();
    let ask = |wait_s| LeaseAsk { wait_s, ..ask(512, 5) };
    let ids: Vec<_> = (0..300)
        .map(|n| match world.ask(&format!("w{n}"), ask(3600)) {
            Ok(Answer::Leased(granted)) => granted.id,
            Ok(Answer::Waiting(queued)) => queued.id,
            other => panic!("{other:?}"),
        })
        .collect();
    world.pass_ms(38 * 5_000);
    for id in ids {
        let story = world.lease_story(id);
        assert!(story.iter().any(|state| state == "ACTIVE"), "{id}: {story:?}");
    }
}
