//! A kernel that never ends, on a GPU that another lease waits for: how late the bridge orders its end, and how soon the other's job
//! runs then. The stamps are those of the bridge's own log.
//!
//! ```text
//!   launched ──timeout_ms──▶ asked to stop ──(it listens)──▶ next launched
//!                                 └──250 ms, frozen: SIGSTOP──▶ killed ──▶ next launched
//! ```

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, Column, Measure, Row};
use crate::{
    bridge::Bridge,
    figures::Times,
    log::{Line, Log},
    report::Name,
    worker::{SMALL, Worker},
};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "endless kernel: asked to stop after its deadline by, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "≤ 10 000" },
        Name { what: "… from there to the launch of another lease's job, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "≤ 300 000" },
        Name {
            what: "executor that does not listen: killed after the 250 ms of grace by, p50 µs",
            goal: "",
        },
        Name { what: "… p99 µs", goal: "≤ 10 000" },
        Name { what: "… from the kill to the launch of another lease's job, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "≤ 300 000" },
    ],
    rounds_max: 1,
    measure: Measure::BridgeOnDisk(measure),
};

const TIMES: usize = 100;
const TIMEOUT_MS: u32 = 40;
const GRACE: Duration = Duration::from_millis(250);

const FILTER: &str = "error,bridge_host::dispatcher=debug";

/// One deadline.
struct Passed {
    late: Duration,
    next: Duration,
}

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let bridge = bench.bridge_that_logs(column, FILTER)?;
    let mut pair = Pair::lease(&bridge)?;
    let mut figures = Vec::new();
    for frozen in [false, true] {
        let passed: Vec<_> =
            (0..TIMES).map(|number| pair.pass(number, frozen)).collect::<Result<_>>()?;
        let late = Times::new(passed.iter().map(|passed| passed.late).collect());
        let next = Times::new(passed.iter().map(|passed| passed.next).collect());
        for times in [late, next] {
            figures.extend([0.5, 0.99].map(|share| times.percentile_us(share)));
        }
    }
    Ok(figures)
}

/// Two workers with a lease each on the one GPU.
struct Pair<'a> {
    bridge: &'a Bridge,
    log: &'a Log,
    hog: Worker,
    other: Worker,
}

impl<'a> Pair<'a> {
    fn lease(bridge: &'a Bridge) -> Result<Self> {
        let log = bridge.log.as_ref().context("the bridge was started with a filter")?;
        let (mut hog, mut other) = (bridge.worker("hog")?, bridge.worker("other")?);
        for (worker, job) in [(&mut other, "other-warm"), (&mut hog, "hog-warm")] {
            worker.lease(SMALL)?;
            run(worker, job)?;
        }
        Ok(Self { bridge, log, hog, other })
    }

    /// Lets one job pass its deadline; frozen, it takes no notice of being asked.
    fn pass(&mut self, number: usize, frozen: bool) -> Result<Passed> {
        let name = |who: &str| format!("{who}-{number}-{frozen}");
        let (endless, next) = (name("hog"), name("next"));
        if frozen {
            self.freeze()?;
        }
        self.hog.submit(&endless, "endless", TIMEOUT_MS)?;
        self.other.submit_empty(&next)?;
        let end = self.hog.until_end(&endless)?;
        ensure!(end == "TIMEOUT", "{endless} ended as {end}");
        ensure!(self.other.until_end(&next)? == "OK", "{next} did not end well");
        run(&mut self.hog, &name("after"))?;

        let launched = self.log.until("launching a job", "id", &endless)?;
        let asked = self.log.until("asking a job to stop", "job", &launched.field("job"))?;
        let deadline = Duration::from_millis(TIMEOUT_MS.into());
        let (late, from) = if frozen {
            let killed =
                self.log.until("killing an executor", "lease", &launched.field("lease"))?;
            (between(&asked, &killed)?.saturating_sub(GRACE), killed)
        } else {
            (between(&launched, &asked)?.saturating_sub(deadline), asked)
        };
        let follows = self.log.until("launching a job", "id", &next)?;
        Ok(Passed { late, next: between(&from, &follows)? })
    }

    /// Stops the executor of the endless kernel before it is given it: it takes notice of nothing. The other worker was first to get one, and a spare is younger than both.
    fn freeze(&self) -> Result<()> {
        let executors = self.bridge.executors();
        let pid = *executors.get(1).with_context(|| format!("executors are {executors:?}"))?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("a process id")?;
        Ok(kill_process(pid, Signal::STOP)?)
    }
}

fn run(worker: &mut Worker, job: &str) -> Result<()> {
    worker.submit_empty(job)?;
    match worker.until_end(job)? {
        end if end == "OK" => Ok(()),
        end => bail!("{job} ended as {end}"),
    }
}

fn between(from: &Line, to: &Line) -> Result<Duration> {
    let us = to.stamp_us()?.checked_sub(from.stamp_us()?).context("midnight came between")?;
    Ok(Duration::from_micros(us))
}
