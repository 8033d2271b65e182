//! How each kind of field is written in a line, and read back.

use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

use super::{NotALine, Speech, Style, Words, quote::quote};
use crate::{
    bytes::Bytes,
    errno::Errno,
    ids::{Fid, NumericUname, Qid, QidKind, Tag},
    message::{
        AttributeMask, Attributes, Datasync, DirectoryEntry, FileSystemStatistics, LockKind,
        LockStatus, SetAttributes, SetTime, Stat, Time, set,
    },
    open::OpenFlags,
};

fn say_number(number: u64, name: &str, style: Style, line: &mut String) {
    let _ = match style {
        Style::Plain => write!(line, " {name} {number}"),
        Style::Octal => write!(line, " {name} 0{number:o}"),
        Style::Hex => write!(line, " {name} {number:#x}"),
    };
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Speech for $int {
            fn say(&self, name: &str, style: Style, line: &mut String) {
                say_number(u64::from(*self), name, style, line);
            }
            fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
                words.expect(name)?;
                words.number(style)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64);

/// Numbers of which one value has a word of its own.
macro_rules! worded {
    ($($Number:ident::$NONE:ident = $word:literal;)*) => {$(
        impl Speech for $Number {
            fn say(&self, name: &str, style: Style, line: &mut String) {
                match *self {
                    Self::$NONE => { let _ = write!(line, concat!(" {} ", $word), name); }
                    Self(number) => say_number(number.into(), name, style, line),
                }
            }
            fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
                words.expect(name)?;
                if words.take_if($word) { Ok(Self::$NONE) } else { words.number(style).map(Self) }
            }
        }
    )*};
}
worded! {
    Tag::NOTAG = "NOTAG";
    Fid::NOFID = "NOFID";
    NumericUname::NONE = "NONUNAME";
}

impl Speech for OpenFlags {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        say_number(self.bits().into(), name, Style::Octal, line);
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        u32::hear(name, Style::Octal, words).map(Self::from_bits_retain)
    }
}

impl Speech for AttributeMask {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        say_number(self.bits(), name, Style::Hex, line);
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        u64::hear(name, Style::Hex, words).map(Self::from_bits_retain)
    }
}

impl Speech for Errno {
    fn say(&self, name: &str, style: Style, line: &mut String) {
        match self.name() {
            Some(word) => {
                let _ = write!(line, " {name} {word}");
            }
            None => say_number(self.0.into(), name, style, line),
        }
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect(name)?;
        let known = words.clone().word().ok().and_then(Self::from_name);
        match known {
            Some(errno) => words.word().map(|_| errno),
            None => words.number(style).map(Self),
        }
    }
}

impl Speech for Datasync {
    fn say(&self, name: &str, style: Style, line: &mut String) {
        say_number(self.0.into(), name, style, line);
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        u32::hear(name, style, words).map(|number| Self(number != 0))
    }
}

impl Speech for LockKind {
    fn say(&self, _: &str, style: Style, line: &mut String) {
        say_number(self.number().into(), "type", style, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        let here = words.clone();
        Self::from_number(u8::hear("type", style, words)?).ok_or_else(|| here.not("type 0 to 2"))
    }
}

impl Speech for LockStatus {
    fn say(&self, name: &str, style: Style, line: &mut String) {
        say_number(self.number().into(), name, style, line);
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        let here = words.clone();
        Self::from_number(u8::hear(name, style, words)?).ok_or_else(|| here.not("status 0 to 3"))
    }
}

impl Speech for String {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " {name} ");
        quote(self.as_bytes(), line);
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect(name)?;
        words.text()
    }
}

impl Speech for Vec<String> {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " n{name} {}", self.len());
        for text in self {
            line.push(' ');
            quote(text.as_bytes(), line);
        }
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect("n")?;
        (0..u16::hear(name, style, words)?).map(|_| words.text()).collect()
    }
}

fn say_data(data: &[u8], line: &mut String) {
    let _ = write!(line, " count {}", data.len());
    if !data.is_empty() {
        line.push(' ');
        quote(data, line);
    }
}

