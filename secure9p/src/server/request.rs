//! What a peer may ask of a tree, and what a tree may answer: the seam between a session and a namespace.
//!
//! Knows no wire form and no fid numbers: the session has already turned every fid into the node `N` that the
//! namespace handed out for it, checked that the fid is in the right state, and bounded every count.
//!
//! A node is the session's from the reply that hands it over until it comes back, once: in [`Request::Clunk`] or [`Request::Remove`], in an
//! [`Request::Open`] or [`Request::Create`] that is answered with another in its place (one that is refused leaves it where it was), or from
//! [`super::ServerSession::poll_released`]. Requests hold clones, and may reach the tree after the clunk of the fid they came from.

#![allow(
    missing_docs,
    reason = "the fields have the names of the manual pages, and each variant says which page"
)]

use alloc::{string::String, vec::Vec};

use crate::{
    bytes::Bytes,
    ids::Qid,
    message::{Attributes, DirectoryEntry, FileSystemStatistics, Lock, LockStatus, SetAttributes},
    name::Name,
    open::OpenFlags,
};

/// One request of a peer, each fid replaced by the node it stands for.
///
/// `N` is whatever the namespace needs to find its file again; the session clones it, never looks inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<N> {
    /// Tattach. The session has refused a fid in use and any afid already.
    Attach { uname: String, aname: String, n_uname: u32 },
    /// Twalk of one or more names. A zero-name walk (a clone) arrives as one with no names: answer with a node
    /// that can be used, and released, independently of `from`. `from` may be open; what is walked to is not.
    Walk { from: N, names: Vec<Name> },
    /// Tlopen or Topen.
    Open { node: N, flags: OpenFlags },
    /// Tlcreate or Tcreate: make `name` in `directory` and open it.
    Create { directory: N, name: Name, flags: OpenFlags, mode: u32, gid: u32 },
    /// Tread on an open file; `count` is already no larger than the session's msize allows.
    Read { node: N, offset: u64, count: u32 },
    /// Twrite on an open file.
    Write { node: N, offset: u64, data: Vec<u8> },
    /// Treaddir (or Tread of a directory in 9P2000): entries after cookie `offset`. The session packs as many of the
    /// entries answered as fit into `count` bytes, and never splits one.
    Readdir { node: N, offset: u64, count: u32 },
    /// Tgetattr or Tstat.
    Getattr { node: N },
    /// Tsetattr or Twstat.
    Setattr { node: N, attributes: SetAttributes },
    /// Tstatfs.
    Statfs { node: N },
    /// Tfsync.
    Fsync { node: N },
    /// Tclunk of a fid: the fid is gone whatever the answer says. The last word about a write may be said here.
    Clunk { node: N },
    /// Tremove: like `Clunk`, and remove the file.
    Remove { node: N },
    /// Tmkdir.
    Mkdir { directory: N, name: Name, mode: u32, gid: u32 },
    /// Tunlinkat.
    Unlinkat { directory: N, name: Name, flags: u32 },
    /// Trename and Trenameat.
    Rename { from_directory: N, from: Option<Name>, to_directory: N, to: Name },
    /// Tlink.
    Link { directory: N, target: N, name: Name },
    /// Tsymlink.
    Symlink { directory: N, name: Name, target: String, gid: u32 },
    /// Tmknod.
    Mknod { directory: N, name: Name, mode: u32, major: u32, minor: u32, gid: u32 },
    /// Treadlink.
    Readlink { node: N },
    /// Tlock.
    Lock { node: N, lock: Lock },
    /// Tgetlock.
    Getlock { node: N, lock: Lock },
}

/// The answer that fits a [`Request`], variant by variant. A refusal is an [`crate::Errno`] instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<N> {
    /// To `Attach`: the root of the tree for this user.
    Attach { node: N, qid: Qid },
    /// To `Walk`: the qids of the names that were found, in order; `node` exactly when all were (walk(5): a partial walk
    /// moves no fid). When the first name is missing the answer is `Errno::ENOENT`.
    Walk { qids: Vec<Qid>, node: Option<N> },
    /// To `Open`: `node` replaces the one the fid stood for (an open file may carry a cursor of its own). `iounit` 0: msize decides.
    Open { node: N, qid: Qid, iounit: u32 },
    /// To `Create`.
    Create { node: N, qid: Qid, iounit: u32 },
    /// To `Read`: never longer than `count`; empty at the end of the file.
    Read(Bytes),
    /// To `Write`: bytes taken.
    Write { count: u32 },
    /// To `Readdir`: entries in cookie order, starting after the offset asked; the session cuts to `count`.
    Readdir { entries: Vec<DirectoryEntry> },
    /// To `Getattr`.
    Getattr { attributes: Attributes },
    /// To `Statfs`.
    Statfs { statistics: FileSystemStatistics },
    /// To `Mkdir`, `Symlink` and `Mknod`.
    Made { qid: Qid },
    /// To `Readlink`.
    Readlink { target: String },
    /// To `Lock`.
    Lock { status: LockStatus },
    /// To `Getlock`.
    Getlock { lock: Lock },
    /// To everything whose R-message carries nothing: `Setattr`, `Fsync`, `Clunk`, `Remove`, `Unlinkat`, `Rename`, `Link`.
    Done,
}
