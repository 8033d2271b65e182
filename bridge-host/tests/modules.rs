//! Modules that a bridge has not seen before are read beside everything else.
//!
//! The module here lies in a pipe: it has been read when the test says so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use rustix::fs::{FileType, Mode};
use secure9p::{Errno, OpenFlags};
use secure9p_tokio::Root;
use serde_json::{Value, json};

use world::{World, ctl, end_of, field, inline_job, ptx, sha256, submit};

const GPU: &str = "GPU-0";
const INFO: &str = "/gpu/GPU-0/info";

/// A staged module whose bytes come when they are written to the file that is given; it ends when that is dropped.
async fn stage_slowly(world: &World, module: &str) -> File {
    let queen = world.queen().await;
    queen.put("/bundles/slow.ptx", module.as_bytes()).await.unwrap();
    let hex = sha256(module.as_bytes()).replace("sha256:", "");
    let object = world.state.join("artefacts/objects").join(hex);
    fs::set_permissions(&object, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&object).unwrap();
    let here = rustix::fs::CWD;
    rustix::fs::mknodat(here, &object, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    File::options().read(true).write(true).open(&object).unwrap()
}

fn job(id: &str, kernel: &str, module: &str) -> Value {
    json!({
        "job": id, "kernel": kernel, "grid": [1], "block": [32], "timeout_ms": 10_000,
        "bytes_hash": sha256(module.as_bytes()), "inputs": ["/bundles/slow.ptx"],
        "outputs": [], "params": [{"null": true}, {"u32": 1}],
    })
}

async fn worker_with_lease(world: &World, name: &str) -> (Root, String) {
    let worker = world.worker(name, &[GPU]).await;
    let status = ctl(&worker, GPU, "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    let lease = field(&status, "id").to_owned();
    (worker, lease)
}

/// Proves BR-34.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_module_is_read_nobody_waits_but_who_needs_it_and_its_writer_is_answered_in_order()
{
    let world = World::mock().await;
    let module = ptx(&["k"]);
    let mut pipe = stage_slowly(&world, &module).await;
    let (worker, _) = worker_with_lease(&world, "w").await;
    let (other, _) = worker_with_lease(&world, "v").await;
    let queen = world.queen().await;

    let file = worker.open(&format!("/gpu/{GPU}/job"), OpenFlags::RDWR).await.unwrap();
    let record = format!("{}\n", job("j", "nobody", &module));
    let answers = async {
        let write = file.write_at(0, record.as_bytes());
        let read = file.read_at(0, 4096);
        tokio::join!(write, read)
    };
    tokio::pin!(answers);
    let others = async {
        // The first over the same connection: the write has been received when it is answered.
        for root in [&worker, &queen] {
            let info = root.read(INFO).await.unwrap();
            assert!(info.starts_with(b"{"));
        }
        let status = submit(&other, GPU, &inline_job("o", "o")).await;
        assert!(status.starts_with("OK JOB"), "{status}");
        assert_eq!(end_of(&other, GPU, "o").await, "OK");
    };
    tokio::select! {
        biased;
        answers = &mut answers => panic!("answered before the module was read: {answers:?}"),
        () = others => {}
    }
    pipe.write_all(module.as_bytes()).unwrap();
    drop(pipe);
    let (written, status) = answers.await;
    assert_eq!(written.unwrap_err().errno(), Some(Errno::EINVAL));
    assert_eq!(status.unwrap(), b"ERR JOB EINVAL kernel: module has k, got nobody\n");
    world.bridge.stop().await;
}

/// Proves BR-34.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_writer_was_shut_out_while_its_module_was_read_is_not_carried_out() {
    let world = World::mock().await;
    let module = ptx(&["k"]);
    let mut pipe = stage_slowly(&world, &module).await;
    let (worker, lease) = worker_with_lease(&world, "w").await;
    let queen = world.queen().await;

    let file = worker.open(&format!("/gpu/{GPU}/job"), OpenFlags::RDWR).await.unwrap();
    let record = format!("{}\n", job("j", "k", &module));
    let write = file.write_at(0, record.as_bytes());
    tokio::pin!(write);
    tokio::select! {
        biased;
        answer = &mut write => panic!("answered before its module was read: {answer:?}"),
        // Over the same connection: the write has been received when this is answered.
        info = worker.read(INFO) => assert!(info.is_ok()),
    }
    let revoke = format!("REVOKE {lease}");
    let (written, status) = tokio::join!(write, ctl(&queen, GPU, &revoke));
    assert!(status.starts_with("OK REVOKE"), "{status}");
    assert_eq!(written.unwrap_err().errno(), Some(Errno::EPERM));
    let other = worker_with_lease(&world, "v").await.0;
    let later = job("later", "nobody", &module);
    let come = async {
        pipe.write_all(module.as_bytes()).unwrap();
        drop(pipe);
    };
    let (refused, ()) = tokio::join!(submit(&other, GPU, &later), come);
    assert_eq!(refused, "ERR JOB EINVAL kernel: module has k, got nobody", "it has been read");
    let stats = queen.read(&format!("/gpu/{GPU}/stats")).await.unwrap();
    assert!(!String::from_utf8(stats).unwrap().contains("\"j\""), "it was not accepted");
    world.bridge.stop().await;
}
