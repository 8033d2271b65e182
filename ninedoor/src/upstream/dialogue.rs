//! A dialogue with a control file of another server: open it, write an order, read what became of it, the next order, close.
//!
//! ```text
//! Walking ──▶ Opening ──▶ Writing ──▶ Reading ──┬ refused, or no order left ──▶ said
//!                            ▲                  │
//!                            └──── next order ──┘
//! ```

use alloc::{
    collections::VecDeque,
    format,
    string::{String, ToString},
    vec::Vec,
};

use ninedoor_abi::{Errno as AbiErrno, Refusal, StatusLine, ctl::Outcome};
use secure9p::{Errno, Fid, OpenFlags, Rmessage, Tmessage};

use super::{Call, DialogueId, Farewell, Report, Said, Upstream, User};

/// More than any status line has.
const STATUS_BYTES_MAX: u32 = 16 * 1024;

#[derive(Debug)]
pub(super) struct Dialogue {
    path: Vec<String>,
    fid: Fid,
    expects: Expects,
    orders: VecDeque<String>,
    statuses: Vec<StatusLine>,
    /// What the write of the latest order was answered with.
    written: Result<(), Errno>,
}

#[derive(Debug, Clone, Copy)]
enum Expects {
    Walk,
    Open,
    Write,
    Read,
}

/// What comes next.
enum Next {
    Send(Tmessage),
    Over(Option<Refusal>),
}

impl Dialogue {
    pub(super) fn broken_off(self, service: &str) -> Said {
        let refusal = Refusal::new(
            AbiErrno::EIO,
            format!("{service} was lost on the way, look what it has done and try again"),
        );
        Said { statuses: self.statuses, refusal: Some(refusal) }
    }

    fn path(&self) -> String {
        self.path.iter().fold(String::new(), |path, name| path + "/" + name)
    }

    fn next(&mut self, reply: Result<Rmessage, Errno>, service: &str) -> Next {
        match (self.expects, reply) {
            (Expects::Walk, Ok(Rmessage::Walk { wqid })) if wqid.len() == self.path.len() => {
                self.expects = Expects::Open;
                Next::Send(Tmessage::Lopen { fid: self.fid, flags: OpenFlags::RDWR })
            }
            (Expects::Walk, reply) => {
                let errno = reply.err().unwrap_or(Errno::ENOENT);
                Next::Over(Some(Refusal::new(
                    AbiErrno(errno.0),
                    format!("{service} has no {}", self.path()),
                )))
            }
            (Expects::Open, Ok(_)) => self.order(),
            (Expects::Open, Err(errno)) => Next::Over(Some(Refusal::new(
                AbiErrno(errno.0),
                format!("{service} does not let us open {}", self.path()),
            ))),
            (Expects::Write, reply) => {
                self.written = reply.map(drop);
                self.expects = Expects::Read;
                Next::Send(Tmessage::Read { fid: self.fid, offset: 0, count: STATUS_BYTES_MAX })
            }
            (Expects::Read, Ok(Rmessage::Read { data })) => self.judge(data.as_slice(), service),
            (Expects::Read, reply) => {
                let errno = self.written.err().or_else(|| reply.err()).unwrap_or(Errno::EIO);
                Next::Over(Some(self.unexplained(errno, service)))
            }
        }
    }

    fn order(&mut self) -> Next {
        let Some(order) = self.orders.pop_front() else { return Next::Over(None) };
        self.expects = Expects::Write;
        Next::Send(Tmessage::Write { fid: self.fid, offset: 0, data: (order + "\n").into_bytes() })
    }

    /// The latest status line says how the order went; the write's own errno is believed before it.
    fn judge(&mut self, data: &[u8], service: &str) -> Next {
        let text = String::from_utf8_lossy(data);
        let status = text.lines().last().and_then(|line| line.parse::<StatusLine>().ok());
        match (self.written, status) {
            (Ok(()), Some(status)) if matches!(status.outcome, Outcome::Ok(_)) => {
                self.statuses.push(status);
                self.order()
            }
            (_, Some(StatusLine { outcome: Outcome::Err(refusal), .. })) => {
                Next::Over(Some(refusal))
            }
            (Err(errno), _) => Next::Over(Some(self.unexplained(errno, service))),
            (Ok(()), _) => Next::Over(Some(Refusal::new(
                AbiErrno::EPROTO,
                format!("{service} answered an order on {} with no status line", self.path()),
            ))),
        }
    }

    fn unexplained(&self, errno: Errno, service: &str) -> Refusal {
        Refusal::new(
            AbiErrno(errno.0),
            format!("{service} refused an order on {} without a word", self.path()),
        )
    }
}

impl Upstream {
    /// Begins a dialogue, as the queen.
    pub(crate) fn say(&mut self, path: &[&str], orders: Vec<String>) -> DialogueId {
        self.next_dialogue += 1;
        let id = DialogueId(self.next_dialogue);
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        if !self.is_up() {
            let refusal = Refusal::new(
                AbiErrno::EBUSY,
                format!("{} is away, try again when it is back", self.service),
            );
            self.reports
                .push_back(Report::Said(id, Said { statuses: Vec::new(), refusal: Some(refusal) }));
            return id;
        }
        if !self.begin(id, path, orders.into()) {
            let refusal = self.hands_full();
            self.reports
                .push_back(Report::Said(id, Said { statuses: Vec::new(), refusal: Some(refusal) }));
        }
        id
    }

    fn begin(&mut self, id: DialogueId, path: Vec<String>, orders: VecDeque<String>) -> bool {
        let Some(root) = self.presence(&User::Queen).map(|queen| queen.root) else { return false };
        let Some(link) = &mut self.link else { return false };
        let Some(fid) = link.session.new_fid() else { return false };
        let message = Tmessage::Walk { fid: root, newfid: fid, wname: path.clone() };
        let dialogue = Dialogue {
            path,
            fid,
            expects: Expects::Walk,
            orders,
            statuses: Vec::new(),
            written: Ok(()),
        };
        link.dialogues.insert(id, dialogue);
        let begun = self.call(message, Call::Dialogue(id));
        if !begun && let Some(link) = &mut self.link {
            link.dialogues.remove(&id);
            link.session.forget_fid(fid);
        }
        begun
    }

    fn hands_full(&self) -> Refusal {
        Refusal::new(AbiErrno::EAGAIN, format!("{} has its hands full, try again", self.service))
    }

    /// The next reply in a dialogue.
    pub(super) fn heard(&mut self, id: DialogueId, reply: Result<Rmessage, Errno>) {
        let Some(link) = &mut self.link else { return };
        let Some(dialogue) = link.dialogues.get_mut(&id) else { return };
        let walking = matches!(dialogue.expects, Expects::Walk);
        let refusal = match dialogue.next(reply, &self.service) {
            Next::Over(refusal) => refusal,
            Next::Send(message) => {
                if self.call(message, Call::Dialogue(id)) {
                    return;
                }
                Some(self.hands_full())
            }
        };
        let Some(link) = &mut self.link else { return };
        let Some(dialogue) = link.dialogues.remove(&id) else { return };
        if walking && refusal.is_some() {
            link.session.forget_fid(dialogue.fid);
        } else {
            link.clunks.push_back((dialogue.fid, Farewell::Clunk));
        }
        self.reports.push_back(Report::Said(id, Said { statuses: dialogue.statuses, refusal }));
    }
}
