//! Plays a written dialogue against a server session over the toy tree, and compares.
//!
//! ```text
//! # a comment
//! ~ limits fids 2 requests 1 msize 8192       before anything else, where a bound is the story
//! > Tclunk tag 1 fid 0                        the client sends a message …
//! > raw 0b0000007801000900…                   … or bytes
//! < Rclunk tag 1                              the next message of the server; anything unread is an error
//! ! frame says it has 6 bytes, …              the last bytes broke the protocol, in these words
//! ~ hold                                      requests wait with the tree from now on
//! ~ answer first | last | all                 the tree answers one that waits, or all
//! ~ refuse first ENOENT                       the tree refuses one
//! ~ flow                                      requests are answered as they come again
//! ~ flushed 1                                 so many requests have been given up since the last look
//! ~ nodes 1                                   so many nodes are with the session
//! ~ close                                     the connection is gone
//! ```
//!
//! `BLESS=1` writes what the server said instead of comparing; read the difference before you keep it.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test stops where it fails")]

use std::{collections::VecDeque, fs, path::PathBuf};

use secure9p::{
    Dialect, Errno, Msize, Owed, Request, Rmessage, ServerLimits, ServerSession, Violation,
    toy::{ToyNode, ToyTree},
    transcript::{self, Message},
};

/// Plays `tests/transcripts/<name>.9p`.
pub(crate) fn play(name: &str) {
    let path = folder().join(format!("{name}.9p"));
    let script = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut stage = Stage::new();
    let mut played = String::new();
    let blessing = std::env::var_os("BLESS").is_some();
    for (number, line) in (1..).zip(script.lines()) {
        let place = format!("{name}.9p:{number}");
        if blessing {
            stage.bless(line, &mut played);
        } else {
            stage.line(line).unwrap_or_else(|wrong| panic!("{place}: {line}\n{wrong}"));
        }
    }
    if blessing {
        stage.say_unread(&mut played);
        fs::write(&path, played).unwrap();
        return;
    }
    stage.everything_was_read().unwrap_or_else(|wrong| panic!("{name}.9p at its end: {wrong}"));
    stage.every_node_comes_back();
}

/// Where the dialogues are.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

struct Stage {
    session: ServerSession<ToyNode>,
    tree: ToyTree,
    holding: bool,
    held: VecDeque<(Owed, Request<ToyNode>)>,
    unread: VecDeque<String>,
    violation: Option<Violation>,
    /// What the client speaks: decided by its own Tversion, as a client would.
    dialect: Dialect,
}

impl Stage {
    fn new() -> Self {
        Self {
            session: ServerSession::new(ServerLimits::default()),
            tree: ToyTree::new(),
            holding: false,
            held: VecDeque::new(),
            unread: VecDeque::new(),
            violation: None,
            dialect: Dialect::Linux,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("" | "#", _) => Ok(()),
            (">", sent) => {
                self.everything_was_read()?;
                self.client_sends(sent)
            }
            ("<", said) => self.server_says(said),
            ("!", reason) => self.server_hangs_up(reason),
            ("~", cue) => {
                self.everything_was_read()?;
                self.cue(cue)
            }
            _ => Err("no such kind of line".into()),
        }
    }

    fn client_sends(&mut self, sent: &str) -> Result<(), String> {
        let bytes = match sent.strip_prefix("raw ") {
            Some(hex) => unhex(hex),
            None => self.encode(sent)?,
        };
        self.violation = self.session.receive(&bytes).err();
        self.pump();
        Ok(())
    }

