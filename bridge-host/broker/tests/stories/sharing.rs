//! Whose turn it is on a GPU.

use std::collections::BTreeMap;

use bridge_host_broker::{JobNumber, Policy, Sharing};
use ninedoor_abi::{LeaseId, ctl::LeaseAsk};

use crate::world::{World, ask};

/// Leases that always have work; each job runs for as long as its lease's jobs do.
struct Crowd {
    world: World,
    leases: BTreeMap<LeaseId, (String, u64)>,
    ran_ms: BTreeMap<LeaseId, u64>,
    submitted: u64,
}

impl Crowd {
    fn new(members: &[(&str, u8, u64)]) -> Self {
        let mut crowd = Self {
            world: World::new(),
            leases: BTreeMap::new(),
            ran_ms: BTreeMap::new(),
            submitted: 0,
        };
        for &(who, priority, job_ms) in members {
            let lease = crowd
                .world
                .lease_with(who, LeaseAsk { priority: Some(priority), ..ask(64, 86_400) });
            crowd.leases.insert(lease, (who.to_owned(), job_ms));
        }
        let members: Vec<_> = crowd.leases.clone().into_iter().collect();
        for (lease, (who, _)) in members {
            crowd.submit(&who);
            crowd.world.ready(lease);
            crowd.submit(&who);
        }
        crowd
    }

    fn submit(&mut self, who: &str) {
        self.submitted += 1;
        self.world.submit(who, &format!("j{}", self.submitted));
    }

    /// Runs what runs to its end, one after another, for so long.
    fn run_ms(&mut self, ms: u64) {
        let end = self.world.now.mono_us.plus_ms(ms);
        while self.world.now.mono_us < end {
            let (lease, job) = self.running();
            let (who, job_ms) = self.leases[&lease].clone();
            self.world.pass_ms(job_ms);
            *self.ran_ms.entry(lease).or_default() += job_ms;
            self.submit(&who);
            self.world.finish(lease, job);
        }
    }

    fn running(&self) -> (LeaseId, JobNumber) {
        self.world.last_launch()
    }

    fn share(&self, nth: u64) -> f64 {
        let all: u64 = self.ran_ms.values().sum();
        let own = self.ran_ms.get(&LeaseId(nth)).copied().unwrap_or(0);
        own as f64 / all as f64
    }
}

/// Proves JOB-18.
#[test]
fn leases_of_equal_priority_share_time_equally_whatever_their_jobs_take() {
    let mut crowd = Crowd::new(&[("short", 0, 1), ("long", 0, 50)]);
    crowd.run_ms(20_000);
    assert!((crowd.share(1) - 0.5).abs() < 0.02, "{}", crowd.share(1));
}

#[test]
fn lease_of_higher_priority_gets_time_by_weight_and_nobody_starves() {
    let mut crowd = Crowd::new(&[("low", 0, 10), ("mid", 1, 10), ("high", 4, 10)]);
    crowd.run_ms(40_000);
    for (nth, wanted) in [(1, 1.0 / 8.0), (2, 2.0 / 8.0), (3, 5.0 / 8.0)] {
        assert!((crowd.share(nth) - wanted).abs() < 0.02, "lease-{nth}: {}", crowd.share(nth));
    }
}

#[test]
fn rest_earns_no_credit() {
    let mut crowd = Crowd::new(&[("busy", 0, 10)]);
    let idle = crowd.world.lease("idle", 64, 86_400).unwrap().id;
    crowd.leases.insert(idle, ("idle".into(), 10));
    crowd.run_ms(10_000);
    crowd.submit("idle");
    crowd.world.ready(idle);
    crowd.submit("idle");
    crowd.ran_ms.clear();
    crowd.run_ms(2_000);
    assert!((crowd.share(2) - 0.5).abs() < 0.05, "{}", crowd.share(2));
}

/// Proves JOB-19.
#[test]
fn one_lease_at_a_time_has_the_turn() {
    let mut world = World::new();
    let first = world.lease_streams("a", 64, 2);
    let second = world.lease_streams("b", 64, 2);
    for (who, job) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")] {
        world.submit(who, job);
    }
    world.ready(first);
    world.ready(second);
    assert_eq!(world.launched(), ["a1", "a2"]);
    world.pass_ms(10);
    world.submit("a", "a3");
    world.finish(first, JobNumber(1));
    assert_eq!(
        world.launched(),
        ["a1", "a2"],
        "its turn is over, the other's begins when the GPU is idle"
    );
    world.finish(first, JobNumber(2));
    assert_eq!(world.launched(), ["a1", "a2", "b1", "b2"]);
}

#[test]
fn together_jobs_of_all_leases_run_up_to_what_the_gpu_supports() {
    let mut world = World::with_policy(Policy { sharing: Sharing::Together, ..Policy::default() });
    let leases: Vec<_> = (0..3).map(|n| world.lease_streams(&format!("w{n}"), 64, 8)).collect();
    for lease in 0..3 {
        for job in 0..8 {
            world.submit(&format!("w{lease}"), &format!("j{lease}-{job}"));
        }
    }
    leases.iter().for_each(|&lease| world.ready(lease));
    assert_eq!(world.launched().len(), 16);
}

#[test]
fn lease_that_is_not_ready_does_not_keep_the_gpu_idle() {
    let mut world = World::new();
    let slow = world.lease("slow", 64, 600).unwrap().id;
    let quick = world.lease("quick", 64, 600).unwrap().id;
    world.submit("slow", "s");
    world.submit("quick", "q");
    world.ready(quick);
    assert_eq!(world.launched(), ["q"]);
    world.ready(slow);
    world.finish(quick, JobNumber(2));
    assert_eq!(world.launched(), ["q", "s"]);
}
