//! What a lease is to be: the words that `lease get`, `run` and `submit` share.

use ninedoor_abi::ctl::{LeaseAsk, LeaseGranted, LeaseSize};
use ninedoor_abi::{JobDescriptor, LeaseRecord};

use crate::error::CommandError;
use crate::gpus::{self, Gpu};
use crate::hive::Hive;
use crate::job::lease;
use crate::quantity::{mebibytes, seconds};
use crate::shell::Shell;

/// Options about a lease; what is left out is chosen.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::verb) struct Wanted {
    /// On which GPU, by id or UUID; the first usable one where it is left out.
    #[arg(short, long, value_name = "GPU")]
    gpu: Option<String>,
    /// Device memory: 512M, 4G; a bare number is MiB.
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    mem: Option<u32>,
    /// Jobs at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    streams: Option<u16>,
    /// For how long: 30s, 10m, 2h; a bare number is seconds.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    ttl: Option<u32>,
    /// Higher goes first.
    #[arg(long, value_name = "0-255")]
    priority: Option<u8>,
    /// How long to wait in the queue for room.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    wait: Option<u32>,
}

impl Wanted {
    /// The GPU that is meant.
    pub(in crate::verb) async fn gpu(&self, hive: &Hive) -> Result<Gpu, CommandError> {
        gpus::choose(hive, self.gpu.as_deref()).await
    }

    /// A lease that the caller holds already, on the GPU that is meant, or on any.
    async fn held(&self, hive: &Hive) -> Result<Option<(Gpu, LeaseRecord)>, CommandError> {
        let candidates = match &self.gpu {
            Some(_) => vec![self.gpu(hive).await?],
            None => gpus::all(hive).await?,
        };
        for gpu in candidates {
            if let Some(held) = lease::held(hive, &gpu.id).await? {
                return Ok(Some((gpu, held)));
            }
        }
        Ok(None)
    }

    /// The lease for a job: the one that is held, else a new one, which is given back when the command ends.
    pub(in crate::verb) async fn lease_for(
        &self,
        shell: &mut Shell,
        hive: &Hive,
        job: &JobDescriptor,
    ) -> Result<(Gpu, Option<LeaseGranted>), CommandError> {
        if let Some((gpu, held)) = self.held(hive).await? {
            shell.screen.remark(&format!("{} on {} is held already", held.lease, gpu.id))?;
            return Ok((gpu, None));
        }
        let gpu = self.gpu(hive).await?;
        let size = self.size(lease::need(hive, job).await?);
        let taken = lease::ask(hive, &gpu.id, LeaseAsk { size: Some(size), ..self.ask() }).await?;
        shell.borrowed.lease(hive, &gpu.id, taken.id());
        let lease = lease::until_granted(hive, taken).await?;
        Ok((gpu, Some(lease)))
    }

    /// The size, where `need` says what was not asked for.
    fn size(&self, need: LeaseSize) -> LeaseSize {
        LeaseSize {
            mem_mb: self.mem.unwrap_or(need.mem_mb),
            streams: self.streams.unwrap_or(need.streams),
            ttl_s: self.ttl.unwrap_or(need.ttl_s),
        }
    }

    /// The size that was asked for in full; none when nothing was, so that the ticket's limits hold.
    pub(in crate::verb) fn whole_size(&self) -> Option<LeaseSize> {
        let asked = self.mem.is_some() || self.streams.is_some() || self.ttl.is_some();
        asked.then(|| self.size(LeaseSize { mem_mb: 64, streams: 1, ttl_s: 60 }))
    }

    /// A `LEASE` line that leaves the size open.
    pub(in crate::verb) fn ask(&self) -> LeaseAsk {
        let wait_s = self.wait.unwrap_or(0);
        LeaseAsk { size: None, priority: self.priority, worker: None, wait_s }
    }
}
