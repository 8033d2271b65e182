//! Small texts, and what becomes of them.
#![allow(
    clippy::panic,
    reason = "a helper of tests fails by panicking, with the text it was given"
)]

use mock_ptx::ir::{
    Base, Block, BlockId, FunctionId, GlobalSpace, Kernel, Module, Op, Operand, Space, Terminator,
    TrapKind,
};

/// A module of these items.
fn module(items: &str) -> Module {
    let text = format!(".version 8.0\n.target sm_80\n.address_size 64\n{items}");
    let module = mock_ptx::compile(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    for kernel in &module.kernels {
        kernel.check().unwrap_or_else(|broken| panic!("{broken}\n{text}"));
    }
    module
}

/// The only kernel of these items.
fn kernel(items: &str) -> Kernel {
    module(items).kernels.remove(0)
}

/// A kernel with this body, registers declared.
fn body(statements: &str) -> Kernel {
    kernel(&around(statements))
}

fn around(statements: &str) -> String {
    format!(
        ".visible .entry k(.param .u64 out, .param .u32 n) {{
            .reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<9>; .reg .b64 %d<9>;
            ld.param.u64 %d0, [out];
            ld.param.u32 %r0, [n];
            {statements}
        }}"
    )
}

fn refusal(items: &str) -> String {
    let text = format!(".version 8.0\n.target sm_80\n.address_size 64\n{items}");
    mock_ptx::compile(&text).expect_err("this ought to be refused").to_string()
}

fn ops(kernel: &Kernel) -> impl Iterator<Item = &Op> {
    kernel.blocks.iter().flat_map(|block| &block.instructions).map(|instruction| &instruction.op)
}

fn count(kernel: &Kernel, wanted: impl Fn(&Op) -> bool) -> usize {
    ops(kernel).filter(|op| wanted(op)).count()
}

fn terminator(kernel: &Kernel, block: u32) -> &Terminator {
    &kernel.block(BlockId(block)).expect("a block").terminator
}

// ---- control flow ----

/// Proves PTX-8.
#[test]
fn blocks_of_a_loop_stand_together_and_only_its_end_leads_back() {
    // the way out is written in the middle of the loop
    let kernel = body(
        "HEAD: setp.eq.u32 %p0, %r0, 0; @%p0 bra OUT;
         setp.eq.u32 %p1, %r0, 7; @%p1 bra FOUND;
         bra NEXT;
         FOUND: st.global.u32 [%d0], 1; bra OUT;
         OUT: st.global.u32 [%d0+4], %r0; ret;
         NEXT: sub.u32 %r0, %r0, 1; bra HEAD;",
    );
    let mut back_edges = Vec::new();
    for (from, block) in kernel.blocks.iter().enumerate() {
        block.terminator.for_each_successor(|to| {
            if to.index() <= from {
                back_edges.push((from, to.index()));
            }
        });
    }
    let [(tail, head)] = back_edges[..] else { panic!("{back_edges:?}") };
    // head, test, next: no way out lies between
    assert_eq!(tail - head, 2);
    let is_store =
        |block: &Block| block.instructions.iter().any(|i| matches!(i.op, Op::Store { .. }));
    assert!(kernel.blocks[..=tail].iter().all(|block| !is_store(block)));
}

/// Proves PTX-8.
#[test]
fn both_ways_of_a_branch_come_before_where_they_meet() {
    let kernel = body(
        "setp.eq.u32 %p0, %r0, 0; @%p0 bra A;
         mov.u32 %r1, 1; bra MEET;
         A: mov.u32 %r1, 2;
         MEET: st.global.u32 [%d0], %r1; ret;",
    );
    assert_eq!(kernel.blocks.len(), 4);
    assert_eq!(kernel.blocks[0].reconvergence, Some(BlockId(3)));
    assert!(matches!(terminator(&kernel, 3), Terminator::Exit));
}

#[test]
fn labels_belong_to_their_scope() {
    let twice = "{ .reg .pred q; AGAIN: sub.u32 %r0, %r0, 1; setp.ne.u32 q, %r0, 5; @q bra AGAIN; bra DONE; DONE: }";
    let kernel = body(&format!("{twice} {twice} st.global.u32 [%d0], %r0; ret;"));
    let branches =
        kernel.blocks.iter().filter(|b| matches!(b.terminator, Terminator::Branch { .. }));
    assert_eq!(branches.count(), 2);
    let reason = refusal(&around("{ INNER: } bra INNER;"));
    assert!(reason.ends_with("label `INNER` is not in reach"), "{reason}");
}

