//! What stands at the outermost level: versions, variables, functions, and debug information to skip.

use crate::PtxError;
use crate::limits::TEXT_BYTES_MAX;

use super::declaration::{attribute, parameters, space, variables};
use super::scanner::Scanner;
use super::{Alias, Ast, DeclaredSpace, Function, Linkage, Span, Tuning, Variable};
use super::{constant, statement};

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> Result<Ast<'_>, PtxError> {
    if text.len() > TEXT_BYTES_MAX {
        let reason = format!("{} bytes of PTX, at most {TEXT_BYTES_MAX} are taken", text.len());
        return Err(PtxError::too_large(1, reason));
    }
    let mut reader = Reader { scanner: Scanner::new(text), text, ast: Ast::empty() };
    reader.scanner.skip_blanks();
    reader.version()?;
    while !reader.scanner.at_end() {
        reader.item()?;
    }
    Ok(reader.ast)
}

impl Ast<'_> {
    const fn empty() -> Self {
        Self {
            version: (0, 0),
            targets: Vec::new(),
            target_line: 1,
            address_bits: None,
            variables: Vec::new(),
            functions: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

/// The linkage a directive names, if it names one.
pub(super) fn linkage(directive: &str) -> Option<Linkage> {
    Some(match directive {
        "visible" => Linkage::Visible,
        "extern" => Linkage::Extern,
        "weak" => Linkage::Weak,
        "common" => Linkage::Common,
        _ => return None,
    })
}

pub(super) fn skip_line(scanner: &mut Scanner<'_>) {
    scanner.skip_line();
    scanner.skip_blanks();
}

pub(super) fn unknown_directive(name: &str, line: u32) -> PtxError {
    PtxError::unsupported(line, format!("directive .{name} is not supported"))
}

/// `.loc 1 20 3, function_name $L__info0+4, inlined_at 1 10 5`
pub(super) fn location(scanner: &mut Scanner<'_>) -> Result<(), PtxError> {
    integers(scanner, 3)?;
    while scanner.eat(b',') {
        match scanner.plain_word("`function_name` or `inlined_at`")? {
            "inlined_at" => {
                scanner.skip_blanks();
                integers(scanner, 3)?;
            }
            "function_name" => {
                scanner.skip_blanks();
                scanner.word("a label")?;
                scanner.skip_blanks();
                if scanner.eat(b'+') {
                    integers(scanner, 1)?;
                }
            }
            _ => return Err(scanner.expected("`function_name` or `inlined_at`")),
        }
    }
    Ok(())
}

fn integers(scanner: &mut Scanner<'_>, count: usize) -> Result<(), PtxError> {
    for _ in 0..count {
        if !scanner.at_digit() {
            return Err(scanner.expected("a number"));
        }
        scanner.digits()?;
        scanner.skip_blanks();
    }
    Ok(())
}

/// `.file 1 "name", 1234, 5678`
pub(super) fn file(scanner: &mut Scanner<'_>) -> Result<(), PtxError> {
    integers(scanner, 1)?;
    scanner.string()?;
    while scanner.eat(b',') {
        integers(scanner, 1)?;
    }
    Ok(())
}

/// `.pragma "nounroll", "x";`
pub(super) fn pragma(scanner: &mut Scanner<'_>) -> Result<(), PtxError> {
    scanner.string()?;
    while scanner.eat(b',') {
        scanner.string()?;
    }
    scanner.expect(b';')
}

/// `.section .debug_info { … }`
pub(super) fn section(scanner: &mut Scanner<'_>) -> Result<(), PtxError> {
    scanner.dotted()?;
    if scanner.peek() != b'{' {
        return Err(scanner.expected("`{`"));
    }
    scanner.skip_braces()
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    text: &'a str,
    ast: Ast<'a>,
}

impl<'a> Reader<'a> {
    /// `.version 8.8` comes first, always.
    fn version(&mut self) -> Result<(), PtxError> {
        self.ast.target_line = self.scanner.line();
        let found = self.scanner.peek() == b'.' && self.scanner.dotted()? == "version";
        if !found {
            let error = PtxError::malformed(
                self.scanner.line(),
                "expected `.version`, with which every PTX text begins",
            );
            return Err(error);
        }
        let line = self.scanner.line();
        let major = self.scanner.digits()?;
        if self.scanner.peek() != b'.' {
            return Err(self.scanner.expected("a version such as 8.0"));
        }
        let minor = self.scanner.dotted()?;
        match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => self.ast.version = (major, minor),
            _ => {
                let reason = format!("`{major}.{minor}` is no version");
                return Err(PtxError::malformed(line, reason));
            }
        }
        Ok(())
    }

    fn item(&mut self) -> Result<(), PtxError> {
        let start = self.scanner.start();
        match self.scanner.peek() {
            b'#' | b'@' => {
                skip_line(&mut self.scanner);
                return Ok(());
            }
            b';' => return self.scanner.expect(b';'),
            b'.' => {}
            _ => return Err(self.scanner.expected("a directive")),
        }
        let mut directive = self.scanner.dotted()?;
        let mut found_linkage = Linkage::Internal;
        while let Some(found) = linkage(directive) {
            found_linkage = found;
            directive = self.scanner.dotted()?;
        }
        if let Some(space) = space(directive) {
            return self.variables(space, found_linkage, start);
        }
        match directive {
            "entry" => self.function(true, found_linkage, start),
            "func" => self.function(false, found_linkage, start),
            "target" => self.target(start.line),
            "address_size" => {
                let bits = constant::size(&mut self.scanner)?;
                self.ast.address_bits = Some(u32::try_from(bits).unwrap_or(u32::MAX));
                Ok(())
            }
            "alias" => self.alias(start.line),
            "loc" => location(&mut self.scanner),
            "file" => file(&mut self.scanner),
            "pragma" => pragma(&mut self.scanner),
            "section" => section(&mut self.scanner),
            other => Err(unknown_directive(other, start.line)),
        }
    }

    fn variables(
        &mut self,
        space: DeclaredSpace,
        linkage: Linkage,
        start: Span,
    ) -> Result<(), PtxError> {
        let list = &mut self.ast.variables;
        let read = variables(&mut self.scanner, space, linkage, start, |v| list.push(v));
        let span = self.scanner.since(start);
        read.map_err(|error| error.within(span.text(self.text)))
    }

    fn target(&mut self, line: u32) -> Result<(), PtxError> {
        self.ast.target_line = line;
        loop {
            let target = self.scanner.plain_word("a target such as sm_80")?;
            self.ast.targets.push(target);
            self.scanner.skip_blanks();
            if !self.scanner.eat(b',') {
                return Ok(());
            }
        }
    }

    fn alias(&mut self, line: u32) -> Result<(), PtxError> {
        let name = self.scanner.plain_word("a name")?;
        self.scanner.skip_blanks();
        self.scanner.expect(b',')?;
        let of = self.scanner.plain_word("a function")?;
        self.scanner.skip_blanks();
        self.ast.aliases.push(Alias { name, of, line });
        self.scanner.expect(b';')
    }

    fn function(&mut self, is_entry: bool, linkage: Linkage, start: Span) -> Result<(), PtxError> {
        let scanner = &mut self.scanner;
        while scanner.peek() == b'.' && scanner.dotted()? == "attribute" {
            scanner.expect(b'(')?;
            attribute(scanner)?;
        }
        let mut returns: Vec<Variable<'a>> = Vec::new();
        if scanner.eat(b'(') {
            returns = parameters(scanner)?;
        }
        let name = scanner.plain_word("a function's name")?;
        scanner.skip_blanks();
        let mut formal = Vec::new();
        if scanner.eat(b'(') {
            formal = parameters(scanner)?;
        }
        let mut tuning = Vec::new();
        while scanner.peek() == b'.' {
            tuning.push(read_tuning(scanner)?);
        }
        let span = scanner.since(start);
        let body = if scanner.eat(b'{') {
            Some(statement::body(scanner, self.text)?)
        } else if scanner.eat(b';') {
            None
        } else {
            return Err(scanner.expected("a body or `;`").within(span.text(self.text)));
        };
        let parameters = formal;
        self.ast.functions.push(Function {
            is_entry,
            linkage,
            name,
            returns,
            parameters,
            tuning,
            body,
            span,
        });
        Ok(())
    }
}

/// `.maxntid 128, 1, 1`, `.pragma "x";`
fn read_tuning<'a>(scanner: &mut Scanner<'a>) -> Result<Tuning<'a>, PtxError> {
    let line = scanner.line();
    let name = scanner.dotted()?;
    let mut values = Vec::new();
    match name {
        "pragma" => pragma(scanner)?,
        "attribute" => {
            scanner.expect(b'(')?;
            attribute(scanner)?;
        }
        _ if scanner.at_digit() => {
            values.push(constant::size(scanner)?);
            while scanner.eat(b',') {
                values.push(constant::size(scanner)?);
            }
        }
        _ => {}
    }
    Ok(Tuning { name, values, line })
}
