//! Requests of the tree as T-messages to another server, and its R-messages as replies. Every fid over there is a node here.

use alloc::string::ToString;

use secure9p::{
    ClientSession, Errno, Fid, Rmessage, Tmessage,
    message::{AttributeMask, Datasync},
    server::{Reply, Request},
};

use crate::ask::ProviderNode;

/// What the reply to a message will mean.
#[derive(Debug)]
pub(super) enum Shape {
    /// All names found: the new fid is theirs. Less: it is nobody's.
    Walk { newfid: Fid, names: usize },
    /// This fid is open.
    Open(Fid),
    /// This fid has moved to the file that was made, and is open.
    Create(Fid),
    /// This fid is gone, whatever the answer.
    Gone(Fid),
    /// Nothing but the reply.
    Plain,
}

impl Shape {
    /// The fid number that is free again when the message could not be sent.
    pub(super) const fn new_fid(&self) -> Option<Fid> {
        match self {
            Self::Walk { newfid, .. } => Some(*newfid),
            _ => None,
        }
    }
}

/// A fid of this epoch as a node. Never the root's number, because epochs begin at 1.
fn node_of(fid: Fid, epoch: u32) -> ProviderNode {
    ProviderNode((u64::from(epoch) << 32) | u64::from(fid.0))
}

/// The fid a node stands for; EIO when it was of an earlier link.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the node are epoch and fid")]
pub(super) fn fid_of(node: ProviderNode, epoch: u32) -> Result<Fid, Errno> {
    if (node.0 >> 32) as u32 == epoch { Ok(Fid(node.0 as u32)) } else { Err(Errno::EIO) }
}

/// The message that asks this, and what its reply will mean.
pub(super) fn message(
    request: Request<ProviderNode>,
    fid_of: impl Fn(ProviderNode) -> Result<Fid, Errno>,
    session: &mut ClientSession,
) -> Result<(Tmessage, Shape), Errno> {
    let io_bytes_max = session.io_bytes_max();
    let plain = |message| Ok((message, Shape::Plain));
    match request {
        Request::Attach { .. } => Err(Errno::EINVAL),
        Request::Walk { from, names } => {
            let fid = fid_of(from)?;
            let newfid = session.new_fid().ok_or(Errno::EMFILE)?;
            let shape = Shape::Walk { newfid, names: names.len() };
            let wname = names.iter().map(ToString::to_string).collect();
            Ok((Tmessage::Walk { fid, newfid, wname }, shape))
        }
        Request::Open { node, flags } => {
            let fid = fid_of(node)?;
            Ok((Tmessage::Lopen { fid, flags }, Shape::Open(fid)))
        }
        Request::Create { directory, name, flags, mode, gid } => {
            let fid = fid_of(directory)?;
            Ok((
                Tmessage::Lcreate { fid, name: name.to_string(), flags, mode, gid },
                Shape::Create(fid),
            ))
        }
        Request::Read { node, offset, count } => {
            plain(Tmessage::Read { fid: fid_of(node)?, offset, count: count.min(io_bytes_max) })
        }
        Request::Write { node, offset, mut data } => {
            data.truncate(io_bytes_max as usize);
            plain(Tmessage::Write { fid: fid_of(node)?, offset, data })
        }
        Request::Readdir { node, offset, count } => {
            plain(Tmessage::Readdir { fid: fid_of(node)?, offset, count: count.min(io_bytes_max) })
        }
        Request::Getattr { node } => {
            plain(Tmessage::Getattr { fid: fid_of(node)?, request_mask: AttributeMask::BASIC })
        }
        Request::Setattr { node, attributes } => {
            plain(Tmessage::Setattr { fid: fid_of(node)?, attributes })
        }
        Request::Statfs { node } => plain(Tmessage::Statfs { fid: fid_of(node)? }),
        Request::Fsync { node } => {
            plain(Tmessage::Fsync { fid: fid_of(node)?, datasync: Datasync(false) })
        }
        Request::Clunk { node } => {
            let fid = fid_of(node)?;
            Ok((Tmessage::Clunk { fid }, Shape::Gone(fid)))
        }
        Request::Remove { node } => {
            let fid = fid_of(node)?;
            Ok((Tmessage::Remove { fid }, Shape::Gone(fid)))
        }
        Request::Mkdir { directory, name, mode, gid } => {
            plain(Tmessage::Mkdir { dfid: fid_of(directory)?, name: name.to_string(), mode, gid })
        }
        Request::Unlinkat { directory, name, flags } => {
            plain(Tmessage::Unlinkat { dirfd: fid_of(directory)?, name: name.to_string(), flags })
        }
        Request::Rename { from_directory, from: Some(from), to_directory, to } => {
            plain(Tmessage::Renameat {
                olddirfid: fid_of(from_directory)?,
                oldname: from.to_string(),
                newdirfid: fid_of(to_directory)?,
                newname: to.to_string(),
            })
        }
        Request::Rename { from_directory, from: None, to_directory, to } => {
            plain(Tmessage::Rename {
                fid: fid_of(from_directory)?,
                dfid: fid_of(to_directory)?,
                name: to.to_string(),
            })
        }
        Request::Link { directory, target, name } => plain(Tmessage::Link {
            dfid: fid_of(directory)?,
            fid: fid_of(target)?,
            name: name.to_string(),
        }),
        Request::Symlink { directory, name, target, gid } => plain(Tmessage::Symlink {
            fid: fid_of(directory)?,
            name: name.to_string(),
            symtgt: target,
            gid,
        }),
        Request::Mknod { directory, name, mode, major, minor, gid } => plain(Tmessage::Mknod {
            dfid: fid_of(directory)?,
            name: name.to_string(),
            mode,
            major,
            minor,
            gid,
        }),
        Request::Readlink { node } => plain(Tmessage::Readlink { fid: fid_of(node)? }),
        // Locks are granted where they are asked for; none travels.
        Request::Lock { .. } | Request::Getlock { .. } => Err(Errno::EOPNOTSUPP),
    }
}

