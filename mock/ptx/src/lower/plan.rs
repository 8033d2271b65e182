//! Which functions are inlined and which are really called.
//!
//! Recursive ones are called. All others are inlined, unless that makes a kernel too long: then
//! only small ones are.

use crate::PtxError;
use crate::ir::FunctionId;
use crate::limits::{
    INLINED_INSTRUCTIONS_MAX, KERNEL_INSTRUCTIONS_MAX, MODULE_INSTRUCTIONS_MAX,
    SMALL_FUNCTION_INSTRUCTIONS,
};

use super::symbols::Symbols;
use super::usage::Usage;

/// What kernels of a module may inline.
#[derive(Debug)]
pub(super) struct Plan {
    /// All that is not recursive.
    most: Inlining,
    /// Of these only the small ones.
    least: Inlining,
    /// Whether all kernels together stay short enough with most inlined.
    most_is_short: bool,
}

impl Plan {
    pub(super) fn new(symbols: &Symbols<'_>, usage: &Usage) -> Self {
        let callees: Vec<&[FunctionId]> =
            usage.functions.iter().map(|body| body.callees.as_slice()).collect();
        let lengths: Vec<usize> = symbols
            .functions
            .iter()
            .map(|symbol| symbol.function.body.as_ref().map_or(0, |body| body.instruction_count))
            .collect();
        let Cycles { callees_first, recursive } = Cycles::of(&callees);
        let is_large = |length: &usize| *length > SMALL_FUNCTION_INSTRUCTIONS;
        let mut called = recursive.clone();
        for (called, length) in called.iter_mut().zip(&lengths) {
            *called |= is_large(length);
        }
        let most = Inlining::new(recursive, &callees_first, &callees, &lengths);
        let least = Inlining::new(called, &callees_first, &callees, &lengths);
        let bodies = symbols.kernels.iter().zip(&usage.kernels);
        let length = bodies.fold(0_usize, |sum, (kernel, used)| {
            let own = kernel.body.as_ref().map_or(0, |body| body.instruction_count);
            sum.saturating_add(most.length(own, &used.callees))
        });
        Self { most, least, most_is_short: length <= MODULE_INSTRUCTIONS_MAX / 2 }
    }

    /// What a kernel with `own` instructions and these calls inlines.
    pub(super) fn for_kernel(
        &self,
        own: usize,
        callees: &[FunctionId],
        line: u32,
    ) -> Result<&Inlining, PtxError> {
        let length = self.most.length(own, callees);
        if self.most_is_short && length <= INLINED_INSTRUCTIONS_MAX {
            return Ok(&self.most);
        }
        let length = self.least.length(own, callees);
        if length > KERNEL_INSTRUCTIONS_MAX {
            let reason = format!(
                "{length} instructions with inlined calls, at most {KERNEL_INSTRUCTIONS_MAX} are taken"
            );
            return Err(PtxError::too_large(line, reason));
        }
        Ok(&self.least)
    }
}

/// Which functions are really called, and how long the others are with everything inlined into them.
#[derive(Debug)]
pub(super) struct Inlining {
    called: Vec<bool>,
    lengths: Vec<usize>,
}

impl Inlining {
    fn new(
        called: Vec<bool>,
        callees_first: &[usize],
        callees: &[&[FunctionId]],
        own: &[usize],
    ) -> Self {
        let mut inlining = Self { called, lengths: vec![0; own.len()] };
        for function in callees_first.iter().copied() {
            if !inlining.called[function] {
                inlining.lengths[function] = inlining.length(own[function], callees[function]);
            }
        }
        inlining
    }

    /// Instructions of a body with everything that is inlined into it.
    fn length(&self, own: usize, callees: &[FunctionId]) -> usize {
        callees.iter().fold(own, |sum, callee| {
            let length = self.lengths.get(callee.0 as usize).copied().unwrap_or(0);
            sum.saturating_add(length)
        })
    }

    /// Whether calls of this function are real ones.
    pub(super) fn calls(&self, function: FunctionId) -> bool {
        self.called.get(function.0 as usize).copied().unwrap_or(false)
    }
}

/// A call graph, looked at for cycles.
#[derive(Debug, PartialEq, Eq)]
struct Cycles {
    /// All functions, each after those that it calls, cycles aside.
    callees_first: Vec<usize>,
    /// Functions on a cycle.
    recursive: Vec<bool>,
}

impl Cycles {
    /// Tarjan's components, without recursion of ours.
    fn of(callees: &[&[FunctionId]]) -> Self {
        const UNSEEN: usize = usize::MAX;
        let count = callees.len();
        let mut cycles =
            Self { callees_first: Vec::with_capacity(count), recursive: vec![false; count] };
        let (mut number, mut low) = (vec![UNSEEN; count], vec![0; count]);
        let mut on_stack = vec![false; count];
        let (mut stack, mut counter) = (Vec::new(), 0);
        for root in 0..count {
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
                        cycles.recursive[member] = is_cycle;
                        cycles.callees_first.push(member);
                    }
                }
            }
        }
        cycles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(edges: &[&[u32]]) -> Cycles {
        let lists: Vec<Vec<FunctionId>> =
            edges.iter().map(|to| to.iter().copied().map(FunctionId).collect()).collect();
        let lists: Vec<&[FunctionId]> = lists.iter().map(Vec::as_slice).collect();
        Cycles::of(&lists)
    }

    #[test]
    fn only_functions_on_a_cycle_are_recursive() {
        // 0 → 1 → 2 → 1, 3 → 3, 4 → 0
        let found = cycles(&[&[1], &[2], &[1], &[3], &[0]]);
        assert_eq!(found.recursive, [false, true, true, true, false]);
    }

    #[test]
    fn a_diamond_is_not_recursive_and_its_foot_comes_first() {
        let found = cycles(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(found.recursive, [false; 4]);
        assert_eq!(found.callees_first, [3, 1, 2, 0]);
    }
}
