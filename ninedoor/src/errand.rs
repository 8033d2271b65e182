//! Requests that somebody else has to answer: sent to a provider or an upstream, and what to do when the answer comes.
//!
//! ```text
//! request ─▶ Turn::Errand ─▶ asks (provider) or upstream ─▶ answer ─▶ Then: reply, or another errand (next leg of a walk)
//!                                  │ Tflush                    │ the peer is gone
//!                                  └▶ called off               └▶ nodes in the answer are released
//! ```

use alloc::boxed::Box;

use ninedoor_abi::{Now, Refusal};
use secure9p::{
    Errno, Name, OpenFlags,
    server::{Owed, OwedId, Reply, Request},
};

use crate::{
    ask::{Ask, AskId, ProviderNode},
    audit::Note,
    connection::{Connection, ConnectionId},
    data::Listing,
    desk::Submission,
    fid::FidKey,
    mount::{Backend, Hook},
    server::Server,
    slab::Key,
    walk::{Leg, Walk},
};

/// An answer of a provider.
pub type Answer = Result<Reply<ProviderNode>, Refusal>;

/// What serving a request led to.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The reply.
    Reply(Reply<FidKey>),
    /// Somebody else has to answer.
    Errand(Dispatch),
    /// The desk has to carry out orders first.
    Orders(Submission),
}

/// What is sent, to whom, for whom.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) hook: Hook,
    pub(crate) attachment: Key,
    pub(crate) request: Request<ProviderNode>,
    pub(crate) then: Then,
}

/// A request somebody else has to answer.
#[derive(Debug)]
pub(crate) struct Errand {
    connection: ConnectionId,
    /// None once the peer was told that it was interrupted: what the answer hands out is then handed back.
    owed: Option<Owed>,
    attachment: Key,
    hook: Hook,
    then: Then,
}

impl Errand {
    fn is_owed(&self, id: OwedId) -> bool {
        self.owed.as_ref().is_some_and(|owed| owed.id() == id)
    }

    /// Whether the peer may be told at once that this did not happen, whatever becomes of it: not where something is written.
    const fn can_be_interrupted(&self) -> bool {
        matches!(self.then, Then::Walk(..) | Then::Open { .. })
    }
}

/// What to do with the answer.
#[derive(Debug)]
pub(crate) enum Then {
    /// Take a walk further.
    Walk(Box<Walk>, Leg),
    /// The fid's own node is open.
    Open { fid: FidKey },
    /// A node of a mount's own directory has been got: open it.
    OpenMountPoint { fid: FidKey, flags: OpenFlags },
    /// The mount's own directory is open.
    MountPointOpen { fid: FidKey },
    /// A node of a mount's own directory has been got: create in it.
    CreateInMountPoint { fid: FidKey, name: Name, flags: OpenFlags, mode: u32, gid: u32 },
    /// A file was created; `entered` is the directory's node, if it was got for that.
    Create { fid: FidKey, name: Name, entered: Option<ProviderNode> },
    /// Data came, or was taken.
    Data { note: Option<Note> },
    /// Entries came, from behind a mount point or from a directory behind it.
    Entries(Listing),
    /// The reply needs nothing but the qids changed.
    Relay,
}

impl Server {
    /// Answers, sends or submits, as the turn says.
    pub(crate) fn conclude(
        &mut self,
        connection: &mut Connection,
        owed: Owed,
        turn: Result<Turn, Errno>,
    ) {
        match turn {
            Ok(Turn::Reply(reply)) => connection.session.answer(owed, Ok(reply)),
            Ok(Turn::Errand(dispatch)) => self.dispatch(connection, owed, dispatch),
            Ok(Turn::Orders(submission)) => self.submit(connection, owed, submission),
            Err(errno) => {
                self.counters.refused(errno);
                connection.session.answer(owed, Err(errno));
            }
        }
    }

    fn dispatch(&mut self, connection: &mut Connection, owed: Owed, dispatch: Dispatch) {
        let Dispatch { hook, attachment, request, then } = dispatch;
        let Some(caller) =
            self.attachments.get(attachment).map(|attachment| attachment.caller.clone())
        else {
            return self.conclude(connection, owed, Err(Errno::EPERM));
        };
        self.attachments.hold(attachment);
        let owed = Some(owed);
        let key =
            self.errands.insert(Errand { connection: connection.id, owed, attachment, hook, then });
        connection.errands.push(key);
        match hook.backend {
            Backend::Provider => {
                self.asks.push_back(Ask { id: AskId(key), mount: hook.mount, caller, request })
            }
            Backend::Remote(id) => {
                let user =
                    self.attachments.get(attachment).map(|attachment| attachment.user.clone());
                if let (Some(upstream), Some(user)) = (self.upstream_mut(id), user) {
                    upstream.forward(key, &user, hook.mount, request);
                }
            }
        }
    }

    /// The next question for a provider in this process.
    pub fn poll_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// A provider's answer.
    pub fn answer(&mut self, id: AskId, answer: Answer, now: Now) {
        let result = answer.map_err(|refusal| Errno(refusal.errno.0));
        self.complete(id.0, result, now);
        self.settle(now);
    }

