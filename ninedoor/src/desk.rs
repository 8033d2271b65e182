//! The queen's desk: orders written to control files, carried out one after the other.
//!
//! An order may have to ask a bridge first; the next one waits for it, so that ids and the log come in the order of the writes. A
//! refused order ends its write: what follows it in the same write is not carried out.
//!
//! ```text
//! Twrite ─▶ records ─▶ Submission ─▶ queue ─▶ carried out ─┬─▶ OK line, next order of the write … Rwrite
//!                                       ▲        │ asks    └─▶ ERR line, the rest is dropped, Rlerror
//!                                       └────────┘ (busy)
//! ```

use alloc::{collections::VecDeque, format, string::String, sync::Arc, vec::Vec};

use ninedoor_abi::{Errno as AbiErrno, LifecycleWord, Now, Refusal};
use secure9p::{
    Errno,
    server::{Owed, Reply},
};

use crate::{
    ask::Caller,
    audit::{AuditLine, struck},
    connection::{Connection, ConnectionId},
    errand::Turn,
    fid::{At, ControlFid, FidKey, Here, Open},
    limits::{DESK_LINES_MAX, ORDER_BYTES_MAX, STATUS_BYTES_MAX},
    serve::done,
    server::Server,
    slab::Key,
    tree::{Control, Kind, NodeId},
};

/// The orders of one write.
#[derive(Debug)]
pub(crate) struct Submission {
    connection: ConnectionId,
    fid: Option<FidKey>,
    node: NodeId,
    caller: Arc<Caller>,
    orders: VecDeque<Vec<u8>>,
    /// What the peer is told when all of them have been carried out.
    reply: Reply<FidKey>,
}

/// Orders that wait, and the one being carried out.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    queue: VecDeque<(Submission, Owed)>,
    /// The order being carried out, while a bridge is asked.
    under_way: Option<Vec<u8>>,
}

impl Desk {
    fn orders(&self) -> usize {
        self.queue.iter().map(|(submission, _)| submission.orders.len()).sum()
    }
}

/// How carrying out an order went so far.
pub(crate) enum Carried {
    /// It is over: what the OK line says, or why not.
    Out(Result<String, Refusal>),
    /// A bridge was asked; [`Server::order_over`] will be called.
    UnderWay,
}

impl Server {
    /// Bytes were written to a control file.
    pub(crate) fn orders_written(
        &mut self,
        connection: ConnectionId,
        fid: FidKey,
        attachment: Key,
        node: NodeId,
        control: &mut ControlFid,
        data: &[u8],
    ) -> Result<Turn, Errno> {
        control.wrote = true;
        let orders = control.record.write(data, ORDER_BYTES_MAX).map_err(|refusal| {
            control.status.push(&status("?", &Err(refusal.clone())), STATUS_BYTES_MAX);
            Errno(refusal.errno.0)
        })?;
        let count = u32::try_from(data.len()).map_err(|_| Errno::EINVAL)?;
        let reply = Reply::Write { count };
        if orders.is_empty() {
            return Ok(Turn::Reply(reply));
        }
        let caller = self.caller_of(attachment)?;
        Ok(Turn::Orders(Submission {
            connection,
            fid: Some(fid),
            node,
            caller,
            orders: orders.into(),
            reply,
        }))
    }

    /// A control fid is clunked: its last order may have had no newline.
    pub(crate) fn orders_at_clunk(
        &self,
        connection: ConnectionId,
        attachment: Key,
        here: &Here,
        record: Option<Vec<u8>>,
    ) -> Result<Turn, Errno> {
        match (record, &here.at) {
            (Some(order), At::Local(node)) if self.is_live(attachment) => {
                let caller = self.caller_of(attachment)?;
                let orders = [order].into();
                Ok(Turn::Orders(Submission {
                    connection,
                    fid: None,
                    node: *node,
                    caller,
                    orders,
                    reply: Reply::Done,
                }))
            }
            _ => Ok(done()),
        }
    }

    fn caller_of(&self, attachment: Key) -> Result<Arc<Caller>, Errno> {
        self.attachments
            .get(attachment)
            .map(|attachment| attachment.caller.clone())
            .ok_or(Errno::EPERM)
    }

    /// Puts the orders of a write on the desk.
    pub(crate) fn submit(
        &mut self,
        connection: &mut Connection,
        owed: Owed,
        submission: Submission,
    ) {
        match &mut self.hive {
            Some(hive) if hive.desk.orders() + submission.orders.len() <= DESK_LINES_MAX => {
                hive.desk.queue.push_back((submission, owed));
                connection.orders += 1;
            }
            _ => self.conclude(connection, owed, Err(Errno::EBUSY)),
        }
    }

