//! Figures for scrapers: what there is (the catalogue), what is counted, the page, and the small server that gives it away.
//!
//! Counting is the dispatcher's, the transport's and the namespace's. Nothing here decides anything, asks a driver, or holds the
//! hive's lock for longer than it takes to copy figures.
//!
//! ```text
//!   catalogue (names, kinds, labels) ──▶ docs/METRICS.md
//!        │
//!   figures (copied under the lock) ──▶ write ──▶ page ──▶ Latest ──▶ scrapes
//!   process, tally ───────────────────────┘
//! ```

mod catalogue;
mod dcgm;
mod document;
mod family;
pub(crate) mod figures;
mod histogram;
mod page;
mod process;
mod recorder;
mod scrapes;
mod write;

pub use self::{
    catalogue::{Section, families, sections},
    document::document,
    family::{Facts, Kind},
};
pub(crate) use self::{
    recorder::Sources,
    scrapes::{bind, serve},
};
