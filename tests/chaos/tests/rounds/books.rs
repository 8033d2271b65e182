//! What the workers were told, what `stats` showed, and whether the two and the witness agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::Notify, time::timeout};

use crate::job::kernel;

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Jobs that were accepted and have not ended, above which nobody submits.
const OPEN_MAX: usize = 48;

/// Records that a daemon showed last, and the next one must show again.
const REMEMBERED: usize = 64;

#[derive(Default)]
pub(crate) struct Books {
    pages: Mutex<Pages>,
    changed: Notify,
}

#[derive(Default)]
struct Pages {
    jobs: BTreeMap<String, Job>,
    acknowledged: u64,
    open: usize,
    /// The last records that the daemon before this one showed, and this one has not shown yet.
    owed: Vec<String>,
    shown: Vec<String>,
}

#[derive(Default)]
struct Job {
    acknowledged: bool,
    refused: bool,
    /// Records of each state, as lines: the same line read again is the same record.
    queued: BTreeSet<String>,
    running: BTreeSet<String>,
    ends: BTreeSet<String>,
    end: Option<String>,
}

/// What all rounds came to.
pub(crate) struct Sum {
    acknowledged: usize,
    unanswered: usize,
    by_end: BTreeMap<String, usize>,
    launches: usize,
}

impl Books {
    pub(crate) fn submitted(&self, job: &str) {
        let before = self.pages().jobs.insert(job.to_owned(), Job::default());
        assert!(before.is_none(), "{job} is submitted twice");
    }

    pub(crate) fn acknowledged(&self, job: &str) {
        let mut pages = self.pages();
        pages.acknowledged += 1;
        pages.job(job).acknowledged = true;
        drop(pages);
        self.changed.notify_waiters();
    }

    pub(crate) fn refused(&self, job: &str) {
        self.pages().job(job).refused = true;
    }

    /// What one daemon showed, the next one shows.
    pub(crate) fn a_daemon_starts(&self) {
        let mut pages = self.pages();
        let from = pages.shown.len().saturating_sub(REMEMBERED);
        let shown = pages.shown.split_off(from);
        pages.owed.extend(shown);
        pages.shown.clear();
    }

    pub(crate) fn all_that_was_kept_is_read(&self) {
        let pages = self.pages();
        assert!(pages.owed.is_empty(), "shown by one daemon and not by the next: {:?}", pages.owed);
    }

    /// Takes in one line of `stats`.
    pub(crate) fn read(&self, line: &str) {
        let record: Value = serde_json::from_str(line).unwrap();
        let (Some(name), Some(state)) = (record["job"].as_str(), record["state"].as_str()) else {
            return; // the sample of the GPU
        };
        let mut pages = self.pages();
        pages.owed.retain(|owed| owed != line);
        pages.shown.push(line.to_owned());
        let job = pages.job(name);
        let records = match state {
            "QUEUED" => &mut job.queued,
            "RUNNING" => &mut job.running,
            _ => &mut job.ends,
        };
        let is_news = records.insert(line.to_owned());
        assert_eq!(records.len(), 1, "{name} is {state} more than once: {records:?}");
        if is_news && state == "QUEUED" {
            pages.open += 1;
        } else if is_news && state != "RUNNING" {
            job.end = Some(record["code"].as_str().unwrap_or("OK").to_owned());
            pages.open -= 1;
        }
        drop(pages);
        self.changed.notify_waiters();
    }

    /// Until so many more jobs are acknowledged.
    pub(crate) async fn until_acknowledged(&self, more: u64) {
        let until = self.pages().acknowledged + more;
        self.until("acknowledgements", |pages| pages.acknowledged >= until).await;
    }

    /// Until every job that was acknowledged, or was seen to be accepted, has ended.
    pub(crate) async fn until_ended(&self) {
        self.until("ends", |pages| pages.jobs.values().all(|job| !job.is_owed_an_end())).await;
    }

    /// As long as there is enough to do.
    pub(crate) async fn while_many_are_open(&self) {
        let few = self.until("room", |pages| pages.open < OPEN_MAX);
        // A daemon that is gone makes no room; the next write will tell.
        let _ = timeout(Duration::from_millis(200), few).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Pages) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if is_so(&self.pages()) {
                    return;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("no more {what}: {}", self.open()));
    }

    fn open(&self) -> String {
        let pages = self.pages();
        let open: Vec<_> = pages.jobs.iter().filter(|(_, job)| job.is_owed_an_end()).collect();
        let names: Vec<_> = open.iter().map(|(name, _)| name.as_str()).take(20).collect();
        format!("{} jobs have not ended, such as {names:?}", open.len())
    }

    /// Compares all with the list of launches.
    pub(crate) fn compare(&self, launches: &[String]) -> Sum {
        let mut launched = BTreeMap::<&str, usize>::new();
        for kernel in launches {
            *launched.entry(kernel).or_default() += 1;
        }
        let pages = self.pages();
        let mut sum = Sum {
            acknowledged: 0,
            unanswered: 0,
            by_end: BTreeMap::new(),
            launches: launches.len(),
        };
        for (name, job) in &pages.jobs {
            let launches = launched.remove(kernel(name).as_str()).unwrap_or(0);
            job.check(name, launches);
            sum.acknowledged += usize::from(job.acknowledged);
            sum.unanswered += usize::from(!job.acknowledged && !job.refused);
            if let Some(end) = &job.end {
                *sum.by_end.entry(end.clone()).or_default() += 1;
            }
        }
        assert!(launched.is_empty(), "launched and never submitted: {launched:?}");
        sum
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }
}

impl Pages {
    fn job(&mut self, name: &str) -> &mut Job {
        self.jobs.get_mut(name).unwrap_or_else(|| panic!("{name} was never submitted"))
    }
}

impl Job {
    fn is_owed_an_end(&self) -> bool {
        self.end.is_none() && (self.acknowledged || !self.queued.is_empty())
    }

    fn check(&self, name: &str, launches: usize) {
        assert!(launches <= 1, "{name} ran {launches} times");
        assert!(!self.refused || self.queued.is_empty(), "{name} was refused and accepted");
        let Some(end) = &self.end else {
            assert!(!self.is_owed_an_end(), "{name} was acknowledged and is lost");
            assert_eq!(launches, 0, "{name} was never accepted and ran");
            return;
        };
        let fits = match end.as_str() {
            "OK" => launches == 1,
            "LOST" | "LEASE_EXPIRED" => true,
            _ => false,
        };
        assert!(fits, "{name} ended {end} after {launches} launches");
        assert!(launches == 0 || !self.running.is_empty(), "{name} ran and was never RUNNING");
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} jobs acknowledged, {} unanswered, {} launches, none twice; ends: {:?}",
            self.acknowledged, self.unanswered, self.launches, self.by_end
        )
    }
}
