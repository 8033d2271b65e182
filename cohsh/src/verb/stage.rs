//! `stage`: a file of this machine, for jobs to use.

use std::path::PathBuf;

use ninedoor_abi::PathName;

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::stage;
use crate::progress::Progress;
use crate::shell::Shell;

/// Words of `stage`.
#[derive(Debug, clap::Args)]
pub struct Stage {
    /// The file.
    file: PathBuf,
    /// Its name in /bundles; that of the file where it is left out.
    name: Option<String>,
}

impl Stage {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let to = self.place()?;
        let hive = shell.hive().await?;
        let mut progress = Progress::new(shell.screen.is_animated());
        let staged = stage::once(&hive, &self.file, &to, &mut progress).await?;
        shell.screen.line(&format!("{} sha256:{}", staged.path, staged.sha256), None)?;
        Ok(Done::plain().with("path", staged.path).with("bytes", staged.bytes))
    }

    fn place(&self) -> Result<PathName, CommandError> {
        let own = || self.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.name.clone().or_else(own).unwrap_or_default();
        let name = name.strip_prefix("/bundles/").unwrap_or(&name);
        let place = format!("/bundles/{name}").parse::<PathName>();
        place
            .ok()
            .filter(|place| place.depth() == 2)
            .ok_or_else(|| CommandError::usage(format!("{name:?} is no name for /bundles/<name>")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, name: Option<&str>) -> Result<String, String> {
        let stage = Stage { file: file.into(), name: name.map(str::to_owned) };
        stage.place().map(|place| place.to_string()).map_err(|error| error.text)
    }

    #[test]
    fn a_staged_file_has_the_name_of_the_file_or_the_one_given() {
        assert_eq!(place("data/a.f32", None).unwrap(), "/bundles/a.f32");
        assert_eq!(place("a.f32", Some("b.f32")).unwrap(), "/bundles/b.f32");
        assert_eq!(place("a.f32", Some("/bundles/b.f32")).unwrap(), "/bundles/b.f32");
        assert_eq!(place("a", Some("x/y")).unwrap_err(), "\"x/y\" is no name for /bundles/<name>");
    }
}
