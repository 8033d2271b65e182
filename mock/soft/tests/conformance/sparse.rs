//! `mma.sp`: of half-empty rows lanes hold what is not zero, and metadata says where it stands; against plain sums of products.

use super::matrices::{Element, Matrix, Products, encode, product, shape_of};
use super::oracle::Wanted;
use super::oracle::edges::Noise;
use super::oracle::statement::{Operand, Statement};
use super::story::Story;

const WARP: usize = 32;
/// Two warps, each with matrices of its own.
const THREADS: usize = 2 * WARP;

/// The story of a form, if it is one of sparse matrices.
pub(crate) fn story(form: &str) -> Option<Story> {
    if form.starts_with("mma.sp") { Multiply::read(form).map(|it| it.story(form)) } else { None }
}

struct Multiply {
    depth: usize,
    /// Of the result, of both factors, of what is added.
    types: [Element; 4],
    /// As the statement has them: result, factors, addend.
    registers: [Vec<String>; 4],
    metadata: String,
    selector: usize,
    saturates: bool,
}

/// Sixteen rows of which half is empty.
struct HalfEmpty {
    whole: Matrix,
    held: Matrix,
    /// Of each row, from the lowest bit on.
    metadata: Vec<u64>,
}

impl HalfEmpty {
    fn of(columns: usize, ty: Element, noise: &mut Noise) -> Self {
        let mut whole = Matrix::of(16, columns, || 0);
        let mut held = Matrix::of(16, 0, || 0);
        held.columns = columns / 2;
        let mut metadata = Vec::new();
        for row in 0..16 {
            let (kept, bits) = places(columns, ty, noise);
            for column in kept {
                // nothing that is held is zero, so that its place shows
                let value = ty.sample(noise);
                let value = if value == 0 { 1 } else { value };
                whole.values[row * columns + column] = value;
                held.values.push(value);
            }
            metadata.push(bits);
        }
        Self { whole, held, metadata }
    }
}

/// The columns of a row that are held, and its metadata: of four elements (pairs of 4 bits) two, of two in TF32 one.
fn places(columns: usize, ty: Element, noise: &mut Noise) -> (Vec<usize>, u64) {
    let (mut kept, mut metadata) = (Vec::new(), 0);
    let mut choose = |among: usize| noise.next() as usize % among;
    if ty.bits() == 32 {
        for two in 0..columns / 2 {
            let second = choose(2);
            kept.push(2 * two + second);
            metadata |= [0b0100, 0b1110][second] << (4 * two);
        }
        return (kept, metadata);
    }
    let each = if ty.bits() == 4 { 2 } else { 1 };
    for four in 0..columns / (4 * each) {
        let (low, high) = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)][choose(6)];
        for place in [low, high] {
            kept.extend((0..each).map(|i| (4 * four + place) * each + i));
        }
        metadata |= ((low | high << 2) as u64) << (4 * four);
    }
    (kept, metadata)
}

impl Multiply {
    fn read(form: &str) -> Option<Self> {
        let statement = Statement::read(form)?;
        let [_, _, depth] = statement.words.iter().find_map(|word| shape_of(word))?;
        let types: Vec<Element> =
            statement.words.iter().filter_map(|word| Element::read(word)).collect();
        let list = |operand: &Operand| {
            operand.registers().into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        let [a, b, c, metadata, _] = &statement.sources[..] else { return None };
        Some(Self {
            depth,
            types: types.try_into().ok()?,
            registers: [list(&statement.results[0]), list(a), list(b), list(c)],
            metadata: list(metadata).pop()?,
            selector: form.rsplit(' ').next()?.parse().ok()?,
            saturates: statement.has("satfinite"),
        })
    }

    /// Lanes of every four that give metadata.
    fn givers(&self) -> usize {
        match self.types[1].bits() {
            32 => self.depth / 8,
            4 => self.depth / 32,
            _ => self.depth / 16,
        }
    }

    /// A giver has its group's row and the one eight below: half a word of each, or in bytes and less a word of one.
    fn word(&self, metadata: &[u64], lane: usize) -> u64 {
        let (row, giver) = (lane / 4, (lane % 4).wrapping_sub(self.selector * self.givers()));
        if giver >= self.givers() {
            // nobody looks here
            return 0x1bad_1dea;
        }
        if self.types[1].bits() < 16 {
            return metadata[row + 8 * (giver % 2)] >> (32 * (giver / 2)) & 0xffff_ffff;
        }
        let half = |row: usize| metadata[row] >> (16 * giver) & 0xffff;
        half(row) | half(row + 8) << 16
    }

    fn story(&self, form: &str) -> Story {
        let mut story = Story::of(THREADS);
        let mut noise = Noise::of(form);
        let [_, a_type, b_type, c_type] = self.types;
        let warps: Vec<(HalfEmpty, Matrix, Matrix, Matrix)> = (0..THREADS / WARP)
            .map(|_| {
                let a = HalfEmpty::of(self.depth, a_type, &mut noise);
                let b = Matrix::of(self.depth, 8, || b_type.sample(&mut noise));
                let c = Matrix::of(16, 8, || c_type.sample(&mut noise));
                let d = product((&a.whole, &b, &c), Products::Times, self.saturates);
                (a, b, c, d)
            })
            .collect();
        let of = |thread: usize| &warps[thread / WARP];
        let word = |ty: Element, value: &dyn Fn(usize) -> i64| {
            let elements = (32 / ty.bits()).max(1) as usize;
            (0..elements).fold(0, |word, i| word | encode(value(i), ty) << (i * ty.bits() as usize))
        };
        let width = (32 / a_type.bits()) as usize;
        for (i, name) in self.registers[1].iter().enumerate() {
            story.input(name, |thread| {
                let (group, member) = (thread % WARP / 4, thread % 4);
                let (row, column) = (group + 8 * (i % 2), width * (member + i / 2 * 4));
                word(a_type, &|element| of(thread).0.held.at((row, column + element)))
            });
        }
        for (i, name) in self.registers[2].iter().enumerate() {
            story.input(name, |thread| {
                let (group, row) = (thread % WARP / 4, width * (thread % 4 + 4 * i));
                word(b_type, &|element| of(thread).1.at((row + element, group)))
            });
        }
        let sums = |matrix: &Matrix, ty: Element, thread: usize, register: usize| {
            let each = (32 / ty.bits()).max(1) as usize;
            word(ty, &|element| {
                let index = register * each + element;
                matrix.at((thread % WARP / 4 + index / 2 * 8, thread % 4 * 2 + index % 2))
            })
        };
        for (i, name) in self.registers[3].iter().enumerate() {
            story.input(name, |thread| sums(&of(thread).2, c_type, thread, i));
        }
        story.input(&self.metadata, |thread| self.word(&of(thread).0.metadata, thread % WARP));
        story.line(&format!("{form};"));
        for (i, name) in self.registers[0].iter().enumerate() {
            let of = |thread| sums(&of(thread).3, self.types[0], thread, i);
            story.output(name, |thread| Wanted::Bits(of(thread)));
        }
        story
    }
}