#[test]
fn a_predicated_return_and_a_predicated_trap_are_branches() {
    let kernel = body("setp.eq.u32 %p0, %r0, 0; @%p0 ret; @!%p0 trap; st.global.u32 [%d0], 1;");
    let ends: Vec<&Terminator> = kernel.blocks.iter().map(|block| &block.terminator).collect();
    assert_eq!(ends.iter().filter(|end| matches!(end, Terminator::Exit)).count(), 2);
    assert_eq!(
        ends.iter().filter(|end| matches!(end, Terminator::Trap(TrapKind::Trap))).count(),
        1
    );
}

#[test]
fn an_indexed_branch_has_its_labels_in_order() {
    let kernel = body(
        "list: .branchtargets A, B, A; brx.idx %r0, list;
         A: st.global.u32 [%d0], 1; ret;
         B: st.global.u32 [%d0], 2; ret;",
    );
    let Terminator::Switch { targets, .. } = terminator(&kernel, 0) else { panic!() };
    assert_eq!(targets[0], targets[2]);
    assert_ne!(targets[0], targets[1]);
}

#[test]
fn an_endless_loop_stays_one() {
    let kernel = body("L: bra L;");
    let last = u32::try_from(kernel.blocks.len()).unwrap() - 1;
    assert!(matches!(terminator(&kernel, last), Terminator::Jump(to) if to.0 == last));
}

// ---- registers ----

/// Proves PTX-9.
#[test]
fn what_is_read_before_it_is_written_is_zero() {
    let kernel = body("@%p1 mov.u32 %r5, 3; st.global.u32 [%d0], %r5; ret;");
    let zeros = kernel.blocks[0].instructions.iter().filter(|instruction| {
        matches!(instruction.op, Op::Move { src: Operand::Immediate(0), .. })
            && instruction.guard.is_none()
    });
    // the predicate, and the register that is kept where it is false
    assert_eq!(zeros.count(), 2);
}

#[test]
fn registers_whose_lives_do_not_meet_share_a_place() {
    let step = "add.u32 %r1, %r0, 1; st.global.u32 [%d0], %r1; add.u32 %r2, %r0, 2; st.global.u32 [%d0], %r2;";
    let kernel = body(&format!("{step} ret;"));
    assert_eq!(kernel.registers.b32, 2);
}

#[test]
fn copies_and_values_that_nobody_reads_go_away() {
    let kernel = body(
        "mov.u32 %r1, 7; mov.u32 %r2, %r1; add.u32 %r3, %r0, 1;
         st.global.u32 [%d0], %r2; ret;",
    );
    let stores: Vec<&Op> = ops(&kernel).filter(|op| matches!(op, Op::Store { .. })).collect();
    assert!(matches!(stores[..], [Op::Store { src: Operand::Immediate(7), .. }]));
    assert_eq!(count(&kernel, |op| matches!(op, Op::IntegerBinary { .. } | Op::Move { .. })), 0);
}

#[test]
fn a_constant_is_cut_to_what_is_stored() {
    let kernel = body("mov.u32 %r1, 0x12345678; st.global.u8 [%d0], %r1; ret;");
    let stored = ops(&kernel).find_map(|op| match op {
        Op::Store { src, .. } => Some(*src),
        _ => None,
    });
    assert_eq!(stored, Some(Operand::Immediate(0x78)));
}

#[test]
fn a_carry_chain_shares_one_predicate() {
    let kernel = body(
        "add.cc.u32 %r1, %r0, %r0; addc.cc.u32 %r2, %r0, 0; addc.u32 %r3, %r0, 0;
         st.global.v4.u32 [%d0], {%r1, %r2, %r3, %r3}; ret;",
    );
    let carries: Vec<_> = ops(&kernel)
        .filter_map(|op| match op {
            Op::Carry { carry_in, carry_out, .. } => Some((*carry_in, *carry_out)),
            _ => None,
        })
        .collect();
    let [(None, Some(first)), (Some(second), Some(third)), (Some(last), None)] = carries[..] else {
        panic!("{carries:?}");
    };
    assert_eq!((first, third), (second, last));
}

