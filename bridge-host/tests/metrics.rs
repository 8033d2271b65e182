//! Metrics as scrapers, dashboards and alert rules see them; and how a GPU that is not well is kept from work.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod puppet;
mod world;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bridge_host::{BackendChoice, metrics};
use bridge_host_gpu::{GpuEvent, Health, Remedy};
use puppet::Puppet;
use serde_json::Value;
use world::{World, ctl, end_of, field, inline_job, scraped, submit, until_scraped};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn served(backend: BackendChoice) -> World {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    World::with(backend, |config| config.metrics = Some(anywhere)).await
}

/// The page after a lease was had and a job was done.
async fn page_of_a_working_bridge(world: &World) -> String {
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    submit(&queen, "GPU-0", &inline_job("j", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "j").await, "OK");
    let at = world.bridge.metrics().unwrap();
    until_scraped(at, "cohgpu_job_kernel_seconds_count{gpu=\"GPU-0\"} 1").await
}

/// Names of families on a page, by their `# TYPE` lines.
fn families(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// Words of a query that name metrics of ours, or of DCGM, or of processes; a histogram's by the name of its family.
fn metrics_in(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| {
        ["cohgpu_", "process_"].iter().any(|prefix| word.starts_with(prefix))
            || word.starts_with("DCGM_FI_DEV_")
    };
    let family = |word: &str| {
        let plain = ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part));
        plain.unwrap_or(word).to_owned()
    };
    words.filter(ours).map(family).collect()
}

fn in_catalogue(name: &str) -> bool {
    metrics::families().any(|family| family.name == name)
}

/// Proves MET-1, MET-2.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_families_of_the_catalogue_only_each_once_with_help_and_type() {
    let world = served(BackendChoice::Mock).await;
    let page = page_of_a_working_bridge(&world).await;
    let mut helps = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = line.split_once(' ').unwrap();
        let known = metrics::families().find(|family| family.name == name).unwrap();
        assert_eq!(known.help, help);
        assert!(helps.insert(name), "{name} is begun twice");
        assert!(page.contains(&format!("# TYPE {name} {}\n", known.kind)), "{name} has no type");
    }
    assert_eq!(helps, families(&page));
    let parts = [
        scraped_body(&world, "/metrics/native").await,
        scraped_body(&world, "/metrics/dcgm").await,
    ];
    assert!(families(&parts[0]).iter().all(|name| !name.starts_with("DCGM_")));
    assert!(families(&parts[1]).iter().all(|name| name.starts_with("DCGM_")));
    let dcgm = parts[1].lines().find(|line| line.starts_with("DCGM_FI_DEV_GPU_TEMP{")).unwrap();
    for label in [
        "gpu=\"0\"",
        "device=\"mock0\"",
        "modelName=\"Mock 4090\"",
        "Hostname=\"",
        "UUID=\"GPU-mock",
    ] {
        assert!(dcgm.contains(label), "no {label} in {dcgm}");
    }
}

