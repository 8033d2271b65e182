//! Who gets in, and how it ends.

use ninedoor::{Event, Revocation};
use ninedoor_abi::{Role, Ticket};
use secure9p::{Errno, OpenFlags};

use crate::{gpus::secret, world::World};

/// Proves AUTH-1.
#[test]
fn a_worker_attaches_with_its_ticket_and_nobody_else_does() {
    let mut world = World::bridge();
    let ticket =
        world.claims(Role::WorkerGpu, "worker-7").mint(&secret(Role::WorkerGpu)).unwrap().expose();
    let line = world.connect();
    assert!(world.try_attach(line, "worker-gpu:worker-7", &ticket).is_ok());
    assert!(
        world
            .try_attach(line, "worker-gpu:worker-8", &ticket)
            .is_err_and(|errno| errno == Errno::EACCES)
    );
    assert!(world.try_attach(line, "queen", &ticket).is_err_and(|errno| errno == Errno::EACCES));
}

/// Proves AUTH-3.
#[test]
fn the_servers_own_user_is_queen_and_a_stranger_is_nobody() {
    let mut world = World::bridge();
    let owner = world.owner();
    assert!(world.try_attach(owner, "queen", "").is_ok());
    assert!(world.try_attach(owner, "", "").is_ok());
    let stranger = world.connect();
    assert!(world.try_attach(stranger, "queen", "").is_err_and(|errno| errno == Errno::EACCES));
}

/// Proves AUTH-5.
#[test]
fn three_failed_attaches_cost_a_peer_ninety_seconds_on_every_connection() {
    let mut world = World::bridge();
    let line = world.connect();
    for _ in 0..3 {
        assert!(world.try_attach(line, "queen", "").is_err_and(|errno| errno == Errno::EACCES));
    }
    let good = world.claims(Role::Queen, "").mint(&secret(Role::Queen)).unwrap().expose();
    let another = world.connect();
    assert!(world.try_attach(another, "queen", &good).is_err_and(|errno| errno == Errno::EAGAIN));
    world.advance_s(89);
    assert!(world.try_attach(another, "queen", &good).is_err_and(|errno| errno == Errno::EAGAIN));
    world.advance_s(1);
    assert!(world.try_attach(another, "queen", &good).is_ok());
}

/// Proves AUTH-6.
#[test]
fn a_ticket_that_runs_out_ends_what_was_reached_with_it() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::Observer, "eve");
    claims.budget.ttl_s = Some(60);
    let eve = world.user(&claims);
    let log = world.open(eve, "/log/bridge.log", OpenFlags::RDONLY).unwrap();
    world.advance_s(59);
    assert!(world.read_at(log, 0).is_ok());
    assert_eq!(world.server.next_deadline(world.now), Some(world.now.mono_us.plus_ms(1000)));
    world.advance_s(1);
    assert_eq!(world.read_at(log, 0), Err(Errno::EPERM));
    assert_eq!(world.read(eve, "/proc/boot"), Err(Errno::EPERM));
    assert_eq!(world.clunk(log), Ok(()));
    let queen = world.queen();
    assert!(
        world
            .read(queen, "/log/bridge.log")
            .unwrap()
            .contains("who=observer:eve OK EXPIRE reason=ttl")
    );
}

/// Proves AUTH-6.
#[test]
fn a_ticket_that_ran_out_is_refused_even_before_the_clock_has_ticked() {
    let mut world = World::bridge();
    let mut claims = world.claims(Role::Observer, "eve");
    claims.budget.ttl_s = Some(60);
    let eve = world.user(&claims);
    world.now.unix_ms = world.now.unix_ms.plus_s(60);
    assert_eq!(world.read(eve, "/proc/boot"), Err(Errno::EPERM));
}

