//! `wmma`: fragments whose layout is nobody's business, so they are loaded, multiplied and stored, against plain sums of products.

use std::fmt::Write;

use super::matrices::{Element, Matrix, Products, encode, product, shape_of};
use super::oracle::edges::Noise;
use super::story::Story;

const WARP: usize = 32;
/// Where each matrix begins in shared memory.
const SHARED_BYTES: usize = 2048;

/// One of the four matrices.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    A,
    B,
    C,
    D,
}

/// A matrix in memory.
#[derive(Clone, Copy)]
struct Place {
    which: Which,
    element: Element,
    by_column: bool,
    /// Elements from one row or column to the next.
    stride: usize,
    shared: bool,
}

/// A form: its words, its lists of registers.
struct Form<'a> {
    text: &'a str,
    words: Vec<&'a str>,
    lists: Vec<Vec<&'a str>>,
    shape: [usize; 3],
}

/// The story of a form, if it is one of `wmma`.
pub(crate) fn story(form: &str) -> Option<Story> {
    let form = Form::read(form)?;
    let mut noise = Noise::of(form.text);
    Some(match form.words[1] {
        "mma" => form.multiplied(&mut noise),
        "store" => form.stored(&mut noise),
        _ if form.words[2] == "c" => form.loaded(&mut noise),
        _ => form.factor_loaded(&mut noise),
    })
}

