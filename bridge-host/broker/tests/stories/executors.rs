//! Executors: spawned, killed, replaced; their lies and their deaths.

use bridge_host_broker::{Command, Effect, Event, EventRefused, JobNumber, Policy};
use bridge_host_gpu::Health;
use ninedoor_abi::{
    Epoch, LeaseId,
    record::{JobCode, JobStep},
};

use crate::world::{World, fine, gpu, request};

fn with_running(jobs: &[&str]) -> (World, LeaseId) {
    let mut world = World::new();
    let lease = world.lease_streams("w", 1024, 4);
    for job in jobs {
        world.submit("w", job);
    }
    world.ready(lease);
    (world, lease)
}

/// Proves JOB-12.
#[test]
fn what_else_ran_in_a_killed_executor_is_lost_and_what_waited_runs_in_the_next() {
    let mut world = World::new();
    let lease = world.lease_streams("w", 1024, 2);
    for job in ["hangs", "beside", "waits"] {
        world.submit("w", job);
    }
    world.ready(lease);
    world.cancel("w", "hangs").unwrap();
    world.pass_ms(250);
    world.die(lease);
    assert_eq!(world.story("hangs"), ["QUEUED", "RUNNING", "ERR CANCELLED"]);
    assert_eq!(world.story("beside"), ["QUEUED", "RUNNING", "ERR LOST"]);
    assert_eq!(world.story("waits"), ["QUEUED"]);
    world.ready(lease);
    assert_eq!(world.story("waits"), ["QUEUED", "RUNNING"]);
}

/// Proves JOB-13.
#[test]
fn sticky_error_costs_the_executor_and_nobody_else_anything() {
    let (mut world, lease) = with_running(&["j"]);
    let other = world.lease("v", 1024, 600).unwrap().id;
    world.submit("v", "k");
    world.ready(other);
    world.fail(lease, JobNumber(1), JobCode::Fault, true);
    assert_eq!(world.kills(), ["lease-1 sticky"]);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR FAULT"]);
    assert_eq!(world.story("k"), ["QUEUED", "RUNNING"], "the GPU is free at once");
}

/// Proves LEASE-18.
#[test]
fn event_of_an_executor_that_was_replaced_changes_nothing() {
    let (mut world, lease) = with_running(&["j"]);
    let old = world.executor_of(lease);
    world.die(lease);
    world.submit("w", "k");
    let new = world.executor_of(lease);
    assert!(new.epoch > old.epoch);
    let before = world.log.len();
    let refused = EventRefused::Stale { lease, epoch: Epoch(1) };
    assert_eq!(
        refused.to_string(),
        "executor of lease-1 epoch 1 is not the one that counts, its event is dropped"
    );
    let stale = Err(refused);
    assert_eq!(world.event(Event::Ready(old.clone())), stale);
    let finished = Event::Finished { executor: old.clone(), job: JobNumber(2), outcome: fine() };
    assert_eq!(world.event(finished), stale);
    assert_eq!(world.event(Event::Died { executor: old, detail: "again".into() }), stale);
    assert_eq!(world.log.len(), before);
}

/// Proves JOB-14.
#[test]
fn executor_that_lies_is_killed() {
    let (mut world, lease) = with_running(&["j"]);
    let executor = world.executor_of(lease);
    let lie = Event::Finished { executor, job: JobNumber(9), outcome: fine() };
    let refused = world.event(lie).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "executor of lease-1 epoch 1 lies: job 9 ended, which it does not run"
    );
    assert_eq!(world.kills(), ["lease-1 lie"]);
    world.die(lease);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR LOST"]);

    let (mut world, lease) = with_running(&["j"]);
    let executor = world.executor_of(lease);
    assert!(world.event(Event::Ready(executor)).is_err(), "ready twice");
    assert_eq!(world.kills(), ["lease-1 lie"]);
}

