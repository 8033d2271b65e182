//! `lease rm`: give a lease back.

use ninedoor_abi::LeaseId;

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::lease;
use crate::shell::Shell;

/// Words of `lease rm`.
#[derive(Debug, clap::Args)]
pub(super) struct Rm {
    /// Which; the only one held, where it is left out.
    lease: Option<LeaseId>,
}

impl Rm {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let found = super::find(&hive, self.lease).await?;
        lease::release(&hive, &found.gpu_id, found.lease).await?;
        Ok(Done::plain().with("id", found.lease).with("gpu", found.gpu_id))
    }
}
