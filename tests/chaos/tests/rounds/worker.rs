//! A worker: it holds one lease through all lives of the daemon, and submits as long as there is one to submit to.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use secure9p::OpenFlags;
use secure9p_tokio::Root;
use tests_sim::Dice;
use tokio::task::JoinHandle;

use crate::{
    books::Books,
    bridge::{Bridge, World},
    job,
};

/// Submits at the same time.
const LANES: u64 = 4;

/// By this much may a lease that is over be shown as held: timers are not exact.
const SLACK_MS: u64 = 1_000;

pub(crate) struct Worker {
    name: String,
    ticket: String,
    ttl_s: u32,
    /// As it was granted, or last taken up.
    lease: Option<Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    id: String,
    epoch: u64,
    deadline_ms: u64,
}

impl Worker {
    pub(crate) fn new(world: &World, number: u64, ttl_s: u32) -> Self {
        let name = format!("worker-{number}");
        let ticket = world.mint(&["--role", "worker-gpu", "--subject", &name, "--gpu", "GPU-0"]);
        Self { name, ticket, ttl_s, lease: None }
    }

    /// Takes up its lease, or another when that is over, and submits from several tasks until the daemon is gone.
    pub(crate) async fn go_to_work(
        &mut self,
        bridge: &Bridge,
        round: u64,
        dice: &mut Dice,
        books: &Arc<Books>,
    ) -> Vec<JoinHandle<()>> {
        let root = bridge.attach(&format!("worker-gpu:{}", self.name), &self.ticket).await;
        self.take_up_lease(&root).await;
        let lanes = 0..LANES;
        lanes
            .map(|lane| {
                let prefix = format!("{}-r{round}-{lane}", self.name);
                let dice = Dice::new(dice.between(0, u64::MAX - 1));
                tokio::spawn(submit_all(root.clone(), prefix, dice, Arc::clone(books)))
            })
            .collect()
    }

    /// A lease lasts until its deadline, whatever becomes of the daemon, and no longer.
    async fn take_up_lease(&mut self, root: &Root) {
        let asked_ms = now_ms();
        let held = leased(&ctl(root, "LEASE").await);
        let answered_ms = now_ms();
        match (&self.lease, &held) {
            (Some(before), Some(now)) if now.id == before.id => {
                assert_eq!(now.deadline_ms, before.deadline_ms, "{} moved its deadline", now.id);
                assert!(now.epoch > before.epoch, "{now:?} has the epoch of {before:?}");
                assert!(asked_ms < now.deadline_ms + SLACK_MS, "{now:?} is held at {asked_ms}");
            }
            (Some(before), _) => {
                assert!(answered_ms >= before.deadline_ms, "{before:?} is gone at {answered_ms}");
            }
            (None, _) => {}
        }
        self.lease = held;
        if self.lease.is_none() {
            let ask = format!("LEASE mem_mb=256 streams=2 ttl_s={} wait_s=60", self.ttl_s);
            let answer = ctl(root, &ask).await;
            self.lease = Some(leased(&answer).unwrap_or_else(|| panic!("{ask}: {answer}")));
        }
    }
}

async fn submit_all(root: Root, prefix: String, mut dice: Dice, books: Arc<Books>) {
    let Ok(file) = root.open("/gpu/GPU-0/job", OpenFlags::WRONLY).await else { return };
    for number in 0.. {
        let job = format!("{prefix}-{number}");
        let turns = if dice.between(0, 3) == 0 { 300_000 } else { dice.between(1, 3_000) };
        let descriptor = job::descriptor(&job, turns) + "\n";
        books.submitted(&job);
        match file.write_at(0, descriptor.as_bytes()).await {
            Ok(_) => books.acknowledged(&job),
            // Its lease is over, or its queue is full.
            Err(refused) if refused.errno().is_some() => return books.refused(&job),
            Err(_) => return,
        }
        books.while_many_are_open().await;
    }
}

async fn ctl(root: &Root, line: &str) -> String {
    let file = root.open("/gpu/GPU-0/ctl", OpenFlags::RDWR).await.unwrap();
    let _ = file.write_at(0, format!("{line}\n").as_bytes()).await; // a refusal is in the status line too
    String::from_utf8(file.read_to_end(0).await.unwrap()).unwrap()
}

/// What a status line says of a lease that is held.
fn leased(status: &str) -> Option<Lease> {
    let words = status.strip_prefix("OK LEASE ")?.trim_end();
    let word = |key: &str| words.split(' ').find_map(|word| word.strip_prefix(key));
    Some(Lease {
        id: word("id=")?.to_owned(),
        epoch: word("epoch=")?.parse().unwrap(),
        deadline_ms: word("deadline_ms=")?.parse().unwrap(),
    })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
