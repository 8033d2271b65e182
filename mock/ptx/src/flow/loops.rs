//! Loops of a flow graph, and how they nest: Havlak's way, with collapsing by union-find.

use super::graph::{Edges, node_number};

/// No node, no loop.
pub(super) const NONE: u32 = u32::MAX;

/// Which loop each node is in. A loop is named by its header.
#[derive(Debug)]
pub(super) struct Loops {
    /// The innermost loop around each node, itself not counted; [`NONE`] outside of all.
    parent: Vec<u32>,
    /// Whether a node is a header.
    is_header: Vec<bool>,
}

/// A depth-first walk from node 0.
#[derive(Debug)]
pub(super) struct Walk {
    /// Nodes in the order in which they were left.
    pub(super) postorder: Vec<u32>,
    /// When each node was entered; [`NONE`] where never.
    entered: Vec<u32>,
    /// The last number given within each node's subtree.
    last: Vec<u32>,
}

impl Walk {
    /// Visits the successors of each node in the order that `successors` has them.
    pub(super) fn new<'e>(nodes: usize, successors: impl Fn(usize) -> &'e [u32]) -> Self {
        let mut walk = Self {
            postorder: Vec::with_capacity(nodes),
            entered: vec![NONE; nodes],
            last: vec![0; nodes],
        };
        if nodes == 0 {
            return walk;
        }
        let mut counter = 0;
        let mut open = vec![(0_usize, 0_usize)];
        walk.entered[0] = 0;
        while let Some((node, next)) = open.pop() {
            let Some(to) = successors(node).get(next) else {
                walk.last[node] = counter;
                walk.postorder.push(node_number(node));
                continue;
            };
            open.push((node, next + 1));
            let to = *to as usize;
            if walk.entered[to] == NONE {
                counter += 1;
                walk.entered[to] = counter;
                open.push((to, 0));
            }
        }
        walk
    }

    pub(super) fn reached(&self, node: usize) -> bool {
        self.entered[node] != NONE
    }

    /// Whether `ancestor` was open when `node` was entered.
    fn is_ancestor(&self, ancestor: usize, node: usize) -> bool {
        self.entered[ancestor] <= self.entered[node] && self.entered[node] <= self.last[ancestor]
    }
}

impl Loops {
    pub(super) fn new(walk: &Walk, predecessors: &Edges) -> Self {
        let nodes = predecessors.nodes();
        let mut loops = Self { parent: vec![NONE; nodes], is_header: vec![false; nodes] };
        // each node stands for itself until a loop swallows it
        let mut stands_for: Vec<u32> = (0..node_number(nodes)).collect();
        let mut by_entry: Vec<u32> = walk.postorder.clone();
        by_entry.sort_unstable_by_key(|node| walk.entered[*node as usize]);
        let mut body = Vec::new();
        let mut seen_for = vec![NONE; nodes];
        // inner headers are entered after outer ones
        for header in by_entry.into_iter().rev() {
            let at = header as usize;
            body.clear();
            for tail in predecessors.of(at) {
                let tail_at = *tail as usize;
                if !walk.reached(tail_at) || !walk.is_ancestor(at, tail_at) {
                    continue;
                }
                loops.is_header[at] = true;
                let tail = find(&mut stands_for, *tail);
                if tail != header && seen_for[tail as usize] != header {
                    seen_for[tail as usize] = header;
                    body.push(tail);
                }
            }
            let mut next = 0;
            while let Some(member) = body.get(next).copied() {
                next += 1;
                for from in predecessors.of(member as usize) {
                    if !walk.reached(*from as usize) {
                        continue;
                    }
                    let from = find(&mut stands_for, *from);
                    // an entry from outside: not reducible; the loop is what the walk saw of it
                    let inside = walk.is_ancestor(at, from as usize);
                    if inside && from != header && seen_for[from as usize] != header {
                        seen_for[from as usize] = header;
                        body.push(from);
                    }
                }
            }
            for member in &body {
                loops.parent[*member as usize] = header;
                stands_for[*member as usize] = header;
            }
        }
        loops
    }

    /// The innermost loop that a node belongs to, its own if it is a header.
    pub(super) fn innermost(&self, node: usize) -> u32 {
        if self.is_header[node] { node_number(node) } else { self.parent[node] }
    }

    /// The loop around a loop.
    pub(super) fn around(&self, header: u32) -> u32 {
        self.parent[header as usize]
    }
}

/// Who stands for a node, shortening the way there.
fn find(stands_for: &mut [u32], mut node: u32) -> u32 {
    while stands_for[node as usize] != node {
        let next = stands_for[node as usize];
        stands_for[node as usize] = stands_for[next as usize];
        node = stands_for[node as usize];
    }
    node
}
