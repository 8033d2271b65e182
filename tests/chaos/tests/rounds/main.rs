//! Rounds of load, in each of which executors and at last the daemon are killed (`kill -9`) at a point that the seed chooses.
//!
//! ```text
//!   round   start the daemon ─▶ workers take up their leases, and submit ─▶ kill executors, kill the daemon
//!             └─ a watcher reads stats from the first record kept to the last one shown
//!   end     start it once more, until every acknowledged job has ended; then the books are compared
//! ```
//!
//! A few rounds in every test run. More: `CHAOS_ROUNDS=200 CHAOS_SEED=7 cargo test --release -p tests-chaos -- --nocapture`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod books;
mod bridge;
mod job;
mod watcher;
mod worker;

use std::sync::Arc;

use books::Books;
use bridge::{Bridge, World};
use tests_sim::Dice;
use worker::Worker;

/// Rounds in every test run.
const ROUNDS: u64 = 6;

/// Each with its own lease; the last one's is over again and again.
const TTLS_S: [u32; 3] = [3_600, 3_600, 2];

/// Lets others go first, so many times.
async fn dawdle(dice: &mut Dice) {
    for _ in 0..dice.between(0, 200) {
        tokio::task::yield_now().await;
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Proves BR-27, BR-32, JOB-20, LEASE-19.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_runs_twice_whoever_is_killed() {
    let (rounds, seed) = (number("CHAOS_ROUNDS", ROUNDS), number("CHAOS_SEED", 1));
    println!("{rounds} rounds of seed {seed}, {}", env!("CARGO_BIN_EXE_chaos-bridge"));
    let mut dice = Dice::new(seed);
    let world = World::new();
    let books = Arc::new(Books::default());
    let mut workers: Vec<_> =
        (0..).zip(TTLS_S).map(|(n, ttl_s)| Worker::new(&world, n, ttl_s)).collect();
    for round in 0..rounds {
        let bridge = world.start();
        let watcher = watcher::follow(world.queen(&bridge).await, Arc::clone(&books));
        let mut lanes = Vec::new();
        for worker in &mut workers {
            lanes.extend(worker.go_to_work(&bridge, round, &mut dice, &books).await);
        }
        for _ in 0..dice.between(0, 2) {
            books.until_acknowledged(dice.between(3, 20)).await;
            bridge.kill_an_executor(&mut dice);
        }
        books.until_acknowledged(dice.between(3, 40)).await;
        dawdle(&mut dice).await;
        bridge.kill();
        for lane in lanes {
            lane.await.unwrap();
        }
        watcher.await.unwrap();
    }
    settle(&world, &books).await;
    println!("{}", books.compare(&world.launches()));
    println!("{}", world.verify_audit());
}

/// Nobody is killed any more: everything comes to its end.
async fn settle(world: &World, books: &Arc<Books>) {
    let bridge: Bridge = world.start();
    let watcher = watcher::follow(world.queen(&bridge).await, Arc::clone(books));
    books.until_ended().await;
    bridge.kill();
    watcher.await.unwrap();
}
