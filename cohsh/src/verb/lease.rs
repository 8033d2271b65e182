//! `lease`: take, show, renew and give back.

mod get;
mod ls;
mod renew;
mod rm;
mod wanted;

use ninedoor_abi::record::LeaseState;
use ninedoor_abi::{LeaseId, LeaseRecord};

pub(super) use wanted::Wanted;

use crate::ack::Done;
use crate::error::{CommandError, ErrorKind};
use crate::gpus;
use crate::hive::Hive;
use crate::job::lease;
use crate::shell::Shell;

/// Words of `lease`.
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
pub struct Lease {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Take a lease
    Get(get::Get),
    /// List leases
    Ls(ls::Ls),
    /// Move a lease's deadline
    Renew(renew::Renew),
    /// Give a lease back
    Rm(rm::Rm),
}

impl Lease {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        match self.part {
            Part::Get(get) => get.run(shell).await,
            Part::Ls(ls) => ls.run(shell).await,
            Part::Renew(renew) => renew.run(shell).await,
            Part::Rm(rm) => rm.run(shell).await,
        }
    }
}

/// Every lease of every GPU that one may see.
async fn all(hive: &Hive) -> Result<Vec<LeaseRecord>, CommandError> {
    let mut leases = Vec::new();
    for gpu in gpus::all(hive).await? {
        leases.extend(lease::all(hive, &gpu.id).await?);
    }
    Ok(leases)
}

/// The lease of that id; the caller's only one where none is named.
async fn find(hive: &Hive, wanted: Option<LeaseId>) -> Result<LeaseRecord, CommandError> {
    let holder = hive.holder();
    let mut leases = all(hive).await?;
    leases.retain(|it| match wanted {
        Some(id) => it.lease == id,
        None => it.state == LeaseState::Active && it.worker_id.as_str() == holder,
    });
    match (wanted, leases.pop()) {
        (_, Some(lease)) if leases.is_empty() => Ok(lease),
        (_, Some(_)) => Err(CommandError::usage("more than one lease is held; name one")
            .hint("`lease ls` shows them")),
        (Some(id), None) => Err(CommandError::new(
            ErrorKind::Policy,
            format!("there is no {id}, or none to be seen"),
        )),
        (None, None) => {
            Err(CommandError::new(ErrorKind::Policy, format!("{holder} holds no lease")))
        }
    }
}
