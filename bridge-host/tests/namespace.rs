//! The directories that a bridge serves: who sees what, what files say, what may be written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use bridge_host::BackendChoice;
use secure9p::{Errno, OpenFlags};
use serde_json::Value;
use world::{World, ctl, end_of, field, inline_job, order, scraped, submit, until_scraped};

async fn names(root: &secure9p_tokio::Root, path: &str) -> Vec<String> {
    root.list(path).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

async fn text(root: &secure9p_tokio::Root, path: &str) -> String {
    String::from_utf8(root.read(path).await.unwrap()).unwrap()
}

/// Proves BR-3, BR-15.
#[tokio::test(flavor = "multi_thread")]
async fn every_gpu_is_a_directory_of_five_files() {
    let world = World::mock().await;
    let queen = world.queen().await;
    assert_eq!(names(&queen, "/gpu").await, ["GPU-0", "GPU-1"]);
    assert_eq!(names(&queen, "/gpu/GPU-1").await, ["info", "ctl", "lease", "job", "stats"]);
    let info: Value = serde_json::from_str(&text(&queen, "/gpu/GPU-1/info").await).unwrap();
    assert_eq!((&info["name"], &info["memory_mb"]), (&"Mock 4060".into(), &8192.into()));
    let modes =
        [("info", 0o444), ("ctl", 0o666), ("lease", 0o666), ("job", 0o666), ("stats", 0o444)];
    for (name, mode) in modes {
        let facts = queen.stat(&format!("/gpu/GPU-1/{name}")).await.unwrap();
        assert_eq!((facts.mode & 0o777, facts.size, facts.qid.version), (mode, 0, 0), "{name}");
    }
    let refused = queen.open("/gpu/GPU-1/info", OpenFlags::WRONLY).await.unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EACCES));
    let sample: Value =
        serde_json::from_str(text(&queen, "/gpu/GPU-0/stats").await.lines().next().unwrap())
            .unwrap();
    assert_eq!(
        (&sample["schema"], &sample["memory_total_mb"]),
        (&"gpu-sample/v1".into(), &24_576.into())
    );
}

/// Proves BR-16.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sees_its_gpus_its_leases_its_jobs_and_its_artefacts() {
    let world = World::mock().await;
    let (one, two) =
        (world.worker("one", &["GPU-0"]).await, world.worker("two", &["GPU-0", "GPU-1"]).await);
    let queen = world.queen().await;
    assert_eq!(names(&one, "/gpu").await, ["GPU-0"]);
    assert_eq!(one.read("/gpu/GPU-1/info").await.unwrap_err().errno(), Some(Errno::ENOENT));
    for worker in [&one, &two] {
        ctl(worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    }
    assert_eq!(text(&one, "/gpu/GPU-0/lease").await.lines().count(), 1);
    assert_eq!(text(&queen, "/gpu/GPU-0/lease").await.lines().count(), 2);

    submit(&one, "GPU-0", &inline_job("of-one", "anything")).await;
    assert_eq!(end_of(&one, "GPU-0", "of-one").await, "OK");
    assert!(!text(&two, "/gpu/GPU-0/stats").await.contains("of-one"));
    assert!(text(&queen, "/gpu/GPU-0/stats").await.contains("of-one"));
    assert_eq!(names(&two, "/worker").await, [""; 0]);
    assert_eq!(two.read("/worker/of-one/result").await.unwrap_err().errno(), Some(Errno::ENOENT));
    assert_eq!(queen.read("/worker/of-one/result").await.unwrap(), [0; 4]);
    let taken = submit(&two, "GPU-0", &inline_job("of-one", "anything")).await;
    assert!(
        taken.starts_with("ERR JOB EEXIST job: of-one is the name of another worker's job"),
        "{taken}"
    );

    one.put("/bundles/mine", b"1").await.unwrap();
    queen.put("/bundles/shared", b"2").await.unwrap();
    assert_eq!(names(&one, "/bundles").await, ["mine", "shared"]);
    assert_eq!(names(&two, "/bundles").await, ["shared"]);
    assert_eq!(two.remove("/bundles/shared").await.unwrap_err().errno(), Some(Errno::ENOENT));
}

/// Proves BR-5.
#[tokio::test(flavor = "multi_thread")]
async fn ctl_answers_on_the_same_fid_and_tells_the_recent_past_on_a_fresh_one() {
    let world = World::mock().await;
    let (worker, queen) = (world.worker("w", &["GPU-0"]).await, world.queen().await);
    let granted = ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert_eq!((field(&granted, "gpu"), field(&granted, "mem_mb")), ("GPU-0", "64"));
    let refused = ctl(&worker, "GPU-0", "DRAIN").await;
    assert_eq!(refused, "ERR DRAIN EPERM DRAIN is for the queen");
    let nonsense = ctl(&worker, "GPU-0", "DANCE").await;
    assert!(nonsense.starts_with("ERR ? EINVAL unknown command \"DANCE\""), "{nonsense}");
    let recent = text(&worker, "/gpu/GPU-0/ctl").await;
    let statuses: Vec<_> = recent.lines().map(|line| line.split_once(" w ").unwrap().1).collect();
    assert_eq!(statuses, [granted.as_str(), refused.as_str(), nonsense.as_str()]);
    assert_eq!(text(&queen, "/gpu/GPU-0/ctl").await, recent);
}