#[test]
fn the_carry_of_a_subtraction_is_kept_as_no_borrow() {
    let kernel = body(
        "sub.cc.u32 %r1, %r0, 7; addc.u32 %r2, 0, 0; st.global.v2.u32 [%d0], {%r1, %r2}; ret;",
    );
    let shown: Vec<String> = ops(&kernel)
        .filter_map(|op| match op {
            Op::Carry { op, carry_in, carry_out, .. } => {
                Some(format!("{op:?} {} {}", carry_in.is_some(), carry_out.is_some()))
            }
            Op::IntegerUnary { op, .. } => Some(format!("{op:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(shown, ["Sub false true", "Not", "Add true false"]);
}

#[test]
fn a_load_of_several_values_never_writes_over_its_own_address() {
    for load in ["ld.global.v2.u64 {%d0, %d1}, [%d0];", "ld.global.v2.u64 {%d1, %d2}, [%d0];"] {
        let kernel =
            body(&format!("{load} st.global.u64 [%d0], %d1; st.global.u64 [%d1], %d2; ret;"));
        let (base, dsts) = ops(&kernel)
            .find_map(|op| match op {
                Op::LoadVector { address, dsts, .. } => Some((address.base, dsts.to_vec())),
                _ => None,
            })
            .expect("a load");
        assert!(dsts.iter().all(|dst| base != Base::Register(*dst)), "{base:?} {dsts:?}");
    }
}

// ---- calls ----

const TWICE: &str = ".func (.param .b32 r) twice (.param .b32 a) {
    .reg .b32 %r<3>; ld.param.b32 %r1, [a]; add.s32 %r2, %r1, %r1; st.param.b32 [r], %r2; ret; }\n";

const CALL_TWICE: &str = "{ .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %r0;
    call.uni (r0), twice, (p0); ld.param.b32 %r1, [r0]; }";

/// Proves PTX-10.
#[test]
fn a_call_is_inlined_without_a_trace_in_memory() {
    let kernel = kernel(&format!(
        "{TWICE}{}",
        around(&format!("{CALL_TWICE} st.global.u32 [%d0], %r1; ret;"))
    ));
    assert!(kernel.functions.is_empty());
    assert_eq!(kernel.frame_bytes, 0);
    assert_eq!(kernel.blocks.len(), 1);
    assert_eq!(count(&kernel, |op| matches!(op, Op::Load { space: Space::Local, .. })), 0);
}

/// Proves PTX-10.
#[test]
fn a_recursive_call_is_a_real_one_and_saves_what_it_needs() {
    let kernel = kernel(&format!(
        ".func (.param .b32 r) fac (.param .b32 a) {{
            .reg .pred %p<2>; .reg .b32 %r<9>;
            ld.param.b32 %r1, [a]; setp.gt.u32 %p1, %r1, 1; @%p1 bra MORE;
            st.param.b32 [r], 1; ret;
            MORE: sub.u32 %r2, %r1, 1;
            {{ .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %r2;
               call (r0), fac, (p0); ld.param.b32 %r3, [r0]; }}
            mul.lo.u32 %r4, %r3, %r1; st.param.b32 [r], %r4; ret; }}\n{}",
        around(
            "{ .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %r0; call (r0), fac, (p0);
               ld.param.b32 %r1, [r0]; } st.global.u32 [%d0], %r1; ret;"
        )
    ));
    let [function] = kernel.functions[..] else { panic!("{:?}", kernel.functions) };
    assert_eq!(function.id, FunctionId(0));
    assert_eq!(kernel.function_at(function.id.address()), Some(&function));
    let calls: Vec<u32> = kernel
        .blocks
        .iter()
        .filter_map(|block| match block.terminator {
            Terminator::Call { frame_bytes, .. } => Some(frame_bytes),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [kernel.frame_bytes, function.frame_bytes]);
    // its own argument and result, 16 bytes apart, and %r1 over the call
    assert_eq!(function.frame_bytes, 32);
    assert!(kernel.blocks.iter().any(|block| matches!(block.terminator, Terminator::Return)));
}

