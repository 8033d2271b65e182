//! `ls`: the entries of a directory.

use crate::ack::Done;
use crate::error::CommandError;
use crate::hive::{Entry, Hive};
use crate::render::{Form, Table};
use crate::shell::Shell;

/// Words of `ls`.
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Shows mode and size too. The size of a file that is made when it is read is 0.
    #[arg(short = 'l', long)]
    long: bool,
    /// What to list.
    #[arg(default_value = "/")]
    path: String,
}

impl Ls {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let entries = hive.list(&self.path).await?;
        if self.long || shell.screen.look.form != Form::Table {
            let table = long(&hive, &self.path, &entries).await?;
            shell.screen.table(&table)?;
        } else {
            for entry in &entries {
                shell.screen.line(&short(entry), None)?;
            }
        }
        Ok(Done::plain().with("path", self.path).with("entries", entries.len()))
    }
}

fn short(entry: &Entry) -> String {
    format!("{}{}", entry.name, if entry.is_directory { "/" } else { "" })
}

async fn long(hive: &Hive, directory: &str, entries: &[Entry]) -> Result<Table, CommandError> {
    let mut table = Table::new(&["mode", "bytes", "name"]);
    for entry in entries {
        // One that went away since the directory was read is not there to be shown.
        if let Some(facts) = hive.facts(&format!("{directory}/{}", entry.name)).await? {
            let mode = mode(entry.is_directory, facts.mode);
            table.row([mode.into(), facts.bytes.into(), short(entry).into()]);
        }
    }
    Ok(table)
}

/// `drwxr-xr-x`, as in ls(1).
fn mode(is_directory: bool, mode: u32) -> String {
    let kind = if is_directory { 'd' } else { '-' };
    let bits = (0..9).rev().map(|bit| {
        let letter = ['x', 'w', 'r'][bit % 3];
        if mode & (1 << bit) == 0 { '-' } else { letter }
    });
    std::iter::once(kind).chain(bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_ls() {
        assert_eq!(mode(true, 0o755), "drwxr-xr-x");
        assert_eq!(mode(false, 0o640), "-rw-r-----");
    }

    #[test]
    fn a_directory_ends_in_a_slash() {
        let entry = |is_directory| Entry { name: "gpu".into(), is_directory };
        assert_eq!(short(&entry(true)), "gpu/");
        assert_eq!(short(&entry(false)), "gpu");
    }
}
