//! What an operator may set: a TOML file, then `COHESIX_*` variables, then flags; the later word counts.
//!
//! Every field has a default, so that an empty file and no file are a working bridge. What is wrong is refused by the path of its
//! key, and nothing is started.

mod executors;
mod leases;
mod read;
mod schema;
mod sessions;
mod soft;
mod stores;

use std::{net::SocketAddr, path::PathBuf};

use bridge_host_broker::Policy;
use schemars::JsonSchema;
use secure9p_tokio::{BRIDGE_PORT, Uri};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub use self::{
    executors::{ConfinementChoice, ExecutorSettings},
    leases::{LeaseSettings, SharingWord},
    read::{ConfigRefused, read},
    schema::schema,
    sessions::{SessionSettings, TlsSettings},
    soft::{AtomicsChoice, SoftSettings},
    stores::{ArtefactSettings, AuditSettings, OutputSettings},
};
use crate::backend::BackendChoice;

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How `/proc/boot` and logs name this bridge.
    pub name: String,
    /// Which GPUs.
    pub backend: BackendChoice,
    /// How many equal GPUs a mock machine has; the two of a workstation where it is not set.
    pub mock_gpus: Option<u8>,
    /// Where peers are served.
    #[serde(deserialize_with = "uris", serialize_with = "texts")]
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<Uri>,
    /// Allows plain TCP on addresses that other machines can reach.
    pub insecure_plaintext: bool,
    /// Where everything is kept that outlives the process.
    pub state_dir: PathBuf,
    /// Where metrics are served; nowhere when it is not set.
    #[schemars(with = "Option<String>")]
    pub metrics: Option<SocketAddr>,
    /// Certificates for `tls://`.
    pub tls: Option<TlsSettings>,
    /// What peers may cost.
    pub sessions: SessionSettings,
    /// How GPUs are shared.
    pub leases: LeaseSettings,
    /// What may be staged.
    pub artefacts: ArtefactSettings,
    /// What is kept of jobs' results.
    pub outputs: OutputSettings,
    /// What is kept of the audit log.
    pub audit: AuditSettings,
    /// The processes that run jobs.
    pub executors: ExecutorSettings,
    /// What the software GPU is.
    pub soft: SoftSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "gpu-bridge".to_owned(),
            backend: BackendChoice::Auto,
            mock_gpus: None,
            listen: vec![Uri::parse("tcp://127.0.0.1", BRIDGE_PORT).expect("an address")],
            insecure_plaintext: false,
            state_dir: default_state_dir(),
            metrics: None,
            tls: None,
            sessions: SessionSettings::default(),
            leases: LeaseSettings::default(),
            artefacts: ArtefactSettings::default(),
            outputs: OutputSettings::default(),
            audit: AuditSettings::default(),
            executors: ExecutorSettings::default(),
            soft: SoftSettings::default(),
        }
    }
}

impl Config {
    /// Whether every value is within its bounds.
    ///
    /// # Errors
    /// The first that is not, by the path of its key.
    pub fn check(&self) -> Result<(), ConfigRefused> {
        self.sessions.check()?;
        self.leases.check()?;
        self.artefacts.check()?;
        self.outputs.check()?;
        self.audit.check()?;
        self.executors.check()?;
        self.soft.check()?;
        if self.name.is_empty() || self.name.len() > 64 || self.name.contains(char::is_whitespace) {
            return Err(ConfigRefused::value(
                "name",
                &self.name,
                "1 to 64 characters without blanks",
            ));
        }
        Ok(())
    }
}

impl Config {
    /// For the broker.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let executors_max = u32::try_from(self.executors.max).unwrap_or(u32::MAX);
        let executor_starts_max = self.executors.starts_max;
        Policy { executors_max, executor_starts_max, ..self.leases.policy() }
    }
}

/// Where root's state is, and where everybody else's.
fn default_state_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/gpu-bridge");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    state.unwrap_or_else(std::env::temp_dir).join("gpu-bridge")
}

fn uris<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Uri>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| Uri::parse(text, BRIDGE_PORT).map_err(D::Error::custom)).collect()
}

fn texts<S: Serializer>(uris: &[Uri], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(uris.iter().map(ToString::to_string))
}
