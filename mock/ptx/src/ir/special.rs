//! Read-only registers that say where a lane is.

/// A component of a three-part register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// First.
    X,
    /// Second.
    Y,
    /// Third.
    Z,
}

/// Registers a lane can only read. 32 bits unless said otherwise; read into a wider or narrower
/// register they are zero-extended or cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialRegister {
    /// Thread within the block.
    Tid(Axis),
    /// Threads of the block.
    Ntid(Axis),
    /// Block within the grid.
    Ctaid(Axis),
    /// Blocks of the grid.
    Nctaid(Axis),
    /// Cluster within the grid; as blocks, since a cluster is one block here.
    ClusterId(Axis),
    /// Clusters of the grid.
    NclusterId(Axis),
    /// Block within its cluster: 0.
    ClusterCtaId(Axis),
    /// Blocks of a cluster: 1.
    ClusterNctaId(Axis),
    /// Block rank within its cluster: 0.
    ClusterCtaRank,
    /// Blocks of a cluster: 1.
    ClusterNctaRank,
    /// Lane within the warp.
    LaneId,
    /// Warp within the block.
    WarpId,
    /// Warps of the block.
    NwarpId,
    /// Multiprocessor.
    SmId,
    /// Multiprocessors.
    NsmId,
    /// Grid; 64 bits.
    GridId,
    /// Bit of this lane.
    LanemaskEq,
    /// Bits of lanes up to this one.
    LanemaskLe,
    /// Bits of lanes below.
    LanemaskLt,
    /// Bits of this lane and those above.
    LanemaskGe,
    /// Bits of lanes above.
    LanemaskGt,
    /// Cycle counter, low half.
    Clock,
    /// Cycle counter, high half.
    ClockHi,
    /// Cycle counter; 64 bits.
    Clock64,
    /// Nanoseconds; 64 bits.
    GlobalTimer,
    /// Nanoseconds, low half.
    GlobalTimerLo,
    /// Nanoseconds, high half.
    GlobalTimerHi,
    /// One of 32 registers the driver sets; 1 and 2 hold the grid-sync workspace.
    Environment(u8),
    /// Performance counter 0…7: 0. 64 bits where read so.
    PerformanceCounter(u8),
    /// Shared memory of the block, static and dynamic, bytes.
    TotalSharedBytes,
    /// Shared memory with what the system reserves, bytes.
    AggregateSharedBytes,
    /// Dynamic shared memory, bytes.
    DynamicSharedBytes,
    /// Start of the reserved part of shared memory.
    ReservedSharedOffset(ReservedShared),
    /// Whether the launch named a cluster: a predicate, false.
    IsExplicitCluster,
    /// Id of the running kernel graph; 64 bits, 0.
    CurrentGraphExec,
}

/// Which of the reserved-shared registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReservedShared {
    /// `%reserved_smem_offset_begin`.
    Begin,
    /// `%reserved_smem_offset_end`.
    End,
    /// `%reserved_smem_offset_cap`.
    Capacity,
    /// `%reserved_smem_offset_0`, `_1`.
    Slot(u8),
}
