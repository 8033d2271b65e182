//! `mma`, `ldmatrix`, `stmatrix`, `movmatrix`: fragments laid out as the manual's tables have it, against plain sums of products.

use super::oracle::Wanted;
use super::oracle::edges::Noise;
use super::oracle::exact::{self, BF16, F16, F32, F64, Format};
use super::oracle::statement::{Operand, Statement};
use super::story::Story;

const WARP: usize = 32;
/// Two warps, each with matrices of its own.
const THREADS: usize = 2 * WARP;

/// The story of a form, if it is one of matrices.
pub(crate) fn story(form: &str) -> Option<Story> {
    match form.split('.').next()? {
        "mma" => Multiply::read(form).map(|multiply| multiply.story(form)),
        "ldmatrix" | "stmatrix" => Some(moved(form)),
        "movmatrix" => Some(transposed(form)),
        _ => None,
    }
}

// ---- numbers ----

/// Whole numbers in the bits of a type, small enough that every sum of products is exact.
pub(crate) fn encode(value: i64, ty: Element) -> u64 {
    match ty {
        Element::Float(format) => {
            exact::from_integer(&value.into(), format, exact::Direction::Even)
        }
        Element::Integer { bits, .. } => value.cast_unsigned() & (u64::MAX >> (64 - bits)),
    }
}

/// What a matrix is made of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Element {
    /// A floating type; TF32 in the 32 bits of an `f32`.
    Float(Format),
    Integer {
        bits: u32,
        signed: bool,
    },
}

impl Element {
    pub(crate) fn read(word: &str) -> Option<Self> {
        let of = |bits, signed| Some(Self::Integer { bits, signed });
        match word {
            "f16" => Some(Self::Float(F16)),
            "bf16" => Some(Self::Float(BF16)),
            "tf32" | "f32" => Some(Self::Float(F32)),
            "f64" => Some(Self::Float(F64)),
            "u8" => of(8, false),
            "s8" => of(8, true),
            "u4" => of(4, false),
            "s4" => of(4, true),
            "b1" => of(1, false),
            "s32" => of(32, true),
            _ => None,
        }
    }

    /// Bits that one takes in a register.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Float(format) => 1 + format.exponent_bits + format.fraction_bits,
            Self::Integer { bits, .. } => bits,
        }
    }

    /// A number that this type holds and that sums stay exact with.
    pub(crate) fn sample(self, noise: &mut Noise) -> i64 {
        match self {
            Self::Float(_) => noise.next() as i64 % 8 - 3,
            Self::Integer { bits, signed } => {
                let raw = noise.next() as i64 & ((1 << bits) - 1);
                if signed && raw >> (bits - 1) == 1 { raw - (1 << bits) } else { raw }
            }
        }
    }
}

/// Rows of numbers.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) columns: usize,
    pub(crate) values: Vec<i64>,
}

impl Matrix {
    pub(crate) fn of(rows: usize, columns: usize, mut value: impl FnMut() -> i64) -> Self {
        Self { columns, values: (0..rows * columns).map(|_| value()).collect() }
    }

    pub(crate) fn at(&self, (row, column): (usize, usize)) -> i64 {
        self.values[row * self.columns + column]
    }
}

/// How products of a row and a column become one number.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Products {
    Times,
    Xor,
    And,
}

/// `a × b + c`, clamped or wrapped to the accumulator's type.
pub(crate) fn product(
    (a, b, c): (&Matrix, &Matrix, &Matrix),
    products: Products,
    saturates: bool,
) -> Matrix {
    let mut places = (0..c.values.len()).map(|at| (at / c.columns, at % c.columns));
    Matrix::of(c.values.len() / c.columns, c.columns, || {
        let (row, column) = places.next().unwrap();
        let sum: i64 = (0..a.columns)
            .map(|k| (a.at((row, k)), b.at((k, column))))
            .map(|(x, y)| match products {
                Products::Times => x * y,
                Products::Xor => x ^ y,
                Products::And => x & y,
            })
            .sum();
        let whole = sum + c.at((row, column));
        if saturates { whole.clamp(i32::MIN.into(), i32::MAX.into()) } else { whole }
    })
}

// ---- mma ----

/// Where in its matrix each element of a lane's register lies.
type Layout = fn(&Multiply, lane: usize, register: usize, element: usize) -> (usize, usize);

struct Multiply {
    rows: usize,
    columns: usize,
    depth: usize,
    /// Of the result, of both factors, of what is added.
    types: [Element; 4],
    /// As the statement has them: result, factors, addend.
    registers: [Vec<String>; 4],
    by_column: [bool; 2],
    products: Products,
    saturates: bool,
}

