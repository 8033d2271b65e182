//! Leases: granted, bounded, renewed, ended.

use bridge_host_broker::{Answer, Command, Effect, JobNumber, Policy};
use ninedoor_abi::{
    LeaseId, UnixMs,
    ctl::{LeaseAsk, LeaseSize},
    record::JobCode,
};

use crate::world::{DAWN_MS, World, ask, caller, gpu, gpu_info, ticket};

/// Proves LEASE-1.
#[test]
fn lease_names_its_gpu_size_epoch_and_deadline() {
    let mut world = World::new();
    let granted = world.lease("w", 1024, 60).unwrap();
    assert_eq!((granted.id, granted.epoch.0, granted.mem_mb), (LeaseId(1), 1, 1024));
    assert_eq!(granted.deadline_ms, UnixMs(DAWN_MS + 60_000));
    assert_eq!(world.lease_story(granted.id), ["ACTIVE"]);
}

/// Proves LEASE-2.
#[test]
fn holder_has_one_lease_on_a_gpu_and_a_bare_lease_names_it() {
    let mut world = World::new();
    let granted = world.lease("w", 1024, 60).unwrap();
    assert_eq!(
        world.lease("w", 1, 1).unwrap_err(),
        "EBUSY w has lease-1 on GPU-0 already, RELEASE it first"
    );
    assert_eq!(world.ask("w", LeaseAsk::default()), Ok(Answer::Leased(granted)));
    let refusal = world.ask("v", LeaseAsk::default()).unwrap_err();
    assert_eq!(
        refusal.text,
        "v was granted nothing on GPU-0 before, wanted mem_mb, streams and ttl_s"
    );
}

/// Proves LEASE-3.
#[test]
fn ask_that_no_gpu_could_ever_meet_is_refused_by_its_bound() {
    let mut world = World::new();
    let text = |world: &mut World, size: LeaseSize| {
        world
            .ask("w", LeaseAsk { size: Some(size), wait_s: 60, ..LeaseAsk::default() })
            .unwrap_err()
            .text
    };
    let size = LeaseSize { mem_mb: 1, streams: 1, ttl_s: 1 };
    assert_eq!(
        text(&mut world, LeaseSize { mem_mb: 999_999_999, ..size }),
        "mem_mb is 999999999, gpu GPU-0 has 4096 for a lease"
    );
    assert_eq!(
        text(&mut world, LeaseSize { streams: 17, ..size }),
        "streams is 17, gpu GPU-0 has 16"
    );
    assert_eq!(
        text(&mut world, LeaseSize { ttl_s: 86_401, ..size }),
        "ttl_s is 86401, wanted at most 86400"
    );
    let elsewhere = Command::Lease { by: caller("w"), gpu: gpu("GPU-9"), ask: ask(1, 1) };
    assert_eq!(
        world.command(elsewhere).unwrap_err().text,
        "no gpu GPU-9 here, list /gpu for those there are"
    );
}

/// Proves LEASE-4.
#[test]
fn refusal_for_want_of_room_says_who_makes_room_when() {
    let mut world = World::new();
    world.lease("a", 2048, 37).unwrap();
    world.lease("b", 1024, 90).unwrap();
    assert_eq!(
        world.lease("c", 2048, 60).unwrap_err(),
        "EBUSY gpu GPU-0 has 1024 of 4096 MiB free; lease-1 frees 2048 MiB in 37 s"
    );
    assert_eq!(
        world.lease("c", 4096, 60).unwrap_err(),
        "EBUSY gpu GPU-0 has 1024 of 4096 MiB free; 2 leases free 3072 MiB in 90 s"
    );
    assert_eq!(world.lease("d", 1024, 60).unwrap().id, LeaseId(3), "a refusal consumes no id");
}

