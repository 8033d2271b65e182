//! What becomes of a job.

use ninedoor_abi::record::JobCode;

use crate::world::World;

/// Proves JOB-1.
#[test]
fn accepted_job_is_queued_runs_and_ends_once() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    let job = world.submit("w", "j");
    world.ready(lease);
    world.finish(lease, job);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "OK"]);
}

/// Proves JOB-2.
#[test]
fn job_that_ran_too_long_is_asked_to_end_then_killed() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    world.submit("w", "j");
    world.ready(lease);
    world.pass_ms(5_000);
    assert_eq!(world.kills(), [""; 0]);
    world.pass_ms(250);
    assert_eq!(world.kills(), ["lease-1 unstoppable"]);
    world.die(lease);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR TIMEOUT"]);
}

#[test]
fn sticky_error_costs_the_executor() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    let job = world.submit("w", "j");
    world.ready(lease);
    world.fail(lease, job, JobCode::Fault, true);
    assert_eq!(world.kills(), ["lease-1 sticky"]);
    world.die(lease);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR FAULT"]);
}
