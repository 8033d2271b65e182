//! `lifecycle`: whether the hive takes work.

use ninedoor_abi::LifecycleWord;

use crate::ack::Done;
use crate::error::CommandError;
use crate::render::Table;
use crate::shell::Shell;

const CTL: &str = "/queen/lifecycle/ctl";
const FACTS: &str = "/proc/lifecycle";

/// Words of `lifecycle`.
#[derive(Debug, clap::Args)]
pub struct Lifecycle {
    /// cordon, drain, resume, quiesce or reset; shows how it is, where it is left out.
    word: Option<LifecycleWord>,
}

impl Lifecycle {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let Some(word) = self.word else { return show(shell).await };
        hive.converse(CTL, word.as_str()).await?;
        Ok(Done::plain().with("asked", word))
    }
}

async fn show(shell: &mut Shell) -> Result<Done, CommandError> {
    let hive = shell.hive().await?;
    let mut table = Table::new(&["fact", "value"]);
    for entry in hive.list(FACTS).await? {
        let text = hive.text(&format!("{FACTS}/{}", entry.name)).await?;
        // Each file says `fact=value`.
        let value = text.split_once('=').map_or(text.as_str(), |(_, value)| value);
        table.row([entry.name.into(), value.trim_end().into()]);
    }
    shell.screen.table(&table)?;
    Ok(Done::plain())
}