/// Proves LEASE-23.
#[test]
fn memory_that_is_reserved_or_an_executors_own_is_not_leased() {
    let mut world = World::new();
    let info = bridge_host_gpu::GpuInfo { memory_reserved_mb: 500, ..gpu_info(4096) };
    world.command(Command::AddGpu { gpu: gpu("GPU-0"), info, executor_mb: 100 }).unwrap();
    assert_eq!(
        world.lease("w", 3497, 60).unwrap_err(),
        "EINVAL mem_mb is 3497, gpu GPU-0 has 3496 for a lease and 100 for its executor"
    );
    world.lease("w", 3000, 60).unwrap();
    assert!(
        world.lease("v", 397, 60).unwrap_err().starts_with(
            "EBUSY gpu GPU-0 has 496 of 3596 MiB free, of which an executor takes 100"
        )
    );
    world.lease("v", 396, 60).unwrap();
}

/// Proves LEASE-5.
#[test]
fn lease_ends_at_its_deadline_by_the_wall_and_takes_its_jobs_along() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    world.submit("w", "running");
    world.submit("w", "waiting");
    world.ready(lease);
    world.pass_ms(1);
    // Somebody sets the wall clock a minute ahead.
    world.now.unix_ms = world.now.unix_ms.plus_s(60);
    world.tick();
    assert_eq!(world.lease_story(lease), ["ACTIVE", "EXPIRED its time is over"]);
    assert_eq!(world.story("waiting"), ["QUEUED", "ERR LEASE_EXPIRED"]);
    assert_eq!(world.kills(), ["lease-1 lease_over"]);
    world.die(lease);
    assert_eq!(world.story("running"), ["QUEUED", "RUNNING", "ERR LEASE_EXPIRED"]);
    let closed = world
        .log
        .iter()
        .any(|effect| matches!(effect, Effect::CloseFids { lease: LeaseId(1), .. }));
    assert!(closed, "its fids are closed");
    assert_eq!(
        world.submit_request("w", crate::world::request("late")).unwrap_err(),
        "EPERM w holds no lease on GPU-0, ask for one with LEASE"
    );
}

/// Proves LEASE-6.
#[test]
fn memory_is_free_only_once_the_executor_has_died() {
    let mut world = World::new();
    let lease = world.lease("a", 4096, 60).unwrap().id;
    world.submit("a", "j");
    world.ready(lease);
    world.release("a");
    assert_eq!(
        world.lease("b", 4096, 60).unwrap_err(),
        "EBUSY gpu GPU-0 has 0 of 4096 MiB free; lease-1 frees 4096 MiB in 0 s"
    );
    world.die(lease);
    world.lease("b", 4096, 60).unwrap();
}

/// Proves LEASE-7.
#[test]
fn revoked_lease_and_lease_of_a_revoked_ticket_end_at_once() {
    let mut world = World::new();
    let first = world.lease("a", 1024, 60).unwrap().id;
    let second = world.lease("b", 1024, 60).unwrap().id;
    world.submit("a", "j");
    world.command(Command::Revoke { gpu: gpu("GPU-0"), lease: first }).unwrap();
    assert_eq!(world.lease_story(first), ["ACTIVE", "REVOKED revoked by the queen"]);
    assert_eq!(world.story("j"), ["QUEUED", "ERR REVOKED"]);
    world.command(Command::RevokeTicket { ticket: ticket("b") }).unwrap();
    let id = ticket("b");
    assert_eq!(
        world.lease_story(second),
        ["ACTIVE".into(), format!("REVOKED ticket {id} was revoked")]
    );
    let again = world.command(Command::Revoke { gpu: gpu("GPU-0"), lease: first }).unwrap_err();
    assert_eq!(again.text, "no live lease-1 on GPU-0");
}

