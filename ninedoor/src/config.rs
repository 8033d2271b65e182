//! What makes one server the bridge's and another the hive's.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use ninedoor_abi::{Role, Secret};
use secure9p::ServerLimits;

use crate::revocation::Revocation;

/// What local tree there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `/log/bridge.log` and `/proc`; everything else is mounted.
    Bridge,
    /// Besides: `/queen`, `/worker`, `/log/queen.log`; workers are spawned here.
    Hive,
}

/// Everything a server is told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// How `/proc/boot` names it.
    pub name: String,
    /// Its version, for `/proc/boot`.
    pub version: String,
    /// What local tree it has.
    pub flavour: Flavour,
    /// What proves its tickets.
    pub secrets: Secrets,
    /// What was revoked before it started.
    pub revocations: Vec<Revocation>,
    /// What one connection may cost.
    pub session: ServerLimits,
    /// The first worker id that was never given out.
    pub next_worker: u64,
}

impl Config {
    /// The host bridge.
    #[must_use]
    pub fn bridge(name: &str, version: &str, secrets: Secrets) -> Self {
        Self::new(Flavour::Bridge, name, version, secrets)
    }

    /// A hive: NineDoor with a queen's files, on which bridges are mounted.
    #[must_use]
    pub fn hive(name: &str, version: &str, secrets: Secrets) -> Self {
        Self::new(Flavour::Hive, name, version, secrets)
    }

    fn new(flavour: Flavour, name: &str, version: &str, secrets: Secrets) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            flavour,
            secrets,
            revocations: Vec::new(),
            session: ServerLimits::default(),
            next_worker: 1,
        }
    }
}

/// The secret of each role. A role without one has no tickets.
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<Role, Secret>);

impl Secrets {
    /// These secrets.
    #[must_use]
    pub const fn new(secrets: BTreeMap<Role, Secret>) -> Self {
        Self(secrets)
    }

    /// The secret that proves tickets of this role.
    #[must_use]
    pub fn of(&self, role: Role) -> Option<&Secret> {
        self.0.get(&role)
    }
}
