//! The words of one line: a verb, then bare words and `key=value` pairs, each taken once.

use alloc::{string::String, vec::Vec};
use core::{fmt::Display, ops::RangeInclusive, str::FromStr};

use crate::{Errno, Refusal, limits::CTL_LINE_BYTES_MAX};

/// What is left of a line while it is being read.
pub(super) struct Words<'a> {
    pub(super) verb: &'a str,
    rest: Vec<&'a str>,
    known: Vec<&'static str>,
}

impl<'a> Words<'a> {
    /// Splits a line. One trailing newline is allowed; anything else that does not print is refused.
    pub(super) fn of(line: &'a str) -> Result<Self, Refusal> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.len() > CTL_LINE_BYTES_MAX {
            return Err(Refusal::new(
                Errno::EMSGSIZE,
                alloc::format!(
                    "line has {} bytes, wanted at most {CTL_LINE_BYTES_MAX}",
                    line.len()
                ),
            ));
        }
        if line.contains(|c: char| c.is_control()) {
            return Err(Refusal::invalid(
                "line has a control character in it, wanted words and spaces",
            ));
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let verb =
            words.next().ok_or_else(|| Refusal::invalid("line is empty, wanted a command"))?;
        Ok(Self { verb, rest: words.collect(), known: Vec::new() })
    }

    /// The value of `key`, if it is there.
    pub(super) fn value(&mut self, key: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.known.push(key);
        let of_key = |word: &str| word.split_once('=').is_some_and(|(name, _)| name == key);
        let Some(at) = self.rest.iter().position(|word| of_key(word)) else {
            return Ok(None);
        };
        let word = self.rest.remove(at);
        if self.rest.iter().any(|word| of_key(word)) {
            return Err(self.refuse(alloc::format!("{key} is given twice")));
        }
        Ok(word.split_once('=').map(|(_, value)| value))
    }

    /// The value of `key` as a number within `range`, if it is there.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, Refusal>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.value(key)? else { return Ok(None) };
        self.in_range(key, text, range).map(Some)
    }

    /// The next word that is no `key=value`, if there is one.
    pub(super) fn bare(&mut self) -> Option<&'a str> {
        let at = self.rest.iter().position(|word| !word.contains('='))?;
        Some(self.rest.remove(at))
    }

    /// The next bare word, which must be there.
    pub(super) fn needed(&mut self, what: &str) -> Result<&'a str, Refusal> {
        self.bare().ok_or_else(|| self.refuse(alloc::format!("no {what} is given")))
    }

    /// A number written plainly: digits, nothing else.
    pub(super) fn in_range<T>(
        &self,
        key: &str,
        text: &str,
        range: RangeInclusive<T>,
    ) -> Result<T, Refusal>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|value| plain && range.contains(value)).ok_or_else(|| {
            self.refuse(alloc::format!(
                "{key} is {text:?}, wanted {} to {}",
                range.start(),
                range.end()
            ))
        })
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let Some(word) = self.rest.first() else { return Ok(()) };
        let what = match word.split_once('=') {
            Some((key, _)) => alloc::format!("unknown key {key:?}"),
            None => alloc::format!("unknown word {word:?}"),
        };
        let wanted = if self.known.is_empty() {
            String::from("nothing more")
        } else {
            self.known.join(", ")
        };
        Err(self.refuse(alloc::format!("{what}, wanted {wanted}")))
    }

    pub(super) fn refuse(&self, why: impl Display) -> Refusal {
        Refusal::invalid(alloc::format!("{}: {why}", self.verb))
    }

    /// A refusal of a word that has its own form, led by the verb.
    pub(super) fn parsed<T>(&self, text: &str) -> Result<T, Refusal>
    where
        T: FromStr,
        T::Err: Into<Refusal>,
    {
        text.parse().map_err(|bad: T::Err| bad.into().at(self.verb))
    }
}
