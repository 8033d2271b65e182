//! What was used, and bounds that are changed while the broker runs.

use bridge_host_broker::{Account, Policy};
use ninedoor_abi::record::JobCode;

use crate::world::{World, request, ticket};

/// Proves LEASE-22.
#[test]
fn use_is_counted_by_lease_and_outlives_it_by_ticket() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    let first = world.submit("w", "good");
    let second = world.submit("w", "bad");
    world.pass_ms(5);
    world.ready(lease);
    world.pass_ms(10);
    world.finish(lease, first);
    world.pass_ms(20);
    world.fail(lease, second, JobCode::Invalid, false);
    let used = Account {
        jobs_accepted: 2,
        jobs_ok: 1,
        jobs_err: 1,
        queue_us: 5_000 + 15_000,
        running_us: 30_000,
        executors_lost: 0,
    };
    assert_eq!(world.broker.lease_view(lease).unwrap().account, used);
    world.die(lease);
    world.release("w");
    assert_eq!(world.broker.lease_view(lease), None);
    let with_loss = Account { executors_lost: 1, ..used };
    assert_eq!(world.broker.ticket_account(ticket("w")), with_loss);
    assert_eq!(world.broker.ticket_account(ticket("v")), Account::default());
}

#[test]
fn new_policy_bounds_what_comes_and_takes_nothing_away() {
    let mut world = World::new();
    world.lease("w", 1024, 600).unwrap();
    world.submit("w", "a");
    world.submit("w", "b");
    world.broker.set_policy(Policy { lease_jobs_max: 1, lease_ttl_s_max: 60, ..Policy::default() });
    assert_eq!(
        world.submit_request("w", request("c")).unwrap_err(),
        "EBUSY lease-1 has 2 of 1 jobs waiting, try again in 1000 ms"
    );
    assert_eq!(world.lease("v", 1, 61).unwrap_err(), "EINVAL ttl_s is 61, wanted at most 60");
    assert_eq!(world.story("b"), ["QUEUED"]);
}