impl Speech for Vec<u8> {
    fn say(&self, _: &str, _: Style, line: &mut String) {
        say_data(self, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        let here = words.clone();
        let count = u32::hear("count", style, words)?;
        let data = if count == 0 { Self::new() } else { words.quoted()? };
        if data.len() == count as usize { Ok(data) } else { Err(here.not("the count of the data")) }
    }
}

impl Speech for Bytes {
    fn say(&self, _: &str, _: Style, line: &mut String) {
        say_data(self.as_slice(), line);
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        Vec::<u8>::hear(name, style, words).map(Self::Owned)
    }
}

/// The letter of each bit of a qid's kind, as diod prints them.
const KIND_LETTERS: [(QidKind, char); 8] = [
    (QidKind::DIRECTORY, 'd'),
    (QidKind::APPEND, 'a'),
    (QidKind::EXCLUSIVE, 'l'),
    (QidKind::MOUNT, 'm'),
    (QidKind::AUTH, 'A'),
    (QidKind::TEMPORARY, 't'),
    (QidKind::SYMLINK, 'L'),
    (QidKind::LINK, 'h'),
];

fn say_qid(qid: Qid, line: &mut String) {
    let _ = write!(line, "({:016x} {} '", qid.path, qid.version);
    line.extend(
        KIND_LETTERS.iter().filter(|(bit, _)| qid.kind.contains(*bit)).map(|(_, char)| char),
    );
    line.push_str("')");
}

fn hear_qid(words: &mut Words<'_>) -> Result<Qid, NotALine> {
    words.expect("(")?;
    let here = words.clone();
    let path = u64::from_str_radix(words.word()?, 16).map_err(|_| here.not("a path in hex"))?;
    let version = words.number(Style::Plain)?;
    let here = words.clone();
    let mut kind = QidKind::FILE;
    for letter in words.text()?.chars() {
        let bit = KIND_LETTERS.iter().find(|(_, char)| *char == letter);
        kind |= bit.ok_or_else(|| here.not("letters of a qid's kind"))?.0;
    }
    words.expect(")")?;
    Ok(Qid { kind, version, path })
}

impl Speech for Qid {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " {name} ");
        say_qid(*self, line);
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect(name)?;
        hear_qid(words)
    }
}

impl Speech for Vec<Qid> {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " n{name} {}", self.len());
        for qid in self {
            line.push(' ');
            say_qid(*qid, line);
        }
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect("n")?;
        (0..u16::hear(name, style, words)?).map(|_| hear_qid(words)).collect()
    }
}

impl Speech for Vec<DirectoryEntry> {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " {name} {}", self.len());
        for entry in self {
            line.push(' ');
            say_qid(entry.qid, line);
            let _ = write!(line, " offset {} type {} ", entry.offset, entry.kind);
            quote(entry.name.as_bytes(), line);
        }
    }
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        let entry = |words: &mut Words<'_>| {
            Ok(DirectoryEntry {
                qid: hear_qid(words)?,
                offset: u64::hear("offset", style, words)?,
                kind: u8::hear("type", style, words)?,
                name: words.text()?,
            })
        };
        (0..u32::hear(name, style, words)?).map(|_| entry(words)).collect()
    }
}

impl Speech for Time {
    fn say(&self, name: &str, _: Style, line: &mut String) {
        let _ = write!(line, " {name} {}.{:09}", self.s, self.ns);
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect(name)?;
        hear_time(words)
    }
}

fn hear_time(words: &mut Words<'_>) -> Result<Time, NotALine> {
    let here = words.clone();
    let (s, ns) = words.word()?.split_once('.').ok_or_else(|| here.not("seconds.nanoseconds"))?;
    match (s.parse(), ns.parse()) {
        (Ok(s), Ok(ns)) => Ok(Time { s, ns }),
        _ => Err(here.not("seconds.nanoseconds")),
    }
}

