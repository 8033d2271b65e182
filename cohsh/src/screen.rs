//! Where answers go: data to standard output, remarks to standard error, in the form and colour asked for.

use std::io::{self, IsTerminal, Write};

use crate::ack::Ack;
use crate::colour::{Colour, painted};
use crate::error::CommandError;
use crate::limits::RESPONSE_BYTES_MAX;
use crate::printable::printable;
use crate::render::{Form, Table};

/// How answers look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// The form of tables.
    pub form: Form,
    /// Whether tables have a header line.
    pub header: bool,
    /// Whether remarks are left out.
    pub quiet: bool,
    /// Whether every command ends with its acknowledgement, or only a failed one.
    pub acknowledges: bool,
}

/// Standard output and standard error, or what stands in for them.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    colour: bool,
    animated: bool,
    /// How answers look now.
    pub look: Look,
    response: Vec<u8>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("look", &self.look).finish_non_exhaustive()
    }
}

impl Screen {
    /// This process's own. Colour and animation only where a terminal is there to show them.
    #[must_use]
    pub fn of_process(look: Look) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: io::stdout().is_terminal() && !no_colour && !dumb,
            animated: io::stderr().is_terminal() && !dumb && !look.quiet,
            ..Self::new(Box::new(io::stdout()), Box::new(io::stderr()), look)
        }
    }

    /// Two writers, neither a terminal.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, look: Look) -> Self {
        Self { out, err, colour: false, animated: false, look, response: Vec::new() }
    }

    /// Whether progress may be drawn and redrawn on standard error.
    #[must_use]
    pub const fn is_animated(&self) -> bool {
        self.animated
    }

    /// Bytes of a file, as they are.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let room = RESPONSE_BYTES_MAX - self.response.len();
        self.response.extend(bytes.iter().take(room));
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// One line of ours, in the given colour where there is any.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&mut self, text: &str, colour: Option<Colour>) -> Result<(), CommandError> {
        let text = painted(&printable(text), colour.filter(|_| self.colour));
        self.data(format!("{text}\n").as_bytes())
    }

    /// A table, in the form asked for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn table(&mut self, table: &Table) -> Result<(), CommandError> {
        self.data(table.render(self.look.form, self.look.header, self.colour).as_bytes())
    }

    /// The same, replacing what the terminal showed before (`--watch`).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn table_again(&mut self, table: &Table) -> Result<(), CommandError> {
        if self.colour && self.look.form == Form::Table {
            self.data(b"\x1b[H\x1b[2J")?;
        }
        self.table(table)
    }

    /// A remark beside the data: one line on standard error, left out when quiet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remark(&mut self, text: &str) -> Result<(), CommandError> {
        if !self.look.quiet {
            writeln!(self.err, "{}", printable(text))?;
        }
        Ok(())
    }

    /// How a command ended: `OK …` to standard output in a dialogue, `ERR …` and its hints always.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn acknowledge(&mut self, ack: &Ack) -> Result<(), CommandError> {
        let colour = if ack.is_ok() { Colour::Green } else { Colour::Red };
        let line = painted(&ack.to_string(), Some(colour).filter(|_| self.colour));
        match ack.error() {
            None if !self.look.acknowledges => {}
            _ if self.look.acknowledges => writeln!(self.out, "{line}")?,
            _ => writeln!(self.err, "{line}")?,
        }
        for hint in ack.error().into_iter().flat_map(|error| &error.hints) {
            writeln!(self.err, "hint: {}", printable(hint))?;
        }
        Ok(())
    }

    /// What was written to standard output since this was last asked, cut at its bound.
    pub fn take_response(&mut self) -> String {
        let bytes = std::mem::take(&mut self.response);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
