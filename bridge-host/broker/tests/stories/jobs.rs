//! What becomes of a job.

use bridge_host_broker::{JobRequest, Policy};
use ninedoor_abi::{
    job::Extent,
    record::{JobCode, JobStep, QueueReason},
};

use crate::world::{World, request};

fn with_lease() -> (World, ninedoor_abi::LeaseId) {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    (world, lease)
}

/// Proves JOB-1.
#[test]
fn accepted_job_is_queued_runs_and_ends_once() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "j");
    world.ready(lease);
    world.pass_ms(7);
    world.finish(lease, job);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "OK"]);
}

#[test]
fn record_tells_how_long_the_job_waited() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "j");
    world.pass_ms(7);
    world.ready(lease);
    world.pass_ms(5);
    world.finish(lease, job);
    let JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, .. } = world.last_step("j") else {
        panic!("it ended well")
    };
    assert_eq!((queue_us, h2d_us, kernel_us, d2h_us), (7_000, 1, 2, 3));
}

/// Proves JOB-2.
#[test]
fn job_that_runs_too_long_is_asked_to_end_then_its_executor_is_killed() {
    let (mut world, lease) = with_lease();
    world.submit("w", "j");
    world.ready(lease);
    world.pass_ms(4_999);
    assert_eq!(world.soft_stops(), [""; 0]);
    world.pass_ms(1);
    assert_eq!(world.soft_stops(), ["lease-1 1"]);
    world.pass_ms(249);
    assert_eq!(world.kills(), [""; 0]);
    world.pass_ms(1);
    assert_eq!(world.kills(), ["lease-1 unstoppable"]);
    assert_eq!(
        world.story("j"),
        ["QUEUED", "RUNNING"],
        "it ends when it is sure that it does not run"
    );
    world.die(lease);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR TIMEOUT"]);
}

#[test]
fn job_that_stops_within_the_grace_costs_no_executor() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "j");
    let next = world.submit("w", "next");
    world.ready(lease);
    world.pass_ms(5_100);
    world.fail(lease, job, JobCode::Cancelled, false);
    world.pass_ms(1_000);
    assert_eq!(world.kills(), [""; 0]);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR TIMEOUT"]);
    world.finish(lease, next);
    assert_eq!(world.story("next"), ["QUEUED", "RUNNING", "OK"]);
}

/// Proves JOB-3.
#[test]
fn job_that_was_told_to_stop_never_ends_ok() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "j");
    world.ready(lease);
    world.cancel("w", "j").unwrap();
    world.finish(lease, job);
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING", "ERR CANCELLED"]);
}

/// Proves JOB-4.
#[test]
fn job_that_waits_too_long_or_is_cancelled_never_runs() {
    let (mut world, lease) = with_lease();
    let first = world.submit("w", "first");
    world
        .submit_request("w", JobRequest { queue_timeout_ms: Some(100), ..request("late") })
        .unwrap();
    world.submit("w", "cancelled");
    world.ready(lease);
    world.cancel("w", "cancelled").unwrap();
    world.pass_ms(100);
    world.finish(lease, first);
    assert_eq!(world.story("late"), ["QUEUED", "ERR QUEUE_TIMEOUT"]);
    assert_eq!(world.story("cancelled"), ["QUEUED", "ERR CANCELLED"]);
    assert_eq!(world.launched(), ["first"]);
}

/// Proves JOB-5.
#[test]
fn job_is_cancelled_by_its_owner_or_the_queen_alone() {
    let (mut world, _) = with_lease();
    world.submit("w", "j");
    world.submit("w", "k");
    assert_eq!(world.cancel("v", "j").unwrap_err(), "EPERM job j is not v's");
    assert!(world.cancel("w", "j").is_ok());
    assert_eq!(world.cancel("w", "j").unwrap_err(), "ENOENT no live job j on GPU-0");
    assert!(world.cancel("queen", "k").is_ok());
}

