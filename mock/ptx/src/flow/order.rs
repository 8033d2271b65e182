//! The order of blocks: unreachable ones go, straight lines grow together, loops are contiguous, and
//! whatever comes back together comes after both of its ways.

use crate::ir::{BlockId, Terminator};
use crate::unit::Unit;

use super::graph::{Edges, node_number, redirect};
use super::loops::{Loops, NONE, Walk};

/// Deeper nests of loops keep no order among themselves.
const NEST_MAX: usize = 32;

/// Numbers the blocks of a unit anew.
pub(super) fn order(unit: &mut Unit) {
    skip_empty(unit);
    join_lines(unit);
    renumber(unit);
}

/// Edges to blocks that only jump lead to where those jump.
fn skip_empty(unit: &mut Unit) {
    let through: Vec<Option<u32>> = unit
        .blocks
        .iter()
        .map(|block| match block.terminator {
            Terminator::Jump(to) if block.instructions.is_empty() => Some(to.0),
            _ => None,
        })
        .collect();
    let mut target: Vec<u32> = (0..node_number(through.len())).collect();
    for start in 0..through.len() {
        // an endless loop of empty blocks stays one: as many steps as there are blocks, no more
        let (mut at, mut path) = (start, vec![]);
        while let Some(to) = through[at] {
            let known = target[to as usize] as usize;
            if path.contains(&known) || known == start || path.len() > PATH_MAX {
                break;
            }
            path.push(known);
            at = known;
        }
        target[start] = node_number(at);
    }
    for block in &mut unit.blocks {
        // the place behind a call belongs to that call alone: what is live is restored there
        if matches!(block.terminator, Terminator::Call { .. } | Terminator::CallIndirect { .. }) {
            continue;
        }
        redirect(&mut block.terminator, |to| BlockId(target[to.index()]));
    }
}

/// Longer chains of empty blocks are skipped in several steps.
const PATH_MAX: usize = 64;

/// A block that is entered from one place only, by a jump, is appended to where that is.
fn join_lines(unit: &mut Unit) {
    let edges = Edges::successors(&unit.blocks);
    let walk = Walk::new(edges.nodes(), |node| edges.of(node));
    let mut entries = vec![0_u32; edges.nodes()];
    for node in walk.postorder.iter().map(|node| *node as usize) {
        for to in edges.of(node) {
            entries[*to as usize] += 1;
        }
    }
    // in postorder successors come first, so that chains are appended from their ends
    for node in walk.postorder.iter().map(|node| *node as usize) {
        let Terminator::Jump(BlockId(to)) = unit.blocks[node].terminator else { continue };
        let to = to as usize;
        if entries[to] != 1 || to == 0 || to == node {
            continue;
        }
        let next = &mut unit.blocks[to];
        let instructions = core::mem::take(&mut next.instructions);
        let terminator = core::mem::replace(&mut next.terminator, Terminator::Exit);
        let line = next.terminator_line;
        let block = &mut unit.blocks[node];
        block.instructions.extend(instructions);
        block.terminator = terminator;
        block.terminator_line = line;
    }
}

/// Puts the reachable blocks into their order.
fn renumber(unit: &mut Unit) {
    let order = ordered(unit);
    let mut number = vec![NONE; unit.blocks.len()];
    for (place, node) in order.iter().enumerate() {
        number[*node as usize] = node_number(place);
    }
    let mut old: Vec<_> = unit.blocks.drain(..).map(Some).collect();
    for node in order {
        let Some(mut block) = old[node as usize].take() else { continue };
        redirect(&mut block.terminator, |to| BlockId(number[to.index()]));
        unit.blocks.push(block);
    }
    unit.positions.clear();
}

/// The reachable blocks, entry first: reverse postorder of a walk that takes ways out of a loop before
/// anything inside of it, and of two ways the later in the text first.
fn ordered(unit: &Unit) -> Vec<u32> {
    let edges = Edges::successors(&unit.blocks);
    let nodes = edges.nodes();
    let walk = Walk::new(nodes, |node| edges.of(node));
    let predecessors = edges.reversed();
    let loops = Loops::new(&walk, &predecessors);
    let exits = exits(&edges, &walk, &loops);
    let later_first = |to: &mut Vec<u32>| {
        to.sort_unstable_by_key(|node| core::cmp::Reverse(unit.positions[*node as usize]));
    };
    let ways: Vec<Vec<u32>> = exits
        .into_iter()
        .enumerate()
        .map(|(node, mut outside)| {
            later_first(&mut outside);
            outside.dedup();
            let mut inside = edges.of(node).to_vec();
            later_first(&mut inside);
            outside.extend(inside);
            outside
        })
        .collect();
    let mut order = Walk::new(nodes, |node| &ways[node]).postorder;
    order.reverse();
    order
}

/// For each header, where its loop is left to.
fn exits(edges: &Edges, walk: &Walk, loops: &Loops) -> Vec<Vec<u32>> {
    let mut exits = vec![Vec::new(); edges.nodes()];
    for node in (0..edges.nodes()).filter(|node| walk.reached(*node)) {
        for to in edges.of(node) {
            let around_target = nest(loops, *to as usize);
            for header in nest(loops, node) {
                if around_target.contains(&header) {
                    break;
                }
                exits[header as usize].push(*to);
            }
        }
    }
    exits
}

/// The loops around a node, innermost first.
fn nest(loops: &Loops, node: usize) -> Vec<u32> {
    let mut around = Vec::new();
    let mut header = loops.innermost(node);
    while header != NONE && around.len() < NEST_MAX {
        around.push(header);
        header = loops.around(header);
    }
    around
}
