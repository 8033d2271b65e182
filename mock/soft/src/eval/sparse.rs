//! The sparse matrix of `mma.sp`: in which column each element that lanes hold stands.
//!
//! Lanes hold half as many columns as there are. Of every four, two hold elements and metadata has the places of both, 2 bits
//! each; elements of 4 bits go in pairs, two pairs of every four; of Tf32 it is one of every two, its place the upper of the
//! first two bits of four.

use mock_ptx::ir::{MatrixElement, MatrixMultiply, Sparsity};

/// The column of the element that stands `held` places into what lanes hold of `row`.
pub(super) fn column(
    multiply: &MatrixMultiply,
    sparsity: Sparsity,
    (row, held): (usize, usize),
    metadata: impl Fn(usize) -> u32,
) -> usize {
    let element = multiply.a_element;
    let givers = usize::from(Sparsity::givers(element, multiply.shape));
    let first_giver = row % 8 * 4 + usize::from(sparsity.selector) * givers;
    let place = |bit: usize| {
        let (giver, bit) = if element.bits() < 16 {
            // a word is of one row; of two lanes, the second has the row eight below
            (bit / 32 * 2 + row / 8, bit % 32)
        } else {
            // half a word is of one row, the other half of the row eight below
            (bit / 16, row / 8 * 16 + bit % 16)
        };
        (metadata(first_giver + giver) >> bit) as usize & 3
    };
    match element {
        MatrixElement::Tf32 => 2 * held + (place(4 * held) >> 1),
        MatrixElement::S4 | MatrixElement::U4 => held / 4 * 8 + 2 * place(held / 2 * 2) + held % 2,
        _ => held / 2 * 4 + place(2 * held),
    }
}