/// Proves JOB-6.
#[test]
fn name_of_a_live_job_is_refused_and_free_again_after_its_end() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "j");
    let duplicate = "EEXIST job: j is live in lease-1, choose another name or wait for its end";
    assert_eq!(world.submit_request("w", request("j")).unwrap_err(), duplicate);
    world.lease("v", 64, 60).unwrap();
    assert_eq!(
        world.submit_request("v", request("j")).unwrap_err(),
        "EEXIST job: j is the name of another worker's job, take another"
    );
    world.ready(lease);
    assert_eq!(world.submit_request("w", request("j")).unwrap_err(), duplicate);
    world.finish(lease, job);
    assert_ne!(world.submit("w", "j"), job, "the number is never used again");
}

/// Proves JOB-7.
#[test]
fn job_that_the_device_or_its_lease_cannot_hold_is_refused_before_anything_happens() {
    let (mut world, _) = with_lease();
    let extent = |x, y, z| Extent { x, y, z };
    let mut refused = |request: JobRequest| world.submit_request("w", request).unwrap_err();
    assert_eq!(
        refused(JobRequest { grid: extent(1, 65_536, 1), ..request("j") }),
        "EINVAL grid[1]: got 65536, GPU-0 takes at most 65535"
    );
    assert_eq!(
        refused(JobRequest { block: extent(1, 1, 65), ..request("j") }),
        "EINVAL block[2]: got 65, GPU-0 takes at most 64"
    );
    assert_eq!(
        refused(JobRequest { block: extent(1024, 2, 1), ..request("j") }),
        "EINVAL block: got 2048 threads, GPU-0 takes at most 1024"
    );
    assert_eq!(
        refused(JobRequest { shared_bytes: 49_153, ..request("j") }),
        "EINVAL shared_bytes: got 49153 bytes, GPU-0 takes at most 49152"
    );
    assert_eq!(
        refused(JobRequest { memory_bytes: (1 << 30) + 1, ..request("j") }),
        "ENOMEM job takes 1073741825 bytes of device memory, lease-1 has 1073741824 (1024 MiB)"
    );
    assert_eq!(world.story("j"), [""; 0]);
}

/// Proves JOB-8.
#[test]
fn full_queue_is_busy_and_says_when_to_try_again() {
    let mut world =
        World::with_policy(Policy { lease_jobs_max: 2, gpu_jobs_max: 3, ..Policy::default() });
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.lease("v", 1024, 600).unwrap();
    let first = world.submit("w", "j1");
    world.submit("w", "j2");
    assert_eq!(
        world.submit_request("w", request("j3")).unwrap_err(),
        "EBUSY lease-1 has 2 of 2 jobs waiting, try again in 1000 ms"
    );
    world.ready(lease);
    world.submit("w", "j3");
    world.pass_ms(1_000);
    assert_eq!(
        world.submit_request("w", request("j4")).unwrap_err(),
        "EBUSY lease-1 has 2 of 2 jobs waiting, try again in 4000 ms",
        "when the one that runs must end"
    );
    world.finish(lease, first);
    world.submit("w", "j4");
    assert_eq!(
        world.submit_request("w", request("j5")).unwrap_err(),
        "EBUSY lease-1 has 2 of 2 jobs waiting, try again in 1000 ms",
        "as long as its jobs take"
    );
    world.submit("v", "k1");
    assert_eq!(
        world.submit_request("v", request("k2")).unwrap_err(),
        "EBUSY gpu GPU-0 has 3 of 3 jobs waiting, try again in 1000 ms"
    );
}

/// Proves JOB-9.
#[test]
fn lease_that_submits_too_fast_is_told_when_to_try_again() {
    let policy = Policy { lease_submits_per_s: 10, lease_submits_burst: 2, ..Policy::default() };
    let mut world = World::with_policy(policy);
    world.lease("w", 1024, 600).unwrap();
    world.submit("w", "j1");
    world.submit("w", "j2");
    assert_eq!(
        world.submit_request("w", request("j3")).unwrap_err(),
        "EBUSY lease-1 may submit 10 jobs a second, try again in 100 ms"
    );
    world.pass_ms(100);
    world.submit("w", "j3");
}

