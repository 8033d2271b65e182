//! `/queen/ctl`: the queen's commands, and the answer to each.

use ninedoor_abi::{QueenCommand, WorkerId};

use crate::error::CommandError;
use crate::shell::Shell;

const CTL: &str = "/queen/ctl";

/// Has one command done, and returns the server's status line.
///
/// # Errors
/// When the hive refuses it; nothing was changed then.
pub async fn command(shell: &mut Shell, command: &QueenCommand) -> Result<String, CommandError> {
    shell.hive().await?.converse(CTL, &command.to_string()).await
}

/// Spawns a worker.
///
/// # Errors
/// When the hive refuses it.
pub async fn spawn(shell: &mut Shell, spawn: &QueenCommand) -> Result<WorkerId, CommandError> {
    let status = command(shell, spawn).await?;
    let id = status.split_whitespace().find_map(|word| word.strip_prefix("id=")?.parse().ok());
    id.ok_or_else(|| CommandError::unexpected(CTL, "OK SPAWN id=worker-<number>", &status))
}