/// Proves PTX-10.
#[test]
fn a_call_through_an_address_reaches_every_function_of_its_type() {
    let module = module(&format!(
        "{TWICE}.func (.param .b32 r) same (.param .b32 a) {{ .reg .b32 %r<2>; ld.param.b32 %r1, [a]; st.param.b32 [r], %r1; ret; }}
        .func other (.param .b64 a) {{ ret; }}
        .global .align 8 .u64 table[3] = {{twice, same, other}};\n{}",
        around(
            "mul.wide.u32 %d1, %r0, 8; mov.u64 %d2, table; add.u64 %d2, %d2, %d1; ld.global.u64 %d3, [%d2];
             { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %r0;
               kind: .callprototype (.param .b32 _) _ (.param .b32 _);
               call (r0), %d3, (p0), kind; ld.param.b32 %r1, [r0]; }
             st.global.u32 [%d0], %r1; ret;"
        )
    ));
    let kernel = &module.kernels[0];
    let ids: Vec<FunctionId> = kernel.functions.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [FunctionId(0), FunctionId(1)]);
    let image: Vec<u8> =
        [0, 1, 2].into_iter().flat_map(|n| FunctionId(n).address().to_le_bytes()).collect();
    assert_eq!(module.globals[0].image, image);
}

#[test]
fn a_struct_goes_through_a_call_piece_by_piece() {
    let kernel = kernel(&format!(
        ".func (.param .align 8 .b8 r[16]) swap (.param .align 8 .b8 a[16]) {{
            .reg .b64 %d<3>; ld.param.b64 %d1, [a]; ld.param.b64 %d2, [a+8];
            st.param.b64 [r+0], %d2; st.param.b64 [r+8], %d1; ret; }}\n{}",
        around(
            "{ .param .align 8 .b8 p0[16]; .param .align 8 .b8 r0[16];
               st.param.v2.b64 [p0], {%d0, %d0}; call (r0), swap, (p0); ld.param.v2.b64 {%d1, %d2}, [r0]; }
             st.global.v2.u64 [%d0], {%d1, %d2}; ret;"
        )
    ));
    assert_eq!(kernel.frame_bytes, 0);
}

#[test]
fn a_parameter_whose_address_is_taken_stays_in_memory() {
    let kernel = kernel(&format!(
        ".func (.param .b32 r) at (.param .align 4 .b8 a[16], .param .b32 i) {{
            .reg .b32 %r<3>; .reg .b64 %d<4>; ld.param.b32 %r1, [i]; mov.b64 %d1, a; mul.wide.u32 %d2, %r1, 4;
            add.u64 %d3, %d1, %d2; ld.local.b32 %r2, [%d3]; st.param.b32 [r], %r2; ret; }}\n{}",
        around(
            "{ .param .align 4 .b8 p0[16]; .param .b32 p1; .param .b32 r0; st.param.b32 [p0+4], %r0;
               st.param.b32 [p1], %r0; call (r0), at, (p0, p1); ld.param.b32 %r1, [r0]; }
             st.global.u32 [%d0], %r1; ret;"
        )
    ));
    assert_eq!(kernel.frame_bytes, 16);
    assert_eq!(count(&kernel, |op| matches!(op, Op::Load { space: Space::Local, .. })), 1);
}

#[test]
fn registers_can_be_parameters_too() {
    let kernel = kernel(&format!(
        ".func (.reg .b32 r) inc (.reg .b32 a) {{ add.u32 r, a, 1; ret; }}\n{}",
        around(
            "call (%r1), inc, (%r0); call (%r2), inc, (41); add.u32 %r3, %r1, %r2; st.global.u32 [%d0], %r3; ret;"
        )
    ));
    assert_eq!(count(&kernel, |op| matches!(op, Op::IntegerBinary { .. })), 3);
}

#[test]
fn the_systems_own_functions_become_operations() {
    let kernel = kernel(&format!(
        ".extern .func (.param .b64 r) malloc (.param .b64 a);\n{}",
        around(
            "{ .param .b64 p0; .param .b64 r0; st.param.b64 [p0], 64; call (r0), malloc, (p0);
               ld.param.b64 %d1, [r0]; } st.global.u64 [%d0], %d1; ret;"
        )
    ));
    assert_eq!(count(&kernel, |op| matches!(op, Op::Intrinsic(_))), 1);
    let reason = refusal(&format!(
        ".extern .func cudaLaunchDevice ();\n{}",
        around("call cudaLaunchDevice; ret;")
    ));
    assert_eq!(
        reason,
        "line 9: `call cudaLaunchDevice`: function `cudaLaunchDevice`, which this text does not define, is not supported"
    );
}

