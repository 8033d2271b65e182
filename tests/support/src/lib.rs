//! What the tests share: real programs on free ports, a whole hive of them, and references computed independently.
//!
//! Nothing here sleeps: a program is ready when it says that it listens, and done when it ends.
#![expect(clippy::panic, reason = "a test fails by panicking")]

pub mod hive;
pub mod program;
pub mod running;
pub mod said;
