//! When a connection has had its time. Pure: takes `now`, says what is next.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use crate::limits::{LINGER_TIMEOUT, Limits};

/// What a connection must do, and by when. At most four instants; the earliest rules.
#[derive(Debug)]
pub(crate) struct Deadlines {
    attach_by: Option<Instant>,
    take_replies_by: Option<Instant>,
    say_something_by: Option<Instant>,
    end_by: Option<Instant>,
}

/// A deadline that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// No user has attached.
    Attach,
    /// The peer took none of its replies.
    TakeReplies,
    /// The peer said nothing.
    SaySomething,
    /// The last replies, or the peer's farewell, took too long.
    End,
}

impl Deadlines {
    pub(crate) fn accepted(now: Instant, limits: &Limits) -> Self {
        Self {
            attach_by: Some(now + limits.handshake_timeout),
            take_replies_by: None,
            say_something_by: None,
            end_by: None,
        }
    }

    /// The peer has said something.
    pub(crate) fn heard(&mut self, now: Instant, limits: &Limits) {
        if let Some(idle_timeout) = limits.idle_timeout {
            self.say_something_by = Some(now + idle_timeout);
        }
    }

    pub(crate) fn awaits_attach(&self) -> bool {
        self.attach_by.is_some()
    }

    pub(crate) fn attached(&mut self) {
        self.attach_by = None;
    }

    /// Replies wait for the peer; `progressed` when it took some just now.
    pub(crate) fn stalled(&mut self, progressed: bool, now: Instant, limits: &Limits) {
        if progressed || self.take_replies_by.is_none() {
            self.take_replies_by = Some(now + limits.stall_timeout);
        }
    }

    pub(crate) fn unstalled(&mut self) {
        self.take_replies_by = None;
    }

    /// Nothing more is read: what is owed must be out in time.
    pub(crate) fn finishing(&mut self, now: Instant, limits: &Limits) {
        self.end_within(limits.drain_timeout, now);
    }

    /// Our last word is out.
    pub(crate) fn lingering(&mut self, now: Instant) {
        self.end_within(LINGER_TIMEOUT, now);
    }

    fn end_within(&mut self, timeout: Duration, now: Instant) {
        *self = Self {
            attach_by: None,
            take_replies_by: None,
            say_something_by: None,
            end_by: Some(now + timeout),
        };
    }

    /// The earliest instant, if any.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.all().into_iter().filter_map(|(by, _)| by).min()
    }

    /// What is overdue at `now`, the earliest first.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Overdue> {
        self.all()
            .into_iter()
            .filter_map(|(by, overdue)| Some((by.filter(|by| *by <= now)?, overdue)))
            .min_by_key(|(by, _)| *by)
            .map(|(_, overdue)| overdue)
    }

    fn all(&self) -> [(Option<Instant>, Overdue); 4] {
        [
            (self.end_by, Overdue::End),
            (self.attach_by, Overdue::Attach),
            (self.take_replies_by, Overdue::TakeReplies),
            (self.say_something_by, Overdue::SaySomething),
        ]
    }
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attach => "nobody attached within the handshake timeout",
            Self::TakeReplies => "the peer took none of its replies within the stall timeout",
            Self::SaySomething => "the peer was silent for the idle timeout",
            Self::End => "the last replies were not taken within the drain timeout",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits {
            handshake_timeout: 10 * SECOND,
            idle_timeout: Some(60 * SECOND),
            stall_timeout: 30 * SECOND,
            drain_timeout: 5 * SECOND,
            ..Limits::default()
        }
    }

    #[test]
    fn the_earliest_deadline_rules_and_an_attach_ends_the_handshake() {
        let (limits, start) = (limits(), Instant::now());
        let mut deadlines = Deadlines::accepted(start, &limits);
        deadlines.heard(start, &limits);
        assert_eq!(deadlines.next(), Some(start + 10 * SECOND));
        assert_eq!(deadlines.overdue(start + 9 * SECOND), None);
        assert_eq!(deadlines.overdue(start + 10 * SECOND), Some(Overdue::Attach));
        deadlines.attached();
        assert_eq!(deadlines.overdue(start + 60 * SECOND), Some(Overdue::SaySomething));
    }

    #[test]
    fn a_peer_that_takes_a_little_is_not_stalled() {
        let (limits, start) = (limits(), Instant::now());
        let mut deadlines = Deadlines::accepted(start, &limits);
        deadlines.attached();
        deadlines.stalled(false, start, &limits);
        deadlines.stalled(false, start + 20 * SECOND, &limits);
        assert_eq!(deadlines.overdue(start + 30 * SECOND), Some(Overdue::TakeReplies));
        deadlines.stalled(true, start + 20 * SECOND, &limits);
        assert_eq!(deadlines.overdue(start + 30 * SECOND), None);
        deadlines.unstalled();
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn once_finishing_nothing_else_counts() {
        let (limits, start) = (limits(), Instant::now());
        let mut deadlines = Deadlines::accepted(start, &limits);
        deadlines.finishing(start, &limits);
        assert_eq!(deadlines.next(), Some(start + 5 * SECOND));
        deadlines.lingering(start + SECOND);
        assert_eq!(deadlines.overdue(start + 2 * SECOND), Some(Overdue::End));
    }
}
