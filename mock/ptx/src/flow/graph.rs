//! Successors and predecessors of blocks, flat.

use crate::ir::{Block, BlockId, Terminator};

/// Edges out of each node, one list after the other.
#[derive(Debug)]
pub(super) struct Edges {
    starts: Vec<u32>,
    to: Vec<u32>,
}

impl Edges {
    /// The successors of each block.
    pub(super) fn successors(blocks: &[Block]) -> Self {
        let mut edges = Self { starts: Vec::with_capacity(blocks.len() + 1), to: Vec::new() };
        for block in blocks {
            edges.starts.push(edges.count());
            block.terminator.for_each_successor(|to| edges.to.push(to.0));
        }
        edges.starts.push(edges.count());
        edges
    }

    /// The same edges, the other way round.
    pub(super) fn reversed(&self) -> Self {
        let nodes = self.starts.len().saturating_sub(1);
        let mut starts = vec![0_u32; nodes + 1];
        for to in &self.to {
            starts[*to as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut from = vec![0; self.to.len()];
        for node in 0..nodes {
            for to in self.of(node) {
                let place = &mut next[*to as usize];
                from[*place as usize] = node_number(node);
                *place += 1;
            }
        }
        Self { starts, to: from }
    }

    /// Where the edges of a node lead.
    pub(super) fn of(&self, node: usize) -> &[u32] {
        let (start, end) = (self.starts[node] as usize, self.starts[node + 1] as usize);
        &self.to[start..end]
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    fn count(&self) -> u32 {
        node_number(self.to.len())
    }
}

/// Graphs have fewer nodes and edges than texts have bytes.
pub(super) fn node_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Changes where a terminator leads.
pub(super) fn redirect(terminator: &mut Terminator, mut to: impl FnMut(BlockId) -> BlockId) {
    match terminator {
        Terminator::Jump(block) => *block = to(*block),
        Terminator::Branch { taken, otherwise, .. } => {
            *taken = to(*taken);
            *otherwise = to(*otherwise);
        }
        Terminator::Switch { targets, .. } => {
            for target in targets {
                *target = to(*target);
            }
        }
        Terminator::Call { then, .. } | Terminator::CallIndirect { then, .. } => *then = to(*then),
        Terminator::Return | Terminator::Exit | Terminator::Trap(_) => {}
    }
}
