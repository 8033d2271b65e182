//! The host bridge: it owns the GPUs of a machine and serves them as directories over Secure9P.
//!
//! One library, so that the program `gpu-bridge-host`, the embedded hive of `cohsh` and the tests start the same bridge. A program
//! that starts one calls [`executor_main`] first thing in `main`.
//!
//! ```text
//!   9P peers ⇄ secure9p-tokio ⇄ ninedoor (namespace, authority) ⇄ publisher (files) ⇄ dispatcher ⇄ broker (policy)
//!                                                                     │                  │
//!                                                    store (artefacts, outputs)     fleet ⇄ executor processes ⇄ GPUs
//! ```

mod backend;
mod bridge;
pub mod cli;
pub mod config;
mod dispatcher;
mod events;
mod executor;
mod fleet;
mod inventory;
pub mod limits;
mod listing;
pub mod metrics;
mod publisher;
mod pulse;
mod reload;
mod sampler;
mod store;

use ninedoor_host::{audit, digest};

pub use backend::{BACKENDS, Backend, BackendChoice};
pub use bridge::{Bridge, BridgeHandle, StartRefused};
pub use config::{AtomicsChoice, Config, ConfinementChoice, SoftSettings};
pub use executor::{executor_main, executor_main_with};
pub use inventory::Inventory;
pub use listing::listing;
pub use pulse::Pulse;
pub use reload::Reloaded;
pub use store::{JournalDamage, JournalError, StateDirError};
