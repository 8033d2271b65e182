//! A client and a server that are both ours, a wire that delivers when it likes, and a tree that answers when it likes.
//!
//! Neither side ever breaks the protocol; every call is answered once; every node comes back.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use super::{Dice, FILE_BYTES_MAX};
use crate::{
    client::{CallId, ClientSession},
    dialect::Dialect,
    errno::Errno,
    ids::{Fid, NumericUname},
    limits::{ClientLimits, Msize, ServerLimits},
    message::Tmessage,
    server::{Owed, Request},
    toy::{ToyNode, ToyServer, ToyTree},
};

/// Any sequence of calls, cancellations, deliveries and answers.
///
/// # Panics
/// When a promise is broken.
pub fn operations(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let mut world = World::new(&mut dice);
    while !dice.is_empty() {
        world.step(&mut dice);
    }
    world.settle();
}

struct World {
    client: ClientSession,
    server: ToyServer,
    dialect: Dialect,
    asked: VecDeque<(Owed, Request<ToyNode>)>,
    open_calls: BTreeSet<CallId>,
}

impl World {
    fn new(dice: &mut Dice<'_>) -> Self {
        let dialect = if dice.bool() { Dialect::Linux } else { Dialect::Plan9 };
        let client_limits =
            ClientLimits { msize: Msize::MAX, dialect, calls_max: 16, ..ClientLimits::default() };
        let server_limits = ServerLimits {
            msize_max: Msize::DEFAULT,
            fids_max: 6,
            requests_max: 12,
            held_bytes_max: 4096,
            transmit_bytes_max: 16384,
        };
        let mut world = Self {
            client: ClientSession::new(client_limits),
            server: ToyServer::new(
                server_limits,
                ToyTree::new().with_file_bytes_max(FILE_BYTES_MAX),
            ),
            dialect,
            asked: VecDeque::new(),
            open_calls: BTreeSet::new(),
        };
        world.deliver(usize::MAX, usize::MAX);
        let (uname, aname) = ("glenda".into(), "".into());
        let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, NumericUname::NONE);
        world.call(Tmessage::Attach { fid, afid, uname, aname, n_uname });
        world
    }

    fn step(&mut self, dice: &mut Dice<'_>) {
        match dice.below(8) {
            0..3 => self.call(Tmessage::sample(dice, self.dialect)),
            3 => {
                let calls: Vec<_> = self.open_calls.iter().copied().collect();
                dice.pick(&calls).into_iter().for_each(|call| self.client.cancel(call));
            }
            4 => self.deliver(dice.below(256), 0),
            5 => self.deliver(0, dice.below(256)),
            6 => self.tree_answers(dice.below(4), dice.byte() > 230),
            _ => self.settle_once(),
        }
        self.read_replies();
    }

    fn call(&mut self, message: Tmessage) {
        self.open_calls.extend(self.client.call(message));
    }

    /// Carries so many bytes to the server and so many to the client.
    fn deliver(&mut self, to_server: usize, to_client: usize) {
        let sent = to_server.min(self.client.transmit().len());
        if let Some(bytes) = self.client.transmit().get(..sent)
            && self.server.session.wants_read()
        {
            let heard = self.server.session.receive(bytes);
            assert_eq!(heard, Ok(()), "our client keeps to the protocol");
            self.client.sent(sent);
        }
        self.poll_server();
        let said = to_client.min(self.server.session.transmit().len());
        if let Some(bytes) = self.server.session.transmit().get(..said) {
            let heard = self.client.receive(bytes);
            assert_eq!(heard, Ok(()), "our server keeps to the protocol");
            self.server.session.sent(said);
        }
        self.poll_server();
    }

    fn poll_server(&mut self) {
        while let Some(asked) = self.server.session.poll_request() {
            self.asked.push_back(asked);
        }
        while let Some(node) = self.server.session.poll_released() {
            self.server.tree.release(node);
        }
    }

    /// The tree answers one of its requests, or refuses it. A refused clunk is one all the same.
    fn tree_answers(&mut self, which: usize, refuses: bool) {
        let at = which.min(self.asked.len().saturating_sub(1));
        let Some((owed, request)) = self.asked.remove(at) else { return };
        let ends_node = matches!(request, Request::Clunk { .. } | Request::Remove { .. });
        let outcome =
            if refuses && !ends_node { Err(Errno::EIO) } else { self.server.tree.handle(request) };
        self.server.session.answer(owed, outcome);
        self.poll_server();
    }

    fn read_replies(&mut self) {
        while let Some((call, _)) = self.client.poll_reply() {
            assert!(self.open_calls.remove(&call), "{call:?} answered twice");
        }
    }

    /// Everything that is under way arrives.
    fn settle_once(&mut self) {
        self.deliver(usize::MAX, usize::MAX);
        while !self.asked.is_empty() {
            self.tree_answers(0, false);
        }
        self.deliver(usize::MAX, usize::MAX);
        self.read_replies();
    }

    fn settle(mut self) {
        let under_way = |world: &Self| {
            !world.client.transmit().is_empty()
                || !world.server.session.transmit().is_empty()
                || !world.asked.is_empty()
        };
        while under_way(&self) {
            self.settle_once();
        }
        assert!(self.open_calls.is_empty(), "never answered: {:?}", self.open_calls);
        assert_eq!(self.client.in_flight(), 0, "every tag is free again");
        assert_eq!(self.server.session.requests(), 0, "nothing is owed any more");
        self.server.session.close();
        self.poll_server();
        assert_eq!(self.server.tree.live_nodes(), 0, "every node comes back");
    }
}
