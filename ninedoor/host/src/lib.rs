//! NineDoor on Linux: a `ninedoor` server on sockets, with clocks, secrets and connections to other servers.
//!
//! A library for every program that serves a namespace: `ninedoor` itself, `gpu-bridge-host` (which puts a
//! [`LocalProvider`] behind the mounts), and `cohsh` (which embeds a hive). Knows no GPUs.

pub mod audit;
mod clock;
mod connector;
pub mod digest;
mod hive;
mod keeper;
mod kept_log;
mod log;
mod nine_door;
pub mod program;
mod provider;
pub mod ticket;

pub use clock::Clock;
pub use connector::BridgeLink;
pub use hive::{Hive, HiveConnection};
pub use keeper::{Changes, Keeper, KeeperError};
pub use nine_door::{NineDoor, Setup, StartRefused};
pub use provider::{LocalProvider, Order};
