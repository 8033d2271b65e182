//! Leases and jobs as pure policy: commands, events and `now` in; effects and deadlines out.
//!
//! The broker decides who may use a GPU, how much of it, when, and for how long; it never touches one. Everything it wants done it
//! says as an [`Effect`], everything that happened it is told as an [`Event`], and the same commands and events at the same times
//! give the same effects. Knows no threads, no I/O, no 9P and no backend.
//!
//! ```text
//!   handle(Command, now) ─▶ Answer or Refusal        ┐
//!   observe(Event, now)  ─▶ () or EventRefused       ├─▶ poll_effect() until None, make them durable, carry them out
//!   tick(now)            at next_deadline(now)       ┘
//! ```
//!
//! # A lease
//!
//! ```text
//!            LEASE, room                       RELEASE, deadline, REVOKE, eviction
//!   ────────────────────────────▶ ACTIVE ──────────────────────────────────────────▶ ending ──▶ gone
//!      │                            ▲  ▲ RENEW, PRIORITY                                │
//!      │ LEASE wait_s=n, no room    │  └────┘                                           │ its executor, if any, is killed;
//!      ▼                            │                                                   │ memory is free once it has died
//!   QUEUED ─────────────────────────┘ room, in order of aged priority
//!      └──────▶ gone: RELEASED, EXPIRED (no room in time), REVOKED
//! ```
//!
//! A holder has at most one lease on a GPU. `epoch` is drawn from a counter of the GPU at each grant and each time the lease's
//! executor is replaced, so that GPU and epoch name one executor for good: an event with another epoch is refused.
//!
//! # A job
//!
//! ```text
//!   Submit ──▶ QUEUED ──────▶ RUNNING ─────────────▶ OK | ERR <what the executor said>
//!               │              │ timeout, CANCEL        ▲
//!               │              ▼                        │ it ended within the grace, or its executor died
//!               │            stopping ──────────────────┘ ERR TIMEOUT | CANCELLED   (after the grace: executor killed)
//!               │
//!               └──▶ ERR QUEUE_TIMEOUT | CANCELLED | LEASE_EXPIRED | REVOKED
//! ```
//!
//! A job that was told to stop never ends OK. What else runs in an executor that dies ends ERR LOST. Every job ends exactly once.
//!
//! # An executor, of one lease
//!
//! ```text
//!   none ──first job──▶ starting ──Ready──▶ ready ──▶ dying ──Died──▶ none ──jobs wait──▶ (pause after failures) starting, new epoch
//!                          └─────── Died ──────────────────────────────▲
//! ```
//!
//! Of those that want one when there may be no more, who has wanted one longest gets the next. Where it never gets ready, the jobs
//! that wait for it end ERR EXECUTOR.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod account;
mod broker;
mod command;
mod effect;
mod event;
mod gpu;
mod job;
mod lease;
mod policy;
mod queue;
mod snapshot;
mod throttle;
mod timers;

pub use account::Account;
pub use broker::{Broker, GpuView, LeaseView};
pub use command::{Answer, Caller, Command, JobNumber, JobRequest};
pub use effect::{Effect, KillReason};
pub use event::{Event, EventRefused, ExecutorRef, JobOutcome};
pub use policy::{Eviction, Policy, Sharing};
pub use snapshot::{Grant, JobSnapshot, LeaseSnapshot, Prospect, Snapshot};