/// Proves BR-17.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_after_a_refused_one_in_the_same_write_is_not_carried_out() {
    let world = World::mock().await;
    let queen = world.queen().await;
    let two_lines = order(&queen, "/gpu/GPU-0/ctl", "DANCE\nDRAIN").await;
    assert!(two_lines.starts_with("ERR ?") && two_lines.lines().count() == 1, "{two_lines}");
    let leased = ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert!(leased.starts_with("OK LEASE"), "{leased}");
}

/// Proves BR-18.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_attaches_with_the_ticket_that_the_queen_had_minted() {
    let world = World::mock().await;
    let queen = world.queen().await;
    let minted = ctl(&queen, "GPU-1", "TICKET worker=worker-7 ttl_s=60").await;
    let worker = world.attach_with("worker-gpu:worker-7", field(&minted, "ticket")).await.unwrap();
    assert_eq!(names(&worker, "/gpu").await, ["GPU-1"]);
    assert!(
        !text(&queen, "/gpu/GPU-1/ctl").await.contains("cohesix-ticket-"),
        "logged by its id only"
    );
    assert!(
        !text(&queen, "/log/bridge.log").await.contains("cohesix-ticket-"),
        "logged by its id only"
    );
    let refused = ctl(&worker, "GPU-1", "TICKET worker=worker-8 ttl_s=60").await;
    assert_eq!(refused, "ERR TICKET EPERM TICKET is for the queen");

    let id = text(&queen, "/gpu/GPU-1/ctl").await;
    let id = field(id.trim_end().lines().next().unwrap(), "ticket").to_owned();
    assert_eq!(ctl(&queen, "GPU-1", &format!("REVOKE ticket={id}")).await, "OK REVOKE");
    assert!(worker.list("/gpu").await.is_err(), "its session is closed");
    assert!(world.attach_with("worker-gpu:worker-7", field(&minted, "ticket")).await.is_err());
}

/// Proves BR-19.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_lease_drains_its_jobs_and_closes_its_fids() {
    let world = World::mock().await;
    let (worker, queen) = (world.worker("w", &["GPU-0"]).await, world.queen().await);
    let leased = ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    let lease = field(&leased, "id").to_owned();
    let job_file = worker.open("/gpu/GPU-0/job", OpenFlags::WRONLY).await.unwrap();
    submit(&worker, "GPU-0", &inline_job("runs", "mock_waits")).await;
    world::until_running(&worker, "GPU-0", "runs").await;
    submit(&worker, "GPU-0", &inline_job("waits", "anything")).await;
    assert_eq!(ctl(&queen, "GPU-0", &format!("REVOKE {lease}")).await, "OK REVOKE");
    assert_eq!(end_of(&worker, "GPU-0", "runs").await, "REVOKED");
    assert_eq!(end_of(&worker, "GPU-0", "waits").await, "REVOKED");
    let late = format!("{}\n", inline_job("late", "anything"));
    assert_eq!(
        job_file.write_at(0, late.as_bytes()).await.unwrap_err().errno(),
        Some(Errno::EPERM)
    );
    let status = submit(&worker, "GPU-0", &inline_job("late", "anything")).await;
    assert!(status.starts_with("ERR JOB EPERM"), "{status}");
    let leases = text(&worker, "/gpu/GPU-0/lease").await;
    assert!(leases.contains(r#""state":"REVOKED""#), "{leases}");
}

/// Proves BR-20.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_through_its_file() {
    let world = World::mock().await;
    let worker = world.worker("w", &["GPU-0"]).await;
    ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    let renewed = order(&worker, "/gpu/GPU-0/lease", "RENEW ttl_s=600").await;
    assert!(
        renewed.starts_with("OK RENEW id=lease-1 ") && field(&renewed, "ttl_s") == "600",
        "{renewed}"
    );
    let line: Value = serde_json::from_str(&text(&worker, "/gpu/GPU-0/lease").await).unwrap();
    assert_eq!(line["deadline_ms"].as_u64().unwrap().to_string(), field(&renewed, "deadline_ms"));
}