#[test]
fn an_alias_is_the_function_it_names() {
    let kernel = kernel(&format!(
        "{TWICE}.func (.param .b32 r) double (.param .b32 a);\n.alias double, twice;\n{}",
        around(&format!(
            "{} st.global.u32 [%d0], %r1; ret;",
            CALL_TWICE.replace("twice", "double")
        ))
    ));
    assert!(kernel.functions.is_empty());
}

// ---- variables ----

/// Proves PTX-5.
#[test]
fn a_kernel_takes_only_the_shared_memory_it_touches() {
    let module = module(
        ".shared .align 4 .b8 a[100]; .shared .align 16 .b8 b[64]; .extern .shared .align 16 .b8 dynamic[];
         .entry first() { .reg .b32 %r<2>; mov.u32 %r0, b; st.shared.b32 [a+4], %r0; ret; }
         .entry second() { .reg .b32 %r<2>; .shared .align 8 .f64 own[3]; mov.u32 %r0, dynamic; st.shared.b32 [own], %r0; ret; }
         .entry third() { ret; }",
    );
    let layouts: Vec<_> = module.kernels.iter().map(|kernel| kernel.shared).collect();
    assert_eq!(
        (layouts[0].static_bytes, layouts[0].align, layouts[0].dynamic_offset),
        (176, 16, 176)
    );
    assert_eq!(
        (layouts[1].static_bytes, layouts[1].align, layouts[1].dynamic_offset),
        (24, 16, 32)
    );
    assert_eq!((layouts[2].static_bytes, layouts[2].align), (0, 1));
    let stored = ops(&module.kernels[1]).find_map(|op| match op {
        Op::Store { src, .. } => Some(*src),
        _ => None,
    });
    assert_eq!(stored, Some(Operand::Immediate(32)));
}

#[test]
fn a_shared_variable_of_an_inlined_function_is_one_variable() {
    let kernel = kernel(&format!(
        ".func add () {{ .reg .b32 %r<2>; .shared .b32 total; ld.shared.b32 %r0, [total]; add.u32 %r1, %r0, 1; st.shared.b32 [total], %r1; ret; }}\n{}",
        around("call add; call add; ret;")
    ));
    assert_eq!(kernel.shared.static_bytes, 4);
    assert_eq!(count(&kernel, |op| matches!(op, Op::Store { space: Space::Shared, .. })), 2);
}