impl<'a> Form<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (mnemonic, operands) = text.split_once(' ')?;
        let words: Vec<&str> = mnemonic.split('.').collect();
        if words[0] != "wmma" {
            return None;
        }
        let shape = words.iter().find_map(|word| shape_of(word))?;
        let lists = operands.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let lists = lists.map(|(list, _)| list.split(", ").collect()).collect();
        Some(Self { text, words, lists, shape })
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// Its layouts, true by column.
    fn layouts(&self) -> Vec<bool> {
        let named = self.words.iter().filter(|word| ["row", "col"].contains(word));
        named.map(|word| *word == "col").collect()
    }

    fn types(&self) -> Vec<Element> {
        self.words.iter().filter_map(|word| Element::read(word)).collect()
    }

    fn size(&self, which: Which) -> (usize, usize) {
        let [m, n, k] = self.shape;
        match which {
            Which::A => (m, k),
            Which::B => (k, n),
            Which::C | Which::D => (m, n),
        }
    }

    /// A matrix in global memory, its rows or columns a little apart.
    fn place(&self, which: Which, element: Element, by_column: bool) -> Place {
        let (rows, columns) = self.size(which);
        let stride = if by_column { rows } else { columns } + 128 / element.bits() as usize;
        Place { which, element, by_column, stride, shared: false }
    }

    /// The place that this form itself names.
    fn own_place(&self, which: Which) -> Place {
        let by_column = self.layouts()[0];
        let mut place = self.place(which, self.types()[0], by_column);
        if !self.text.ends_with("%r8") {
            let (rows, columns) = self.size(which);
            place.stride = if by_column { rows } else { columns };
        }
        Place { shared: self.has("shared"), ..place }
    }

    /// Random numbers of this size.
    fn matrix(&self, which: Which, element: Element, noise: &mut Noise) -> Matrix {
        let (rows, columns) = self.size(which);
        Matrix::of(rows, columns, || element.sample(noise))
    }

    fn shape_word(&self) -> String {
        let [m, n, k] = self.shape;
        format!("m{m}n{n}k{k}")
    }

    /// `wmma.load` of another fragment than the form's own.
    fn load_text(&self, place: Place, type_word: &str, registers: &[String]) -> String {
        let which = ["a", "b", "c", "d"][place.which as usize];
        let layout = if place.by_column { "col" } else { "row" };
        let list = registers.join(", ");
        format!(
            "wmma.load.{which}.sync.aligned.{layout}.{}.{type_word} {{{list}}}, [%d0], %r30",
            self.shape_word()
        )
    }

    fn store_text(&self, place: Place, type_word: &str, registers: &[&str]) -> String {
        let layout = if place.by_column { "col" } else { "row" };
        let list = registers.join(", ");
        format!(
            "wmma.store.d.sync.aligned.{layout}.{}.{type_word} [%d0], {{{list}}}, %r30",
            self.shape_word()
        )
    }

    // ---- the four kinds of forms ----

    /// `wmma.mma`: everything around it is plain.
    fn multiplied(&self, noise: &mut Noise) -> Story {
        let layouts = self.layouts();
        let types = self.types();
        let half = Element::read("f16").unwrap();
        let [d, a, b, c] = match types[..] {
            [d, c] => [d, half, half, c],
            [d, a, b, c] => [d, a, b, c],
            _ => panic!("{}: types", self.text),
        };
        let products = match () {
            () if self.has("xor") => Products::Xor,
            () if self.has("and") => Products::And,
            () => Products::Times,
        };
        let [m_a, m_b, m_c] = [(Which::A, a), (Which::B, b), (Which::C, c)]
            .map(|(which, element)| self.matrix(which, element, noise));
        let m_d = product((&m_a, &m_b, &m_c), products, self.has("satfinite"));
        let mut story = Story::of(WARP);
        let factors = [(Which::A, a, layouts[0], &m_a, 1), (Which::B, b, layouts[1], &m_b, 2)];
        for (which, element, by_column, matrix, list) in factors {
            let place = self.place(which, element, by_column);
            let word = self.type_word(which);
            let registers = owned(&self.lists[list]);
            load(&mut story, place, matrix, &self.load_text(place, word, &registers));
        }
        let place = self.place(Which::C, c, false);
        let registers = owned(&self.lists[3]);
        let text = self.load_text(place, self.type_word(Which::C), &registers);
        load(&mut story, place, &m_c, &text);
        story.line(&format!("{};", self.text));
        let place = self.place(Which::D, d, false);
        let text = self.store_text(place, self.type_word(Which::D), &self.lists[0]);
        store(&mut story, place, &m_d, &text);
        story
    }

    /// The word of a matrix' type in a `wmma.mma`.
    fn type_word(&self, which: Which) -> &'a str {
        let words: Vec<&str> =
            self.words.iter().copied().filter(|word| Element::read(word).is_some()).collect();
        match (words.len(), which) {
            (_, Which::D) => words[0],
            (2, Which::C) => words[1],
            (2, _) => "f16",
            (_, Which::A) => words[1],
            (_, Which::B) => words[2],
            _ => words[3],
        }
    }

    /// `wmma.load.c`: what is loaded is stored.
    fn loaded(&self, noise: &mut Noise) -> Story {
        let element = self.types()[0];
        let matrix = self.matrix(Which::C, element, noise);
        let mut story = Story::of(WARP);
        load(&mut story, self.own_place(Which::C), &matrix, self.text);
        let place = self.place(Which::D, element, true);
        let text = self.store_text(place, self.words[self.words.len() - 1], &self.lists[0]);
        store(&mut story, place, &matrix, &text);
        story
    }

    /// `wmma.store.d`: what was loaded is stored.
    fn stored(&self, noise: &mut Noise) -> Story {
        let element = self.types()[0];
        let matrix = self.matrix(Which::C, element, noise);
        let mut story = Story::of(WARP);
        let place = self.place(Which::C, element, true);
        let registers = owned(&self.lists[0]);
        let text = self.load_text(place, self.words[self.words.len() - 1], &registers);
        load(&mut story, place, &matrix, &text);
        store(&mut story, self.own_place(Which::D), &matrix, self.text);
        story
    }

    /// `wmma.load.a` or `.b`: what is loaded is multiplied with another and stored.
    fn factor_loaded(&self, noise: &mut Noise) -> Story {
        let element = self.types()[0];
        let is_a = self.words[2] == "a";
        let (own, other) = if is_a { (Which::A, Which::B) } else { (Which::B, Which::A) };
        let word = self.words[self.words.len() - 1];
        let sum_word = match word {
            "f64" => "f64",
            "f16" | "bf16" | "tf32" => "f32",
            _ => "s32",
        };
        let sum = Element::read(sum_word).unwrap();
        let [m_own, m_other] = [own, other].map(|which| self.matrix(which, element, noise));
        let m_c = self.matrix(Which::C, sum, noise);
        let (m_a, m_b) = if is_a { (&m_own, &m_other) } else { (&m_other, &m_own) };
        let products = if word == "b1" { Products::Xor } else { Products::Times };
        let m_d = product((m_a, m_b, &m_c), products, false);
        let mut story = Story::of(WARP);
        load(&mut story, self.own_place(own), &m_own, self.text);
        // rows times columns is the one way that small types have
        let other_by_column = is_a;
        let place = self.place(other, element, other_by_column);
        let is_double = word == "f64";
        let registers = |first: usize, count: usize| -> Vec<String> {
            let class = if is_double { "fd" } else { "r" };
            (first..first + count).map(|i| format!("%{class}{i}")).collect()
        };
        // the square shapes of this table have as many registers on both sides
        let others = registers(9, self.lists[0].len());
        load(&mut story, place, &m_other, &self.load_text(place, word, &others));
        let sums =
            registers(if is_double { 4 } else { 18 }, if m_d.values.len() == 64 { 2 } else { 8 });
        let place = self.place(Which::C, sum, false);
        load(&mut story, place, &m_c, &self.load_text(place, sum_word, &sums));
        let own_list = owned(&self.lists[0]).join(", ");
        let others = others.join(", ");
        let (a, b) = if is_a { (own_list, others) } else { (others, own_list) };
        let layout = |by_column: bool| if by_column { "col" } else { "row" };
        let own_layout = layout(self.layouts()[0]);
        let (la, lb) = if is_a {
            (own_layout, layout(other_by_column))
        } else {
            (layout(other_by_column), own_layout)
        };
        let operation = if word == "b1" { ".xor.popc" } else { "" };
        let types = match word {
            "f16" => "f32.f32".to_owned(),
            word => format!("{sum_word}.{word}.{word}.{sum_word}"),
        };
        let sums_text = sums.join(", ");
        story.line(&format!(
            "wmma.mma{operation}.sync.aligned.{la}.{lb}.{}.{types} {{{sums_text}}}, {{{a}}}, {{{b}}}, {{{sums_text}}};",
            self.shape_word()
        ));
        let place = self.place(Which::D, sum, false);
        let sums: Vec<&str> = sums.iter().map(String::as_str).collect();
        store(&mut story, place, &m_d, &self.store_text(place, sum_word, &sums));
        story
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// The words of a matrix in memory.
fn image(place: Place, matrix: &Matrix) -> Vec<u64> {
    let bits = place.element.bits() as usize;
    let rows = matrix.values.len() / matrix.columns;
    let lines = if place.by_column { matrix.columns } else { rows };
    let mut words = vec![0u64; (lines * place.stride * bits).div_ceil(64)];
    for row in 0..rows {
        for column in 0..matrix.columns {
            let (line, across) = if place.by_column { (column, row) } else { (row, column) };
            let at = (line * place.stride + across) * bits;
            words[at / 64] |= encode(matrix.at((row, column)), place.element) << (at % 64);
        }
    }
    words
}

/// Addresses and strides for a statement, the matrix in place.
fn load(story: &mut Story, place: Place, matrix: &Matrix, text: &str) {
    let words = image(place, matrix);
    let at = story.memory(&words);
    let mut lines = format!("ld.param.u64 %d0, [in]; add.s64 %d0, %d0, {at};\n");
    if place.shared {
        let to = shared_address(&mut lines, place);
        for word in 0..words.len() {
            let byte = 8 * word;
            writeln!(lines, "ld.global.b64 %d12, [%d0+{byte}]; st.shared.b64 [{to}+{byte}], %d12;")
                .unwrap();
        }
        writeln!(lines, "bar.sync 0; mov.u64 %d0, {to};").unwrap();
    }
    finish(story, &mut lines, place, text);
}

fn store(story: &mut Story, place: Place, matrix: &Matrix, text: &str) {
    let words = image(place, matrix);
    let at = story.kept(&words);
    let mut lines =
        format!("ld.param.u64 %d0, [out]; add.s64 %d11, %d0, {at}; mov.u64 %d0, %d11;\n");
    if !place.shared {
        return finish(story, &mut lines, place, text);
    }
    let from = shared_address(&mut lines, place);
    writeln!(lines, "mov.u64 %d0, {from};").unwrap();
    finish(story, &mut lines, place, text);
    let mut lines = "bar.sync 0;\n".to_owned();
    for byte in (0..words.len()).map(|word| 8 * word) {
        writeln!(lines, "ld.shared.b64 %d12, [{from}+{byte}]; st.global.b64 [%d11+{byte}], %d12;")
            .unwrap();
    }
    story.line(&lines);
}

/// The register that holds a matrix' address in shared memory.
fn shared_address(lines: &mut String, place: Place) -> &'static str {
    let start = place.which as usize * SHARED_BYTES;
    writeln!(lines, "mov.u64 %d10, shared; add.s64 %d10, %d10, {start};").unwrap();
    "%d10"
}

/// The stride where the statement looks for it, and the statement.
fn finish(story: &mut Story, lines: &mut String, place: Place, text: &str) {
    let stride = place.stride;
    if text.ends_with("%r8") {
        writeln!(lines, "mov.u32 %r8, {stride};").unwrap();
    }
    writeln!(lines, "mov.u32 %r30, {stride};\n{text};").unwrap();
    story.line(lines);
}
