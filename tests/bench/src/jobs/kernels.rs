//! The two kernels that are launched, the descriptors that ask for it, and a module that is only looked at.

use ninedoor_abi::job::Sha256;
use serde_json::json;
use sha2::Digest;

/// The name the module is staged by.
pub(crate) const MODULE: &str = "bench.ptx";

/// Nothing, and nothing for ever.
pub(crate) const PTX: &str = "\
.version 8.0
.target sm_80
.address_size 64

.visible .entry empty()
{
	ret;
}

.visible .entry endless()
{
AGAIN:
	bra AGAIN;
}
";

/// The name the largest module is staged by.
pub(crate) const LARGE_MODULE: &str = "large.ptx";

/// Bytes of the largest module that a bridge takes.
const LARGE_BYTES: usize = 16 << 20;

/// One line for `job`.
pub(crate) fn descriptor(job: &str, kernel: &str, timeout_ms: u32) -> Vec<u8> {
    line(job, kernel, MODULE, PTX, timeout_ms)
}

/// PTX as long as it may be, of one kernel that does one thing over and over.
pub(crate) fn large_module() -> String {
    const ONCE: &str = "\tadd.s32 %r1, %r1, %r2;\n";
    const END: &str = "\tret;\n}\n";
    let mut text = ".version 8.0\n.target sm_80\n.address_size 64\n\n.visible .entry large()\n{\n\t.reg .b32 %r<3>;\n".to_owned();
    let times = (LARGE_BYTES - text.len() - END.len()) / ONCE.len();
    text.push_str(&ONCE.repeat(times));
    text + END
}

/// One line for `job`, by a name that no kernel of the large module has.
pub(crate) fn of_large_module(module: &str) -> Vec<u8> {
    line("j-large", "unknown", LARGE_MODULE, module, 1_000)
}

fn line(job: &str, kernel: &str, name: &str, module: &str, timeout_ms: u32) -> Vec<u8> {
    let path = format!("/bundles/{name}");
    let descriptor = json!({
        "job": job, "kernel": kernel, "grid": [1], "block": [1], "bytes_hash": hash(module),
        "inputs": [path], "outputs": [], "params": [], "timeout_ms": timeout_ms,
    });
    (descriptor.to_string() + "\n").into_bytes()
}

fn hash(module: &str) -> String {
    Sha256(sha2::Sha256::digest(module).into()).to_string()
}