#[test]
fn variables_hold_what_their_initialisers_say() {
    let module = module(
        ".const .align 4 .f32 half = 0.5;
         .global .align 4 .s32 grid[2][3] = {{1, 2}, {-1}};
         .global .align 8 .u64 where[2] = {generic(grid)+4, 0};
         .global .u8 parts[2] = {0xff(grid), 0xff00(grid)};
         .global .align 2 .b16 open[] = {1, 2, 3};
         .global .align 4 .b8 zeros[1000];
         .entry k() { ret; }",
    );
    let [half, grid, place, parts, open, zeros] = &module.globals[..] else { panic!() };
    assert_eq!(
        (half.space, half.image.as_slice()),
        (GlobalSpace::Constant, &0.5_f32.to_le_bytes()[..])
    );
    let words: Vec<i32> =
        grid.image.chunks(4).map(|word| i32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!((grid.bytes, words), (24, vec![1, 2, 0, -1]));
    let [relocation] = place.relocations[..] else { panic!() };
    assert_eq!((relocation.offset, relocation.bytes, relocation.addend), (0, 8, 4));
    assert_eq!(module.global(relocation.symbol).unwrap().name, "grid");
    let shifts: Vec<u8> = parts.relocations.iter().map(|r| r.shift).collect();
    assert_eq!(shifts, [0, 8]);
    assert_eq!((open.bytes, open.image.len()), (6, 6));
    assert_eq!((zeros.bytes, zeros.image.len()), (1000, 0));
}

#[test]
fn addresses_are_of_the_space_that_their_variable_lies_in() {
    let kernel = kernel(&format!(
        ".global .b32 g; .const .b32 c;\n{}",
        around(
            ".local .align 8 .b8 depot[24]; .reg .b64 %SP;
             mov.u64 %SP, depot; ld.local.u32 %r1, [%SP+4]; ld.local.u32 %r2, [depot+8];
             ld.global.u32 %r3, [g+4]; ld.const.u32 %r4, [c]; ld.u32 %r5, [g];
             add.u32 %r1, %r1, %r2; add.u32 %r1, %r1, %r3; add.u32 %r1, %r1, %r4; add.u32 %r1, %r1, %r5;
             st.global.u32 [%d0], %r1; ret;"
        )
    ));
    let loads: Vec<(Space, Base)> = ops(&kernel)
        .filter_map(|op| match op {
            Op::Load { space, address, .. } if *space != Space::Parameter => {
                Some((*space, address.base))
            }
            _ => None,
        })
        .collect();
    assert!(matches!(
        loads[..],
        [
            (Space::Local, Base::Register(_)),
            (Space::Local, Base::Window),
            (Space::Global, Base::Symbol(_)),
            (Space::Constant, Base::Symbol(_)),
            (Space::Global, Base::Symbol(_)),
        ]
    ));
    assert_eq!(kernel.frame_bytes, 32);
}

#[test]
fn parameters_lie_as_their_alignment_says() {
    let signatures = mock_ptx::signatures(
        ".version 8.0\n.target sm_80\n.visible .entry k(.param .u8 a, .param .u64 .ptr .global .align 16 b,
         .param .align 16 .b8 c[20], .param .f32 d) .maxntid 32, 4, 1 .reqntid 64 .minnctapersm 2 { ret; }",
    )
    .unwrap();
    let slots: Vec<(u32, u32)> =
        signatures[0].parameters.iter().map(|slot| (slot.offset, slot.bytes)).collect();
    assert_eq!(slots, [(0, 1), (8, 8), (16, 20), (36, 4)]);
    assert_eq!(signatures[0].parameter_bytes, 40);
    assert_eq!(signatures[0].bounds.block_threads_max, Some(128));
    assert_eq!(signatures[0].bounds.block_required, Some([64, 1, 1]));
}

// ---- refusals of whole texts ----

/// Proves PTX-2.
#[test]
fn one_bad_kernel_leaves_the_others() {
    let text = ".version 8.0\n.target sm_80\n.entry good() { ret; }\n.entry bad() {\nwgmma.fence.sync.aligned; ret; }";
    let (module, refused) = mock_ptx::compile_each(text).unwrap();
    assert_eq!(module.kernels.len(), 1);
    assert_eq!(module.kernel("good").map(|kernel| kernel.line), Some(3));
    assert_eq!(refused[0].kernel, "bad");
    assert_eq!(
        refused[0].error.to_string(),
        "line 5: `wgmma.fence.sync.aligned`: instruction wgmma is not supported"
    );
    assert_eq!(mock_ptx::compile(text).unwrap_err(), refused[0].error);
}

/// Proves PTX-2.
#[test]
fn errors_name_place_and_reason() {
    for (items, wanted) in [
        ("", "names no sm_NN"),
        (".target sm_80\n.address_size 32", "addresses of 32 bits are not supported, only of 64"),
        (".target sm_80, map_f64_to_f32", "line 2: target map_f64_to_f32 is not supported"),
        (".target sm_80\n.frobnicate 7;", "line 3: directive .frobnicate is not supported"),
        (
            ".target sm_80\n.entry k() { ret }",
            "line 3, column 18: `ret`: expected an operand, found `}`",
        ),
        (".target sm_80\n.entry k() { ret;", "found the end of the text"),
        (".target sm_80\n.entry k() { ret; }\n.entry k() { ret; }", "line 4: `k` is defined twice"),
        (
            ".target sm_80\n.shared .b8 s[60000];\n.entry k() { st.shared.b8 [s], 1; ret; }",
            "line 4: `.entry k()`: 60000 bytes of static shared memory, at most 49152 are taken",
        ),
        (
            ".target sm_80\n.entry k() { .local .b8 l[600000]; ret; }",
            "more than 524288 bytes of local memory",
        ),
        (
            ".target sm_80\n.const .b8 c[700000];\n.entry k() { ret; }",
            "700000 bytes of constant variables, at most 655360 are taken",
        ),
        (
            ".target sm_80\n.global .b32 x = {1, 2};\n.entry k() { ret; }",
            "more values than the 4 bytes hold",
        ),
        (
            ".target sm_80\n.global .b32 x = nobody;\n.entry k() { ret; }",
            "the address of `nobody` takes 8 bytes",
        ),
        (
            ".target sm_80\n.entry k(.param .b8 p[5000]) { ret; }",
            "5000 bytes of parameters, at most 4096 are taken",
        ),
        (
            ".target sm_80\n.global .texref t;\n.entry k() { .reg .b64 %d<2>; mov.u64 %d1, t; ret; }",
            "textures and surfaces are not supported",
        ),
        (
            ".target sm_80\n.extern .global .b32 far;\n.entry k() { .reg .b32 %r<2>; ld.global.b32 %r1, [far]; ret; }",
            "`far`, which another module defines, is not supported",
        ),
        (
            ".target sm_80\n.entry k() { .reg .b32 %r<2>; add.s32 %r1, %r2, 1; ret; }",
            "`%r2` is not declared",
        ),
        (".target sm_80\n.entry k() .reqnctapercluster 2 { ret; }", "clusters of one block only"),
    ] {
        let text = format!(".version 8.0\n{items}");
        let error = mock_ptx::compile(&text).expect_err(items).to_string();
        assert!(error.contains(wanted), "{error}\nwanted: {wanted}");
    }
}