    /// The answer to an errand has come, from whomever.
    pub(crate) fn complete(
        &mut self,
        key: Key,
        result: Result<Reply<ProviderNode>, Errno>,
        now: Now,
    ) {
        let Some(Errand { connection, owed, attachment, hook, then }) = self.errands.remove(key)
        else {
            return;
        };
        let live = self.is_live(attachment);
        let Some(owed) = owed else {
            self.let_go(None, attachment);
            return self.release_answer(hook, then, result);
        };
        let Some(mut connection) = self.take(connection) else {
            self.let_go(None, attachment);
            return self.release_answer(hook, then, result);
        };
        connection.errands.retain(|errand| *errand != key);
        let turn = if live {
            self.carry_on(&mut connection, attachment, hook, then, result, now)
        } else {
            self.release_answer(hook, then, result);
            Err(Errno::EPERM)
        };
        self.conclude(&mut connection, owed, turn);
        self.let_go(Some(&mut connection), attachment);
        self.pump(&mut connection, now);
        let id = connection.id;
        self.put_back(connection);
        self.wake(id);
    }

    fn carry_on(
        &mut self,
        connection: &mut Connection,
        attachment: Key,
        hook: Hook,
        then: Then,
        result: Result<Reply<ProviderNode>, Errno>,
        now: Now,
    ) -> Result<Turn, Errno> {
        match then {
            Then::Walk(walk, leg) => self.walked(connection, hook, *walk, leg, result),
            Then::Open { fid } => self.opened(connection, hook, fid, result),
            Then::OpenMountPoint { fid, flags } => {
                self.open_mount_point(connection, attachment, hook, fid, flags, result)
            }
            Then::MountPointOpen { fid } => self.mount_point_opened(connection, hook, fid, result),
            Then::CreateInMountPoint { fid, name, flags, mode, gid } => {
                let node = entered(result)?;
                let request =
                    Request::Create { directory: node, name: name.clone(), flags, mode, gid };
                let then = Then::Create { fid, name, entered: Some(node) };
                Ok(Turn::Errand(Dispatch { hook, attachment, request, then }))
            }
            Then::Create { fid, name, entered } => {
                self.created(connection, hook, fid, name, entered, result)
            }
            Then::Data { note } => self.data_done(attachment, note, result, now),
            Then::Entries(listing) => self.entries_came(connection, hook, listing, result),
            Then::Relay => Ok(Turn::Reply(self.relayed(hook, result?)?)),
        }
    }

    /// The peer for whom this was asked is gone, or may no longer have it: what was handed out is handed back.
    fn release_answer(
        &mut self,
        hook: Hook,
        then: Then,
        result: Result<Reply<ProviderNode>, Errno>,
    ) {
        match &then {
            Then::Walk(walk, _) => self.let_go_of(walk),
            Then::Create { entered: Some(node), .. } if result.is_err() => {
                self.release(hook, *node)
            }
            _ => {}
        }
        match result {
            Ok(Reply::Walk { node: Some(node), .. } | Reply::Create { node, .. }) => {
                self.release(hook, node)
            }
            // The node of an open file is its fid's, which gives it back itself; the mount point's is nobody's yet.
            Ok(Reply::Open { node, .. }) if matches!(then, Then::MountPointOpen { .. }) => {
                self.release(hook, node)
            }
            _ => {}
        }
    }

    /// Calls off what the peer has flushed, where that helps: an upstream may be slow, a provider in this process is not.
    /// Who waits for a walk or an open is let go at once: the upstream may be silent, and its Rflush far away.
    pub(crate) fn call_off_flushed(&mut self, connection: &mut Connection) {
        while let Some(flushed) = connection.session.poll_flushed() {
            let is_flushed =
                |key: &&Key| self.errands.get(**key).is_some_and(|errand| errand.is_owed(flushed));
            let Some(key) = connection.errands.iter().find(is_flushed).copied() else { continue };
            let Some(Backend::Remote(id)) = self.errands.get(key).map(|errand| errand.hook.backend)
            else {
                continue;
            };
            if let Some(upstream) = self.upstreams.get_mut(id.0 as usize) {
                upstream.call_off(key);
            }
            self.interrupt(connection, key);
        }
    }

    fn interrupt(&mut self, connection: &mut Connection, key: Key) {
        if let Some(errand) = self.errands.get_mut(key)
            && errand.can_be_interrupted()
            && let Some(owed) = errand.owed.take()
        {
            connection.errands.retain(|errand| *errand != key);
            connection.session.answer(owed, Err(Errno::EINTR));
        }
    }

    /// A reply that needs only its qids shown as ours.
    fn relayed(&self, hook: Hook, reply: Reply<ProviderNode>) -> Result<Reply<FidKey>, Errno> {
        let shown = |qid| self.mounts.get(hook.mount).map_or(qid, |mount| mount.shown(qid));
        Ok(match reply {
            Reply::Getattr { mut attributes } => {
                attributes.qid = shown(attributes.qid);
                Reply::Getattr { attributes }
            }
            Reply::Made { qid } => Reply::Made { qid: shown(qid) },
            Reply::Statfs { statistics } => Reply::Statfs { statistics },
            Reply::Readlink { target } => Reply::Readlink { target },
            Reply::Lock { status } => Reply::Lock { status },
            Reply::Getlock { lock } => Reply::Getlock { lock },
            Reply::Done => Reply::Done,
            // A provider that answers something else than was asked.
            _ => return Err(Errno::EIO),
        })
    }
}

/// The node that a walk without names from a mount's own directory gave.
pub(crate) fn entered(result: Result<Reply<ProviderNode>, Errno>) -> Result<ProviderNode, Errno> {
    match result? {
        Reply::Walk { node: Some(node), .. } => Ok(node),
        _ => Err(Errno::EIO),
    }
}
