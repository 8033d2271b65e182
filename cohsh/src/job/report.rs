//! What `run` and `wait` show: for people one line a step, for programs the records themselves.

use ninedoor_abi::ctl::LeaseGranted;
use ninedoor_abi::record::{JobRecord, JobStep};
use serde_json::{Value, json};

use super::history;
use super::stage::Staged;
use crate::colour::Colour;
use crate::error::CommandError;
use crate::gpus::Gpu;
use crate::quantity::shown_us;
use crate::render::Form;
use crate::screen::Screen;

/// Something was staged.
///
/// # Errors
/// When it cannot be shown.
pub fn staged(screen: &mut Screen, staged: &Staged) -> Result<(), CommandError> {
    let Staged { path, bytes, sha256 } = staged;
    if is_for_programs(screen) {
        return object(
            screen,
            json!({ "staged": path.as_str(), "bytes": bytes, "sha256": sha256 }),
        );
    }
    step(screen, "staged", &format!("{path}, {bytes} bytes"))
}

/// A lease was taken.
///
/// # Errors
/// When it cannot be shown.
pub fn leased(screen: &mut Screen, gpu: &Gpu, lease: &LeaseGranted) -> Result<(), CommandError> {
    let LeaseGranted { id, epoch, mem_mb, streams, ttl_s, .. } = lease;
    if is_for_programs(screen) {
        let lease = json!({ "lease": id.to_string(), "epoch": epoch.0, "gpu": gpu.id.as_str(),
            "mem_mb": mem_mb, "streams": streams, "ttl_s": ttl_s });
        return object(screen, lease);
    }
    let name = gpu.text("name");
    step(screen, "lease", &format!("{id} on {} ({name}): {mem_mb} MiB for {ttl_s} s", gpu.id))
}

/// A job's next record.
///
/// # Errors
/// When it cannot be shown.
pub fn record(screen: &mut Screen, record: &JobRecord) -> Result<(), CommandError> {
    if is_for_programs(screen) {
        return screen.line(&record.to_line(), None);
    }
    let state = history::state(&record.step);
    let text = match &record.step {
        JobStep::Queued { pos, reason } => format!("place {pos}, waits for {reason}"),
        JobStep::Running => format!("{} under {}", record.job, record.lease),
        JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, .. } => format!(
            "queue {}, h2d {}, kernel {}, d2h {}",
            shown_us(*queue_us),
            shown_us(*h2d_us),
            shown_us(*kernel_us),
            shown_us(*d2h_us)
        ),
        JobStep::Err { code, detail, .. } => format!("{code}: {detail}"),
    };
    screen.line(&format!("{state:8} {text}"), Colour::of_state(state))
}

/// One output and its first values.
///
/// # Errors
/// When it cannot be shown.
pub fn output(
    screen: &mut Screen,
    name: &str,
    bytes: u64,
    values: &str,
) -> Result<(), CommandError> {
    if is_for_programs(screen) {
        return object(screen, json!({ "output": name, "bytes": bytes, "first": values }));
    }
    step(screen, "output", &format!("{name}, {bytes} bytes: {values}"))
}

/// A file of this machine was written.
///
/// # Errors
/// When it cannot be shown.
pub fn saved(screen: &mut Screen, file: &std::path::Path) -> Result<(), CommandError> {
    let file = file.display().to_string();
    if is_for_programs(screen) {
        return object(screen, json!({ "saved": file }));
    }
    step(screen, "saved", &file)
}

fn is_for_programs(screen: &Screen) -> bool {
    screen.look.form != Form::Table
}

fn object(screen: &mut Screen, object: Value) -> Result<(), CommandError> {
    screen.line(&object.to_string(), None)
}

fn step(screen: &mut Screen, word: &str, text: &str) -> Result<(), CommandError> {
    screen.line(&format!("{word:8} {text}"), None)
}
