//! What a program puts behind a server's mounts in its own process.

use ninedoor::{Answer, Ask, AskId, AuditLine, MountId, ProviderNode, Revocation};
use ninedoor_abi::{Now, PathName, UnixMs};

/// Serves the files behind the mounts of one server. Called with the server's lock held: it must not wait for anything.
pub trait LocalProvider: Send + 'static {
    /// Answers at once, or takes the question along (`None`) and answers through [`Self::poll_answer`].
    fn ask(&mut self, ask: Ask, now: Now) -> Option<Answer>;

    /// A node that it handed out is no longer held by any fid.
    fn released(&mut self, node: ProviderNode);

    /// The next answer to a question it took along.
    fn poll_answer(&mut self) -> Option<(AskId, Answer)>;

    /// The next thing the server should do for it.
    fn poll_order(&mut self) -> Option<Order>;

    /// Time has passed.
    fn tick(&mut self, now: Now);

    /// When [`Self::tick`] has something to do next.
    fn next_deadline(&self) -> Option<UnixMs>;

    /// A line was put into the server's log, which forgets: keep it. Where nothing better is known it goes to standard error.
    fn audit(&mut self, at: UnixMs, line: &AuditLine) {
        tracing::info!(target: "audit", "ts_ms={at} {line}");
    }

    /// That many lines more were put there at once than could be told.
    fn audit_overrun(&mut self, lines: u64) {
        tracing::error!(target: "audit", lines, "lines are in the server's log alone");
    }
}

/// What a provider may have its server do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Close the fid that holds this node: every request on it is answered EPERM from now on.
    CloseNode {
        /// Behind which mount.
        mount: MountId,
        /// Which.
        node: ProviderNode,
    },
    /// Revoke tickets: everything that was reached with them is closed.
    Revoke(Revocation),
    /// Put a line into the server's log.
    Audit(AuditLine),
    /// Put a text under `/proc`.
    Publish {
        /// Where.
        at: PathName,
        /// What it says.
        text: String,
    },
}

/// Nothing behind any mount: for a server whose mounts are all on other machines.
impl LocalProvider for () {
    fn ask(&mut self, _ask: Ask, _now: Now) -> Option<Answer> {
        Some(Err(ninedoor_abi::Refusal::new(
            ninedoor_abi::Errno::EIO,
            "nothing is mounted in this process",
        )))
    }

    fn released(&mut self, _node: ProviderNode) {}

    fn poll_answer(&mut self) -> Option<(AskId, Answer)> {
        None
    }

    fn poll_order(&mut self) -> Option<Order> {
        None
    }

    fn tick(&mut self, _now: Now) {}

    fn next_deadline(&self) -> Option<UnixMs> {
        None
    }
}
