//! Few registers for many: linear scan over the blocks in their order.
//!
//! A register lives from its first to its last place, holes are not used. A result may take the
//! register of a source that is read for the last time; results of one operation never share one.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ir::{Block, Reg, RegClass, RegisterCounts, Role};

use super::liveness::Liveness;
use super::separate::reads_while_it_writes;

/// From where to where a register is taken. Operation `i` reads at `2i` and writes at `2i + 1`.
#[derive(Debug, Clone, Copy)]
struct Life {
    start: usize,
    end: usize,
}

/// Gives every register a place, changes all operations accordingly, and returns how many places there are.
pub(super) fn allocate(
    blocks: &mut [Block],
    counts: RegisterCounts,
    live: &Liveness,
) -> RegisterCounts {
    let lives = lives(blocks, live);
    let mut places = vec![u32::MAX; lives.len()];
    let mut used = RegisterCounts::default();
    let mut first = 0;
    for class in RegClass::ALL {
        let last = first + counts.of(class) as usize;
        *used.of_mut(class) = scan(&lives[first..last], &mut places[first..last]);
        first = last;
    }
    let numbers = live.numbers;
    let mut replace =
        |reg: &mut Reg, _: Role| *reg = Reg::new(reg.class(), places[numbers.of(*reg)]);
    for block in blocks {
        for instruction in &mut block.instructions {
            instruction.for_each_register(&mut replace);
        }
        block.terminator.for_each_register(&mut replace);
    }
    used
}

/// The life of every register; empty where it is never used.
fn lives(blocks: &mut [Block], live: &Liveness) -> Vec<Life> {
    const NEVER: Life = Life { start: usize::MAX, end: 0 };
    let numbers = live.numbers;
    let mut lives = vec![NEVER; numbers.count];
    let mut touch = |reg: Reg, at: usize| {
        let life = &mut lives[numbers.of(reg)];
        life.start = life.start.min(at);
        life.end = life.end.max(at);
    };
    let mut at = 0;
    for (index, block) in blocks.iter_mut().enumerate() {
        live.live_in(index).for_each(|reg| touch(reg, at));
        for instruction in &mut block.instructions {
            // a result that is there before all sources were read shares no place with them
            let early = instruction.guard.is_some() || reads_while_it_writes(&instruction.op);
            instruction.for_each_register(|reg, role| match role {
                Role::Read => touch(*reg, at),
                Role::Write => {
                    if early {
                        touch(*reg, at);
                    }
                    touch(*reg, at + 1);
                }
            });
            at += 2;
        }
        block.terminator.for_each_register(|reg, _| touch(*reg, at));
        at += 2;
        live.live_out(index).for_each(|reg| touch(reg, at - 1));
    }
    lives
}

/// Places for registers of one class; returns how many.
fn scan(lives: &[Life], places: &mut [u32]) -> u32 {
    let mut by_start: Vec<usize> =
        (0..lives.len()).filter(|index| lives[*index].start != usize::MAX).collect();
    by_start.sort_unstable_by_key(|index| lives[*index].start);
    let mut free: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
    let mut taken: BinaryHeap<Reverse<(usize, u32)>> = BinaryHeap::new();
    let mut used = 0;
    for index in by_start {
        let Life { start, end } = lives[index];
        while let Some(Reverse((taken_until, place))) = taken.peek().copied() {
            if taken_until >= start {
                break;
            }
            taken.pop();
            free.push(Reverse(place));
        }
        let place = free.pop().map_or_else(
            || {
                used += 1;
                used - 1
            },
            |Reverse(place)| place,
        );
        places[index] = place;
        taken.push(Reverse((end, place)));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_when_its_register_was_read_for_the_last_time() {
        let lives = [
            Life { start: 1, end: 4 },
            Life { start: 3, end: 6 },
            Life { start: 5, end: 8 },
            Life { start: 7, end: 7 },
        ];
        let mut places = [u32::MAX; 4];
        assert_eq!(scan(&lives, &mut places), 2);
        assert_eq!(places, [0, 1, 0, 1]);
    }

    #[test]
    fn results_of_one_operation_never_share_a_place() {
        let lives = [Life { start: 1, end: 1 }, Life { start: 1, end: 1 }];
        let mut places = [u32::MAX; 2];
        assert_eq!(scan(&lives, &mut places), 2);
    }
}