    /// Carries out the next order, if the desk is free; whether there was one.
    pub(crate) fn work_desk(&mut self, now: Now) -> bool {
        let Some(desk) =
            self.hive.as_mut().map(|hive| &mut hive.desk).filter(|desk| desk.under_way.is_none())
        else {
            return false;
        };
        let Some((submission, _)) = desk.queue.front_mut() else { return false };
        let Some(order) = submission.orders.pop_front() else { return false };
        let node = submission.node;
        desk.under_way = Some(order.clone());
        let (verb, carried) =
            match (self.tree.get(node).map(|node| &node.kind), core::str::from_utf8(&order)) {
                (_, Err(_)) => {
                    ("?", Carried::Out(Err(Refusal::invalid("order is not UTF-8, wanted text"))))
                }
                (Some(Kind::Control(Control::Lifecycle, _)), Ok(order)) => {
                    ("LIFECYCLE", Carried::Out(self.lifecycle_order(order.trim(), now)))
                }
                (_, Ok(order)) => self.queen_order(order, now),
            };
        if let Carried::Out(outcome) = carried {
            self.order_over(verb, outcome, now);
        }
        true
    }

    /// The order under way is over: says so to its writer, to the control file's log and to the log.
    pub(crate) fn order_over(&mut self, verb: &str, outcome: Result<String, Refusal>, now: Now) {
        let Some(desk) = self.hive.as_mut().map(|hive| &mut hive.desk) else { return };
        let Some(order) = desk.under_way.take() else { return };
        let Some((submission, _)) = desk.queue.front() else { return };
        let (id, fid, node, caller) =
            (submission.connection, submission.fid, submission.node, submission.caller.clone());
        let over = outcome.is_err() || submission.orders.is_empty();
        let line = status(verb, &outcome);
        if let Some(Kind::Control(_, log)) = self.tree.get_mut(node).map(|node| &mut node.kind) {
            log.append(struck(&line).as_bytes());
        }
        let fid = fid.and_then(|key| self.connection_mut(id)?.fids.get_mut(key));
        if let Some(Open::Control(control)) = fid.map(|fid| &mut fid.open) {
            control.status.push(&line, STATUS_BYTES_MAX);
        }
        let entry = match &outcome {
            Ok(detail) => AuditLine::of(&caller).done(verb, detail.clone()),
            Err(refusal) => AuditLine::of(&caller).refused(verb, refusal, String::new()),
        };
        self.audit(entry.quoting(&order), now);
        if over {
            self.submission_over(outcome.err(), now);
        }
    }

    fn submission_over(&mut self, refusal: Option<Refusal>, now: Now) {
        let Some((submission, owed)) =
            self.hive.as_mut().and_then(|hive| hive.desk.queue.pop_front())
        else {
            return;
        };
        let Some(mut connection) = self.take(submission.connection) else { return };
        let turn = match refusal {
            None => Ok(Turn::Reply(submission.reply)),
            Some(refusal) => Err(Errno(refusal.errno.0)),
        };
        connection.orders -= 1;
        self.conclude(&mut connection, owed, turn);
        self.pump(&mut connection, now);
        let id = connection.id;
        self.put_back(connection);
        self.wake(id);
    }

    /// One word for `/queen/lifecycle/ctl`.
    fn lifecycle_order(&mut self, word: &str, now: Now) -> Result<String, Refusal> {
        let word: LifecycleWord = word.parse()?;
        let Some(hive) = &mut self.hive else { return Err(no_hive()) };
        let workers = hive.workers();
        let transition = hive.lifecycle.order(word, workers, now.unix_ms)?;
        Ok(format!("{word} {transition}"))
    }
}

/// What this server is not.
pub(crate) fn no_hive() -> Refusal {
    Refusal::new(AbiErrno::EOPNOTSUPP, "this server is no hive")
}

/// The status line of an order.
fn status(verb: &str, outcome: &Result<String, Refusal>) -> String {
    match outcome {
        Ok(detail) if detail.is_empty() => format!("OK {verb}"),
        Ok(detail) => format!("OK {verb} {detail}"),
        Err(refusal) => format!(
            "ERR {verb} {} {}",
            refusal.errno,
            refusal.text.replace(|c: char| c.is_control(), " ")
        ),
    }
}