/// Proves ART-2, ART-11.
#[tokio::test(flavor = "multi_thread")]
async fn an_artefact_is_created_once_read_and_removed() {
    let world = World::mock().await;
    let worker = world.worker("w", &["GPU-0"]).await;
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let flags = OpenFlags::WRONLY | OpenFlags::EXCL;
    let file = worker.create("/bundles/x", flags, 0o644).await.unwrap();
    file.write_at(0, &content[..100_000]).await.unwrap();
    assert_eq!(worker.stat("/bundles/x").await.unwrap().size, 0, "not yet anything to read");
    assert_eq!(worker.read("/bundles/x").await.unwrap_err().errno(), Some(Errno::EBUSY));
    file.write_at(100_000, &content[100_000..]).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(worker.read("/bundles/x").await.unwrap(), content);
    assert_eq!(worker.stat("/bundles/x").await.unwrap().size, content.len() as u64);
    assert_eq!(worker.put("/bundles/x", b"other").await.unwrap_err().errno(), Some(Errno::EEXIST));
    let writing = worker.open("/bundles/x", OpenFlags::WRONLY).await.unwrap_err();
    assert_eq!(writing.errno(), Some(Errno::EROFS));
    worker.remove("/bundles/x").await.unwrap();
    assert_eq!(names(&worker, "/bundles").await, [""; 0]);
}

/// Proves ART-5.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_loses_its_connection_leaves_nothing() {
    let world = World::mock().await;
    let other_machine =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = world.client();
    let uploading = async {
        let worker = client.await.attach("queen", "").await.unwrap();
        let file = worker.create("/bundles/half", OpenFlags::WRONLY, 0o644).await.unwrap();
        file.write_at(0, b"half").await.unwrap();
        std::mem::forget((worker, file)); // a client that is gone says no goodbye
    };
    other_machine.spawn(uploading).await.unwrap();
    other_machine.shutdown_background();
    let again = world.queen().await;
    while !names(&again, "/bundles").await.is_empty() {
        tokio::task::yield_now().await;
    }
    again.put("/bundles/half", b"whole").await.unwrap();
}

/// Proves BR-21.
#[tokio::test(flavor = "multi_thread")]
async fn control_traffic_is_in_the_log_by_ticket_id() {
    let world = World::mock().await;
    let (worker, queen) = (world.worker("w", &["GPU-0"]).await, world.queen().await);
    ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    submit(&worker, "GPU-0", &inline_job("j", "anything")).await;
    let log = text(&queen, "/log/bridge.log").await;
    assert!(log.contains("LEASE mem_mb=64"), "{log}");
    assert!(log.contains("id=lease-1 gpu=GPU-0 worker=w state=ACTIVE"), "{log}");
    assert!(!log.contains("cohesix-ticket-"), "{log}");
}

/// Proves BR-24.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_has_happened_and_readiness_ends_with_drain() {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let world = World::with(BackendChoice::Mock, |config| config.metrics = Some(anywhere)).await;
    let (queen, at) = (world.queen().await, world.bridge.metrics().unwrap());
    ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    submit(&queen, "GPU-0", &inline_job("j", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "j").await, "OK");
    let page = until_scraped(at, "cohgpu_jobs_total{gpu=\"GPU-0\",result=\"OK\"} 1").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for line in [
        "cohgpu_memory_total_bytes{gpu=\"GPU-1\"} 8589934592",
        "cohgpu_memory_leased_bytes{gpu=\"GPU-0\"} 67108864",
        "cohgpu_leases{gpu=\"GPU-0\",state=\"active\"} 1",
    ] {
        assert!(page.lines().any(|seen| seen == line), "no {line} in {page}");
    }
    assert!(scraped(at, "/readyz").await.ends_with("ready\n"));
    assert!(scraped(at, "/nothing").await.starts_with("HTTP/1.1 404 "));
    world.bridge.drain().await;
    assert!(scraped(at, "/readyz").await.starts_with("HTTP/1.1 503 "));
}

/// Proves LEASE-2, BR-16.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_machine_lost_power_takes_up_its_lease_over_another_connection() {
    let world = World::mock().await;
    // Nothing tells the bridge that this one is gone: its socket stays as it was.
    let before = world.worker("w", &["GPU-0"]).await;
    let lease = ctl(&before, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert!(lease.starts_with("OK LEASE"), "{lease}");
    assert!(submit(&before, "GPU-0", &inline_job("first", "k")).await.starts_with("OK JOB"));

    let after = world.worker("w", &["GPU-0"]).await;
    assert_eq!(end_of(&after, "GPU-0", "first").await, "OK");
    assert_eq!(ctl(&after, "GPU-0", "LEASE").await, lease);
    assert!(submit(&after, "GPU-0", &inline_job("second", "k")).await.starts_with("OK JOB"));
    assert_eq!(end_of(&after, "GPU-0", "second").await, "OK");
    drop(before);
}
