//! The moment a job is handed over: one record to `/gpu/<id>/job`.

use ninedoor_abi::GpuId;

use super::file::JobFile;
use crate::error::{CommandError, ErrorKind};
use crate::hive::Hive;

/// Submits a job; it is QUEUED when this returns.
///
/// # Errors
/// When the hive refuses it: nothing was launched, and the text names the field.
pub async fn submit(hive: &Hive, gpu: &GpuId, job: &JobFile) -> Result<(), CommandError> {
    let path = format!("/gpu/{gpu}/job");
    match hive.order(&path, job.record().trim_end()).await {
        Ok(_) => Ok(()),
        Err(refused) => Err(explained(refused, job)),
    }
}

fn explained(refused: CommandError, job: &JobFile) -> CommandError {
    let id = &job.descriptor.job;
    match refused.kind {
        ErrorKind::Quota => refused.hint("the lease may be too small: --mem, or `lease ls`"),
        ErrorKind::Busy | ErrorKind::Policy if refused.text.contains("EEXIST") => {
            refused.hint(format!(
                "a job named {id} has not ended: `wait {id}`, `cancel {id}`, or change \"job\""
            ))
        }
        _ => refused,
    }
}
