//! Servers: what a service offers, and what the transport does for it.

mod conversation;
mod deadlines;
mod refusal;
mod roster;
mod serve;
mod service;
mod tally;
mod unsent;
mod wake;

pub(crate) use self::{
    refusal::tell as tell_refusal,
    roster::{Place, Roster},
};
pub use self::{
    serve::{serve, serve_tallied},
    service::{Closed, ConnectRefused, Connection, Service},
    tally::{Tallied, Tally},
    wake::Wake,
};
