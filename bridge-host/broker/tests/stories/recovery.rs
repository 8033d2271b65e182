//! What a new daemon makes of what the old one left.

use bridge_host_broker::{Command, JobRequest, Policy, Snapshot};
use ninedoor_abi::{Epoch, ctl::LeaseAsk};

use crate::world::{World, ask, gpu, request};

/// The daemon dies now, and another takes up what was stored.
fn restart(world: World, down_ms: u64, memory_mb: u32) -> (World, Snapshot) {
    let snapshot = world.broker.snapshot();
    let mut next = World::without_gpu(Policy::default());
    next.now.unix_ms = world.now.unix_ms.plus_ms(down_ms);
    next.add_gpu("GPU-0", memory_mb);
    next.restore(snapshot.clone());
    (next, snapshot)
}

/// Proves JOB-20.
#[test]
fn job_that_waited_runs_and_one_that_ran_is_lost_after_the_daemon_died() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.submit("w", "ran");
    world.submit("w", "waited");
    world.ready(lease);
    let (mut world, snapshot) = restart(world, 1_000, 4096);
    assert_eq!(snapshot.jobs.len(), 2);
    assert_eq!(world.story("ran"), ["ERR LOST"]);
    world.ready(lease);
    assert_eq!(world.launched(), ["waited"]);
    assert_eq!(
        world.submit_request("w", request("waited")).unwrap_err().split(' ').next(),
        Some("EEXIST")
    );
    assert!(world.submit("w", "new").0 > 2, "numbers go on");
}

/// Proves LEASE-19.
#[test]
fn lease_keeps_its_wall_clock_deadline_and_gets_a_new_epoch_after_the_daemon_died() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap();
    let short = world.lease("s", 1024, 5).unwrap();
    let (mut world, _) = restart(world, 10_000, 4096);
    assert_eq!(world.lease_story(short.id), ["ACTIVE taken up again", "EXPIRED its time is over"]);
    let seen = world.broker.lease_view(lease.id).unwrap().record;
    assert_eq!(seen.deadline_ms, lease.deadline_ms);
    assert!(seen.epoch > Epoch(2));
    world.pass_ms(50_000);
    assert_eq!(world.lease_story(lease.id).last().unwrap(), "EXPIRED its time is over");
    assert!(world.lease("n", 1, 1).unwrap().id > short.id, "ids go on");
}

#[test]
fn who_waited_waits_on_and_what_was_drained_stays_drained() {
    let mut world = World::new();
    world.lease("a", 4096, 60).unwrap();
    let waiting = world.lease_waiting("b", 1024, 60, 600, 0);
    world.command(Command::Drain { gpu: gpu("GPU-0") }).unwrap();
    let (mut world, _) = restart(world, 1_000, 4096);
    world.pass_ms(59_000);
    assert_eq!(world.lease_story(waiting.id), ["QUEUED taken up again"]);
    world.command(Command::Undrain { gpu: gpu("GPU-0") }).unwrap();
    assert_eq!(world.lease_story(waiting.id).last().unwrap(), "ACTIVE");
}

#[test]
fn time_that_the_daemon_was_down_counts_for_queue_timeouts() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world
        .submit_request("w", JobRequest { queue_timeout_ms: Some(5_000), ..request("j") })
        .unwrap();
    world
        .submit_request("w", JobRequest { queue_timeout_ms: Some(50_000), ..request("k") })
        .unwrap();
    let (mut world, _) = restart(world, 10_000, 4096);
    world.ready(lease);
    assert_eq!(world.story("j"), ["ERR QUEUE_TIMEOUT"]);
    assert_eq!(world.launched(), ["k"]);
}

#[test]
fn latest_lease_goes_where_the_gpu_has_less_memory_than_it_had() {
    let mut world = World::new();
    let first = world.lease("a", 2048, 60).unwrap().id;
    let second = world.lease("b", 2048, 60).unwrap().id;
    let (world, _) = restart(world, 1_000, 3000);
    assert_eq!(world.lease_story(first), ["ACTIVE taken up again"]);
    assert_eq!(
        world.lease_story(second),
        ["ACTIVE taken up again", "REVOKED gpu GPU-0 has less memory than it had"]
    );
}

#[test]
fn leases_and_jobs_of_a_gpu_that_is_gone_end() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.submit("w", "j");
    let snapshot = world.broker.snapshot();
    let mut next = World::without_gpu(Policy::default());
    next.restore(snapshot);
    assert_eq!(next.lease_story(lease), ["REVOKED its gpu is gone"]);
    assert_eq!(next.story("j"), ["ERR LEASE_EXPIRED"]);
}

#[test]
fn what_the_queen_granted_is_remembered() {
    let mut world = World::new();
    world.ask("queen", LeaseAsk { worker: Some("w".parse().unwrap()), ..ask(64, 30) }).unwrap();
    world.release("w");
    let (mut world, _) = restart(world, 1_000, 4096);
    assert_eq!(
        world.lease("w", 65, 30).unwrap_err(),
        "EPERM mem_mb is 65, w may have at most 64 on GPU-0"
    );
    assert!(world.ask("w", LeaseAsk::default()).is_ok());
}

#[test]
fn snapshot_restored_without_delay_is_the_same_but_for_what_ran() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 600).unwrap().id;
    world.lease_waiting("b", 4096, 60, 600, 3);
    world.submit("w", "j");
    let (world, mut before) = restart(world, 0, 4096);
    let after = world.broker.snapshot();
    before.epochs = after.epochs.clone();
    for snapshot in &mut before.leases {
        if snapshot.record.lease == lease {
            snapshot.record.epoch = Epoch(2);
        }
    }
    assert_eq!(after, before);
}
