//! PTX as text: the tree that the parser makes.
//!
//! Names borrow from the text. Nothing is resolved or checked here beyond grammar: an instruction is
//! an opcode as written and its operands. Unknown directives and opcodes pass; lowering refuses them where they matter.

mod constant;
mod declaration;
mod module;
mod operand;
mod scanner;
mod statement;

pub(crate) use module::parse;

/// A whole text.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast<'a> {
    /// `.version`, major and minor.
    pub version: (u16, u16),
    /// `.target`, its parts in order.
    pub targets: Vec<&'a str>,
    /// Line of `.target`; of `.version` where there is none.
    pub target_line: u32,
    /// `.address_size`, where given.
    pub address_bits: Option<u32>,
    /// Variables of module scope.
    pub variables: Vec<Variable<'a>>,
    /// Kernels and functions, declarations too.
    pub functions: Vec<Function<'a>>,
    /// `.alias name, of;`
    pub aliases: Vec<Alias<'a>>,
}

/// Where a statement stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Byte where it starts.
    pub start: u32,
    /// Byte after its end.
    pub end: u32,
    /// Line where it starts, from 1.
    pub line: u32,
}

impl Span {
    /// The statement itself.
    #[must_use]
    pub fn text<'a>(&self, whole: &'a str) -> &'a str {
        whole.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Another name for a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias<'a> {
    /// The new name.
    pub name: &'a str,
    /// The function.
    pub of: &'a str,
    /// Line.
    pub line: u32,
}

/// Who may see a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Linkage {
    /// This text.
    #[default]
    Internal,
    /// Others too.
    Visible,
    /// It is defined elsewhere.
    Extern,
    /// Others may replace it.
    Weak,
    /// Merged with others of its name.
    Common,
}

/// Where a variable lives, as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's own")]
pub enum DeclaredSpace {
    Register,
    SpecialRegister,
    Constant,
    Global,
    Local,
    Parameter,
    Shared,
    Texture,
}

/// The declaration of a variable, register or parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable<'a> {
    /// Where it lives.
    pub space: DeclaredSpace,
    /// Who sees it.
    pub linkage: Linkage,
    /// `.align`, where given.
    pub align: Option<u32>,
    /// 2, 4 or 8 for `.v2 .v4 .v8`; 1 otherwise.
    pub vector: u8,
    /// The type as written, without its dot: `b32`, `pred`, `texref`.
    pub ty: &'a str,
    /// Its name; of a parameterised name the part before `<`. Parameters of declarations may have none (`""`, or `_`).
    pub name: &'a str,
    /// `name<n>`: n names from `name0`.
    pub count: Option<u32>,
    /// `[3][]`: none for an open one.
    pub dimensions: Vec<Option<u64>>,
    /// What it holds at the start.
    pub initialiser: Option<Initialiser<'a>>,
    /// Where it stands.
    pub span: Span,
}

/// What a variable holds at the start.
#[derive(Debug, Clone, PartialEq)]
pub enum Initialiser<'a> {
    /// `{ … }`
    List(Vec<Self>),
    /// A number.
    Constant(Constant),
    /// An address.
    Symbol(SymbolValue<'a>),
}

/// The address of a name, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolValue<'a> {
    /// Whose.
    pub name: &'a str,
    /// Added to it.
    pub addend: i64,
    /// `generic(name)`.
    pub generic: bool,
    /// `0xff00(name)`: only these bits, moved down.
    pub mask: Option<u64>,
}

/// A number, as exact as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constant {
    /// 64 bits; whether they are unsigned matters to division and comparison in expressions only.
    Integer {
        /// Two's complement.
        bits: u64,
        /// Written with `U`, or too large for a signed number.
        unsigned: bool,
    },
    /// `0f…`: the bits of an f32.
    F32(u32),
    /// `0d…`, or decimal: the bits of an f64.
    F64(u64),
}

