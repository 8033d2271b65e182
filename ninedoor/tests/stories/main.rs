//! Stories about a namespace server, told by peers who speak 9P to it: nothing is asserted that an outsider could not see.
//!
//! A [`world::World`] is a server, a provider of GPUs behind its mounts, perhaps a bridge (another world) behind it, and a clock that
//! stands still until a story moves it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a story that goes wrong ends"
)]

mod anything;
mod attaching;
mod authority;
mod budgets;
mod control;
mod gpus;
mod logs;
mod providers;
mod queen;
mod reading;
mod upstream;
mod walking;
mod world;