/// Proves AUTH-7.
#[test]
fn revoking_a_ticket_closes_its_files_and_its_connection_and_keeps_it_out() {
    let mut world = World::bridge();
    let claims = world.claims(Role::Observer, "eve");
    let ticket = claims.mint(&secret(Role::Observer)).unwrap();
    let eve = world.user(&claims);
    let bystander = world.user(&world.claims(Role::Observer, "bob"));
    let file = world.open(eve, "/gpu/GPU-0/info", OpenFlags::RDONLY).unwrap();
    let revocation = Revocation::Ticket(ticket.id());
    world.server.revoke(&revocation, world.now).unwrap();
    world.run();
    assert_eq!(world.read_at(file, 0), Err(Errno::EPERM));
    let connection = world.connection(eve.line);
    assert!(world.told(
        |event| matches!(event, Event::Close { connection: closed, .. } if *closed == connection)
    ));
    assert!(world.told(|event| *event == Event::Revoked(revocation.clone())));
    assert!(world.read(bystander, "/proc/boot").is_ok());
    let line = world.connect();
    let again = world.try_attach(line, "observer:eve", &ticket.expose());
    assert!(again.is_err_and(|errno| errno == Errno::EKEYREVOKED));
}

/// Proves AUTH-7.
#[test]
fn revoking_a_subject_leaves_its_newer_tickets_alone() {
    let mut world = World::bridge();
    let old = world.worker("worker-7", &["GPU-0"]);
    let until_ms = world.now.unix_ms;
    world.advance_s(1);
    let new = world.worker("worker-7", &["GPU-0"]);
    let subject = "worker-7".parse().unwrap();
    world.server.revoke(&Revocation::Subject { subject, until_ms }, world.now).unwrap();
    assert_eq!(world.read(old, "/proc/boot"), Err(Errno::EPERM));
    assert!(world.read(new, "/proc/boot").is_ok());
}

/// Proves AUTH-2.
#[test]
fn one_connection_carries_several_users_and_one_may_be_revoked_alone() {
    let mut world = World::bridge();
    let line = world.connect();
    let mint = |world: &World, subject: &str| {
        world.claims(Role::Observer, subject).mint(&secret(Role::Observer)).unwrap()
    };
    let (eve, bob) = (mint(&world, "eve"), mint(&world, "bob"));
    let as_eve = world.try_attach(line, "observer:eve", &eve.expose()).unwrap();
    let as_bob = world.try_attach(line, "", &bob.expose()).unwrap();
    world.server.revoke(&Revocation::Ticket(eve.id()), world.now).unwrap();
    assert_eq!(world.read(as_eve, "/proc/boot"), Err(Errno::EPERM));
    assert!(world.read(as_bob, "/proc/boot").is_ok());
    assert!(!world.told(|event| matches!(event, Event::Close { .. })));
}

/// Proves AUTH-8.
#[test]
fn attaching_costs_the_same_after_many_thousand_earlier_sessions() {
    let mut world = World::bridge();
    for _ in 0..2_000 {
        let user = world.observer();
        world.hang_up(user.line);
        world.lines.clear();
    }
    let queen = world.queen();
    let sessions = world.read(queen, "/proc/9p/sessions").unwrap();
    assert_eq!(sessions, "sessions total=1 worker=0 served=2001\n");
    let fids = world.read(queen, "/proc/9p/fids").unwrap();
    assert!(fids.starts_with("fids current=2 "), "{fids}");
}

#[test]
fn the_log_says_who_came_and_who_was_turned_away_by_ticket_id() {
    let mut world = World::bridge();
    let claims = world.claims(Role::WorkerGpu, "worker-7");
    let ticket = claims.mint(&secret(Role::WorkerGpu)).unwrap();
    world.user(&claims);
    let line = world.connect();
    let wrong = world.try_attach(line, "queen", &ticket.expose());
    assert!(wrong.is_err());
    let queen = world.queen();
    let log = world.read(queen, "/log/bridge.log").unwrap();
    let id = ticket.id();
    assert!(log.contains(&format!("ts_ms=1700000000000 ticket={id} who=worker-gpu:worker-7 OK ATTACH peer=\"tcp 10.0.0.7:4711\"")), "{log}");
    assert!(log.contains(&format!("ticket={id} who=\"queen\" ERR ATTACH EACCES ticket is for worker-gpu:worker-7, uname says queen")), "{log}");
    assert!(!log.contains(&Ticket::expose(&ticket)), "{log}");
}
