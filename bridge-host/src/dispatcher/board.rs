//! The records of one GPU's jobs, as each viewer may see them: a worker its own, everybody else all.

use std::collections::BTreeMap;

use ninedoor::ring::LogRing;
use ninedoor_abi::Subject;

use crate::store::Owner;

/// Bytes of records that everybody's view keeps.
const ALL_BYTES_MAX: usize = 1 << 20;
/// Bytes of records that one worker's view keeps.
const WORKER_BYTES_MAX: usize = 128 << 10;
/// Workers with a view of their own; the one that was written to longest ago goes first.
const WORKERS_MAX: usize = 1024;

/// The rings.
#[derive(Debug)]
pub(crate) struct Board {
    all: LogRing,
    workers: BTreeMap<Subject, View>,
    nothing: LogRing,
    appended: u64,
}

#[derive(Debug)]
struct View {
    ring: LogRing,
    last: u64,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            all: LogRing::new(ALL_BYTES_MAX),
            workers: BTreeMap::new(),
            nothing: LogRing::new(0),
            appended: 0,
        }
    }
}

impl Board {
    /// Appends one record of one worker's job.
    pub(crate) fn append(&mut self, worker: &Subject, line: &str) {
        self.appended += 1;
        self.all.append(line.as_bytes());
        if !self.workers.contains_key(worker) && self.workers.len() == WORKERS_MAX {
            self.forget_one();
        }
        let view = self
            .workers
            .entry(worker.clone())
            .or_insert_with(|| View { ring: LogRing::new(WORKER_BYTES_MAX), last: 0 });
        view.ring.append(line.as_bytes());
        view.last = self.appended;
    }

    /// What a viewer sees.
    pub(crate) fn seen_by(&self, viewer: &Owner) -> &LogRing {
        match viewer {
            Owner::Shared => &self.all,
            Owner::Subject(worker) => {
                self.workers.get(worker).map_or(&self.nothing, |view| &view.ring)
            }
        }
    }

    fn forget_one(&mut self) {
        let oldest =
            self.workers.iter().min_by_key(|(_, view)| view.last).map(|(worker, _)| worker.clone());
        if let Some(oldest) = oldest {
            self.workers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(number: usize) -> Subject {
        format!("worker-{number}").parse().unwrap()
    }

    fn seen(board: &Board, viewer: &Owner) -> String {
        String::from_utf8(board.seen_by(viewer).read_at(0, usize::MAX)).unwrap()
    }

    /// Proves BR-4.
    #[test]
    fn a_worker_sees_the_records_of_its_own_jobs_and_others_see_all() {
        let mut board = Board::default();
        board.append(&worker(1), "one");
        board.append(&worker(2), "two");
        assert_eq!(seen(&board, &Owner::Shared), "one\ntwo\n");
        assert_eq!(seen(&board, &Owner::Subject(worker(2))), "two\n");
        assert_eq!(seen(&board, &Owner::Subject(worker(3))), "");
    }

    #[test]
    fn the_view_written_to_longest_ago_makes_room() {
        let mut board = Board::default();
        for number in 0..WORKERS_MAX {
            board.append(&worker(number), "x");
        }
        board.append(&worker(0), "y");
        board.append(&worker(WORKERS_MAX), "z");
        assert_eq!(board.workers.len(), WORKERS_MAX);
        assert_eq!(seen(&board, &Owner::Subject(worker(1))), "");
        assert_eq!(seen(&board, &Owner::Subject(worker(0))), "x\ny\n");
    }
}
