//! The peer: Debian's Slurm, one node, a job that does nothing. `peers/slurm.sh` starts it; without Slurm its column is left out.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::figures::Times;

/// Tasks of the array whose rate is measured.
const TASKS: usize = 40;

/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(20);

/// Longer than this the array does not take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Slurm that runs; ended with the value.
pub(crate) struct Slurm(TempDir);

impl Slurm {
    /// Whether its programs are there.
    pub(crate) fn is_installed() -> bool {
        ["slurmctld", "slurmd", "munged", "srun"].iter().all(|program| {
            let found = Command::new("which").arg(program).stdout(Stdio::null()).status();
            found.is_ok_and(|status| status.success())
        })
    }

    pub(crate) fn start() -> Result<Self> {
        let slurm = Self(tempfile::Builder::new().prefix("bench-slurm-").tempdir_in("/var/tmp")?);
        done(Command::new(script()).arg("up").arg(slurm.0.path()))?;
        Ok(slurm)
    }

    /// `srun true`, one after the other: from the start of `srun` to its end.
    pub(crate) fn latency(&self, duration: Duration) -> Result<Times> {
        done(self.command("srun").arg("true"))?;
        let mut times = Vec::new();
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let started = Instant::now();
            done(self.command("srun").arg("true"))?;
            times.push(started.elapsed());
        }
        Ok(Times::new(times))
    }

    /// An array of tasks, from the start of `sbatch` until nothing of it is in the queue; tasks by the second.
    pub(crate) fn rate(&self) -> Result<f64> {
        let tasks = format!("1-{TASKS}");
        let started = Instant::now();
        done(self.command("sbatch").args([
            "-Q",
            "-o",
            "/dev/null",
            "--wrap",
            "true",
            "-a",
            &tasks,
        ]))?;
        while !self.is_idle()? {
            if started.elapsed() > PATIENCE {
                bail!("{TASKS} tasks of an array do not end in {PATIENCE:?}");
            }
            thread::sleep(LOOK);
        }
        Ok(TASKS as f64 / started.elapsed().as_secs_f64())
    }

    fn is_idle(&self) -> Result<bool> {
        let queue = self.command("squeue").args(["-h", "-r"]).output()?;
        Ok(queue.status.success() && queue.stdout.is_empty())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.0.path().join("slurm.conf")).current_dir("/");
        command
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        if let Err(error) = done(Command::new(script()).arg("down").arg(self.0.path())) {
            eprintln!("{error:#}");
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/slurm.sh")
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status();
    match status.with_context(|| format!("{command:?}"))? {
        status if status.success() => Ok(()),
        status => bail!("{command:?}: {status}"),
    }
}