/// What the other server's reply means here.
pub(super) fn reply(
    shape: Shape,
    reply: Result<Rmessage, Errno>,
    epoch: u32,
    session: &mut ClientSession,
) -> Result<Reply<ProviderNode>, Errno> {
    if let Shape::Gone(fid) = shape {
        session.forget_fid(fid);
    }
    let message = match reply {
        Ok(message) => message,
        Err(errno) => {
            shape.new_fid().into_iter().for_each(|fid| session.forget_fid(fid));
            return Err(errno);
        }
    };
    Ok(match (shape, message) {
        (Shape::Walk { newfid, names }, Rmessage::Walk { wqid: qids }) => {
            let all = qids.len() == names;
            if !all {
                session.forget_fid(newfid);
            }
            Reply::Walk { qids, node: all.then(|| node_of(newfid, epoch)) }
        }
        (Shape::Open(fid), Rmessage::Lopen { qid, iounit }) => {
            Reply::Open { node: node_of(fid, epoch), qid, iounit }
        }
        (Shape::Create(fid), Rmessage::Lcreate { qid, iounit }) => {
            Reply::Create { node: node_of(fid, epoch), qid, iounit }
        }
        (_, Rmessage::Read { data }) => Reply::Read(data),
        (_, Rmessage::Write { count }) => Reply::Write { count },
        (_, Rmessage::Readdir { entries }) => Reply::Readdir { entries },
        (_, Rmessage::Getattr { attributes }) => Reply::Getattr { attributes },
        (_, Rmessage::Statfs { statistics }) => Reply::Statfs { statistics },
        (_, Rmessage::Mkdir { qid } | Rmessage::Symlink { qid } | Rmessage::Mknod { qid }) => {
            Reply::Made { qid }
        }
        (_, Rmessage::Readlink { target }) => Reply::Readlink { target },
        _ => Reply::Done,
    })
}
