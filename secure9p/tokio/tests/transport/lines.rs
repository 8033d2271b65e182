//! A service that speaks lines instead of 9P: the transport moves bytes and must not know the difference.
//!
//! `attach`, `echo TEXT`, `give BYTES` (that many `x`, a bounded piece at a time), `owe` (answered by
//! [`Hive::pay`]), `violate`, `busy` (wants no more until [`Hive::pay`]).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use secure9p::Errno;
use secure9p_tokio::{Closed, ConnectRefused, Connection, Peer, Service, Wake};

/// Most reply bytes that a connection makes at a time.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// What all connections share.
#[derive(Default)]
pub(crate) struct Hive {
    pub(crate) refuse: Option<ConnectRefused>,
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) rests: Arc<AtomicUsize>,
    pub(crate) peers: Mutex<Vec<Peer>>,
    pub(crate) wakes: Mutex<Vec<Wake>>,
    paid: Arc<AtomicUsize>,
}

pub(crate) struct Lines {
    open: Arc<AtomicUsize>,
    rests: Arc<AtomicUsize>,
    paid: Arc<AtomicUsize>,
    attached: bool,
    unread: Vec<u8>,
    replies: Vec<u8>,
    give_bytes: usize,
    owed: usize,
    busy: bool,
}

impl Hive {
    pub(crate) fn refusing(errno: Errno, why: &str) -> Self {
        Self { refuse: Some(ConnectRefused { errno, why: why.to_owned() }), ..Self::default() }
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Pays every debt, through another's doing.
    pub(crate) fn pay(&self) {
        self.paid.fetch_add(1, Ordering::SeqCst);
        self.wakes.lock().unwrap().iter().for_each(Wake::wake);
    }
}

impl Service for Hive {
    type Connection = Lines;

    fn connect(&self, peer: Peer, wake: Wake) -> Result<Lines, ConnectRefused> {
        if let Some(refused) = &self.refuse {
            return Err(refused.clone());
        }
        self.peers.lock().unwrap().push(peer);
        self.wakes.lock().unwrap().push(wake);
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Lines {
            open: Arc::clone(&self.open),
            rests: Arc::clone(&self.rests),
            paid: Arc::clone(&self.paid),
            attached: false,
            unread: Vec::new(),
            replies: Vec::new(),
            give_bytes: 0,
            owed: 0,
            busy: false,
        })
    }
}

impl Lines {
    fn obey(&mut self, line: &str) -> Result<(), Closed> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "attach" => {
                self.attached = true;
                self.say("attached");
            }
            "echo" => self.say(rest),
            "give" => self.give_bytes += rest.parse::<usize>().unwrap(),
            "owe" => self.owed += 1,
            "busy" => self.busy = true,
            _ => return Err(Closed { why: format!("no such line; last: {line:?}") }),
        }
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.replies.extend_from_slice(text.as_bytes());
        self.replies.push(b'\n');
    }
}

impl Connection for Lines {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.unread.extend_from_slice(bytes);
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            self.obey(std::str::from_utf8(&line[..end]).unwrap())?;
        }
        Ok(())
    }

    fn transmit(&mut self, out: &mut Vec<u8>) {
        assert!(out.is_empty());
        if self.paid.load(Ordering::SeqCst) > 0 {
            self.busy = false;
            (0..std::mem::take(&mut self.owed)).for_each(|_| self.say("paid"));
        }
        out.append(&mut self.replies);
        let piece = self.give_bytes.min(PIECE_BYTES);
        self.give_bytes -= piece;
        out.resize(out.len() + piece, b'x');
    }

    fn wants_read(&self) -> bool {
        !self.busy
    }

    fn rest(&mut self) {
        self.rests.fetch_add(1, Ordering::SeqCst);
    }

    fn is_attached(&self) -> bool {
        self.attached
    }

    fn is_idle(&self) -> bool {
        self.owed == 0 && self.give_bytes == 0 && self.replies.is_empty()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}
