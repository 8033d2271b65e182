//! Seeds that must run to their end. Every seed that failed once is kept.

use tests_sim::run;

/// Proves JOB-24, LEASE-21.
#[test]
fn every_rule_holds_in_every_storm() {
    let (mut ok, mut lost, mut crashes, mut power_cuts, mut refused) = (0, 0, 0, 0, 0);
    for seed in 0..24 {
        let report = run(seed);
        ok += report.jobs_ok;
        lost += report.jobs_lost;
        crashes += report.crashes;
        power_cuts += report.power_cuts;
        refused += report.events_refused;
    }
    assert!(
        ok > 500 && lost > 5 && crashes > 24 && power_cuts > 5 && refused > 5,
        "the storms were too mild: {ok} {lost} {crashes} {power_cuts} {refused}"
    );
}

/// Proves JOB-25.
#[test]
fn same_seed_gives_the_same_bytes() {
    for seed in [3, 4] {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(3).trace, run(4).trace);
}
