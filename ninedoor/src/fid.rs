//! What a fid stands for: whose it is, where it is, and what being open means there.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use secure9p::{Errno, Name, Qid};

use crate::{
    ask::ProviderNode,
    authority::Rights,
    mount::Hook,
    place::Place,
    record::{RecordAssembly, StatusLines},
    ring::LogReader,
    slab::Key,
    tree::NodeId,
};

/// What a session hands back for a fid. One connection's own.
pub(crate) type FidKey = Key;

/// One fid.
#[derive(Debug)]
pub(crate) struct Fid {
    pub(crate) attachment: Key,
    pub(crate) here: Here,
    pub(crate) open: Open,
}

/// A place in the whole tree, and what the caller may do there.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) rights: Rights,
}

/// Which side of a mount it is on.
#[derive(Debug, Clone)]
pub(crate) enum At {
    /// A node of the local tree, or the directory where a mount hangs.
    Local(NodeId),
    /// Below a mount.
    Mounted(Mounted),
}

/// A file below a mount.
#[derive(Debug, Clone)]
pub(crate) struct Mounted {
    pub(crate) hook: Hook,
    /// The provider's node; none while a walk has only gone up and has not come to rest.
    pub(crate) node: Option<ProviderNode>,
    /// From the mount's own directory, which is not among them, to this file, which is the last.
    pub(crate) trail: Vec<Stride>,
}

/// One step below a mount.
#[derive(Debug, Clone)]
pub(crate) struct Stride {
    pub(crate) name: Name,
    pub(crate) qid: Qid,
    pub(crate) place: Place,
    pub(crate) rights: Rights,
}

/// What being open means.
#[derive(Debug)]
pub(crate) enum Open {
    /// It is not.
    No,
    /// The text as it was at open.
    Text(Arc<[u8]>),
    /// A directory; if a mount hangs there, the opened node behind it, or why it could not be opened.
    Directory(Option<Result<(Hook, ProviderNode), Errno>>),
    /// A place in a log.
    Log(LogReader),
    /// Orders being written, and what became of them.
    Control(Box<ControlFid>),
    /// Telemetry being written, or read.
    Telemetry(Box<TelemetryFid>),
    /// Open behind its mount; whether an order to a GPU has been begun there and has no newline yet.
    Mounted { unfinished: bool },
    /// The server closed it: its ticket or its lease is over.
    Closed,
}

/// An open control file.
#[derive(Debug)]
pub(crate) struct ControlFid {
    pub(crate) record: RecordAssembly,
    pub(crate) status: StatusLines,
    /// Whether it reads its own status, or the recent log.
    pub(crate) wrote: bool,
    pub(crate) log: LogReader,
}

/// An open telemetry file.
#[derive(Debug)]
pub(crate) struct TelemetryFid {
    pub(crate) record: RecordAssembly,
    pub(crate) log: LogReader,
}

impl Fid {
    pub(crate) const fn new(attachment: Key, here: Here) -> Self {
        Self { attachment, here, open: Open::No }
    }

    /// Takes away the nodes behind mounts that this fid holds: its own, and that of the directory it has open.
    pub(crate) fn take_held(&mut self) -> [Option<(Hook, ProviderNode)>; 2] {
        let own = match &mut self.here.at {
            At::Mounted(Mounted { hook, node, .. }) => node.take().map(|node| (*hook, node)),
            At::Local(_) => None,
        };
        let directory = match &mut self.open {
            Open::Directory(behind) => behind.take().and_then(Result::ok),
            _ => None,
        };
        [own, directory]
    }
}
