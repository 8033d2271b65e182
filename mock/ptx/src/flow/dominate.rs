//! Immediate post-dominators: where the ways from a block meet again.
//!
//! Lengauer and Tarjan's way, the simple form, on the graph with all edges turned and one node
//! behind all ends.

use crate::ir::{Block, BlockId};

use super::graph::{Edges, node_number};
use super::loops::NONE;

/// Fills in [`Block::reconvergence`].
pub(super) fn name_reconvergence(blocks: &mut [Block]) {
    let successors = Edges::successors(blocks);
    let nodes = successors.nodes();
    let predecessors = successors.reversed();
    let ends: Vec<u32> =
        (0..nodes).filter(|node| successors.of(*node).is_empty()).map(node_number).collect();
    let root = node_number(nodes);
    let forward = |node: u32| if node == root { &ends[..] } else { predecessors.of(node as usize) };
    let is_end = |node: u32| node != root && successors.of(node as usize).is_empty();
    let dominators = immediate_dominators(nodes + 1, root, forward, |node| {
        // edges into a node of the turned graph: its successors, and the root for an end
        let into = if node == root { &[][..] } else { successors.of(node as usize) };
        into.iter().copied().chain(is_end(node).then_some(root))
    });
    for (block, dominator) in blocks.iter_mut().zip(dominators) {
        let meets = dominator != NONE && dominator != root;
        block.reconvergence = meets.then_some(BlockId(dominator));
    }
}

/// The immediate dominator of each node; [`NONE`] for the root and for what it does not reach.
fn immediate_dominators<'e, I: Iterator<Item = u32>>(
    nodes: usize,
    root: u32,
    successors: impl Fn(u32) -> &'e [u32],
    predecessors: impl Fn(u32) -> I,
) -> Vec<u32> {
    let walk = Preorder::new(nodes, root, successors);
    // all below is in preorder numbers
    let reached = walk.nodes.len();
    let mut semi: Vec<u32> = (0..node_number(reached)).collect();
    let mut dominator = vec![0_u32; reached];
    let mut forest = Forest { ancestor: vec![NONE; reached], label: semi.clone() };
    let mut buckets: Vec<Vec<u32>> = vec![Vec::new(); reached];
    for number in (1..reached).rev() {
        for from in predecessors(walk.nodes[number]) {
            let from = walk.number[from as usize];
            if from == NONE {
                continue;
            }
            let best = forest.evaluate(from, &semi);
            semi[number] = semi[number].min(semi[best as usize]);
        }
        buckets[semi[number] as usize].push(node_number(number));
        let parent = walk.parent[number];
        forest.ancestor[number] = parent;
        for waiting in core::mem::take(&mut buckets[parent as usize]) {
            let best = forest.evaluate(waiting, &semi);
            let is_better = semi[best as usize] < semi[waiting as usize];
            dominator[waiting as usize] = if is_better { best } else { parent };
        }
    }
    let mut by_node = vec![NONE; nodes];
    for number in 1..reached {
        if dominator[number] != semi[number] {
            dominator[number] = dominator[dominator[number] as usize];
        }
        by_node[walk.nodes[number] as usize] = walk.nodes[dominator[number] as usize];
    }
    by_node
}

/// A depth-first walk, numbered as nodes are entered.
struct Preorder {
    nodes: Vec<u32>,
    number: Vec<u32>,
    /// Of each number, the number of where it was entered from.
    parent: Vec<u32>,
}

impl Preorder {
    fn new<'e>(nodes: usize, root: u32, successors: impl Fn(u32) -> &'e [u32]) -> Self {
        let mut walk = Self { nodes: Vec::new(), number: vec![NONE; nodes], parent: Vec::new() };
        let mut open = vec![(root, 0_u32)];
        while let Some((node, parent)) = open.pop() {
            if walk.number[node as usize] != NONE {
                continue;
            }
            let number = node_number(walk.nodes.len());
            walk.number[node as usize] = number;
            walk.nodes.push(node);
            walk.parent.push(parent);
            open.extend(successors(node).iter().rev().map(|to| (*to, number)));
        }
        walk
    }
}

/// Trees that grow together, each node with the best label on its way up.
struct Forest {
    ancestor: Vec<u32>,
    label: Vec<u32>,
}

impl Forest {
    /// The node with the least semidominator on the way from `node` to its tree's root.
    fn evaluate(&mut self, node: u32, semi: &[u32]) -> u32 {
        if self.ancestor[node as usize] == NONE {
            return node;
        }
        // from the top down, each node's label is compared with the one above it, and its way shortened
        let mut path = Vec::new();
        let mut at = node;
        while self.ancestor[self.ancestor[at as usize] as usize] != NONE {
            path.push(at);
            at = self.ancestor[at as usize];
        }
        while let Some(lower) = path.pop() {
            let upper = self.ancestor[lower as usize];
            let better = self.label[upper as usize];
            if semi[better as usize] < semi[self.label[lower as usize] as usize] {
                self.label[lower as usize] = better;
            }
            self.ancestor[lower as usize] = self.ancestor[upper as usize];
        }
        self.label[node as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 0 → 1, 2; 1 → 3; 2 → 3; 3 → 1, 4.
    const GRAPH: [&[u32]; 5] = [&[1, 2], &[3], &[3], &[1, 4], &[]];

    #[test]
    fn dominators_are_found_through_a_loop() {
        let predecessors = |node: u32| {
            let from: Vec<u32> =
                (0..5_u32).filter(|from| GRAPH[*from as usize].contains(&node)).collect();
            from.into_iter()
        };
        let found = immediate_dominators(5, 0, |node| GRAPH[node as usize], predecessors);
        assert_eq!(found, [NONE, 0, 0, 0, 3]);
    }
}
