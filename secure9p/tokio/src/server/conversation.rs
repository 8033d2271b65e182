//! One connection's life: moves bytes between a stream and a service's [`Connection`], and keeps its deadlines.
//!
//! Decides nothing about 9P. Owns no buffer while idle: reads go through the worker thread's (`scratch`), and replies
//! are kept only while the peer does not take them; meanwhile nothing more is read from it.
//!
//! ```text
//!            violation, Wake::close
//!          ┌───────────────────────────────────────┐
//!          │                                       ▼
//!       Talking ── drain, or end of input ──▶ Finishing ── all out ──▶ Lingering ── peer closed ──▶ End
//!          │       (answers what is owed)          │                                               ▲
//!          └── overdue, stream broke ──────────────┴── the peer had closed ────────────────────────┘
//! ```

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tracing::{debug, info, warn};

use crate::{
    scratch,
    server::{
        deadlines::{Deadlines, Overdue},
        roster::Place,
        service::{Closed, Connection},
        unsent::{Taken, Unsent},
    },
    stream::Stream,
};

/// A connection that was let in, and its stream.
pub(crate) struct Conversation<C> {
    connection: C,
    /// For the log.
    peer: String,
    stream: Stream,
    place: Place,
    phase: Phase,
    /// The connection has not said yet that it has nothing to transmit.
    may_have_replies: bool,
    unsent: Option<Unsent>,
    deadlines: Deadlines,
    /// Armed no later than the next deadline; where that has moved it fires early, and is armed again.
    alarm: Option<Pin<Box<Sleep>>>,
}

enum Phase {
    Talking,
    /// Reads nothing more.
    Finishing {
        end: End,
        patience: Patience,
    },
    /// Our side of the stream is shut; what still comes is thrown away.
    Lingering {
        end: End,
    },
}

/// What is waited for before the farewell, besides that the peer takes what is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The answers to all requests that were received.
    ForAnswers,
    None,
}

/// How a conversation ended. The log has the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed, and has its answers.
    PeerLeft,
    /// The server drained.
    Drained,
    /// The peer broke the protocol.
    Violation,
    /// The service asked for it.
    Closed,
    /// A deadline passed.
    Overdue,
    /// The stream broke.
    Broken,
}

/// `Ready` when something moved, `Pending` when only the world can go on, `Err` when it is over.
type Turn = Result<Poll<()>, End>;

impl<C: Connection> Conversation<C> {
    pub(crate) fn new(
        connection: C,
        peer: String,
        stream: Stream,
        place: Place,
        accepted_at: Instant,
    ) -> Self {
        let mut deadlines = Deadlines::accepted(accepted_at, place.limits());
        deadlines.heard(accepted_at, place.limits());
        Self {
            connection,
            peer,
            stream,
            place,
            phase: Phase::Talking,
            may_have_replies: false,
            unsent: None,
            deadlines,
            alarm: None,
        }
    }

    /// Talks until the end.
    pub(crate) async fn run(mut self) -> End {
        let end = poll_fn(|cx| {
            loop {
                match self.turn(cx) {
                    Ok(Poll::Ready(())) => {}
                    Ok(Poll::Pending) => return Poll::Pending,
                    Err(end) => return Poll::Ready(end),
                }
            }
        })
        .await;
        debug!(peer = self.peer, ?end, "connection ended");
        end
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        self.answer_bell();
        if self.poll_send(cx)?.is_ready() && self.poll_hear(cx)?.is_ready() {
            return Ok(Poll::Ready(()));
        }
        if let Some(overdue) = self.poll_alarm(cx) {
            return self.expire(overdue).map(Poll::Ready);
        }
        let asleep = self.place.wake().sleep(cx.waker());
        Ok(if asleep { Poll::Pending } else { Poll::Ready(()) })
    }

    fn answer_bell(&mut self) {
        let rung = self.place.wake().answer();
        self.may_have_replies |= rung.ring;
        if rung.rest {
            self.connection.rest();
        }
        if let Some(why) = rung.close {
            info!(peer = self.peer, "connection closed: {why}");
            self.finish(End::Closed, Patience::None);
        } else if rung.drain {
            self.finish(End::Drained, Patience::ForAnswers);
        }
    }