async fn scraped_body(world: &World, path: &str) -> String {
    let answer = scraped(world.bridge.metrics().unwrap(), path).await;
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Proves MET-3.
#[tokio::test(flavor = "multi_thread")]
async fn no_label_names_a_job_a_lease_or_a_worker() {
    let world = served(BackendChoice::Mock).await;
    let worker = world.worker("worker-with-a-name", &["GPU-0"]).await;
    ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    submit(&worker, "GPU-0", &inline_job("job-with-a-name", "anything")).await;
    assert_eq!(end_of(&worker, "GPU-0", "job-with-a-name").await, "OK");
    let at = world.bridge.metrics().unwrap();
    let page = until_scraped(at, "cohgpu_jobs_total{gpu=\"GPU-0\",result=\"OK\"} 1").await;
    for secret in ["with-a-name", "lease-1"] {
        assert!(!page.contains(secret), "{secret} in {page}");
    }
}

/// Proves MET-5.
#[test]
fn metrics_md_is_made_from_the_catalogue() {
    let path = repository("docs/METRICS.md");
    if std::env::var_os("COHESIX_BLESS").is_some() {
        fs::write(&path, metrics::document()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|text| text == metrics::document()),
        "docs/METRICS.md is not what the catalogue says: run COHESIX_BLESS=1 cargo test -p bridge-host --test metrics"
    );
}

#[test]
fn names_and_labels_are_as_prometheus_wants_them() {
    let mut names = BTreeSet::new();
    for family in metrics::families() {
        assert!(names.insert(family.name), "{} is there twice", family.name);
        assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{}", family.name);
        if family.name.starts_with("cohgpu_") {
            let counts = family.kind == metrics::Kind::Counter;
            assert_eq!(family.name.ends_with("_total"), counts, "{}", family.name);
        }
    }
}

/// Proves MET-6.
#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_dashboard_and_the_rules_is_served_by_a_bridge() {
    let dashboard: Value =
        serde_json::from_str(&text("docs/ops/grafana/cohesix-gpu.json")).unwrap();
    let mut used = BTreeSet::new();
    collect_queries(&dashboard, &mut used);
    let rules = text("docs/ops/prometheus/cohesix-gpu.rules.yml");
    let expressions = rules.lines().filter_map(|line| line.trim().strip_prefix("expr:"));
    let in_rules: BTreeSet<String> = expressions.flat_map(metrics_in).collect();
    assert!(used.len() > 20 && in_rules.len() > 8, "{used:?} {in_rules:?}");
    used.extend(in_rules);

    let (puppet, strings) = Puppet::scripted();
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let world = World::on(puppet, |config| config.metrics = Some(anywhere)).await;
    strings.event(GpuEvent { uuid: None, code: Some(13), what: "x".into(), remedy: Remedy::Log });
    let at = world.bridge.metrics().unwrap();
    until_scraped(at, "cohgpu_xid_errors_total{gpu=\"GPU-0\",xid=\"13\"} 1").await;
    let page = page_of_a_working_bridge(&world).await;
    let served = families(&page);
    for name in &used {
        assert!(in_catalogue(name), "{name} is in no catalogue");
        assert!(served.contains(name.as_str()), "{name} is not served");
    }
}

/// Every `expr` and every `query` of a dashboard.
fn collect_queries(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(query) if key == "expr" || key == "query" => {
                        used.extend(metrics_in(query))
                    }
                    _ => collect_queries(value, used),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_queries(value, used)),
        _ => {}
    }
}

async fn info(root: &secure9p_tokio::Root, gpu: &str) -> Value {
    serde_json::from_slice(&root.read(&format!("/gpu/{gpu}/info")).await.unwrap()).unwrap()
}

async fn until_state(root: &secure9p_tokio::Root, gpu: &str, state: &str) -> Value {
    let reading = async {
        loop {
            let info = info(root, gpu).await;
            if info["state"] == state {
                return info;
            }
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, reading)
        .await
        .unwrap_or_else(|_| panic!("{gpu} is never {state}"))
}

/// Proves MET-8.
#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_that_is_too_hot_is_paused_says_why_everywhere_and_goes_on_by_itself() {
    let (puppet, strings) = Puppet::scripted();
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let world = World::on(puppet, |config| config.metrics = Some(anywhere)).await;
    let (queen, at) = (world.queen().await, world.bridge.metrics().unwrap());
    until_state(&queen, "GPU-0", "ready").await;
    strings.health("GPU-0", Health::Paused("hardware_thermal at 93 C".into()));
    let hot = until_state(&queen, "GPU-0", "paused").await;
    assert_eq!(hot["state_reason"], "hardware_thermal at 93 C");
    assert_eq!(hot["health"]["state"], "paused");
    let refused = ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert_eq!(
        refused,
        "ERR LEASE EBUSY gpu GPU-0 is paused: hardware_thermal at 93 C; ask again later, or with wait_s"
    );
    let stats = String::from_utf8(queen.read("/gpu/GPU-0/stats").await.unwrap()).unwrap();
    let sample: Value = serde_json::from_str(stats.lines().next().unwrap()).unwrap();
    assert_eq!((&sample["state"], &sample["health"]), (&"paused".into(), &"paused".into()));
    until_scraped(at, "cohgpu_state{gpu=\"GPU-0\",state=\"paused\"} 1").await;
    let log = String::from_utf8(queen.read("/log/bridge.log").await.unwrap()).unwrap();
    assert!(
        log.contains("HEALTH gpu=GPU-0 state=paused why=\"hardware_thermal at 93 C\""),
        "{log}"
    );
    assert!(ctl(&queen, "GPU-1", "LEASE mem_mb=64 streams=1 ttl_s=60").await.starts_with("OK"));

    strings.health("GPU-0", Health::Ok);
    until_state(&queen, "GPU-0", "ready").await;
    assert!(ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await.starts_with("OK"));
}

