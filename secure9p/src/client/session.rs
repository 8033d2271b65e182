//! One connection, seen from the client.
//!
//! ```text
//!  asking (Tversion sent) ──Rversion as asked──▶ speaking {msize} ──violation, close()──▶ closed
//!        └───────────────── anything else ─────────────────────────────────────────────────▶
//! ```
//!
//! Calls go out as they are made and may be answered in any order. When the session ends, every call that was in flight is left
//! without a reply: whoever made it knows it, and knows whether it may be repeated.

use alloc::{collections::VecDeque, string::String};
use core::mem;

use super::{
    calls::{Answered, CallId, CallRefused, Calls, Expected},
    fids::FreeFids,
};
use crate::{
    bytes::Bytes,
    dialect::Dialect,
    errno::Errno,
    glimpse::{Glimpse, Glimpses},
    ids::{Fid, Tag},
    limits::{ClientLimits, FIRST_FRAME_BYTES_MAX, IO_HEADER_BYTES, MSIZE_MIN, Msize},
    message::{Rmessage, Tmessage, Undecodable, name_of},
    outbox::Outbox,
    violation::Violation,
    wire::frames::{Frame, Frames},
};

const RVERSION: u8 = 101;

/// One connection, seen from the client.
#[derive(Debug)]
pub struct ClientSession {
    limits: ClientLimits,
    agreed: Option<Msize>,
    frames: Frames,
    calls: Calls,
    fids: FreeFids,
    outbox: Outbox,
    replies: VecDeque<(CallId, Result<Rmessage, Errno>)>,
    glimpses: Glimpses,
    violation: Option<Violation>,
}

impl ClientSession {
    /// A session that has Tversion ready to be sent.
    #[must_use]
    pub fn new(limits: ClientLimits) -> Self {
        let mut session = Self {
            limits,
            agreed: None,
            frames: Frames::default(),
            calls: Calls::new(),
            fids: FreeFids::new(limits.fids_max),
            outbox: Outbox::default(),
            replies: VecDeque::new(),
            glimpses: Glimpses::default(),
            violation: None,
        };
        let (msize, version) = (limits.msize.bytes(), limits.dialect.version().into());
        let fits = session.send(Tag::NOTAG, &Tmessage::Version { msize, version });
        debug_assert_eq!(fits, Ok(()), "Tversion fits every msize");
        session
    }

    /// The frame length agreed on, once the server has answered.
    #[must_use]
    pub fn negotiated(&self) -> Option<Msize> {
        self.agreed
    }

