//! Whatever is asked, in whatever order, and however executors behave: what must always hold, holds.
//!
//! Random scripts are run against the broker. A checker that knows nothing of how the broker decides sees only what an outsider
//! sees (answers, effects, and the events that were delivered), and keeps its own small model of who has what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a rule that is broken fails the test")]

mod checker;
mod run;
mod script;

use proptest::prelude::*;

use crate::{run::Run, script::script};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Proves LEASE-20, JOB-21, JOB-22.
    #[test]
    fn no_script_breaks_a_rule(steps in script(400)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.come_to_rest();
    }

    /// Proves JOB-23.
    #[test]
    fn same_script_gives_the_same_effects(steps in script(200)) {
        let tell = || {
            let mut run = Run::new();
            for step in steps.clone() {
                run.step(step);
            }
            run.come_to_rest();
            run.told
        };
        prop_assert_eq!(tell(), tell());
    }
}