/// Proves MET-9.
#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_at_fault_is_drained_and_comes_back_only_through_a_self_test() {
    let (puppet, strings) = Puppet::on_software();
    let world = World::on(puppet, |_| ()).await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=600").await;
    strings.event(GpuEvent {
        uuid: None,
        code: Some(48),
        what: "Xid 48: double bit ECC error".into(),
        remedy: Remedy::DrainAndReset,
    });
    let ill = until_state(&queen, "GPU-0", "unusable").await;
    assert_eq!(ill["state_reason"], "Xid 48: double bit ECC error");
    let refused = submit(&queen, "GPU-0", &inline_job("j", "anything")).await;
    assert!(refused.starts_with("ERR JOB ENODEV gpu GPU-0 is unusable: Xid 48"), "{refused}");

    let undrain = ctl(&queen, "GPU-0", "UNDRAIN").await;
    assert_eq!(field(&undrain, "self_test"), "running");
    until_state(&queen, "GPU-0", "ready").await;
    let log = String::from_utf8(queen.read("/log/bridge.log").await.unwrap()).unwrap();
    for line in [
        "EVENT gpu=GPU-0 remedy=drain_and_reset",
        "who=self-test OK UNDRAIN gpu=GPU-0",
        "HEALTH gpu=GPU-0 state=ok",
    ] {
        assert!(log.contains(line), "no {line} in {log}");
    }
    submit(&queen, "GPU-0", &inline_job("k", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "k").await, "OK");
}

/// Proves MET-9.
#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_that_fails_its_self_test_stays_out() {
    // Its executors compute nothing, and the test wants a result.
    let (puppet, strings) = Puppet::that_lies();
    let world = World::on(puppet, |_| ()).await;
    let queen = world.queen().await;
    until_state(&queen, "GPU-0", "ready").await;
    strings.event(GpuEvent {
        uuid: None,
        code: Some(74),
        what: "Xid 74: NVLink error".into(),
        remedy: Remedy::Inspect,
    });
    until_state(&queen, "GPU-0", "unusable").await;
    ctl(&queen, "GPU-0", "UNDRAIN").await;
    let reason = loop {
        let info = info(&queen, "GPU-0").await;
        let reason = info["state_reason"].as_str().unwrap_or_default().to_owned();
        if reason.starts_with("self-test failed") {
            break reason;
        }
        tokio::task::yield_now().await;
    };
    assert!(reason.contains("its result has sha256:"), "{reason}");
    assert!(
        ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60")
            .await
            .starts_with("ERR LEASE ENODEV")
    );
}

/// Proves MET-10.
#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gpu_says_so_and_whether_anything_is_still_held() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=600").await;
    ctl(&queen, "GPU-0", "DRAIN").await;
    let info = until_state(&queen, "GPU-0", "draining").await;
    assert_eq!(info["state_reason"], "nothing new is granted; leases held: 1");
    ctl(&queen, "GPU-0", "RELEASE").await;
    until_state(&queen, "GPU-0", "drained").await;
    ctl(&queen, "GPU-0", "UNDRAIN").await;
    until_state(&queen, "GPU-0", "ready").await;
}