/// Proves JOB-10.
#[test]
fn jobs_of_a_lease_go_in_order_of_priority_and_age() {
    let (mut world, lease) = with_lease();
    let submit = |world: &mut World, job: &str, priority| {
        world.submit_request("w", JobRequest { priority: Some(priority), ..request(job) }).unwrap()
    };
    let first = world.submit("w", "first");
    world.ready(lease);
    let low = submit(&mut world, "low", 0);
    world.pass_ms(1);
    let high = submit(&mut world, "high", 1);
    world.finish(lease, first);
    world.finish(lease, high);
    submit(&mut world, "old", 0);
    world.pass_ms(4_000);
    world.finish(lease, low);
    assert_eq!(world.launched(), ["first", "high", "low", "old"]);
}

#[test]
fn old_job_goes_before_a_new_one_of_higher_priority() {
    let mut world = World::with_policy(Policy { ageing_ms: 1_000, ..Policy::default() });
    let lease = world.lease("w", 1024, 600).unwrap().id;
    let first = world.submit("w", "first");
    world.submit("w", "old");
    world.ready(lease);
    world.pass_ms(1_001);
    world.submit_request("w", JobRequest { priority: Some(1), ..request("new") }).unwrap();
    world.finish(lease, first);
    assert_eq!(world.launched(), ["first", "old"]);
}

/// Proves JOB-11.
#[test]
fn streams_and_memory_of_a_lease_bound_what_runs_at_once() {
    let mut world = World::new();
    let lease = world.lease_streams("w", 1024, 2);
    let big = |job: &str, mb: u64| JobRequest { memory_bytes: mb << 20, ..request(job) };
    let first = world.submit_request("w", big("first", 600)).unwrap();
    let second = world.submit_request("w", big("second", 424)).unwrap();
    world.submit_request("w", big("third", 1)).unwrap();
    world.ready(lease);
    assert_eq!(world.launched(), ["first", "second"]);
    world.finish(lease, second);
    assert_eq!(world.launched(), ["first", "second", "third"]);
    world.submit_request("w", big("fourth", 1024)).unwrap();
    world.finish(lease, first);
    assert_eq!(world.launched(), ["first", "second", "third"], "its memory is not free yet");
}

#[test]
fn record_of_a_waiting_job_says_for_what_it_waits() {
    let mut world = World::new();
    let lease = world.lease_streams("w", 1024, 1);
    let other = world.lease_streams("v", 1024, 2);
    let reason = |world: &World, job: &str| match world.first_step(job) {
        JobStep::Queued { pos, reason } => (pos, reason),
        other => panic!("{other:?}"),
    };
    world.submit("w", "j1");
    assert_eq!(reason(&world, "j1"), (1, QueueReason::Executor));
    world.ready(lease);
    world.submit("w", "j2");
    assert_eq!(reason(&world, "j2"), (1, QueueReason::Streams));
    world.submit("w", "j3");
    assert_eq!(reason(&world, "j3"), (2, QueueReason::Priority));
    world.submit("v", "k1");
    world.ready(other);
    world.submit("v", "k2");
    assert_eq!(reason(&world, "k2"), (2, QueueReason::Priority));
    world.cancel("v", "k1").unwrap();
    world.cancel("v", "k2").unwrap();
    world.submit("v", "k3");
    assert_eq!(reason(&world, "k3"), (1, QueueReason::Share));
}

#[test]
fn job_that_finds_everything_free_is_next_at_once() {
    let (mut world, lease) = with_lease();
    let job = world.submit("w", "warm");
    world.ready(lease);
    world.finish(lease, job);
    world.submit("w", "j");
    assert_eq!(world.first_step("j"), JobStep::Queued { pos: 1, reason: QueueReason::Next });
    assert_eq!(world.story("j"), ["QUEUED", "RUNNING"]);
}
