//! Operations that several lanes do together.

/// Where a lane reads from in a shuffle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShuffleKind {
    /// Lower lanes.
    Up,
    /// Higher lanes.
    Down,
    /// Lane number exclusive-or the operand.
    Butterfly,
    /// The lane named.
    Index,
}

/// What a vote asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoteKind {
    /// All true; the result is a predicate.
    All,
    /// Any true; the result is a predicate.
    Any,
    /// All alike; the result is a predicate.
    Uniform,
    /// The mask of lanes where true; the result has 32 bits.
    Ballot,
}

/// What `match` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// The mask of lanes with the same value.
    Any,
    /// The whole mask where all have the same value, else 0.
    All,
}

/// What `redux` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedOp {
    /// U32, S32, wrapping.
    Add,
    /// U32, S32; F32 too.
    Min,
    /// U32, S32; F32 too.
    Max,
    /// B32.
    And,
    /// B32.
    Or,
    /// B32.
    Xor,
}

/// What a block barrier does beside waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarrierKind {
    /// Arrive, and wait for all.
    Sync,
    /// Arrive, and go on.
    Arrive,
    /// Arrive, wait, and reduce a predicate over all threads.
    Reduce(BarrierReduction),
}

/// What `bar.red` computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarrierReduction {
    /// How many are true; 32 bits.
    Population,
    /// Whether all are; a predicate.
    And,
    /// Whether any is; a predicate.
    Or,
}