/// Proves LEASE-8.
#[test]
fn renewal_counts_from_now_and_never_shortens() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    world.pass_ms(10_000);
    let renewed = |world: &mut World, ttl_s| match world.renew("w", ttl_s) {
        Ok(Answer::Leased(granted)) => granted.deadline_ms.0 - DAWN_MS,
        other => panic!("{other:?}"),
    };
    assert_eq!(renewed(&mut world, None), 70_000);
    assert_eq!(renewed(&mut world, Some(5)), 70_000);
    assert_eq!(renewed(&mut world, Some(120)), 130_000);
    world.pass_ms(119_999);
    assert_eq!(world.lease_story(lease).last().unwrap(), "ACTIVE renewed");
    world.pass_ms(1);
    assert_eq!(world.lease_story(lease).last().unwrap(), "EXPIRED its time is over");
    assert_eq!(
        world.renew("w", Some(86_401)).unwrap_err(),
        "EPERM w holds no lease on GPU-0, ask for one with LEASE"
    );
}

/// Proves LEASE-9.
#[test]
fn worker_may_have_again_what_the_queen_granted_it_and_no_more() {
    let mut world = World::new();
    let for_worker =
        LeaseAsk { worker: Some("w".parse().unwrap()), priority: Some(2), ..ask(64, 30) };
    world.ask("queen", for_worker).unwrap();
    assert!(world.ask("w", LeaseAsk::default()).is_ok(), "it takes up what was taken for it");
    world.release("w");
    assert_eq!(
        world.lease("w", 65, 30).unwrap_err(),
        "EPERM mem_mb is 65, w may have at most 64 on GPU-0"
    );
    assert_eq!(
        world.lease("w", 64, 31).unwrap_err(),
        "EPERM ttl_s is 31, w may have at most 30 on GPU-0"
    );
    world.lease("w", 32, 30).unwrap();
    assert_eq!(
        world.renew("w", Some(31)).unwrap_err(),
        "EPERM ttl_s is 31, w may have at most 30 on GPU-0"
    );
    assert_eq!(
        world.set_priority("w", 3).unwrap_err(),
        "EPERM priority is 3, w may have at most 2 on GPU-0"
    );
    world.release("w");
    let Ok(Answer::Leased(again)) = world.ask("w", LeaseAsk::default()) else {
        panic!("it asks bare")
    };
    assert_eq!((again.mem_mb, again.ttl_s), (64, 30));
    world.command(Command::Revoke { gpu: gpu("GPU-0"), lease: again.id }).unwrap();
    assert!(world.ask("w", LeaseAsk::default()).is_err(), "what was revoked is not granted again");
}

#[test]
fn lease_taken_for_a_worker_ends_with_the_ticket_the_worker_uses_it_with() {
    let mut world = World::new();
    let for_worker = LeaseAsk { worker: Some("w".parse().unwrap()), ..ask(64, 30) };
    world.ask("queen", for_worker).unwrap();
    world.command(Command::RevokeTicket { ticket: ticket("queen") }).unwrap();
    world.submit("w", "j");
    world.command(Command::RevokeTicket { ticket: ticket("w") }).unwrap();
    assert_eq!(world.story("j"), ["QUEUED", "ERR REVOKED"]);
}

/// Proves LEASE-10.
#[test]
fn worker_acts_on_its_own_leases_only() {
    let mut world = World::new();
    let lease = world.lease("a", 1024, 60).unwrap().id;
    let release =
        |by: &str| Command::Release { by: caller(by), gpu: gpu("GPU-0"), lease: Some(lease) };
    assert_eq!(world.command(release("b")).unwrap_err().text, "lease-1 is not b's");
    let for_another = LeaseAsk { worker: Some("a".parse().unwrap()), ..ask(1, 1) };
    assert_eq!(
        world.ask("b", for_another).unwrap_err().text,
        "worker=a is asked for by b, wanted its own name or none"
    );
    assert!(world.command(release("queen")).is_ok());
    assert_eq!(
        world.command(release("queen")).unwrap_err().text,
        "no live lease-1 on GPU-0, read the lease file for those there are"
    );
}