/// Proves JOB-14, ART-8.
#[test]
fn a_job_is_awaited_of_its_own_executor_and_not_once_it_was_told_to_stop() {
    let (mut world, lease) = with_running(&["j"]);
    let other = world.lease("v", 1024, 600).unwrap().id;
    world.submit("v", "k");
    world.ready(other);
    let (own, others) = (world.executor_of(lease), world.executor_of(other));
    assert!(world.broker.awaits(&own, JobNumber(1)));
    assert!(!world.broker.awaits(&others, JobNumber(1)));
    assert!(!world.broker.awaits(&own, JobNumber(9)));
    world.cancel("w", "j").unwrap();
    assert!(!world.broker.awaits(&own, JobNumber(1)));
}

/// Proves JOB-15.
#[test]
fn executor_that_is_not_ready_in_time_is_killed_and_one_that_keeps_dying_is_spawned_ever_more_slowly()
 {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.submit("w", "j");
    world.pass_ms(10_000);
    assert_eq!(world.kills(), ["lease-1 not_ready"]);
    let spawns = |world: &World| {
        world.log.iter().filter(|effect| matches!(effect, Effect::SpawnExecutor { .. })).count()
    };
    world.die(lease);
    assert_eq!(spawns(&world), 2, "the second at once");
    for (already, pause_ms) in [(2, 100), (3, 200), (4, 400)] {
        world.die(lease);
        world.pass_ms(pause_ms - 1);
        assert_eq!(spawns(&world), already);
        world.pass_ms(1);
        assert_eq!(spawns(&world), already + 1);
    }
    world.ready(lease);
    world.finish(lease, JobNumber(1));
    world.submit("w", "k");
    world.die(lease);
    world.submit("w", "l");
    assert_eq!(spawns(&world), 6, "a job that ended well forgives");
}

/// Proves JOB-26.
#[test]
fn jobs_end_when_no_executor_of_their_lease_can_be_started_and_a_later_one_is_one_more_try() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    let other = world.lease("v", 1024, 600).unwrap().id;
    for (who, job) in [("w", "j"), ("w", "k"), ("v", "o")] {
        world.submit(who, job);
    }
    world.ready(other);
    world.finish(other, JobNumber(3));
    for _ in 1..8 {
        world.not_spawned(lease);
        assert_eq!(world.story("j"), ["QUEUED"]);
        world.pass_ms(3_200);
    }
    world.not_spawned(lease);
    assert_eq!(world.story("k"), ["QUEUED", "ERR EXECUTOR"]);
    let JobStep::Err { code, detail, sticky: false } = world.last_step("j") else { panic!() };
    assert_eq!(code, JobCode::Executor);
    assert_eq!(
        detail,
        "no executor was ready after 8 tries in a row; the last: could not be spawned: no such file"
    );
    world.submit("w", "later");
    world.pass_ms(10_000);
    world.not_spawned(lease);
    assert_eq!(world.story("later"), ["QUEUED", "ERR EXECUTOR"]);
    world.submit("w", "mended");
    world.pass_ms(10_000);
    world.ready(lease);
    assert_eq!(world.story("mended"), ["QUEUED", "RUNNING"]);
    assert_eq!(world.story("o"), ["QUEUED", "RUNNING", "OK"], "nobody else's was touched");
}

/// Proves JOB-26.
#[test]
fn executors_that_are_never_ready_in_time_count_and_those_that_die_at_work_do_not() {
    let policy = Policy { executor_starts_max: 2, ..Policy::default() };
    let mut world = World::with_policy(policy);
    let lease = world.lease("w", 1024, 600).unwrap().id;
    for job in ["a", "b", "c", "d"] {
        world.submit("w", job);
    }
    for _ in 0..3 {
        world.ready(lease);
        world.die(lease);
        world.pass_ms(1_000);
    }
    assert_eq!(world.story("c"), ["QUEUED", "RUNNING", "ERR LOST"]);
    assert_eq!(world.story("d"), ["QUEUED"]);
    for _ in 0..2 {
        world.pass_ms(10_000);
        world.die(lease);
        world.pass_ms(1_000);
    }
    assert_eq!(world.story("d"), ["QUEUED", "ERR EXECUTOR"]);
}

