//! Stories of leases and jobs, told from outside: commands and events in, effects out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that does not go as told fails")]

mod accounts;
mod executors;
mod jobs;
mod leases;
mod places;
mod recovery;
mod sharing;
mod waiting;
mod world;