/// Proves LEASE-11.
#[test]
fn drained_gpu_grants_and_renews_nothing_until_undrained() {
    let mut world = World::new();
    world.lease("a", 1024, 60).unwrap();
    world.command(Command::Drain { gpu: gpu("GPU-0") }).unwrap();
    assert_eq!(
        world.lease("b", 1024, 60).unwrap_err(),
        "EBUSY gpu GPU-0 is drained, ask again after UNDRAIN"
    );
    assert_eq!(
        world.renew("a", None).unwrap_err(),
        "EBUSY gpu GPU-0 is drained, lease-1 ends at its deadline"
    );
    world.submit("a", "j");
    world.command(Command::Undrain { gpu: gpu("GPU-0") }).unwrap();
    world.lease("b", 1024, 60).unwrap();
}

#[test]
fn worker_without_a_grant_may_not_put_itself_before_all() {
    let mut world = World::new();
    let high = LeaseAsk { priority: Some(10), ..ask(1, 1) };
    assert_eq!(
        world.ask("w", high.clone()).unwrap_err().text,
        "priority is 10, w may have at most 9 on GPU-0"
    );
    assert!(world.ask("queen", high).is_ok());
}

#[test]
fn gpu_holds_no_more_leases_than_its_bound() {
    let mut world = World::with_policy(Policy { leases_max: 2, ..Policy::default() });
    world.lease("a", 1, 60).unwrap();
    world.lease("b", 1, 70).unwrap();
    assert_eq!(
        world.lease("c", 1, 60).unwrap_err(),
        "EBUSY gpu GPU-0 has 2 leases, wanted less than 2; lease-1 frees 1 MiB in 60 s"
    );
}

/// Proves LEASE-5, JOB-2.
#[test]
fn a_wall_clock_that_is_set_back_makes_leases_longer_and_jobs_no_longer() {
    let mut world = World::new();
    let lease = world.lease("w", 1024, 60).unwrap().id;
    world.submit("w", "running");
    world.ready(lease);
    world.pass_ms(1_000);
    world.now.unix_ms = UnixMs(DAWN_MS - 3_600_000);
    world.tick();
    world.pass_ms(4_000);
    assert_eq!(world.soft_stops(), ["lease-1 1"], "it ran its five seconds");
    world.fail(lease, JobNumber(1), JobCode::Timeout, false);
    assert_eq!(world.story("running"), ["QUEUED", "RUNNING", "ERR TIMEOUT"]);
    world.pass_ms(3_600_000);
    assert_eq!(world.lease_story(lease), ["ACTIVE"], "by the wall it has 56 s left");
    assert_eq!(
        world.lease("v", 4096, 60).unwrap_err(),
        "EBUSY gpu GPU-0 has 3072 of 4096 MiB free; lease-1 frees 1024 MiB in 56 s"
    );
    world.pass_ms(56_000);
    assert_eq!(world.lease_story(lease), ["ACTIVE", "EXPIRED its time is over"]);
}

/// Proves LEASE-24.
#[test]
fn where_grants_are_required_a_worker_gets_what_the_queen_granted_it_and_nothing_else() {
    let mut world = World::with_policy(Policy { grants_required: true, ..Policy::default() });
    assert_eq!(
        world.lease("w", 1024, 60).unwrap_err(),
        "EPERM w has no grant on GPU-0, and here one is required: the queen leases for it first"
    );
    let granted = LeaseAsk { worker: Some("w".parse().unwrap()), ..ask(1024, 60) };
    world.lease_with("queen", granted);
    world.release("w");
    assert_eq!(world.lease("w", 1024, 60).unwrap().mem_mb, 1024);
    world.broker.set_policy(Policy::default());
    world.lease("v", 1024, 60).unwrap();
    world.broker.set_policy(Policy { grants_required: true, ..Policy::default() });
    assert!(world.renew("v", None).unwrap_err().starts_with("EPERM v has no grant"));
    world.renew("w", None).unwrap();
}
