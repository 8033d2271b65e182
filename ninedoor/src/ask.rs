//! What the server asks a provider in the same process, and on whose behalf.
//!
//! A provider serves the files below its mounts. The server has already checked the caller's ticket, role and scopes, that
//! the fid is open for what is asked, and that names and counts are within their bounds. What is left to the provider is what
//! only it can know: whose lease, whose job, whose artefact.
//!
//! Nodes: [`ProviderNode::ROOT`] is the mount's own directory. Every node that a provider hands out in an answer to
//! `Walk`, `Open` or `Create` comes back exactly once: in a `Clunk` or `Remove` ask if it was opened, else through
//! [`crate::Server::poll_released`]. An answer to `Open` or `Create` replaces the node that was opened; if it is another
//! one, the old one is released.

use alloc::sync::Arc;

use ninedoor_abi::{Role, Scope, Subject, TicketId};
use secure9p::server::Request;

use crate::{connection::ConnectionId, slab::Key};

/// One question to a provider. Each is answered once, through [`crate::Server::answer`], at any later time.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What the answer names.
    pub id: AskId,
    /// Through which mount the caller came.
    pub mount: MountId,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// What is asked; never `Attach`.
    pub request: Request<ProviderNode>,
}

/// Which ask an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub(crate) Key);

/// One mount in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(pub(crate) u32);

/// A file of a provider, as the provider numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderNode(pub u64);

impl ProviderNode {
    /// The directory that is mounted. It is there without being handed out, and is never released.
    pub const ROOT: Self = Self(0);
}

/// On whose behalf something is asked. One per attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the caller is.
    pub role: Role,
    /// Whom it speaks for; a queen may speak for nobody.
    pub subject: Option<Subject>,
    /// How logs name its ticket; `None` for the owner of the server, who needs none.
    pub ticket: Option<TicketId>,
    /// The scopes of its ticket, already enforced.
    pub scopes: Arc<[Scope]>,
    /// Over which connection it came.
    pub connection: ConnectionId,
}

impl Caller {
    /// The subject's text, empty for nobody.
    #[must_use]
    pub fn subject_text(&self) -> &str {
        self.subject.as_ref().map_or("", Subject::as_str)
    }
}
