//! Declarations of variables, registers and parameters, and what they hold at the start.

use crate::PtxError;
use crate::limits::{NESTING_MAX, PARAMETERS_MAX};

use super::scanner::Scanner;
use super::{Constant, DeclaredSpace, Initialiser, Linkage, Span, SymbolValue, Variable, constant};

/// The state space a directive names, if it names one.
pub(super) fn space(directive: &str) -> Option<DeclaredSpace> {
    Some(match directive {
        "reg" => DeclaredSpace::Register,
        "sreg" => DeclaredSpace::SpecialRegister,
        "const" => DeclaredSpace::Constant,
        "global" => DeclaredSpace::Global,
        "local" => DeclaredSpace::Local,
        "param" => DeclaredSpace::Parameter,
        "shared" => DeclaredSpace::Shared,
        "tex" => DeclaredSpace::Texture,
        _ => return None,
    })
}

/// What all names of one declaration share.
#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    space: DeclaredSpace,
    linkage: Linkage,
    align: Option<u32>,
    vector: u8,
    ty: &'a str,
    start: Span,
}

/// The names after `.space`, up to and with the semicolon.
pub(super) fn variables<'a>(
    scanner: &mut Scanner<'a>,
    space: DeclaredSpace,
    linkage: Linkage,
    start: Span,
    mut each: impl FnMut(Variable<'a>),
) -> Result<(), PtxError> {
    let head = head(scanner, space, linkage, start)?;
    loop {
        let name = scanner.plain_word("a name")?;
        scanner.skip_blanks();
        each(declarator(scanner, head, name)?);
        if !scanner.eat(b',') {
            return scanner.expect(b';');
        }
    }
}

/// `( … )` of a function, kernel or prototype; the opening one is eaten.
pub(super) fn parameters<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<Variable<'a>>, PtxError> {
    let mut parameters = Vec::new();
    if scanner.eat(b')') {
        return Ok(parameters);
    }
    loop {
        let start = scanner.start();
        let directive = scanner.dotted()?;
        let Some(space @ (DeclaredSpace::Parameter | DeclaredSpace::Register)) = space(directive)
        else {
            let reason = format!("a parameter is `.param` or `.reg`, not `.{directive}`");
            return Err(PtxError::malformed(start.line, reason));
        };
        let head = head(scanner, space, Linkage::Internal, start)?;
        let name = if scanner.at_word() { scanner.plain_word("a name")? } else { "" };
        scanner.skip_blanks();
        parameters.push(declarator(scanner, head, name)?);
        if parameters.len() > PARAMETERS_MAX {
            let reason = format!("more than {PARAMETERS_MAX} parameters");
            return Err(PtxError::too_large(start.line, reason));
        }
        if !scanner.eat(b',') {
            scanner.expect(b')')?;
            return Ok(parameters);
        }
    }
}

/// `.align 8 .v4 .f32 .ptr .global .align 16`
fn head<'a>(
    scanner: &mut Scanner<'a>,
    space: DeclaredSpace,
    linkage: Linkage,
    start: Span,
) -> Result<Head<'a>, PtxError> {
    let mut head = Head { space, linkage, align: None, vector: 1, ty: "", start };
    if scanner.eat(b'[') {
        // .const[3]: banks are history
        constant::size(scanner)?;
        scanner.expect(b']')?;
    }
    let mut is_pointer = false;
    while scanner.peek() == b'.' {
        match scanner.dotted()? {
            // the alignment after .ptr is that of what it points to
            "align" if is_pointer => drop(constant::size(scanner)?),
            "align" => head.align = Some(align(scanner)?),
            "v2" => head.vector = 2,
            "v4" => head.vector = 4,
            "v8" => head.vector = 8,
            "ptr" => is_pointer = true,
            "global" | "const" | "local" | "shared" | "param" | "generic" if is_pointer => {}
            "attribute" => {
                scanner.expect(b'(')?;
                attribute(scanner)?;
            }
            ty => head.ty = ty,
        }
    }
    if head.ty.is_empty() {
        return Err(scanner.expected("a type"));
    }
    Ok(head)
}