    /// The dialect spoken: the one asked for.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.limits.dialect
    }

    /// Most data that one Tread, Treaddir or Twrite may ask for or carry; 0 before the version is agreed on.
    #[must_use]
    pub fn io_bytes_max(&self) -> u32 {
        self.agreed.map_or(0, |msize| msize.bytes() - IO_HEADER_BYTES)
    }

    /// Sends a message under a tag of its own. Many calls may be in flight.
    ///
    /// # Errors
    /// See [`CallRefused`]; nothing was sent then.
    pub fn call(&mut self, message: Tmessage) -> Result<CallId, CallRefused> {
        self.admit(&message)?;
        let (calls, calls_max) = (self.calls.len(), self.limits.calls_max);
        let Some((tag, id)) = self.calls.begin(Expected::of(&message)) else {
            return Err(CallRefused::TooManyCalls { calls, calls_max });
        };
        match self.send(tag, &message) {
            Ok(()) => Ok(id),
            Err(too_long) => {
                self.calls.abort(tag, id);
                Err(too_long.into())
            }
        }
    }

    fn admit(&self, message: &Tmessage) -> Result<(), CallRefused> {
        let Some(msize) = self.agreed else { return Err(CallRefused::NotNegotiated) };
        let (calls, calls_max) = (self.calls.len(), self.limits.calls_max);
        let (bytes, bytes_max) = (self.outbox.len(), self.limits.transmit_bytes_max);
        let own = matches!(message, Tmessage::Version { .. } | Tmessage::Flush { .. });
        match message {
            _ if calls >= calls_max => Err(CallRefused::TooManyCalls { calls, calls_max }),
            _ if bytes >= bytes_max => Err(CallRefused::TransmitFull { bytes, bytes_max }),
            _ if own || !message.is_in(self.limits.dialect) => {
                Err(CallRefused::NotForCallers { message: message.name() })
            }
            Tmessage::Read { count, .. } | Tmessage::Readdir { count, .. }
                if *count > msize.read_bytes_max() =>
            {
                Err(crate::message::TooLong { frame_bytes_max: msize.bytes() }.into())
            }
            _ => Ok(()),
        }
    }

    /// Gives a call up: asks the server to flush it. Its reply still comes, if the server was faster, or EINTR does. A call that is
    /// over, or given up already, is left alone.
    pub fn cancel(&mut self, id: CallId) {
        if let Some((tag, oldtag)) = self.calls.cancel(id) {
            let fits = self.send(tag, &Tmessage::Flush { oldtag });
            debug_assert_eq!(fits, Ok(()), "Tflush fits every msize");
        }
    }

    /// Takes bytes from the server, however they are cut.
    ///
    /// # Errors
    /// The server broke the protocol: the session is over, and calls in flight get no reply.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        let outcome = self.take_frames(bytes);
        if let Err(violation) = &outcome {
            self.violation = Some(violation.clone());
            self.agreed = None;
            self.outbox = Outbox::default();
        }
        outcome
    }

    fn take_frames(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        let mut frames = mem::take(&mut self.frames);
        while let Some(frame) = frames.next(&mut input, self.frame_bytes_max())? {
            self.take_frame(frame)?;
        }
        self.frames = frames;
        Ok(())
    }

    fn frame_bytes_max(&self) -> u32 {
        self.agreed.map_or(FIRST_FRAME_BYTES_MAX, Msize::bytes)
    }

    fn take_frame(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        self.glimpses.note(Glimpse::of(&frame));
        let (tag, kind) = (frame.tag, frame.kind);
        if self.agreed.is_none() {
            return self.take_version(frame);
        }
        let message = name_of(kind);
        let expected = self.calls.expected(tag).ok_or(Violation::UnknownTag { message, tag })?;
        let reply = match (Rmessage::from_frame(frame, self.limits.dialect), expected) {
            (Ok((_, Rmessage::Flush {})), None) => {
                self.flushed(tag);
                return Ok(());
            }
            (_, None) => {
                return Err(Violation::WrongReply { message, call: "Tflush", want: "Rflush" });
            }
            (Ok((_, reply)), Some(expected)) => {
                expected.check(&reply)?;
                reply.into_result()
            }
            (Err(Undecodable::Refused { errno, .. }), Some(_)) => Err(errno),
            (Err(Undecodable::Violation(violation)), _) => return Err(violation),
        };
        if let Some(Answered::Call(id)) = self.calls.answered(tag) {
            self.replies.push_back((id, reply));
        }
        Ok(())
    }

    fn take_version(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        let (message, want) = (name_of(frame.kind), self.limits.dialect.version());
        let decoded = Rmessage::from_frame(frame, self.limits.dialect);
        let (msize, version) = match decoded {
            Ok((_, Rmessage::Version { msize, version })) => (msize, version),
            Err(Undecodable::Refused { kind: RVERSION, .. }) => (0, String::new()),
            Err(Undecodable::Violation(violation)) => return Err(violation),
            Ok((_, reply)) => {
                let wrong = Violation::WrongReply { message, call: "Tversion", want: "Rversion" };
                return Err(reply
                    .into_result()
                    .map_or_else(|errno| Violation::NotLetIn { errno }, |_| wrong));
            }
            Err(Undecodable::Refused { errno, .. }) => return Err(Violation::NotLetIn { errno }),
        };
        if version != want {
            return Err(Violation::VersionRefused { version, want });
        }
        let (msize_min, msize_max) = (MSIZE_MIN, self.limits.msize.bytes());
        let agreed = Msize::new(msize).filter(|msize| msize.bytes() <= msize_max);
        let refused = Violation::MsizeRefused { msize, msize_min, msize_max };
        self.agreed = Some(agreed.ok_or(refused)?);
        Ok(())
    }

    fn flushed(&mut self, tag: Tag) {
        if let Some(Answered::Flush(Some(id))) = self.calls.answered(tag) {
            self.replies.push_back((id, Err(Errno::EINTR)));
        }
    }

    /// The next reply, in the order in which the server gave them.
    pub fn poll_reply(&mut self) -> Option<(CallId, Result<Rmessage, Errno>)> {
        self.replies.pop_front()
    }

    /// Bytes for the server.
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// The first `count` bytes of [`Self::transmit`] are on their way.
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
    }

    /// Takes back the data of a Rread that the caller is done with, so that the next one need not be allocated. Optional.
    pub fn recycle(&mut self, data: Bytes) {
        if let Bytes::Owned(data) = data {
            self.frames.recycle(data);
        }
    }

    /// A fid number that is free, the lowest there is; `None` when there are as many as there may be.
    pub fn new_fid(&mut self) -> Option<Fid> {
        self.fids.take()
    }

    /// The server has let go of this fid (clunk, remove, a failed walk): its number may be used again.
    pub fn forget_fid(&mut self, fid: Fid) {
        self.fids.give_back(fid);
    }

    /// Calls in flight, and Tflush.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.calls.len()
    }

    /// The last messages in either direction, in one line for the log, without any text of theirs.
    #[must_use]
    pub fn recent(&self) -> String {
        self.glimpses.line()
    }

    fn send(&mut self, tag: Tag, message: &Tmessage) -> Result<(), crate::message::TooLong> {
        let start = self.outbox.end().len();
        let frame_bytes_max = self.frame_bytes_max();
        message.encode(tag, self.limits.dialect, frame_bytes_max, self.outbox.end())?;
        let made = self.outbox.end().get(start..).map(Glimpse::of_own);
        self.glimpses.note(made.unwrap_or_default());
        Ok(())
    }
}
