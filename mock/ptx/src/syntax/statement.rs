//! What stands in a function's body.

use crate::PtxError;
use crate::limits::NESTING_MAX;

use super::declaration::{parameters, space, variables};
use super::operand::Operands;
use super::scanner::Scanner;
use super::{
    Body, Instruction, Linkage, NamedGuard, Prototype, Statement, Targets, constant, module,
};

/// A body; the opening brace is eaten, the closing one too.
pub(super) fn body<'a>(scanner: &mut Scanner<'a>, text: &'a str) -> Result<Body<'a>, PtxError> {
    let mut reader =
        Reader { scanner, text, statements: Vec::new(), operands: Operands::default(), depth: 0 };
    let mut instruction_count = 0;
    loop {
        match reader.scanner.peek() {
            b'}' if reader.depth == 0 => break,
            b'}' => reader.close()?,
            b'{' => reader.open()?,
            b'.' => reader.directive(None)?,
            b'#' => module::skip_line(reader.scanner),
            b'@' if reader.scanner.peek_at(1) == b'@' => module::skip_line(reader.scanner),
            _ => instruction_count += usize::from(reader.labelled_or_instruction()?),
        }
    }
    let Reader { statements, operands, .. } = reader;
    let end_line = scanner.line();
    scanner.expect(b'}')?;
    Ok(Body { statements, operands: operands.pool, instruction_count, end_line })
}

struct Reader<'r, 'a> {
    scanner: &'r mut Scanner<'a>,
    text: &'a str,
    statements: Vec<Statement<'a>>,
    operands: Operands<'a>,
    depth: usize,
}

impl<'a> Reader<'_, 'a> {
    fn open(&mut self) -> Result<(), PtxError> {
        self.scanner.expect(b'{')?;
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let reason = format!("scopes nested deeper than {NESTING_MAX}");
            return Err(PtxError::too_large(self.scanner.line(), reason));
        }
        self.statements.push(Statement::Open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), PtxError> {
        self.scanner.expect(b'}')?;
        self.depth -= 1;
        self.statements.push(Statement::Close);
        Ok(())
    }

    /// A label, or an instruction: true for the latter.
    #[inline]
    fn labelled_or_instruction(&mut self) -> Result<bool, PtxError> {
        let start = self.scanner.start();
        let guard = self.guard()?;
        if !self.scanner.at_word() {
            return Err(self.scanner.expected("a statement"));
        }
        let opcode = self.scanner.opcode()?;
        self.scanner.skip_blanks();
        if self.scanner.peek() == b':' && guard.is_none() {
            self.scanner.expect(b':')?;
            self.label(opcode, start.line)?;
            return Ok(false);
        }
        let is_call = opcode.starts_with("call");
        let read = self.operands.of_instruction(self.scanner, is_call);
        let span = self.scanner.since(start);
        let operands = read.map_err(|error| error.within(span.text(self.text)))?;
        if self.scanner.peek() != b';' {
            return Err(self.scanner.expected("`,` or `;`").within(span.text(self.text)));
        }
        self.scanner.expect(b';')?;
        self.statements.push(Statement::Instruction(Instruction { guard, opcode, operands, span }));
        Ok(true)
    }

    fn guard(&mut self) -> Result<Option<NamedGuard<'a>>, PtxError> {
        if !self.scanner.eat(b'@') {
            return Ok(None);
        }
        let negated = self.scanner.eat(b'!');
        let name = self.scanner.word("a predicate")?;
        self.scanner.skip_blanks();
        Ok(Some(NamedGuard { name, negated }))
    }

    /// What follows `name:`.
    fn label(&mut self, name: &'a str, line: u32) -> Result<(), PtxError> {
        if self.scanner.peek() == b'.' {
            return self.directive(Some((name, line)));
        }
        self.statements.push(Statement::Label { name, line });
        Ok(())
    }

    fn directive(&mut self, label: Option<(&'a str, u32)>) -> Result<(), PtxError> {
        let start = self.scanner.start();
        let mut directive = self.scanner.dotted()?;
        if let Some((name, line)) = label {
            match directive {
                "callprototype" => return self.prototype(name, line),
                "branchtargets" | "calltargets" => return self.targets(name, line),
                _ => self.statements.push(Statement::Label { name, line }),
            }
        }
        let mut linkage = Linkage::Internal;
        while let Some(found) = module::linkage(directive) {
            linkage = found;
            directive = self.scanner.dotted()?;
        }
        if let Some(space) = space(directive) {
            let statements = &mut self.statements;
            return variables(self.scanner, space, linkage, start, |variable| {
                statements.push(Statement::Variable(Box::new(variable)));
            });
        }
        match directive {
            "loc" => module::location(self.scanner),
            "file" => module::file(self.scanner),
            "pragma" => module::pragma(self.scanner),
            "section" => module::section(self.scanner),
            other => Err(module::unknown_directive(other, start.line)),
        }
    }

    /// `.callprototype (.param .b32 _) _ (.param .b32 _) .noreturn;`
    fn prototype(&mut self, name: &'a str, line: u32) -> Result<(), PtxError> {
        let scanner = &mut *self.scanner;
        let mut returns = Vec::new();
        if scanner.eat(b'(') {
            returns = parameters(scanner)?;
        }
        scanner.plain_word("`_`")?;
        scanner.skip_blanks();
        let mut formal = Vec::new();
        if scanner.eat(b'(') {
            formal = parameters(scanner)?;
        }
        while scanner.peek() == b'.' {
            scanner.dotted()?;
            if constant::starts(scanner) {
                constant::size(scanner)?;
            }
        }
        scanner.expect(b';')?;
        let prototype = Prototype { name, returns, parameters: formal, line };
        self.statements.push(Statement::Prototype(Box::new(prototype)));
        Ok(())
    }

    fn targets(&mut self, name: &'a str, line: u32) -> Result<(), PtxError> {
        let mut names = Vec::new();
        loop {
            names.push(self.scanner.word("a label")?);
            self.scanner.skip_blanks();
            if !self.scanner.eat(b',') {
                break;
            }
        }
        self.scanner.expect(b';')?;
        self.statements.push(Statement::Targets(Box::new(Targets { name, names, line })));
        Ok(())
    }
}
