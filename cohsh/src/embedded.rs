//! A whole hive inside of this process: a bridge with the software GPU, and a NineDoor that mounts it, over in-memory pairs.
//!
//! Nothing listens on any socket. The state is in a temporary directory that goes with the hive, unless a directory is named.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge_host::{BackendChoice, Bridge, BridgeHandle, Config};
use ninedoor_host::{BridgeLink, NineDoor, Setup};
use secure9p_tokio::{ConnectOptions, Dialer, Limits, ListenOptions, Uri};
use tempfile::TempDir;

use crate::error::{CommandError, ErrorKind};

/// Longer than this a bridge in the same process does not take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A hive that runs in this process.
#[derive(Debug)]
pub struct Embedded {
    ninedoor: NineDoor,
    bridge: BridgeHandle,
    /// Removed when everything else is gone.
    _temporary: Option<TempDir>,
}

impl Embedded {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no place for its state, or a part of it does not start.
    pub async fn start(state_dir: Option<&Path>) -> Result<Self, CommandError> {
        let (state_dir, temporary) = place(state_dir)?;
        let bridge = Bridge::start(bridge_config(&state_dir)).await;
        let bridge = bridge.map_err(|refused| does_not_start("bridge", &refused))?;
        let ninedoor = NineDoor::start(ninedoor_setup(&state_dir, &bridge)).await;
        let ninedoor = ninedoor.map_err(|refused| does_not_start("NineDoor", &refused))?;
        if !ninedoor.wait_for_bridges(PATIENCE).await {
            let text = "the bridge in this process does not answer";
            return Err(CommandError::new(ErrorKind::Timeout, text));
        }
        Ok(Self { ninedoor, bridge, _temporary: temporary })
    }

    /// Reaches it.
    #[must_use]
    pub fn dialer(&self) -> Dialer {
        self.ninedoor.dialer().expect("it listens in memory").clone()
    }

    /// Ends it, and all that it runs.
    pub async fn stop(self) {
        self.ninedoor.stop().await;
        self.bridge.stop().await;
    }
}

fn bridge_config(state_dir: &Path) -> Config {
    Config {
        backend: BackendChoice::Soft,
        listen: vec![Uri::Embedded],
        state_dir: state_dir.join("bridge"),
        ..Config::default()
    }
}

fn ninedoor_setup(state_dir: &Path, bridge: &BridgeHandle) -> Setup {
    let options =
        ConnectOptions { embedded: bridge.dialer().cloned(), ..ConnectOptions::default() };
    Setup {
        state_dir: state_dir.join("ninedoor"),
        bridges: vec![BridgeLink {
            service: "gpu-bridge".to_owned(),
            uri: Uri::Embedded,
            options,
            ticket: String::new(),
        }],
        listen: vec![Uri::Embedded],
        options: ListenOptions::default(),
        limits: Limits::default(),
    }
}

fn place(state_dir: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), CommandError> {
    if let Some(directory) = state_dir {
        return Ok((directory.to_owned(), None));
    }
    let temporary = TempDir::with_prefix("cohsh-").map_err(|error| {
        let parent = std::env::temp_dir();
        CommandError::local("make a directory for the embedded hive in", &parent, &error)
    })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn does_not_start(part: &str, cause: &dyn std::error::Error) -> CommandError {
    let text = format!("the {part} in this process does not start: {cause}");
    CommandError::new(ErrorKind::Cut, text).hint("another hive can be used with --connect")
}
