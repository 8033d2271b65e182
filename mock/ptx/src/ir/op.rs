//! What an instruction does.

use super::{
    Address, AsyncCopy, AtomicOp, BarrierKind, BooleanOp, CarryOp, Coherence, Comparison,
    Conversion, FenceScope, FloatBinary, FloatClass, FloatMode, FloatTernary, FloatUnary, GlobalId,
    Guard, IntegerBinary, IntegerTernary, IntegerUnary, MatchKind, MatrixMove, MatrixMultiply,
    MbarrierOp, Operand, Ordering, PackedConversion, RedOp, Reg, ScalarVideo, ShuffleKind,
    SimdVideo, Space, SpecialRegister, Type, VideoMultiply, VoteKind, WmmaAccess,
};

/// One operation of one lane, or of a warp or block together.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    // ---- moving ----
    /// The bits of `src`, as many as `dst` has.
    Move {
        /// Any class.
        dst: Reg,
        /// Of the same class.
        src: Operand,
    },
    /// Reads a special register.
    ReadSpecial {
        /// Zero-extended or cut to its width.
        dst: Reg,
        /// Which.
        register: SpecialRegister,
    },
    /// The address of a variable of module scope, generic as they all are.
    SymbolAddress {
        /// 64 bits; 32 bits take the low half.
        dst: Reg,
        /// Which variable.
        symbol: GlobalId,
        /// Bytes past its start.
        offset: i64,
    },
    /// The local-space address of a place in the frame.
    FrameAddress {
        /// 64 bits; 32 bits take the low half.
        dst: Reg,
        /// Bytes past the frame pointer.
        offset: i64,
    },
    /// Puts narrow values side by side, the first lowest.
    Pack {
        /// Exactly as wide as all parts.
        dst: Reg,
        /// Of one width: 8 (in 16-bit registers), 16 or 32 bits.
        parts: Box<[Operand]>,
        /// Width of one part in bits.
        part_bits: u8,
    },
    /// Takes a value apart, the lowest first.
    Unpack {
        /// Of one width: 8 (zero-extended into 16-bit registers), 16 or 32 bits.
        parts: Box<[Reg]>,
        /// Exactly as wide as all parts.
        src: Operand,
        /// Width of one part in bits.
        part_bits: u8,
    },
    /// `a` where the condition holds, else `b`.
    Select {
        /// Any class but predicates.
        dst: Reg,
        /// Of the same class.
        a: Operand,
        /// Of the same class.
        b: Operand,
        /// Asked.
        condition: Guard,
    },
    /// `slct`: `a` where `c >= 0`, else `b`. NaN counts as below.
    SelectBySign {
        /// Any class but predicates.
        dst: Reg,
        /// Of the same class.
        a: Operand,
        /// Of the same class.
        b: Operand,
        /// S32 or F32.
        c: Operand,
        /// S32 or F32.
        sign_of: Type,
        /// A subnormal F32 counts as zero.
        flush_subnormals: bool,
    },

    // ---- integers and bits ----
    /// See [`IntegerUnary`].
    IntegerUnary {
        /// The operation.
        op: IntegerUnary,
        /// Of the source.
        ty: Type,
        /// Result.
        dst: Reg,
        /// Source.
        a: Operand,
    },
    /// See [`IntegerBinary`].
    IntegerBinary {
        /// The operation.
        op: IntegerBinary,
        /// Of the sources.
        ty: Type,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
    },
    /// See [`IntegerTernary`].
    IntegerTernary {
        /// The operation.
        op: IntegerTernary,
        /// Of the sources.
        ty: Type,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// Third source.
        c: Operand,
    },
    /// `bfi`: `base` with `length` bits from `position` on replaced by the low bits of `field`.
    BitFieldInsert {
        /// B32 or B64.
        ty: Type,
        /// Result.
        dst: Reg,
        /// The bits put in.
        field: Operand,
        /// What they are put into.
        base: Operand,
        /// 32 bits wide, low 8 count.
        position: Operand,
        /// 32 bits wide, low 8 count.
        length: Operand,
    },
    /// See [`CarryOp`].
    Carry {
        /// The operation.
        op: CarryOp,
        /// U32, S32, U64, S64; the sign matters to `MadHi` only.
        ty: Type,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// Third source of `MadLo`, `MadHi`; 0 otherwise.
        c: Operand,
        /// A predicate; no carry where absent.
        carry_in: Option<Reg>,
        /// A predicate; may be the same register as `carry_in`.
        carry_out: Option<Reg>,
    },
    /// Boxed: rare.
    ScalarVideo(Box<ScalarVideo>),
    /// Boxed: rare.
    VideoMultiply(Box<VideoMultiply>),
    /// Boxed: rare.
    SimdVideo(Box<SimdVideo>),

    // ---- floats ----
    /// See [`FloatUnary`].
    FloatUnary {
        /// The operation.
        op: FloatUnary,
        /// F16, F16x2, Bf16, Bf16x2, F32 or F64.
        ty: Type,
        /// Modifiers.
        mode: FloatMode,
        /// Result.
        dst: Reg,
        /// Source.
        a: Operand,
    },
    /// See [`FloatBinary`].
    FloatBinary {
        /// The operation.
        op: FloatBinary,
        /// F16, F16x2, Bf16, Bf16x2, F32 or F64.
        ty: Type,
        /// Modifiers.
        mode: FloatMode,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
    },
    /// See [`FloatTernary`].
    FloatTernary {
        /// The operation.
        op: FloatTernary,
        /// F16, F16x2, Bf16, Bf16x2, F32 or F64.
        ty: Type,
        /// Modifiers.
        mode: FloatMode,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// Third source.
        c: Operand,
    },
    /// `testp`.
    TestFloat {
        /// What is asked.
        class: FloatClass,
        /// F32 or F64.
        ty: Type,
        /// A predicate.
        dst: Reg,
        /// Source.
        a: Operand,
    },
    /// See [`Conversion`].
    Convert {
        /// From what to what, and how.
        conversion: Conversion,
        /// At least as wide as the result.
        dst: Reg,
        /// At least as wide as the source type.
        src: Operand,
    },
    /// See [`PackedConversion`].
    ConvertPacked {
        /// From what to what, and how.
        conversion: PackedConversion,
        /// 32 bits.
        dst: Reg,
        /// Becomes the upper half.
        a: Operand,
        /// Becomes the lower half.
        b: Operand,
        /// `cvt.pack` of 8-bit types: moved above the two results.
        c: Option<Operand>,
    },

    // ---- comparing ----
    /// `setp`: `dst = (a ? b) op c`, `complement = !(a ? b) op c`.
    Compare {
        /// The question.
        comparison: Comparison,
        /// Any but packed types.
        ty: Type,
        /// `.ftz`.
        flush_subnormals: bool,
        /// A predicate, where it is wanted.
        dst: Option<Reg>,
        /// A predicate, where it is wanted.
        complement: Option<Reg>,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// How the answer meets a third predicate.
        combine: Option<(BooleanOp, Guard)>,
    },
    /// `setp` on F16x2 and Bf16x2: one predicate for each half.
    ComparePacked {
        /// The question.
        comparison: Comparison,
        /// F16x2 or Bf16x2.
        ty: Type,
        /// `.ftz`.
        flush_subnormals: bool,
        /// Of the low half.
        low: Option<Reg>,
        /// Of the high half.
        high: Option<Reg>,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// How the answers meet a third predicate.
        combine: Option<(BooleanOp, Guard)>,
    },
    /// `set`: the same question, the answer as a number: all ones or 0 for integers, 1.0 or 0 for floats.
    Set {
        /// The question.
        comparison: Comparison,
        /// Of the sources.
        ty: Type,
        /// U16, S16, U32, S32, F32, F16, Bf16; with packed sources F16x2, Bf16x2, or U32/S32 whose halves are all ones or 0.
        to: Type,
        /// `.ftz`.
        flush_subnormals: bool,
        /// Result.
        dst: Reg,
        /// First source.
        a: Operand,
        /// Second source.
        b: Operand,
        /// How the answer meets a third predicate.
        combine: Option<(BooleanOp, Guard)>,
    },

    // ---- memory ----
    /// One value. `dst` may be wider than `ty`: the value is extended as `ty` is signed.
    Load {
        /// Any but `Pred` and packed types.
        ty: Type,
        /// Any.
        space: Space,
        /// Weak, relaxed or acquire.
        coherence: Coherence,
        /// At least as wide as `ty`.
        dst: Reg,
        /// Aligned to the type.
        address: Address,
    },
    /// Two, four or eight values from adjacent places.
    LoadVector {
        /// Of each.
        ty: Type,
        /// Any.
        space: Space,
        /// Weak, relaxed or acquire.
        coherence: Coherence,
        /// In order of address.
        dsts: Box<[Reg]>,
        /// Aligned to all of them together.
        address: Address,
    },
    /// One value; the low bits of a wider register.
    Store {
        /// Any but `Pred` and packed types.
        ty: Type,
        /// Any but `Constant` and `Parameter`.
        space: Space,
        /// Weak, relaxed or release.
        coherence: Coherence,
        /// At least as wide as `ty`.
        src: Operand,
        /// Aligned to the type.
        address: Address,
    },
    /// Two, four or eight values to adjacent places.
    StoreVector {
        /// Of each.
        ty: Type,
        /// Any but `Constant` and `Parameter`.
        space: Space,
        /// Weak, relaxed or release.
        coherence: Coherence,
        /// In order of address.
        srcs: Box<[Operand]>,
        /// Aligned to all of them together.
        address: Address,
    },
    /// `atom` and `red`.
    Atomic {
        /// What happens.
        op: AtomicOp,
        /// To what.
        ty: Type,
        /// Generic, global or shared.
        space: Space,
        /// Order and scope.
        coherence: Coherence,
        /// The old value, where it is wanted.
        dst: Option<Reg>,
        /// Aligned to the type.
        address: Address,
        /// The operand.
        value: Operand,
        /// Of `CompareAndSwap`: written is `value` where memory equals this.
        compare: Option<Operand>,
    },
    /// Between a space's own addresses and generic ones.
    ConvertAddress {
        /// Global, Constant, Shared, Local or Parameter.
        space: Space,
        /// From generic to the space's own (`cvta.to`); the other way where false.
        to_space: bool,
        /// 64 bits.
        dst: Reg,
        /// 64 bits.
        src: Operand,
    },
    /// `isspacep`: whether a generic address lies in the space's window.
    IsSpace {
        /// Global, Constant, Shared, Local or Parameter.
        space: Space,
        /// A predicate.
        dst: Reg,
        /// 64 bits.
        src: Operand,
    },
    /// `fence` and `membar`.
    Fence {
        /// `AcquireRelease` or `SequentiallyConsistent`.
        ordering: Ordering,
        /// Among whom.
        scope: FenceScope,
    },
    /// `cp.async`.
    AsyncCopy(Box<AsyncCopy>),
    /// `cp.async.commit_group`.
    AsyncCommit,
    /// `cp.async.wait_group n`: until at most `n` groups are open; `wait_all` where absent.
    AsyncWait {
        /// How many groups may stay open.
        groups_open_max: Option<u32>,
    },
    /// A barrier object in shared memory.
    Mbarrier {
        /// What is done.
        op: MbarrierOp,
        /// Shared or generic.
        space: Space,
        /// Of the 64-bit object.
        address: Address,
    },

    /// `mbarrier.pending_count`: arrivals that a state was waiting for.
    MbarrierPendingCount {
        /// 32 bits.
        dst: Reg,
        /// 64 bits, from an arrival.
        state: Operand,
    },

    // ---- together ----
    /// `shfl.sync`.
    Shuffle {
        /// Where from.
        kind: ShuffleKind,
        /// 32 bits.
        dst: Reg,
        /// A predicate: whether the source lane was in range.
        in_range: Option<Reg>,
        /// 32 bits.
        src: Operand,
        /// 32 bits: lane number, distance or mask.
        lane: Operand,
        /// 32 bits: clamp in bits 0-4, segment mask in bits 8-12.
        clamp: Operand,
        /// Member mask; the lanes now active where absent (forms older than `.sync`).
        members: Option<Operand>,
    },
    /// `vote.sync`.
    Vote {
        /// What is asked.
        kind: VoteKind,
        /// A predicate, or 32 bits for a ballot.
        dst: Reg,
        /// What each lane says.
        predicate: Guard,
        /// Member mask; the lanes now active where absent.
        members: Option<Operand>,
    },
    /// `match.sync`.
    Match {
        /// What is asked.
        kind: MatchKind,
        /// B32 or B64.
        ty: Type,
        /// 32 bits.
        dst: Reg,
        /// A predicate: whether all had the same value.
        all_equal: Option<Reg>,
        /// What is compared.
        src: Operand,
        /// Member mask.
        members: Operand,
    },
    /// `redux.sync`.
    Reduce {
        /// What is done.
        op: RedOp,
        /// U32, S32, B32, F32.
        ty: Type,
        /// F32: of the magnitudes.
        absolute: bool,
        /// F32: NaN where any is.
        propagate_nan: bool,
        /// 32 bits.
        dst: Reg,
        /// 32 bits.
        src: Operand,
        /// Member mask.
        members: Operand,
    },
    /// `activemask`: the lanes of the warp that run now.
    ActiveMask {
        /// 32 bits.
        dst: Reg,
    },
    /// `elect.sync`: one lane of the mask is the leader.
    Elect {
        /// 32 bits: the leader's number.
        leader: Option<Reg>,
        /// A predicate: true in the leader.
        elected: Reg,
        /// Member mask.
        members: Operand,
    },
    /// `bar.warp.sync`.
    WarpBarrier {
        /// Member mask.
        members: Operand,
    },
    /// `barrier`, `bar`: of the block.
    Barrier {
        /// What beside waiting.
        kind: BarrierKind,
        /// 32 bits, 0…15.
        id: Operand,
        /// 32 bits, a multiple of the warp: how many threads take part; all where absent.
        threads: Option<Operand>,
        /// Of a reduction: 32 bits, or a predicate.
        dst: Option<Reg>,
        /// Of a reduction.
        predicate: Option<Guard>,
    },
    /// `ldmatrix`, `stmatrix`.
    MatrixMove(Box<MatrixMove>),
    /// `movmatrix`: transposes an 8×8 matrix of 16-bit elements across the warp.
    MatrixTranspose {
        /// 32 bits.
        dst: Reg,
        /// 32 bits.
        src: Operand,
    },
    /// `mma.sync`.
    MatrixMultiply(Box<MatrixMultiply>),
    /// `wmma.load`, `wmma.store`.
    WmmaAccess(Box<WmmaAccess>),
    /// `wmma.mma`; layouts say how the fragments were loaded.
    WmmaMultiply(Box<MatrixMultiply>),

    // ---- the rest ----
    /// `nanosleep`: a hint that others should run.
    Sleep {
        /// 32 bits.
        nanoseconds: Operand,
    },
    /// A function of the system.
    Intrinsic(Box<Intrinsic>),
}

/// Functions that the device's own library has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intrinsic {
    /// `vprintf`: writes to the launch's output.
    Print {
        /// 32 bits: arguments printed, or -1.
        dst: Option<Reg>,
        /// Generic address of a zero-terminated format.
        format: Operand,
        /// Generic address of the arguments, each naturally aligned; may be null.
        arguments: Operand,
    },
    /// `__assertfail`: ends the launch with a fault.
    AssertFail {
        /// Generic address of text.
        message: Operand,
        /// Generic address of text.
        file: Operand,
        /// 32 bits.
        line: Operand,
        /// Generic address of text.
        function: Operand,
    },
    /// `malloc`.
    Allocate {
        /// 64 bits: generic address, or 0.
        dst: Option<Reg>,
        /// 64 bits.
        bytes: Operand,
    },
    /// `free`.
    Free {
        /// 64 bits: generic address, or 0.
        pointer: Operand,
    },
}
