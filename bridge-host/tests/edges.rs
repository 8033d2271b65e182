//! Jobs at the edges of what a descriptor can say, on the software GPU: nothing is lost on the way to the kernel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{fs, os::unix::fs::PermissionsExt};

use base64::{Engine, prelude::BASE64_STANDARD};
use secure9p::OpenFlags;
use serde_json::json;
use world::{World, ctl, end_of, inline_job, order, ptx, records, sha256, submit};

const LEASE: &str = "LEASE mem_mb=64 streams=1 ttl_s=60";

/// Writes each of its parameters, as it got it, into the first.
const ECHO: &str = "
.version 8.0
.target sm_80
.address_size 64
.visible .entry echo(.param .u64 out, .param .align 8 .b8 s[16], .param .u64 a, .param .u64 b,
    .param .u8 c, .param .u8 d, .param .b16 g, .param .b32 e, .param .b64 f, .param .u64 n)
{
    .reg .b64 %rd<8>; .reg .b32 %r<2>; .reg .b16 %rs<4>;
    ld.param.u64 %rd1, [out];
    ld.param.u64 %rd2, [s];     st.global.u64 [%rd1], %rd2;
    ld.param.u64 %rd3, [s+8];   st.global.u64 [%rd1+8], %rd3;
    ld.param.u64 %rd4, [a];     st.global.u64 [%rd1+16], %rd4;
    ld.param.u64 %rd5, [b];     st.global.u64 [%rd1+24], %rd5;
    ld.param.u8 %rs1, [c];      st.global.u8 [%rd1+32], %rs1;
    ld.param.u8 %rs2, [d];      st.global.u8 [%rd1+33], %rs2;
    ld.param.b16 %rs3, [g];     st.global.b16 [%rd1+34], %rs3;
    ld.param.b32 %r1, [e];      st.global.b32 [%rd1+36], %r1;
    ld.param.b64 %rd6, [f];     st.global.b64 [%rd1+40], %rd6;
    ld.param.u64 %rd7, [n];     st.global.u64 [%rd1+48], %rd7;
    ret;
}
";

/// Proves JOBD-5, JOBD-8.
#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_gets_structs_and_scalars_at_their_edges_bit_for_bit() {
    let world = World::soft().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let structure: Vec<u8> = (1..=16).collect();
    let job = json!({
        "job": "edges", "kernel": "echo", "grid": [1], "block": [1], "timeout_ms": 10_000,
        "bytes_hash": sha256(ECHO.as_bytes()), "payload_b64": BASE64_STANDARD.encode(ECHO),
        "outputs": ["/worker/edges/result"],
        "params": [
            {"out": "/worker/edges/result", "bytes": 56}, {"bytes_b64": BASE64_STANDARD.encode(&structure)},
            {"u64": "0xffffffffffffffff"}, {"i64": "-9223372036854775808"}, {"u8": 255}, {"i8": -128},
            {"f16": "-inf"}, {"f32": "nan"}, {"f64": 4.9e-324}, {"null": true},
        ],
    });
    let accepted = submit(&queen, "GPU-0", &job).await;
    assert!(accepted.starts_with("OK JOB"), "{accepted}");
    let records = records(&queen, "GPU-0", "edges").await;
    assert_eq!(records.last().unwrap()["state"], "OK", "{records:?}");
    let seen = queen.read("/worker/edges/result").await.unwrap();
    let mut wanted = structure;
    wanted.extend(u64::MAX.to_le_bytes());
    wanted.extend(i64::MIN.to_le_bytes());
    wanted.extend([255, 0x80]);
    wanted.extend(0xfc00_u16.to_le_bytes());
    wanted.extend(f32::NAN.to_bits().to_le_bytes());
    wanted.extend(f64::from_bits(1).to_bits().to_le_bytes());
    wanted.extend([0; 8]);
    assert_eq!(seen, wanted);
}

/// Proves BR-13, JOBD-7.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_one_mebibyte_is_taken_and_of_one_byte_more_refused() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let job = inline_job("largest", "anything").to_string();
    let padded = |bytes: usize| format!("{}{job}", " ".repeat(bytes - job.len()));
    let refused = order(&queen, "/gpu/GPU-0/job", &padded((1 << 20) + 1)).await;
    assert!(refused.starts_with("ERR JOB E") && refused.contains("1048576"), "{refused}");
    let taken = order(&queen, "/gpu/GPU-0/job", &padded(1 << 20)).await;
    assert!(taken.starts_with("OK JOB job=largest"), "{taken}");
    assert_eq!(end_of(&queen, "GPU-0", "largest").await, "OK");
}

/// Proves EXEC-9.
#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_changed_on_the_disk_is_not_launched() {
    let world = World::mock().await;
    let queen = world.queen().await;
    let module = ptx(&["anything"]);
    queen.put("/bundles/k.ptx", module.as_bytes()).await.unwrap();
    ctl(&queen, "GPU-0", LEASE).await;
    let digest = sha256(module.as_bytes());
    let object = world.state.join("artefacts/objects").join(&digest["sha256:".len()..]);
    fs::set_permissions(&object, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&object, format!("{module}// and more\n")).unwrap();
    let mut job = inline_job("changed", "anything");
    job.as_object_mut().unwrap().remove("payload_b64");
    job["inputs"] = json!(["/bundles/k.ptx"]);
    submit(&queen, "GPU-0", &job).await;
    let records = records(&queen, "GPU-0", "changed").await;
    let last = records.last().unwrap();
    assert_eq!(last["code"], "HASH", "{last}");
    assert!(
        last["detail"].as_str().unwrap().ends_with(&format!("the job says {digest}")),
        "{last}"
    );
}

/// Proves ART-14.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_artefact_outlives_its_name_and_goes_with_its_last_fid() {
    let world = World::mock().await;
    let queen = world.queen().await;
    queen.put("/bundles/a", b"open").await.unwrap();
    let objects = || fs::read_dir(world.state.join("artefacts/objects")).unwrap().count();
    let file = queen.open("/bundles/a", OpenFlags::RDONLY).await.unwrap();
    queen.remove("/bundles/a").await.unwrap();
    assert_eq!(objects(), 1);
    assert_eq!(file.read_to_end(0).await.unwrap(), b"open");
    file.close().await.unwrap();
    assert_eq!(objects(), 0);
}
