//! A session and a toy tree in one, driven as every shell drives a session.

use crate::{
    client::ClientSession,
    limits::ServerLimits,
    server::ServerSession,
    toy::{ToyNode, ToyTree},
    violation::Violation,
};

/// A session over a toy tree that answers at once.
#[derive(Debug)]
pub struct ToyServer {
    /// The session.
    pub session: ServerSession<ToyNode>,
    /// The tree.
    pub tree: ToyTree,
}

impl ToyServer {
    /// A server for one connection.
    #[must_use]
    pub fn new(limits: ServerLimits, tree: ToyTree) -> Self {
        Self { session: ServerSession::new(limits), tree }
    }

    /// Takes bytes and answers what they ask.
    ///
    /// # Errors
    /// The peer broke the protocol.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let outcome = self.session.receive(bytes);
        self.serve();
        outcome
    }

    /// Answers everything that can be answered now.
    pub fn serve(&mut self) {
        while let Some((owed, request)) = self.session.poll_request() {
            let reply = self.tree.handle(request);
            self.session.answer(owed, reply);
        }
        while let Some(node) = self.session.poll_released() {
            self.tree.release(node);
        }
    }
}

/// Carries bytes between the two until both are quiet.
///
/// # Errors
/// One of them broke the protocol.
pub fn exchange(client: &mut ClientSession, server: &mut ToyServer) -> Result<(), Violation> {
    while !client.transmit().is_empty() || !server.session.transmit().is_empty() {
        let asked = client.transmit().len();
        server.receive(client.transmit())?;
        client.sent(asked);
        let answered = server.session.transmit().len();
        client.receive(server.session.transmit())?;
        server.session.sent(answered);
        server.serve();
    }
    Ok(())
}