/// Proves PTX-11.
#[test]
fn what_is_too_large_is_refused_with_its_bound() {
    let start = ".version 8.1\n.target sm_80\n";
    let long_name = "x".repeat(20_000);
    let deep = format!("{}{}", "{".repeat(100), "}".repeat(100));
    let doubling: String = (0..30)
        .map(|n| format!(".func f{} () {{ call f{n}; call f{n}; ret; }}\n", n + 1))
        .collect();
    for (items, wanted) in [
        (
            format!(".entry {long_name}() {{ ret; }}"),
            "a name of 20000 bytes, at most 16384 are taken",
        ),
        (format!(".entry k() {{ {deep} ret; }}"), "scopes nested deeper than 64"),
        (
            ".entry k(.param .b8 p[40000]) { ret; }".to_owned(),
            "40000 bytes of parameters, at most 32764 are taken",
        ),
        (
            format!(".func f0 () {{ trap; }}\n{doubling}.entry k() {{ call f30; ret; }}"),
            "instructions with inlined calls, at most 262144 are taken",
        ),
        (".global .b8 x[8589934592];\n.entry k() { ret; }".into(), "larger than 4294967296 bytes"),
    ] {
        let error = mock_ptx::compile(&format!("{start}{items}")).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}\nwanted: {wanted}");
    }
    let huge = format!("{start}//{}", " ".repeat(16 << 20));
    let error = mock_ptx::parse(&huge).expect_err("too long").to_string();
    assert!(error.ends_with("bytes of PTX, at most 16777216 are taken"), "{error}");
}

#[test]
fn long_functions_that_are_called_often_are_called_really() {
    let long: String = "add.u32 %r1, %r1, 1;".repeat(100);
    let calls = "call long;".repeat(500);
    let kernel = kernel(&format!(
        ".func long () {{ .reg .b32 %r<2>; .shared .b32 s; {long} st.shared.b32 [s], %r1; ret; }}\n{}",
        around(&format!("{calls} ret;"))
    ));
    assert_eq!(kernel.functions.len(), 1);
}

#[test]
fn calls_nested_too_deep_to_inline_are_called() {
    let chain: String =
        (0..200).map(|n| format!(".func f{} () {{ call f{n}; ret; }}\n", n + 1)).collect();
    let kernel = kernel(&format!(".func f0 () {{ ret; }}\n{chain}{}", around("call f200; ret;")));
    assert_eq!(kernel.functions.len(), 6);
}

#[test]
fn debug_information_is_passed_over() {
    let kernel = kernel(
        ".file 1 \"/tmp/a.cu\", 123, 456\n.entry k() {\n.loc 1 2 3\n.loc 1 4 5, function_name $L__info0, inlined_at 1 6 7\n$L__tmp0: ret; }
         .section .debug_str { $L__info0: .b8 95, 90\n.b8 0 }\n.section .debug_loc { }\n@@DWARF .byte 1\n",
    );
    assert_eq!(kernel.line, 5);
}