impl Multiply {
    fn read(form: &str) -> Option<Self> {
        let statement = Statement::read(form)?;
        let shape = statement.words.iter().find_map(|word| shape_of(word))?;
        let types: Vec<Element> =
            statement.words.iter().filter_map(|word| Element::read(word)).collect();
        let layouts: Vec<bool> = statement
            .words
            .iter()
            .filter(|word| ["row", "col"].contains(&&word[..]))
            .map(|word| word == "col")
            .collect();
        let list = |operand: &Operand| {
            operand.registers().into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        let [a, b, c] = &statement.sources[..] else { return None };
        Some(Self {
            rows: shape[0],
            columns: shape[1],
            depth: shape[2],
            types: types.try_into().ok()?,
            registers: [list(&statement.results[0]), list(a), list(b), list(c)],
            by_column: layouts.try_into().ok()?,
            products: match () {
                () if statement.has("xor") => Products::Xor,
                () if statement.has("and") => Products::And,
                () => Products::Times,
            },
            saturates: statement.has("satfinite"),
        })
    }

    /// Volta's: four products of a warp, each by two quads of lanes.
    fn is_by_quads(&self) -> bool {
        (self.rows, self.columns, self.depth) == (8, 8, 4) && self.types[1] == Element::Float(F16)
    }

    /// Which of a warp's products a lane is part of.
    fn product_of(&self, lane: usize) -> usize {
        if self.is_by_quads() { lane % 16 / 4 } else { 0 }
    }

    fn story(&self, form: &str) -> Story {
        let mut story = Story::of(THREADS);
        let mut noise = Noise::of(form);
        let count = THREADS / WARP * if self.is_by_quads() { 4 } else { 1 };
        let [d, a, b, c] = self.types;
        let matrices: Vec<[Matrix; 4]> = (0..count)
            .map(|_| {
                let a = Matrix::of(self.rows, self.depth, || a.sample(&mut noise));
                let b = Matrix::of(self.depth, self.columns, || b.sample(&mut noise));
                let c = Matrix::of(self.rows, self.columns, || c.sample(&mut noise));
                let d = product((&a, &b, &c), self.products, self.saturates);
                [d, a, b, c]
            })
            .collect();
        let of = |thread: usize, which: usize| {
            let (warp, lane) = (thread / WARP, thread % WARP);
            let index = if self.is_by_quads() { 4 * warp + self.product_of(lane) } else { warp };
            &matrices[index][which]
        };
        let word = |thread: usize, which: usize, register: usize, layout: Layout| {
            let ty = self.types[which];
            let elements = if ty.bits() < 32 { 32 / ty.bits() } else { 1 } as usize;
            (0..elements).fold(0u64, |word, element| {
                let place = layout(self, thread % WARP, register, element);
                word | encode(of(thread, which).at(place), ty) << (element * ty.bits() as usize)
            })
        };
        let layouts: [Layout; 4] = if self.is_by_quads() {
            let sum: Layout = if d == Element::Float(F16) { quad_sum16 } else { quad_sum32 };
            let addend: Layout = if c == Element::Float(F16) { quad_sum16 } else { quad_sum32 };
            [sum, quad_a, quad_b, addend]
        } else {
            [sum, factor_a, factor_b, sum]
        };
        for (which, layout) in layouts.into_iter().enumerate().skip(1) {
            for (i, name) in self.registers[which].iter().enumerate() {
                story.input(name, |thread| word(thread, which, i, layout));
            }
        }
        story.line(&format!("{form};"));
        for (i, name) in self.registers[0].iter().enumerate() {
            story.output(name, |thread| Wanted::Bits(word(thread, 0, i, layouts[0])));
        }
        story
    }

    fn per_register(&self, which: usize) -> usize {
        (32 / self.types[which].bits()).max(1) as usize
    }
}

/// `m16n8k16`
pub(crate) fn shape_of(word: &str) -> Option<[usize; 3]> {
    let (m, rest) = word.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some([m.parse().ok()?, n.parse().ok()?, k.parse().ok()?])
}

// All but Volta's: eight rows for eight groups of four lanes; what does not fit comes 8 rows or a register's width of columns later.

fn factor_a(m: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    let width = m.per_register(1);
    let (below, right) = if m.rows == 16 { (register % 2, register / 2) } else { (0, register) };
    (lane / 4 + 8 * below, lane % 4 * width + element + 4 * width * right)
}

fn factor_b(m: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    let width = m.per_register(2);
    (lane % 4 * width + element + 4 * width * register, lane / 4)
}

fn sum(m: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    let index = register * m.per_register(0) + element;
    (lane / 4 + 8 * (index / 2), lane % 4 * 2 + index % 2)
}

// Volta's: lanes 0 to 15 hold the upper four rows or the left columns, the others the rest.

fn quad_a(m: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    let (index, lower) = (2 * register + element, 4 * (lane / 16));
    if m.by_column[0] { (index + lower, lane % 4) } else { (lane % 4 + lower, index) }
}

fn quad_b(m: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    let (index, right) = (2 * register + element, 4 * (lane / 16));
    if m.by_column[1] { (index, lane % 4 + right) } else { (lane % 4, index + right) }
}

fn quad_sum16(_: &Multiply, lane: usize, register: usize, element: usize) -> (usize, usize) {
    (lane % 4 + 4 * (lane / 16), 2 * register + element)
}

fn quad_sum32(_: &Multiply, lane: usize, register: usize, _: usize) -> (usize, usize) {
    ((lane & 1) + (register & 2) + 4 * (lane / 16), (register & 4) + (lane & 2) + (register & 1))
}

// ---- matrices of 8 by 8 halves, in shared memory and across a warp ----

/// Lane `l` holds two halves of row `l / 4`, or of that column.
fn halves(matrix: &[u64], lane: usize, across: bool) -> u64 {
    let at = |element: usize| {
        let (row, column) = (lane / 4, lane % 4 * 2 + element);
        matrix[if across { column * 8 + row } else { row * 8 + column }]
    };
    at(0) | at(1) << 16
}

/// Rows of 16 bytes that lie 48 apart, in another order than their addresses are given.
fn moved(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let mut noise = Noise::of(form);
    let statement = Statement::read(&form.replace(['[', ']'], "")).unwrap();
    let is_load = form.starts_with("ld");
    let across = form.contains(".trans");
    let (list, address) = if is_load {
        (&statement.results[0], &statement.sources[0])
    } else {
        (&statement.sources[0], &statement.results[0])
    };
    let list: Vec<&str> = list.registers().into_iter().flatten().collect();
    let address = address.registers()[0].unwrap();
    let matrices: Vec<Vec<u64>> = (0..list.len() * THREADS / WARP)
        .map(|_| (0..64).map(|_| noise.next() & 0xffff).collect())
        .collect();
    let of = |thread: usize, i: usize| &matrices[thread / WARP * list.len() + i][..];
    // the row whose address each lane gives: in its warp's half of shared memory
    let row_at = |thread: usize| (thread / WARP * 2048 + (WARP - 1 - thread % WARP) * 48) as u64;
    let row = |thread: usize, part: usize| -> u64 {
        let (i, row) = (thread % WARP / 8, thread % 8);
        if i >= list.len() {
            return 0;
        }
        (0..4).fold(0, |word, k| word | of(thread, i)[row * 8 + 4 * part + k] << (16 * k))
    };
    story.input("%r29", row_at);
    story.line("mov.u32 %r28, shared; add.u32 %r28, %r28, %r29;");
    if is_load {
        for part in 0..2 {
            story.input("%d12", |thread| row(thread, part));
            story.line(&format!("st.shared.b64 [%r28+{}], %d12;", 8 * part));
        }
    } else {
        for (i, name) in list.iter().enumerate() {
            story.input(name, |thread| halves(of(thread, i), thread % WARP, across));
        }
    }
    story.line("bar.sync 0;");
    let wide = if address.starts_with("%d") { "cvt.u64.u32" } else { "mov.b32" };
    story.line(&format!("{wide} {address}, %r28; {form}; bar.sync 0;"));
    if is_load {
        for (i, name) in list.iter().enumerate() {
            story.output(name, |thread| Wanted::Bits(halves(of(thread, i), thread % WARP, across)));
        }
    } else {
        for part in 0..2 {
            story.line(&format!("ld.shared.b64 %d12, [%r28+{}];", 8 * part));
            story.output("%d12", |thread| Wanted::Bits(row(thread, part)));
        }
    }
    story
}

fn transposed(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let mut noise = Noise::of(form);
    let matrices: [Vec<u64>; 2] =
        std::array::from_fn(|_| (0..64).map(|_| noise.next() & 0xffff).collect());
    story.input("%r1", |thread| halves(&matrices[thread / WARP], thread % WARP, false));
    story.line(&format!("{form};"));
    story.output("%r0", |thread| {
        Wanted::Bits(halves(&matrices[thread / WARP], thread % WARP, true))
    });
    story
}
