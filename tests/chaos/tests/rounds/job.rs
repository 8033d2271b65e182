//! Jobs whose kernels count, each under a name of its own, so that the witness knows which one ran.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The kernel of this job.
pub(crate) fn kernel(job: &str) -> String {
    format!("k_{}", job.replace('-', "_"))
}

/// A descriptor with its module inside: it counts to `turns`, and that is its output.
pub(crate) fn descriptor(job: &str, turns: u64) -> String {
    let module = ptx(&kernel(job));
    let hash = Sha256::digest(module.as_bytes())
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let output = format!("/worker/{job}/result");
    json!({
        "job": job, "kernel": kernel(job), "grid": [1], "block": [32], "timeout_ms": 60_000,
        "bytes_hash": format!("sha256:{hash}"), "payload_b64": BASE64_STANDARD.encode(&module),
        "outputs": [output], "params": [{"out": output, "bytes": 4}, {"u32": turns}],
    })
    .to_string()
}

fn ptx(kernel: &str) -> String {
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n\
         .visible .entry {kernel}(.param .u64 out, .param .u32 turns)\n{{\n\
         \t.reg .u64 %rd1;\n\t.reg .u32 %r<3>;\n\t.reg .pred %p1;\n\
         \tld.param.u64 %rd1, [out];\n\tcvta.to.global.u64 %rd1, %rd1;\n\
         \tld.param.u32 %r1, [turns];\n\tmov.u32 %r2, 0;\n\
         $again:\n\tadd.u32 %r2, %r2, 1;\n\tsetp.lt.u32 %p1, %r2, %r1;\n\t@%p1 bra $again;\n\
         \tst.global.u32 [%rd1], %r2;\n\tret;\n}}\n"
    )
}
