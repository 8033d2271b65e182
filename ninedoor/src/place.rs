//! What kind of place a path is, as far as authority is concerned. Found step by step along a walk, never by parsing.
//!
//! ```text
//! Root ┬ proc ─ Proc ┬ boot ─ Boot
//!      │             └ …    ─ Figures
//!      ├ log ── Logs ┬ queen.log ─ QueenLog
//!      │             └ …         ─ Log
//!      ├ queen ──────── Queen (and all below)
//!      ├ gpu ── Gpus ── <id> ─ Gpu ┬ info, stats ─ GpuReport
//!      │                           ├ lease       ─ GpuLease
//!      │                           └ ctl, job, … ─ GpuOrders
//!      ├ bundles ─ Bundles ─── … ─ Bundle
//!      ├ worker ── Workers ┬ (local) own id ── OwnWorker ┬ telemetry ─ OwnTelemetry
//!      │                   │                             └ …         ─ QueensOwn
//!      │                   ├ (local) other id ─ QueensOwn (and all below)
//!      │                   └ (mounted) ──────── JobOutputs (and all below)
//!      └ … ─ Elsewhere (what a queen bound or mounted; and all below)
//! ```

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Root,
    Proc,
    Boot,
    Figures,
    Logs,
    QueenLog,
    Log,
    Queen,
    Gpus,
    Gpu,
    GpuReport,
    GpuLease,
    GpuOrders,
    Bundles,
    Bundle,
    Workers,
    OwnWorker,
    OwnTelemetry,
    QueensOwn,
    JobOutputs,
    Elsewhere,
}

/// Which side of a union directory an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Mounted,
}

impl Place {
    /// Every kind, for the tests of the table.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 21] = [
        Self::Root,
        Self::Proc,
        Self::Boot,
        Self::Figures,
        Self::Logs,
        Self::QueenLog,
        Self::Log,
        Self::Queen,
        Self::Gpus,
        Self::Gpu,
        Self::GpuReport,
        Self::GpuLease,
        Self::GpuOrders,
        Self::Bundles,
        Self::Bundle,
        Self::Workers,
        Self::OwnWorker,
        Self::OwnTelemetry,
        Self::QueensOwn,
        Self::JobOutputs,
        Self::Elsewhere,
    ];

    /// One step down: what `name` in this place is, for a caller who speaks for `subject`.
    pub(crate) fn below(self, name: &str, side: Side, subject: &str) -> Self {
        match (self, name) {
            (Self::Root, "proc") => Self::Proc,
            (Self::Root, "log") => Self::Logs,
            (Self::Root, "queen") => Self::Queen,
            (Self::Root, "gpu") => Self::Gpus,
            (Self::Root, "bundles") => Self::Bundles,
            (Self::Root, "worker") => Self::Workers,
            (Self::Root | Self::Elsewhere, _) => Self::Elsewhere,
            (Self::Proc, "boot") => Self::Boot,
            (Self::Proc | Self::Boot | Self::Figures, _) => Self::Figures,
            (Self::Logs, "queen.log") => Self::QueenLog,
            (Self::Logs | Self::QueenLog | Self::Log, _) => Self::Log,
            (Self::Queen, _) => Self::Queen,
            (Self::Gpus, _) => Self::Gpu,
            (Self::Gpu, "info" | "stats") => Self::GpuReport,
            (Self::Gpu, "lease") => Self::GpuLease,
            (Self::Gpu | Self::GpuReport | Self::GpuLease | Self::GpuOrders, _) => Self::GpuOrders,
            (Self::Bundles | Self::Bundle, _) => Self::Bundle,
            (Self::Workers, _) if side == Side::Mounted => Self::JobOutputs,
            (Self::Workers, id) if id == subject => Self::OwnWorker,
            (Self::OwnWorker, "telemetry") => Self::OwnTelemetry,
            (Self::Workers | Self::OwnWorker | Self::OwnTelemetry | Self::QueensOwn, _) => {
                Self::QueensOwn
            }
            (Self::JobOutputs, _) => Self::JobOutputs,
        }
    }

    /// Whether writes here are orders that the log keeps.
    pub(crate) const fn is_audited(self) -> bool {
        matches!(self, Self::GpuOrders | Self::GpuLease)
    }
}