fn align(scanner: &mut Scanner<'_>) -> Result<u32, PtxError> {
    let line = scanner.line();
    let bytes = constant::size(scanner)?;
    u32::try_from(bytes)
        .ok()
        .filter(|align| align.is_power_of_two() && *align <= crate::limits::ALIGN_MAX)
        .ok_or_else(|| {
            let max = crate::limits::ALIGN_MAX;
            PtxError::malformed(
                line,
                format!("alignment {bytes}, wanted a power of two up to {max}"),
            )
        })
}

/// `.managed)`, `.unified(1, 2))`: what the driver might want; memory here is all one.
pub(super) fn attribute(scanner: &mut Scanner<'_>) -> Result<(), PtxError> {
    let mut depth = 1_usize;
    while depth > 0 {
        match scanner.peek() {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b';' | b'{' | b'}' | 0 => return Err(scanner.expected("`)`")),
            _ => {}
        }
        scanner.bump_any();
        scanner.skip_blanks();
    }
    Ok(())
}

/// What follows a name: `<8>`, `[2][3]`, `= {1, 2}`.
fn declarator<'a>(
    scanner: &mut Scanner<'a>,
    head: Head<'a>,
    name: &'a str,
) -> Result<Variable<'a>, PtxError> {
    let mut count = None;
    if scanner.eat(b'<') {
        let line = scanner.line();
        let names = scanner.digits()?;
        scanner.skip_blanks();
        count = Some(names.parse().map_err(|_| {
            PtxError::malformed(line, format!("`{name}<{names}>`: no number of names"))
        })?);
        scanner.expect(b'>')?;
    }
    let mut dimensions = Vec::new();
    while scanner.eat(b'[') {
        if scanner.eat(b']') {
            dimensions.push(None);
            continue;
        }
        dimensions.push(Some(constant::size(scanner)?));
        scanner.expect(b']')?;
        if dimensions.len() > NESTING_MAX {
            let reason = format!("more than {NESTING_MAX} dimensions");
            return Err(PtxError::too_large(scanner.line(), reason));
        }
    }
    let initialiser = if scanner.eat(b'=') { Some(initialiser(scanner, 0)?) } else { None };
    let Head { space, linkage, align, vector, ty, start } = head;
    let span = scanner.since(start);
    Ok(Variable { space, linkage, align, vector, ty, name, count, dimensions, initialiser, span })
}

fn initialiser<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Initialiser<'a>, PtxError> {
    if depth > NESTING_MAX {
        let reason = format!("an initialiser nested deeper than {NESTING_MAX}");
        return Err(PtxError::too_large(scanner.line(), reason));
    }
    if scanner.eat(b'{') {
        let mut list = Vec::new();
        while !scanner.eat(b'}') {
            list.push(initialiser(scanner, depth + 1)?);
            if !scanner.eat(b',') {
                scanner.expect(b'}')?;
                break;
            }
        }
        return Ok(Initialiser::List(list));
    }
    if scanner.at_word() {
        return Ok(Initialiser::Symbol(symbol(scanner)?));
    }
    let value = constant::expression(scanner)?;
    match value {
        // 0xff00(name): a byte of an address
        Constant::Integer { bits, .. } if scanner.eat(b'(') => {
            let symbol = symbol(scanner)?;
            scanner.expect(b')')?;
            Ok(Initialiser::Symbol(SymbolValue { mask: Some(bits), ..symbol }))
        }
        value => Ok(Initialiser::Constant(value)),
    }
}

/// `name`, `name+4`, `generic(name)+4`.
fn symbol<'a>(scanner: &mut Scanner<'a>) -> Result<SymbolValue<'a>, PtxError> {
    let mut name = scanner.plain_word("a name")?;
    scanner.skip_blanks();
    let mut generic = false;
    let mut addend = 0;
    if name == "generic" && scanner.eat(b'(') {
        generic = true;
        let inner = symbol(scanner)?;
        scanner.expect(b')')?;
        name = inner.name;
        addend = inner.addend;
    }
    if matches!(scanner.peek(), b'+' | b'-') {
        let line = scanner.line();
        let bits = constant::expression(scanner)?
            .integer()
            .ok_or_else(|| PtxError::malformed(line, "an offset is a whole number of bytes"))?;
        addend = addend.wrapping_add(bits.cast_signed());
    }
    Ok(SymbolValue { name, addend, generic, mask: None })
}
