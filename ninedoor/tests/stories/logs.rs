//! Logs: what is in them, who reads along, what never gets in.

use ninedoor::{AuditLine, Event, limits::AUDIT_EVENTS_MAX};
use secure9p::OpenFlags;

use crate::world::World;

/// Proves LOG-1.
#[test]
fn every_line_of_the_queen_is_in_the_log_with_time_ticket_outcome_and_cause() {
    let mut world = World::hive();
    let claims = world.claims(ninedoor_abi::Role::Queen, "");
    let id = claims.mint(&crate::gpus::secret(ninedoor_abi::Role::Queen)).unwrap().id();
    let queen = world.user(&claims);
    let owner = world.queen();
    world.advance_s(1);
    world.order(queen, "/queen/ctl", "{\"budget\":{\"ops\":5}}\n").0.unwrap();
    let _ = world.order(queen, "/queen/ctl", "{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":1,\"streams\":1,\"ttl_s\":1}}\n");
    let _ = world.order(owner, "/queen/ctl", "{\"spawn\":\"gpu\"\n");
    let log = world.read(owner, "/log/queen.log").unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("BUDGET") || line.contains(" SPAWN") || line.contains(" ? "))
        .collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert_eq!(
        lines[0],
        format!(
            "ts_ms=1700000001000 ticket={id} who=queen OK BUDGET ticks=- ops=5 ttl_s=- line=\"{{\\\"budget\\\":{{\\\"ops\\\":5}}}}\""
        )
    );
    assert!(lines[1].starts_with(&format!("ts_ms=1700000001000 ticket={id} who=queen ERR SPAWN EBUSY no bridge is mounted at /gpu line=")));
    assert!(
        lines[2].starts_with("ts_ms=1700000001000 ticket=- who=queen ERR ? EINVAL "),
        "{}",
        lines[2]
    );
}

/// Proves LOG-2.
#[test]
fn a_reader_that_stays_at_the_end_sees_new_lines_appear() {
    let mut world = World::hive();
    let queen = world.queen();
    let log = world.open(queen, "/log/queen.log", OpenFlags::RDONLY).unwrap();
    let seen = world.read_at(log, 0).unwrap();
    assert_eq!(world.read_at(log, seen.len() as u64).unwrap(), "");
    let line = AuditLine::by("janitor").done("DARKEN", "lights=all".to_owned());
    world.server.audit(line, world.now);
    assert_eq!(
        world.read_at(log, seen.len() as u64).unwrap(),
        "ts_ms=1700000000000 ticket=- who=janitor OK DARKEN lights=all\n"
    );
}

/// Proves LOG-2.
#[test]
fn a_log_past_its_bound_forgets_its_oldest_lines_whole() {
    let mut world = World::bridge();
    let queen = world.queen();
    let early = world.open(queen, "/log/bridge.log", OpenFlags::RDONLY).unwrap();
    let first = world.read_at(early, 0).unwrap();
    for number in 0..2_000 {
        let line = AuditLine::by("clerk").done("COUNT", format!("{number} {}", "x".repeat(1000)));
        world.server.audit(line, world.now);
    }
    let log = world.read(queen, "/log/bridge.log").unwrap();
    assert!(log.len() <= ninedoor::limits::LOG_BYTES_MAX);
    assert!(log.lines().all(|line| line.starts_with("ts_ms=")), "a line was cut");
    assert!(log.lines().last().unwrap().contains(" OK COUNT 1999 xxx"));
    let on = world.read_at(early, first.len() as u64).unwrap();
    assert!(on.starts_with("ts_ms="), "{}", &on[..80]);
}

/// Proves LOG-3.
#[test]
fn a_ticket_that_somebody_writes_into_a_control_file_is_struck_out() {
    let mut world = World::hive();
    let queen = world.queen();
    let _ = world.order(queen, "/queen/ctl", "{\"kill\":\"cohesix-ticket-01020e.5e1c4c\"}\n");
    let log = world.read(queen, "/log/queen.log").unwrap();
    assert!(log.contains("cohesix-ticket-(struck)"), "{log}");
    assert!(!log.contains("5e1c4c"), "{log}");
}

/// Proves LOG-4.
#[test]
fn orders_to_gpus_are_in_the_log_of_the_hive_and_of_the_bridge() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let _ = world.order(queen, "/gpu/GPU-0/ctl", "DRAIN\n");
    let file = world.open(queen, "/gpu/GPU-0/job", OpenFlags::WRONLY).unwrap();
    world.write_to(file, "{\"job\":\"jid-1\",\"payload_b64\":\"secret\"}\n").unwrap();
    let here = world.read(queen, "/log/queen.log").unwrap();
    assert!(
        here.contains(
            "ticket=- who=queen ERR WRITE EINVAL path=/gpu/GPU-0/ctl bytes=6 line=\"DRAIN\\n\""
        ),
        "{here}"
    );
    assert!(here.contains("ticket=- who=queen OK WRITE path=/gpu/GPU-0/job bytes=39"), "{here}");
    assert!(!here.contains("payload_b64"), "{here}");
    let (_, bridge, _) = world.bridge.as_mut().unwrap();
    let admin = bridge.queen();
    let there = bridge.read(admin, "/log/bridge.log").unwrap();
    assert!(there.contains("who=queen OK WRITE path=/gpu/GPU-0/job bytes=39"), "{there}");
}

/// Proves LOG-5.
#[test]
fn a_shell_that_does_not_come_for_the_lines_is_told_how_many_it_missed() {
    let mut world = World::bridge();
    while world.server.poll_event().is_some() {}
    for number in 0..AUDIT_EVENTS_MAX + 5 {
        let line = AuditLine::by("clerk").done("COUNT", number.to_string());
        world.server.audit(line, world.now);
    }
    let mut told = 0;
    loop {
        match world.server.poll_event() {
            Some(Event::Audit { line, .. }) if line.detail == told.to_string() => told += 1,
            other => break assert_eq!(other, Some(Event::AuditOverrun { lines: 5 })),
        }
    }
    assert_eq!(told, AUDIT_EVENTS_MAX);
    assert_eq!(world.server.poll_event(), None);
}
