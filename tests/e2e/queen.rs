//! The queen's way: spawn a worker, let it see what it may, kill it, read it all in the log.

use tests_support::hive::Hive;
use tests_support::running::Running;
use tests_support::said::Said;

use crate::{example, word};

/// The part of a ticket that logs name it by.
fn ticket_id(ticket: &str) -> &str {
    let mac = ticket.trim().rsplit_once('.').expect("a ticket has a dot before its MAC").1;
    &mac[..8]
}

fn spawn(hive: &Hive) -> String {
    let spec = ["spawn", "gpu", "gpu_id=GPU-0", "mem_mb=64", "streams=1", "ttl_s=30"];
    let spawned = hive.says(&spec).well();
    assert!(spawned.out.starts_with("cohesix-ticket-"), "{spawned}");
    spawned.out.trim().to_owned()
}

fn worker_says(hive: &Hive, ticket: &str, words: &[&str]) -> Said {
    Said::by(hive.shell_with(ticket).args(words))
}

/// Proves EX-7, SH-12.
#[test]
fn a_worker_gets_a_ticket_and_sees_only_its_gpu() {
    let hive = Hive::start_with("mock");
    assert_eq!(hive.says(&["ls", "/gpu"]).well().out, "GPU-0/\nGPU-1/\n");
    let ticket = spawn(&hive);

    assert_eq!(worker_says(&hive, &ticket, &["ls", "/gpu"]).well().out, "GPU-0/\n");
    let queens = worker_says(&hive, &ticket, &["ls", "/queen"]).with_code(3);
    assert!(queens.err.contains("ENOENT"), "{queens}");
    let other = worker_says(&hive, &ticket, &["cat", "/gpu/GPU-1/info"]).with_code(3);
    assert!(other.err.contains("ENOENT"), "{other}");
    let leases = worker_says(&hive, &ticket, &["lease", "ls", "-o", "csv"]).well();
    leases.in_order(&["lease-1,GPU-0,ACTIVE,worker-1,64,1,"]);
}

/// Proves EX-7, SH-14.
#[test]
fn a_worker_runs_a_job_under_the_lease_it_was_spawned_with() {
    let hive = Hive::start();
    let ticket = spawn(&hive);
    let ran = worker_says(&hive, &ticket, &["run", word(&example("vadd.json"))]).well();
    ran.in_order(&["staged", "RUNNING  vadd under lease-1", "OK", "0, 3, 6, 9"]);
    assert!(ran.err.contains("lease-1 on GPU-0 is held already"), "{ran}");
}

/// Proves EX-7.
#[test]
fn killing_a_worker_closes_its_fids_and_ends_its_ticket() {
    let hive = Hive::start_with("mock");
    let ticket = spawn(&hive);
    let mut following =
        Running::follow(hive.shell_with(&ticket).args(["tail", "-f", "/gpu/GPU-0/stats"]));
    following.until_line("{\"schema\":\"gpu-sample/v1\"");

    let _ = hive.says(&["kill", "worker-1"]).well();
    let code = following.until_end();
    assert!(matches!(code, Some(3 | 5)), "{code:?}");
    let _ = worker_says(&hive, &ticket, &["ls", "/gpu"]).with_code(3);
}

/// Proves EX-7.
#[test]
fn all_of_it_is_in_the_log_with_ticket_ids_and_without_tickets() {
    let hive = Hive::start_with("mock");
    let ticket = spawn(&hive);
    let _ = worker_says(&hive, &ticket, &["ls", "/gpu"]).well();
    let _ = hive.says(&["kill", "worker-1"]).well();
    let _ = hive.says(&["kill", "worker-9"]).with_code(3);

    let log = hive.says(&["cat", "/log/queen.log"]).well();
    let queens = format!("ticket={}", ticket_id(&hive.ticket()));
    log.in_order(&[&queens, "OK SPAWN", "OK KILL", "ERR KILL"]);
    assert!(log.out.contains(ticket_id(&ticket)), "{log}");
    assert!(!log.out.contains("cohesix-ticket-"), "{log}");
}
