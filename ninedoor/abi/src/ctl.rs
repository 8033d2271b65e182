//! What is written to `/gpu/<id>/ctl` and `/gpu/<id>/lease`, and what is read back.
//!
//! A line that is written is a [`CtlLine`] (or, on the lease file, a [`RenewLine`]); each is answered by one [`StatusLine`].
//! All three print as they are read. Strict: an unknown key, a key twice or a value out of range is refused by name.
//!
//! ```text
//! LEASE mem_mb=4096 streams=2 ttl_s=120      ──▶  OK LEASE id=lease-7 epoch=3 gpu=GPU-0 mem_mb=4096 … deadline_ms=…
//! CANCEL jid-41                              ──▶  ERR CANCEL ENOENT no live job jid-41 on GPU-0
//! ```

mod line;
mod status;
mod words;

pub use line::{CtlLine, LeaseAsk, LeaseSize, RenewLine, Revocation, TicketAsk};
pub use status::{LeaseGranted, LeaseQueued, Outcome, StatusLine, Verb};
