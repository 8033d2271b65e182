//! Attaching, and the end of it: expiry, revocation, and the files that a provider closes.
//!
//! Revoking a ticket closes every fid of it at once and ends the connections that have no other attach left.

use alloc::{format, string::String, sync::Arc, vec::Vec};

use ninedoor_abi::{Identity, Now, Refusal, Role};
use secure9p::{Errno, server::Reply};

use crate::{
    ask::{Caller, MountId, ProviderNode},
    attachment::Attachment,
    audit::AuditLine,
    connection::{Connection, ConnectionId},
    errand::Turn,
    event::Event,
    fid::{At, Fid, Open},
    gate::Admitted,
    limits::ATTACHES_PER_CONNECTION_MAX,
    revocation::Revocation,
    server::Server,
    slab::Key,
    upstream::User,
};

impl Server {
    /// Tattach.
    pub(crate) fn attach(
        &mut self,
        connection: &mut Connection,
        uname: &str,
        aname: &str,
        n_uname: u32,
        now: Now,
    ) -> Result<Turn, Errno> {
        if connection.attaches >= ATTACHES_PER_CONNECTION_MAX {
            return Err(Errno::EMFILE);
        }
        let peer = &connection.peer;
        let admitted = self.gate.attach(uname, aname, peer, now).and_then(|admitted| {
            self.workers_welcome(&admitted)?;
            Ok(admitted)
        });
        let peer = peer.name.clone();
        match admitted.and_then(|admitted| self.let_in(connection.id, admitted, now)) {
            Ok(attachment) => {
                let caller = attachment.caller.clone();
                self.audit(
                    AuditLine::of(&caller)
                        .done("ATTACH", format!("peer={peer:?} n_uname={}", n_uname.cast_signed())),
                    now,
                );
                self.counters.attaches += 1;
                connection.attaches += 1;
                let root = self.local(self.tree.root(), &caller).ok_or(Errno::EIO)?;
                let qid = self.qid_of(&root);
                let attachment = self.attachments.add(attachment);
                let node = self.new_fid(connection, attachment, root);
                Ok(Turn::Reply(Reply::Attach { node, qid }))
            }
            Err(refusal) => {
                // A peer that is locked out must not be able to fill the log.
                if refusal.errno != ninedoor_abi::Errno::EAGAIN {
                    self.audit(
                        AuditLine::stranger(uname, aname).refused(
                            "ATTACH",
                            &refusal,
                            format!("peer={peer:?}"),
                        ),
                        now,
                    );
                }
                Err(Errno(refusal.errno.0))
            }
        }
    }

    fn let_in(
        &mut self,
        connection: ConnectionId,
        admitted: Admitted,
        now: Now,
    ) -> Result<Attachment, Refusal> {
        let Admitted { identity: Identity { role, subject }, ticket } = admitted;
        let user = User::of(role, subject.as_ref());
        let caller = |ticket, scopes: &[_]| {
            Arc::new(Caller { role, subject, ticket, scopes: scopes.into(), connection })
        };
        let Some((id, claims)) = ticket else {
            return Ok(Attachment::new(caller(None, &[]), user, None, now.unix_ms, None));
        };
        let account = self.accounts.attach(id, &claims, now.unix_ms)?;
        let caller = caller(Some(id), &claims.scopes);
        Ok(Attachment::new(caller, user, Some(account), claims.issued_at_ms, claims.expires_at()))
    }

    /// Whether the hive takes this worker now.
    fn workers_welcome(&self, admitted: &Admitted) -> Result<(), Refusal> {
        match &self.hive {
            Some(hive) if admitted.identity.role.is_worker() => hive.welcomes(admitted),
            _ => Ok(()),
        }
    }

    /// Ends the attaches whose time is over.
    pub(crate) fn expire(&mut self, now: Now) {
        for key in self.attachments.take_expired(now.unix_ms) {
            if let Some(attachment) = self.attachments.get(key)
                && !attachment.ended
            {
                let caller = attachment.caller.clone();
                self.end(key);
                self.audit(AuditLine::of(&caller).done("EXPIRE", String::from("reason=ttl")), now);
            }
        }
    }