/// A kernel or function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function<'a> {
    /// `.entry`, not `.func`.
    pub is_entry: bool,
    /// Who sees it.
    pub linkage: Linkage,
    /// Its name.
    pub name: &'a str,
    /// Results.
    pub returns: Vec<Variable<'a>>,
    /// Parameters.
    pub parameters: Vec<Variable<'a>>,
    /// `.maxntid` and its like.
    pub tuning: Vec<Tuning<'a>>,
    /// None for a declaration.
    pub body: Option<Body<'a>>,
    /// Where its head stands.
    pub span: Span,
}

/// A directive about a kernel or function as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning<'a> {
    /// Without its dot.
    pub name: &'a str,
    /// Its numbers.
    pub values: Vec<u64>,
    /// Line.
    pub line: u32,
}

/// What stands between a function's braces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body<'a> {
    /// In order, scopes flattened into [`Statement::Open`] and [`Statement::Close`].
    pub statements: Vec<Statement<'a>>,
    /// The operands of all instructions; [`List`]s point into it.
    pub operands: Vec<Operand<'a>>,
    /// How many of the statements are instructions.
    pub instruction_count: usize,
    /// Line of the closing brace.
    pub end_line: u32,
}

impl<'a> Body<'a> {
    /// The operands of a list.
    #[must_use]
    pub fn list(&self, list: List) -> &[Operand<'a>] {
        self.operands.get(list.first as usize..(list.first + list.count) as usize).unwrap_or(&[])
    }
}

/// A piece of [`Body::operands`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List {
    /// Index of the first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement<'a> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// `name:`
    Label {
        /// Its name.
        name: &'a str,
        /// Line.
        line: u32,
    },
    /// A declaration.
    Variable(Box<Variable<'a>>),
    /// An instruction.
    Instruction(Instruction<'a>),
    /// `name: .callprototype …;`
    Prototype(Box<Prototype<'a>>),
    /// `name: .branchtargets a, b;` or `.calltargets`
    Targets(Box<Targets<'a>>),
}

/// An instruction as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction<'a> {
    /// `@p` or `@!p`.
    pub guard: Option<NamedGuard<'a>>,
    /// With all its modifiers: `ld.global.v2.f32`.
    pub opcode: &'a str,
    /// Its operands.
    pub operands: List,
    /// Where it stands, without the semicolon.
    pub span: Span,
}

/// A condition by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedGuard<'a> {
    /// The predicate.
    pub name: &'a str,
    /// `!`
    pub negated: bool,
}

/// The type of a function that is called by address.
#[derive(Debug, Clone, PartialEq)]
pub struct Prototype<'a> {
    /// Its label.
    pub name: &'a str,
    /// Results.
    pub returns: Vec<Variable<'a>>,
    /// Parameters.
    pub parameters: Vec<Variable<'a>>,
    /// Line.
    pub line: u32,
}

/// The places a branch or call may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets<'a> {
    /// Its label.
    pub name: &'a str,
    /// In order.
    pub names: Vec<&'a str>,
    /// Line.
    pub line: u32,
}

/// An operand as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand<'a> {
    /// A register, variable, function or label, with its component (`%tid.x`); `_` too.
    Name(&'a str),
    /// `!name`
    Not(&'a str),
    /// `-name`, as `vmad` has it.
    Minus(&'a str),
    /// `name+4`
    Offset(&'a str, i64),
    /// `name[4]`: so many elements into an array.
    Element(&'a str, i64),
    /// A number.
    Constant(Constant),
    /// `[ … ]`
    Address(AddressOperand<'a>),
    /// `{a, b}`
    Vector(List),
    /// `a|b`
    Pair(List),
    /// `(a, b)`
    Group(List),
}

/// What stands between square brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressOperand<'a> {
    /// A register or variable; none for a number alone.
    pub name: Option<&'a str>,
    /// Bytes past it.
    pub offset: i64,
    /// What follows a comma (textures and tensors).
    pub rest: List,
}