    /// `Ready` once the peer has taken every reply there is. After the farewell there are none.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Turn {
        if matches!(self.phase, Phase::Lingering { .. }) {
            return Ok(Poll::Ready(()));
        }
        loop {
            let mut unsent = match self.unsent.take() {
                Some(unsent) => unsent,
                None if self.may_have_replies => self.fetch(),
                None => return Ok(Poll::Ready(())),
            };
            match unsent.poll_write(Pin::new(&mut self.stream), cx)? {
                Taken::All => {
                    scratch::give_back_replies(unsent.into_buffer());
                    self.deadlines.unstalled();
                }
                Taken::Blocked { progressed } => {
                    unsent.trim();
                    self.unsent = Some(unsent);
                    self.deadlines.stalled(progressed, Instant::now(), self.place.limits());
                    return Ok(Poll::Pending);
                }
            }
        }
    }

    /// Replies that the connection has ready; to be asked again until it has none.
    fn fetch(&mut self) -> Unsent {
        let mut replies = scratch::take_replies();
        self.connection.transmit(&mut replies);
        self.may_have_replies = !replies.is_empty();
        Unsent::new(replies)
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Turn {
        match &self.phase {
            Phase::Talking if self.connection.wants_read() => self.poll_receive(cx),
            Phase::Talking => Ok(Poll::Pending),
            Phase::Finishing { patience: Patience::ForAnswers, .. }
                if !self.connection.is_idle() =>
            {
                Ok(Poll::Pending)
            }
            Phase::Finishing { end: End::PeerLeft, .. } => Err(End::PeerLeft),
            Phase::Finishing { end, .. } => {
                let end = *end;
                self.poll_farewell(end, cx)
            }
            Phase::Lingering { end } => {
                let end = *end;
                self.poll_linger(end, cx)
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Turn {
        let Self { stream, connection, .. } = self;
        let heard = scratch::with_input(|input| {
            let mut input = ReadBuf::new(input);
            match Pin::new(stream).poll_read(cx, &mut input)? {
                Poll::Pending => Ok(None),
                Poll::Ready(()) if input.filled().is_empty() => Ok(Some(Heard::End)),
                Poll::Ready(()) => {
                    Ok::<_, io::Error>(Some(Heard::Bytes(connection.receive(input.filled()))))
                }
            }
        })?;
        match heard {
            None => return Ok(Poll::Pending),
            Some(Heard::End) => self.finish(End::PeerLeft, Patience::ForAnswers),
            Some(Heard::Bytes(Err(Closed { why }))) => {
                warn!(peer = self.peer, "connection closed: {why}");
                self.finish(End::Violation, Patience::None);
            }
            Some(Heard::Bytes(Ok(()))) => self.heard(),
        }
        self.may_have_replies = true;
        Ok(Poll::Ready(()))
    }

    fn heard(&mut self) {
        if self.place.limits().idle_timeout.is_some() {
            self.deadlines.heard(Instant::now(), self.place.limits());
        }
        if self.deadlines.awaits_attach() && self.connection.is_attached() {
            self.deadlines.attached();
        }
    }

    /// Nothing more is read. The first reason stays; a later one may only take the patience away.
    fn finish(&mut self, end: End, patience: Patience) {
        match &mut self.phase {
            Phase::Talking => {
                self.phase = Phase::Finishing { end, patience };
                self.deadlines.finishing(Instant::now(), self.place.limits());
            }
            Phase::Finishing { patience: was, .. } if patience == Patience::None => *was = patience,
            Phase::Finishing { .. } | Phase::Lingering { .. } => {}
        }
    }

    fn poll_farewell(&mut self, end: End, cx: &mut Context<'_>) -> Turn {
        if Pin::new(&mut self.stream).poll_shutdown(cx)?.is_pending() {
            return Ok(Poll::Pending);
        }
        self.phase = Phase::Lingering { end };
        self.deadlines.lingering(Instant::now());
        Ok(Poll::Ready(()))
    }

    fn poll_linger(&mut self, end: End, cx: &mut Context<'_>) -> Turn {
        let stream = Pin::new(&mut self.stream);
        scratch::with_input(|input| {
            let mut input = ReadBuf::new(input);
            match stream.poll_read(cx, &mut input)? {
                Poll::Ready(()) if input.filled().is_empty() => Err(end),
                moved => Ok(moved),
            }
        })
    }

    /// What is overdue, if anything; otherwise this task is called when something will be.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Option<Overdue> {
        loop {
            let Some(next) = self.deadlines.next() else {
                self.alarm = None;
                return None;
            };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if alarm.deadline() > next {
                alarm.as_mut().reset(next);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return None;
            }
            if let Some(overdue) = self.deadlines.overdue(Instant::now()) {
                return Some(overdue);
            }
            alarm.as_mut().reset(next);
        }
    }

    fn expire(&mut self, overdue: Overdue) -> Result<(), End> {
        match (&self.phase, overdue) {
            (_, Overdue::Attach) if self.connection.is_attached() => {
                self.deadlines.attached();
                Ok(())
            }
            (Phase::Talking, overdue) => {
                info!(peer = self.peer, "connection closed: {overdue}");
                Err(End::Overdue)
            }
            (Phase::Finishing { end, .. } | Phase::Lingering { end }, _) => Err(*end),
        }
    }
}

/// What a read brought.
enum Heard {
    Bytes(Result<(), Closed>),
    End,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}