    /// Revokes tickets: everything that was reached with them is closed, and they open nothing any more.
    ///
    /// # Errors
    /// ENOSPC when too many revocations are remembered; what is attached is closed all the same.
    pub fn revoke(&mut self, revocation: &Revocation, now: Now) -> Result<(), Refusal> {
        let noted = self.revoke_now(revocation, now);
        self.settle(now);
        noted
    }

    pub(crate) fn revoke_now(&mut self, revocation: &Revocation, now: Now) -> Result<(), Refusal> {
        let noted = self.gate.revocations.note(revocation);
        let ended = self.attachments.live(|attachment| is_meant(revocation, attachment));
        let mut connections: Vec<ConnectionId> = Vec::new();
        for key in &ended {
            connections
                .extend(self.attachments.get(*key).map(|attachment| attachment.caller.connection));
            self.end(*key);
        }
        connections.sort_unstable();
        connections.dedup();
        for id in connections {
            if self.attachments.live(|attachment| attachment.caller.connection == id).is_empty() {
                self.hang_up(id, format!("{} was revoked", named(revocation)));
            }
        }
        self.audit(
            AuditLine::own()
                .done("REVOKE", format!("{} attaches={}", named(revocation), ended.len())),
            now,
        );
        if noted.is_ok() {
            self.events.push_back(Event::Revoked(revocation.clone()));
        }
        noted
    }

    /// Closes every fid of an attach; only Tclunk works on them from now on.
    fn end(&mut self, key: Key) {
        let Some(attachment) = self.attachments.get_mut(key) else { return };
        attachment.ended = true;
        let id = attachment.caller.connection;
        let Some(mut connection) = self.take(id) else { return };
        let held: Vec<_> = connection
            .fids
            .iter_mut()
            .filter(|(_, fid)| fid.attachment == key)
            .flat_map(|(_, fid)| close(fid))
            .flatten()
            .collect();
        self.put_back(connection);
        held.into_iter().for_each(|(hook, node)| self.release(hook, node));
    }

    /// Closes the fid that holds this node of a provider: its lease, or whatever it was there for, is over. Requests on it
    /// are answered EPERM from now on; the node is released.
    pub fn close_node(&mut self, mount: MountId, node: ProviderNode, now: Now) {
        let mut held = Vec::new();
        for (_, place) in self.connections.iter_mut() {
            let fids = place.iter_mut().flat_map(|connection| connection.fids.iter_mut());
            for (_, fid) in fids.filter(|(_, fid)| holds(fid, mount, node)) {
                held.extend(close(fid).into_iter().flatten());
            }
        }
        held.into_iter().for_each(|(hook, node)| self.release(hook, node));
        self.settle(now);
    }
}

fn close(fid: &mut Fid) -> [Option<(crate::mount::Hook, ProviderNode)>; 2] {
    let held = fid.take_held();
    fid.open = Open::Closed;
    held
}

fn holds(fid: &Fid, mount: MountId, node: ProviderNode) -> bool {
    matches!(&fid.here.at, At::Mounted(mounted) if mounted.hook.mount == mount && mounted.node == Some(node))
}

fn is_meant(revocation: &Revocation, attachment: &Attachment) -> bool {
    match revocation {
        Revocation::Ticket(id) => attachment.caller.ticket == Some(*id),
        Revocation::Subject { subject, until_ms } => {
            attachment.caller.subject.as_ref() == Some(subject)
                && attachment.caller.ticket.is_some()
                && attachment.issued_at <= *until_ms
        }
    }
}

fn named(revocation: &Revocation) -> String {
    match revocation {
        Revocation::Ticket(id) => format!("ticket={id}"),
        Revocation::Subject { subject, .. } => format!("subject={subject}"),
    }
}

impl User {
    /// As whom a caller is known to other servers: workers by their own name, everybody else through us.
    fn of(role: Role, subject: Option<&ninedoor_abi::Subject>) -> Self {
        match (role, subject) {
            (Role::WorkerGpu, Some(subject)) => Self::Worker(subject.clone()),
            _ => Self::Queen,
        }
    }
}