impl Speech for Attributes {
    fn say(&self, _: &str, style: Style, line: &mut String) {
        self.valid.say("valid", style, line);
        self.qid.say("qid", style, line);
        self.mode.say("mode", Style::Octal, line);
        self.uid.say("uid", style, line);
        self.gid.say("gid", style, line);
        self.nlink.say("nlink", style, line);
        self.rdev.say("rdev", style, line);
        self.size.say("size", style, line);
        self.blksize.say("blksize", style, line);
        self.blocks.say("blocks", style, line);
        self.atime.say("atime", style, line);
        self.mtime.say("mtime", style, line);
        self.ctime.say("ctime", style, line);
        self.btime.say("btime", style, line);
        self.generation.say("gen", style, line);
        self.data_version.say("data_version", style, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        Ok(Self {
            valid: Speech::hear("valid", style, words)?,
            qid: Speech::hear("qid", style, words)?,
            mode: Speech::hear("mode", Style::Octal, words)?,
            uid: Speech::hear("uid", style, words)?,
            gid: Speech::hear("gid", style, words)?,
            nlink: Speech::hear("nlink", style, words)?,
            rdev: Speech::hear("rdev", style, words)?,
            size: Speech::hear("size", style, words)?,
            blksize: Speech::hear("blksize", style, words)?,
            blocks: Speech::hear("blocks", style, words)?,
            atime: Speech::hear("atime", style, words)?,
            mtime: Speech::hear("mtime", style, words)?,
            ctime: Speech::hear("ctime", style, words)?,
            btime: Speech::hear("btime", style, words)?,
            generation: Speech::hear("gen", style, words)?,
            data_version: Speech::hear("data_version", style, words)?,
        })
    }
}

/// A value, or `X` for "stays as it is".
fn say_or_x<T: Speech>(value: Option<&T>, name: &str, style: Style, line: &mut String) {
    match value {
        Some(value) => value.say(name, style, line),
        None => {
            let _ = write!(line, " {name} X");
        }
    }
}

fn hear_or_x<T: Speech>(
    name: &str,
    style: Style,
    words: &mut Words<'_>,
) -> Result<Option<T>, NotALine> {
    let mut ahead = words.clone();
    if ahead.expect(name).is_ok() && ahead.word() == Ok("X") {
        *words = ahead;
        return Ok(None);
    }
    T::hear(name, style, words).map(Some)
}

impl Speech for SetTime {
    fn say(&self, name: &str, style: Style, line: &mut String) {
        match self {
            Self::Now => {
                let _ = write!(line, " {name} now");
            }
            Self::To(time) => time.say(name, style, line),
        }
    }
    fn hear(name: &str, _: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        words.expect(name)?;
        if words.take_if("now") { Ok(Self::Now) } else { hear_time(words).map(Self::To) }
    }
}

impl Speech for SetAttributes {
    fn say(&self, _: &str, style: Style, line: &mut String) {
        say_number(self.valid().into(), "valid", Style::Hex, line);
        say_or_x(self.mode.as_ref(), "mode", Style::Octal, line);
        say_or_x(self.uid.as_ref(), "uid", style, line);
        say_or_x(self.gid.as_ref(), "gid", style, line);
        say_or_x(self.size.as_ref(), "size", style, line);
        say_or_x(self.atime.as_ref(), "atime", style, line);
        say_or_x(self.mtime.as_ref(), "mtime", style, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        let here = words.clone();
        let valid = u32::hear("valid", Style::Hex, words)?;
        let attributes = Self {
            mode: hear_or_x("mode", Style::Octal, words)?,
            uid: hear_or_x("uid", style, words)?,
            gid: hear_or_x("gid", style, words)?,
            size: hear_or_x("size", style, words)?,
            atime: hear_or_x("atime", style, words)?,
            mtime: hear_or_x("mtime", style, words)?,
            ctime: valid & set::CTIME != 0,
        };
        if attributes.valid() == valid {
            Ok(attributes)
        } else {
            Err(here.not("valid as the fields say"))
        }
    }
}

impl Speech for FileSystemStatistics {
    fn say(&self, _: &str, style: Style, line: &mut String) {
        self.kind.say("type", Style::Hex, line);
        self.bsize.say("bsize", style, line);
        self.blocks.say("blocks", style, line);
        self.bfree.say("bfree", style, line);
        self.bavail.say("bavail", style, line);
        self.files.say("files", style, line);
        self.ffree.say("ffree", style, line);
        self.fsid.say("fsid", Style::Hex, line);
        self.namelen.say("namelen", style, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        Ok(Self {
            kind: Speech::hear("type", Style::Hex, words)?,
            bsize: Speech::hear("bsize", style, words)?,
            blocks: Speech::hear("blocks", style, words)?,
            bfree: Speech::hear("bfree", style, words)?,
            bavail: Speech::hear("bavail", style, words)?,
            files: Speech::hear("files", style, words)?,
            ffree: Speech::hear("ffree", style, words)?,
            fsid: Speech::hear("fsid", Style::Hex, words)?,
            namelen: Speech::hear("namelen", style, words)?,
        })
    }
}

impl Speech for Stat {
    fn say(&self, _: &str, style: Style, line: &mut String) {
        self.kind.say("type", style, line);
        self.dev.say("dev", style, line);
        self.qid.say("qid", style, line);
        self.mode.say("mode", Style::Octal, line);
        self.atime.say("atime", style, line);
        self.mtime.say("mtime", style, line);
        self.length.say("length", style, line);
        self.name.say("name", style, line);
        self.uid.say("uid", style, line);
        self.gid.say("gid", style, line);
        self.muid.say("muid", style, line);
    }
    fn hear(_: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine> {
        Ok(Self {
            kind: Speech::hear("type", style, words)?,
            dev: Speech::hear("dev", style, words)?,
            qid: Speech::hear("qid", style, words)?,
            mode: Speech::hear("mode", Style::Octal, words)?,
            atime: Speech::hear("atime", style, words)?,
            mtime: Speech::hear("mtime", style, words)?,
            length: Speech::hear("length", style, words)?,
            name: Speech::hear("name", style, words)?,
            uid: Speech::hear("uid", style, words)?,
            gid: Speech::hear("gid", style, words)?,
            muid: Speech::hear("muid", style, words)?,
        })
    }
}
