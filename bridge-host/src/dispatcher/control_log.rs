//! The control lines that a GPU was sent lately, and what became of each: what a fresh open of `ctl` reads.

use std::collections::VecDeque;

use ninedoor_abi::{StatusLine, Subject, UnixMs};

use crate::store::Owner;

/// Lines kept.
const LINES_MAX: usize = 256;

/// The lines.
#[derive(Debug, Default)]
pub(super) struct ControlLog(VecDeque<ControlLine>);

#[derive(Debug)]
struct ControlLine {
    by: Option<Subject>,
    text: String,
}

impl ControlLog {
    /// Notes what became of one line; `by` is nobody for a queen.
    pub(super) fn note(&mut self, at: UnixMs, by: Option<Subject>, status: &StatusLine) {
        if self.0.len() == LINES_MAX {
            self.0.pop_front();
        }
        let who = by.as_ref().map_or("queen", Subject::as_str);
        let text = format!("{at} {who} {}\n", status.for_log());
        self.0.push_back(ControlLine { by, text });
    }

    /// Oldest first: a worker its own, everybody else all.
    pub(super) fn seen_by(&self, viewer: &Owner) -> String {
        let may_see = |line: &&ControlLine| match viewer {
            Owner::Shared => true,
            Owner::Subject(worker) => line.by.as_ref() == Some(worker),
        };
        self.0.iter().filter(may_see).map(|line| line.text.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use ninedoor_abi::{Refusal, ctl::Verb};

    use super::*;

    /// Proves BR-5.
    #[test]
    fn a_worker_reads_back_its_own_lines_and_the_queen_all() {
        let mut log = ControlLog::default();
        let worker: Subject = "worker-1".parse().unwrap();
        log.note(UnixMs(5), Some(worker.clone()), &StatusLine::ok(Verb::Release));
        log.note(UnixMs(6), None, &StatusLine::err(Verb::Lease, Refusal::invalid("mem_mb is 0")));
        assert_eq!(log.seen_by(&Owner::Subject(worker)), "5 worker-1 OK RELEASE\n");
        assert_eq!(
            log.seen_by(&Owner::Shared),
            "5 worker-1 OK RELEASE\n6 queen ERR LEASE EINVAL mem_mb is 0\n"
        );
    }

    #[test]
    fn the_oldest_line_makes_room() {
        let mut log = ControlLog::default();
        for at in 0..=LINES_MAX as u64 {
            log.note(UnixMs(at), None, &StatusLine::ok(Verb::Drain));
        }
        let text = log.seen_by(&Owner::Shared);
        assert_eq!(text.lines().count(), LINES_MAX);
        assert!(text.starts_with("1 queen OK DRAIN\n"));
    }
}