    fn encode(&mut self, sent: &str) -> Result<Vec<u8>, String> {
        let (tag, message) = transcript::parse(sent).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let fits = match message {
            Message::T(message) => {
                if let secure9p::Tmessage::Version { version, .. } = &message {
                    self.dialect = Dialect::from_version(version).unwrap_or(self.dialect);
                }
                message.encode(tag, self.dialect, u32::MAX, &mut bytes)
            }
            Message::R(message) => message.encode(tag, self.dialect, u32::MAX, &mut bytes),
        };
        fits.map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// Everything that can happen by itself.
    fn pump(&mut self) {
        while let Some((owed, request)) = self.session.poll_request() {
            if self.holding {
                self.held.push_back((owed, request));
            } else {
                let reply = self.tree.handle(request);
                self.session.answer(owed, reply);
            }
        }
        while let Some(node) = self.session.poll_released() {
            self.tree.release(node);
        }
        self.read_replies();
    }

    fn read_replies(&mut self) {
        let mut bytes = self.session.transmit();
        while let Some((size, _)) = bytes.split_first_chunk::<4>() {
            let (frame, rest) = bytes.split_at(u32::from_le_bytes(*size) as usize);
            let (tag, message) = Rmessage::decode(frame, self.dialect).expect("our own reply");
            self.unread.push_back(transcript::print(tag, &message.into()));
            bytes = rest;
        }
        let read = self.session.transmit().len();
        self.session.sent(read);
    }

    fn server_says(&mut self, said: &str) -> Result<(), String> {
        match self.unread.pop_front() {
            Some(line) if line == said => Ok(()),
            Some(line) => Err(format!("the server said: {line}")),
            None => Err("the server said nothing".into()),
        }
    }

    fn server_hangs_up(&mut self, reason: &str) -> Result<(), String> {
        match self.violation.take().map(|violation| violation.to_string()) {
            Some(violation) if violation == reason => Ok(()),
            other => Err(format!("the server's reason: {other:?}")),
        }
    }

    fn cue(&mut self, cue: &str) -> Result<(), String> {
        let words: Vec<_> = cue.split(' ').collect();
        match words[..] {
            ["limits", ref limits @ ..] => self.limit(limits)?,
            ["hold"] => self.holding = true,
            ["flow"] => self.holding = false,
            ["answer", "all"] => (0..self.held.len()).for_each(|_| self.answer_held(true, None)),
            ["answer", which] => self.answer_held(which == "first", None),
            ["refuse", which, errno] => {
                let errno = Errno::from_name(errno).ok_or("no such errno")?;
                self.answer_held(which == "first", Some(errno));
            }
            ["flushed", count] => {
                let flushed = std::iter::from_fn(|| self.session.poll_flushed()).count();
                expect(count, flushed)?;
            }
            ["nodes", count] => expect(count, self.tree.live_nodes())?,
            ["close"] => self.session.close(),
            _ => return Err("no such cue".into()),
        }
        self.pump();
        Ok(())
    }

    fn limit(&mut self, words: &[&str]) -> Result<(), String> {
        let mut limits = ServerLimits::default();
        for pair in words.chunks(2) {
            let number: u32 = pair[1].parse().map_err(|_| "no number")?;
            match pair[0] {
                "fids" => limits.fids_max = number as usize,
                "requests" => limits.requests_max = number as usize,
                "msize" => limits.msize_max = Msize::clamped(number),
                _ => return Err("no such limit".into()),
            }
        }
        self.session = ServerSession::new(limits);
        Ok(())
    }

    fn answer_held(&mut self, first: bool, refusal: Option<Errno>) {
        let held = if first { self.held.pop_front() } else { self.held.pop_back() };
        let (owed, request) = held.expect("a request that waits");
        let reply = match refusal {
            Some(errno) => {
                self.keep_nothing_of(request);
                Err(errno)
            }
            None => self.tree.handle(request),
        };
        self.session.answer(owed, reply);
        self.pump();
    }

    /// A refused clunk ends its node all the same.
    fn keep_nothing_of(&mut self, request: Request<ToyNode>) {
        if let Request::Clunk { node } | Request::Remove { node } = request {
            self.tree.release(node);
        }
    }

    fn everything_was_read(&self) -> Result<(), String> {
        match (self.unread.front(), &self.violation) {
            (Some(line), _) => Err(format!("the server had said: {line}")),
            (None, Some(violation)) => Err(format!("the server had hung up: {violation}")),
            (None, None) => Ok(()),
        }
    }

    /// Whatever the dialogue was: when the connection is gone, the tree has all of its nodes back.
    fn every_node_comes_back(&mut self) {
        self.session.close();
        self.pump();
        while !self.held.is_empty() {
            self.answer_held(true, None);
        }
        assert_eq!(self.tree.live_nodes(), 0, "nodes that never came back");
    }

    fn bless(&mut self, line: &str, played: &mut String) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("<" | "!", _) => {}
            (kind, rest) => {
                if !matches!(kind, "" | "#") {
                    self.say_unread(played);
                }
                played.push_str(line);
                played.push('\n');
                let wrong = match kind {
                    ">" => self.client_sends(rest),
                    "~" => self.cue(rest),
                    _ => Ok(()),
                };
                wrong.unwrap_or_else(|wrong| panic!("{line}\n{wrong}"));
                self.say_unread(played);
            }
        }
    }

    fn say_unread(&mut self, played: &mut String) {
        for line in self.unread.drain(..) {
            played.push_str(&format!("< {line}\n"));
        }
        if let Some(violation) = self.violation.take() {
            played.push_str(&format!("! {violation}\n"));
        }
    }
}

fn expect(wanted: &str, seen: usize) -> Result<(), String> {
    if wanted == seen.to_string() { Ok(()) } else { Err(format!("there are {seen}")) }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|char| !char.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    digits.chunks(2).map(|pair| byte(pair).expect("two hex digits")).collect()
}
