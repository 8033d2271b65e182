//! `lease renew`: move a lease's deadline.

use ninedoor_abi::LeaseId;
use ninedoor_abi::ctl::{Outcome, RenewLine};

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::lease;
use crate::quantity::seconds;
use crate::shell::Shell;

/// Words of `lease renew`.
#[derive(Debug, clap::Args)]
pub(super) struct Renew {
    /// Which; the only one held, where it is left out.
    lease: Option<LeaseId>,
    /// How long from now; the lease's own term where it is left out.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    ttl: Option<u32>,
}

impl Renew {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let found = super::find(&hive, self.lease).await?;
        let line = RenewLine { lease: Some(found.lease), ttl_s: self.ttl };
        let status = lease::renew(&hive, &found.gpu_id, line).await?;
        let Outcome::Ok(fields) = status.outcome else { return Ok(Done::plain()) };
        Ok(fields.iter().fold(Done::plain(), |done, (key, value)| done.with(key, value)))
    }
}