/// Proves JOB-16.
#[test]
fn gpu_whose_killed_executor_does_not_die_gets_no_work_until_it_has() {
    let (mut world, lease) = with_running(&["j"]);
    let other = world.lease("v", 1024, 600).unwrap().id;
    world.submit("v", "k");
    world.ready(other);
    world.cancel("w", "j").unwrap();
    world.pass_ms(250 + 5_000);
    assert_eq!(
        world.story("j"),
        ["QUEUED", "RUNNING", "ERR CANCELLED"],
        "nobody waits for it for ever"
    );
    assert_eq!(world.story("k"), ["QUEUED"]);
    assert_eq!(
        world.submit_request("v", request("l")).unwrap_err(),
        "ENODEV gpu GPU-0 is stuck: killed executors that have not died: 1"
    );
    world.die(lease);
    assert_eq!(world.story("k"), ["QUEUED", "RUNNING"]);
}

/// Proves JOB-17.
#[test]
fn reset_stops_every_executor_then_the_gpu_and_what_waited_runs_afterwards() {
    let mut world = World::new();
    let first = world.lease_streams("w", 1024, 1);
    let second = world.lease_streams("v", 1024, 1);
    for (who, job) in [("w", "runs"), ("w", "waits"), ("v", "other")] {
        world.submit(who, job);
    }
    world.ready(first);
    world.ready(second);
    world.command(Command::Reset { gpu: gpu("GPU-0") }).unwrap();
    let again = world.command(Command::Reset { gpu: gpu("GPU-0") }).unwrap_err();
    assert_eq!(again.text, "gpu GPU-0 is being reset already");
    let resets =
        |world: &World| world.log.iter().filter(|e| matches!(e, Effect::ResetGpu { .. })).count();
    world.die(first);
    assert_eq!(resets(&world), 0);
    world.die(second);
    assert_eq!(resets(&world), 1);
    assert_eq!(world.story("runs"), ["QUEUED", "RUNNING", "ERR RESET"]);
    world.event(Event::GpuReset { gpu: gpu("GPU-0"), failed: None }).unwrap();
    world.ready(first);
    assert_eq!(world.story("waits"), ["QUEUED", "RUNNING"]);
}

#[test]
fn reset_that_fails_leaves_the_gpu_unusable_until_its_health_is_better() {
    let (mut world, lease) = with_running(&["j"]);
    world.command(Command::Reset { gpu: gpu("GPU-0") }).unwrap();
    world.die(lease);
    world.event(Event::GpuReset { gpu: gpu("GPU-0"), failed: Some("busy".into()) }).unwrap();
    assert_eq!(
        world.submit_request("w", request("k")).unwrap_err(),
        "ENODEV gpu GPU-0 is unusable: reset failed: busy"
    );
    world.command(Command::SetHealth { gpu: gpu("GPU-0"), health: Health::Ok }).unwrap();
    world.submit("w", "k");
}

/// Proves MET-8.
#[test]
fn paused_gpu_begins_nothing_says_why_and_goes_on_by_itself() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.submit("w", "first");
    world.ready(lease);
    let hot = Health::Paused("hardware_thermal for 3 samples".into());
    world.command(Command::SetHealth { gpu: gpu("GPU-0"), health: hot }).unwrap();
    world.finish(lease, JobNumber(1));
    world.submit("w", "j");
    assert_eq!(world.story("j"), ["QUEUED"]);
    assert_eq!(
        world.lease("v", 1, 1).unwrap_err(),
        "EBUSY gpu GPU-0 is paused: hardware_thermal for 3 samples; ask again later, or with wait_s"
    );
    world.command(Command::SetHealth { gpu: gpu("GPU-0"), health: Health::Ok }).unwrap();
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING"]);
    world.lease("v", 1, 1).unwrap();
}

#[test]
fn unusable_gpu_grants_and_launches_nothing_and_goes_on_where_it_was() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.submit("w", "first");
    world.submit("w", "j");
    world.ready(lease);
    let sick = Health::Unusable("xid 79".into());
    world.command(Command::SetHealth { gpu: gpu("GPU-0"), health: sick }).unwrap();
    world.finish(lease, JobNumber(1));
    assert_eq!(world.story("j"), ["QUEUED"]);
    assert_eq!(world.lease("v", 1, 1).unwrap_err(), "ENODEV gpu GPU-0 is unusable: xid 79");
    world
        .command(Command::SetHealth { gpu: gpu("GPU-0"), health: Health::Degraded("hot".into()) })
        .unwrap();
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING"]);
}
