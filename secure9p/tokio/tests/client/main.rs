//! The client, told by a toy tree where the server is honest, and by a script where it is not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do without fails it")]

mod calls;
mod paths;
mod proxy;
mod reconnect;
mod script;
mod toy;
mod transfers;
mod trouble;
