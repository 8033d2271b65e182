//! Many seeds, by hand: `cargo run --release -p tests-sim -- [FIRST] [COUNT]`.

use std::{env, process::ExitCode};

use tests_sim::run;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (first, count) = (arguments.next().unwrap_or(Ok(0)), arguments.next().unwrap_or(Ok(100)));
    let (Ok(first), Ok(count)) = (first, count) else {
        eprintln!("usage: tests-sim [FIRST] [COUNT]");
        return ExitCode::from(2);
    };
    let (mut ok, mut err, mut lost, mut leases, mut crashes) = (0, 0, 0, 0, 0);
    for seed in first..first + count {
        eprintln!("seed {seed}");
        let report = run(seed);
        ok += report.jobs_ok;
        err += report.jobs_err;
        lost += report.jobs_lost;
        leases += report.leases_granted;
        crashes += report.crashes;
    }
    println!(
        "{count} seeds from {first}: {leases} leases, {ok} jobs OK, {err} ERR ({lost} LOST), {crashes} crashes, no rule broken"
    );
    ExitCode::SUCCESS
}
