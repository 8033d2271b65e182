//! Which functions are inlined and which are really called.
//!
//! Recursive ones are called. All others are inlined, unless that makes a kernel too long: then
//! only small ones are.

use std::collections::{HashMap, HashSet};

use crate::PtxError;
use crate::ir::FunctionId;
use crate::limits::{
    INLINE_DEPTH_MAX, INLINED_INSTRUCTIONS_MAX, KERNEL_INSTRUCTIONS_MAX,
    SMALL_FUNCTION_INSTRUCTIONS,
};

use super::symbols::Symbols;
use super::usage::Usage;

/// The functions of a module that can only be called.
#[derive(Debug)]
pub(super) struct Plan {
    /// By function id.
    callees: Vec<Vec<FunctionId>>,
    /// Own instructions, by function id.
    lengths: Vec<usize>,
    /// Functions that reach themselves.
    recursive: HashSet<FunctionId>,
}

impl Plan {
    pub(super) fn new(symbols: &Symbols<'_>, usage: &Usage) -> Self {
        let callees: Vec<_> = usage.functions.iter().map(|body| body.callees.clone()).collect();
        let length = |body: &crate::syntax::Body<'_>| body.instruction_count;
        let lengths = symbols
            .functions
            .iter()
            .map(|symbol| symbol.function.body.as_ref().map_or(0, length))
            .collect();
        let recursive = recursive(&callees);
        Self { callees, lengths, recursive }
    }

    /// What a kernel with `own` instructions and these calls inlines.
    pub(super) fn for_kernel(
        &self,
        own: usize,
        callees: &[FunctionId],
        line: u32,
    ) -> Result<Inlining, PtxError> {
        let mut inlining = Inlining { called: self.recursive.clone() };
        if self.length(&inlining, own, callees) > INLINED_INSTRUCTIONS_MAX {
            inlining.called.extend(self.large_functions());
        }
        let length = self.length(&inlining, own, callees);
        if length > KERNEL_INSTRUCTIONS_MAX {
            let reason = format!(
                "{length} instructions with inlined calls, at most {KERNEL_INSTRUCTIONS_MAX} are taken"
            );
            return Err(PtxError::too_large(line, reason));
        }
        Ok(inlining)
    }

    fn large_functions(&self) -> impl Iterator<Item = FunctionId> + '_ {
        let ids = (0..).map(FunctionId).zip(&self.lengths);
        ids.filter(|(_, length)| **length > SMALL_FUNCTION_INSTRUCTIONS).map(|(id, _)| id)
    }

    /// Instructions of a body with everything that is inlined into it.
    fn length(&self, inlining: &Inlining, own: usize, callees: &[FunctionId]) -> usize {
        let mut known = HashMap::new();
        callees.iter().fold(own, |sum, callee| {
            sum.saturating_add(self.inlined_length(inlining, *callee, &mut known, 0))
        })
    }

    fn inlined_length(
        &self,
        inlining: &Inlining,
        function: FunctionId,
        known: &mut HashMap<FunctionId, usize>,
        depth: usize,
    ) -> usize {
        if inlining.calls(function) || depth > INLINE_DEPTH_MAX {
            return 0;
        }
        if let Some(length) = known.get(&function) {
            return *length;
        }
        let index = function.0 as usize;
        let own = self.lengths.get(index).copied().unwrap_or(0);
        let length = self.callees.get(index).into_iter().flatten().fold(own, |sum, callee| {
            sum.saturating_add(self.inlined_length(inlining, *callee, known, depth + 1))
        });
        known.insert(function, length);
        length
    }
}

/// Which functions a kernel calls; it inlines the others.
#[derive(Debug)]
pub(super) struct Inlining {
    called: HashSet<FunctionId>,
}

impl Inlining {
    /// Whether calls of this function are real ones.
    pub(super) fn calls(&self, function: FunctionId) -> bool {
        self.called.contains(&function)
    }
}

/// Functions on a cycle of the call graph: Tarjan's components, without recursion of ours.
fn recursive(callees: &[Vec<FunctionId>]) -> HashSet<FunctionId> {
    const UNSEEN: usize = usize::MAX;
    let mut number = vec![UNSEEN; callees.len()];
    let mut low = vec![0; callees.len()];
    let mut on_stack = vec![false; callees.len()];
    let (mut stack, mut found, mut counter) = (Vec::new(), HashSet::new(), 0);
    for root in 0..callees.len() {
        if number[root] != UNSEEN {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, next)) = work.pop() {
            if next == 0 {
                number[node] = counter;
                low[node] = counter;
                counter += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            if let Some(callee) = callees[node].get(next) {
                let callee = callee.0 as usize;
                work.push((node, next + 1));
                if number[callee] == UNSEEN {
                    work.push((callee, 0));
                } else if on_stack[callee] {
                    low[node] = low[node].min(number[callee]);
                }
                continue;
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
            if low[node] == number[node] {
                let start = stack.iter().rposition(|other| *other == node).unwrap_or(0);
                let component = stack.split_off(start);
                let is_cycle = component.len() > 1
                    || callees[node].iter().any(|callee| callee.0 as usize == node);
                for member in component {
                    on_stack[member] = false;
                    if is_cycle {
                        found.insert(FunctionId(u32::try_from(member).unwrap_or(u32::MAX)));
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[&[u32]]) -> Vec<Vec<FunctionId>> {
        edges.iter().map(|to| to.iter().copied().map(FunctionId).collect()).collect()
    }

    #[test]
    fn only_functions_on_a_cycle_are_recursive() {
        // 0 → 1 → 2 → 1, 3 → 3, 4 → 0
        let found = recursive(&graph(&[&[1], &[2], &[1], &[3], &[0]]));
        let mut found: Vec<u32> = found.into_iter().map(|id| id.0).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn a_diamond_is_not_recursive() {
        assert!(recursive(&graph(&[&[1, 2], &[3], &[3], &[]])).is_empty());
    }
}
