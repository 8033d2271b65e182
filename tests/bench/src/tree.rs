//! The tree that our server serves here: a small file and a large one, in memory. As little as can be, for what is
//! measured is the way to it.

use std::sync::{Arc, Mutex};

use ninedoor::ProviderNode;
use secure9p::{
    Bytes, Errno, Name, Qid, Reply, Request, ServerLimits, ServerSession, message::Attributes,
};
use secure9p_tokio::{Closed, ConnectRefused, Connection, Peer, Service, Wake};

/// Length of the small file.
pub(crate) const SMALL_BYTES: usize = 64;

/// Length of the large one.
pub(crate) const LARGE_BYTES: usize = 8 << 20;

// What a fid stands for. The numbers are those of a provider, so that the same tree can be mounted in a namespace.
const ROOT: ProviderNode = ProviderNode::ROOT;
const SMALL: ProviderNode = ProviderNode(1);
const LARGE: ProviderNode = ProviderNode(2);

/// The two files.
pub(crate) struct Tree {
    small: Arc<[u8]>,
    large: Vec<u8>,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { small: vec![7; SMALL_BYTES].into(), large: vec![7; LARGE_BYTES] }
    }

    pub(crate) fn handle(
        &mut self,
        request: Request<ProviderNode>,
    ) -> Result<Reply<ProviderNode>, Errno> {
        match request {
            Request::Attach { .. } => Ok(Reply::Attach { node: ROOT, qid: qid(ROOT) }),
            Request::Walk { from, names } => walk(from, &names),
            Request::Open { node, .. } => Ok(Reply::Open { node, qid: qid(node), iounit: 0 }),
            Request::Read { node, offset, count } => self.read(node, offset, count),
            Request::Write { node: LARGE, offset, data } => self.write(offset, &data),
            Request::Getattr { node } => Ok(Reply::Getattr { attributes: attributes(node) }),
            Request::Clunk { .. } => Ok(Reply::Done),
            _ => Err(Errno::EPERM),
        }
    }

    fn read(
        &self,
        node: ProviderNode,
        offset: u64,
        count: u32,
    ) -> Result<Reply<ProviderNode>, Errno> {
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let end = offset + count as usize;
        match node {
            ROOT => Err(Errno::EISDIR),
            SMALL => Ok(Reply::Read(Bytes::Shared(Arc::clone(&self.small), offset..end))),
            _ => {
                let end = end.min(self.large.len());
                let data = self.large.get(offset..end).unwrap_or_default();
                Ok(Reply::Read(Bytes::Owned(data.to_vec())))
            }
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<Reply<ProviderNode>, Errno> {
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let place = self.large.get_mut(offset..offset + data.len()).ok_or(Errno::EFBIG)?;
        place.copy_from_slice(data);
        let count = u32::try_from(data.len()).map_err(|_| Errno::EFBIG)?;
        Ok(Reply::Write { count })
    }
}

fn walk(from: ProviderNode, names: &[Name]) -> Result<Reply<ProviderNode>, Errno> {
    let node = match names {
        [] => from,
        [name] if name.as_str() == "small" => SMALL,
        [name] if name.as_str() == "large" => LARGE,
        _ => return Err(Errno::ENOENT),
    };
    Ok(Reply::Walk { qids: names.iter().map(|_| qid(node)).collect(), node: Some(node) })
}

fn qid(node: ProviderNode) -> Qid {
    match node {
        ROOT => Qid::directory(0),
        SMALL => Qid::file(1),
        _ => Qid::file(2),
    }
}

fn attributes(node: ProviderNode) -> Attributes {
    Attributes::synthetic(qid(node), Attributes::MODE_FILE | 0o644)
}

/// Serves one tree to everyone.
pub(crate) struct Trees(pub(crate) Arc<Mutex<Tree>>);

pub(crate) struct TreeConnection {
    session: ServerSession<ProviderNode>,
    tree: Arc<Mutex<Tree>>,
}

impl Service for Trees {
    type Connection = TreeConnection;

    fn connect(&self, _peer: Peer, _wake: Wake) -> Result<TreeConnection, ConnectRefused> {
        let session = ServerSession::new(ServerLimits::default());
        Ok(TreeConnection { session, tree: Arc::clone(&self.0) })
    }
}

impl TreeConnection {
    fn answer(&mut self) {
        let mut tree = self.tree.lock().expect("no answer panics");
        while let Some((owed, request)) = self.session.poll_request() {
            self.session.answer(owed, tree.handle(request));
        }
        while self.session.poll_released().is_some() {}
    }
}

impl Connection for TreeConnection {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let outcome = self.session.receive(bytes);
        self.answer();
        outcome.map_err(|violation| Closed { why: violation.to_string() })
    }

    fn rest(&mut self) {
        self.session.shrink();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.session.transmit());
        if !out.is_empty() {
            self.session.sent(out.len());
            self.answer();
        }
    }

    fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    fn is_attached(&self) -> bool {
        self.session.fids() > 0
    }

    fn is_idle(&self) -> bool {
        self.session.requests() == 0 && self.session.transmit().is_empty()
    }
}
