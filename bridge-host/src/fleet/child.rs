//! One executor process: started, held by a pidfd, reaped.

use std::{
    fmt, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cgroup::Cgroup;
use crate::{
    backend::Backend, config::ConfinementChoice, executor::EXECUTOR_ARGUMENT, store::KinList,
};

/// How executors are started.
#[derive(Debug)]
pub(crate) struct ExecutorProgram {
    /// A program whose `main` calls [`crate::executor_main`] first thing.
    pub(crate) path: PathBuf,
    /// Which GPUs it works with.
    pub(crate) backend: Backend,
    /// Whether its standard error goes to ours.
    pub(crate) stderr: bool,
    /// Whether it may work without some of what confines it.
    pub(crate) confinement: ConfinementChoice,
    /// Where it is written down: the next daemon waits for it.
    pub(crate) kin: KinList,
}

/// What an executor may know of our environment: where libraries are, and how to tell what went wrong.
fn is_passed_on(name: &str) -> bool {
    name == "LD_LIBRARY_PATH"
        || ["CUDA_", "NVIDIA_", "RUST_"].iter().any(|prefix| name.starts_with(prefix))
}

/// A hold on an executor: its process, right also when its number is used again, and its cgroup where it has one.
#[derive(Debug)]
pub(crate) struct Leash {
    pidfd: OwnedFd,
    cgroup: Option<Cgroup>,
}

impl Leash {
    /// Ends it at once, and whatever it has started. One that is gone already is no error.
    pub(super) fn kill(&self) {
        match pidfd_send_signal(self.pidfd.as_fd(), Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(errno) => tracing::error!(%errno, "cannot kill an executor"),
        }
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
    }

    /// Bounds the memory of the machine that it may use.
    pub(super) fn bound_memory(&self, bytes: u64) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.bound_memory(bytes);
        }
    }

    /// Readable when the process has ended.
    pub(super) fn ended(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// A process that was started and not yet reaped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) leash: Arc<Leash>,
}

impl ExecutorProgram {
    /// Starts an executor with `end` as its standard input, to live in `cgroup` where it gets one. The thread that calls this must
    /// live as long as the daemon: the executor dies with it.
    pub(super) fn start(&self, end: OwnedFd, cgroup: Option<Cgroup>) -> io::Result<Process> {
        let mut child = Command::new(&self.path)
            .arg0("gpu-bridge-executor")
            .arg(EXECUTOR_ARGUMENT)
            .arg(self.backend.word())
            .arg(self.confinement.as_str())
            .args(cgroup.as_ref().map(Cgroup::path))
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| is_passed_on(name)))
            .current_dir("/")
            // Ctrl-C on a terminal is for the program that embeds the bridge: it drains, and executors end when told to.
            .process_group(0)
            .stdin(Stdio::from(end))
            .stdout(Stdio::null())
            .stderr(if self.stderr { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("start {}: {error}", self.path.display()))
            })?;
        let held = pid(&child).and_then(|pid| {
            self.kin.note(child.id())?;
            Ok(pidfd_open(pid, PidfdFlags::empty())?)
        });
        match held {
            Ok(pidfd) => Ok(Process { child, leash: Arc::new(Leash { pidfd, cgroup }) }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other(format!("process id {} does not fit", child.id())))
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// To be called when [`Leash::ended`] is readable.
    pub(super) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

/// How an executor ended, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExitNote(String);

impl ExitNote {
    pub(super) fn of(status: ExitStatus) -> Self {
        Self(match (status.signal(), status.code()) {
            (Some(signal), _) => format!("executor was ended by signal {signal}"),
            (None, Some(code)) => format!("executor exited with {code}"),
            (None, None) => "executor ended".to_owned(),
        })
    }

    pub(super) fn never_started(error: &io::Error) -> Self {
        Self(format!("executor did not start: {error}"))
    }
}

impl fmt::Display for ExitNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_by_its_signal_or_its_code() {
        assert_eq!(
            ExitNote::of(ExitStatus::from_raw(9)).to_string(),
            "executor was ended by signal 9"
        );
        assert_eq!(
            ExitNote::of(ExitStatus::from_raw(70 << 8)).to_string(),
            "executor exited with 70"
        );
    }

    #[test]
    fn secrets_in_our_environment_stay_with_us() {
        assert!(is_passed_on("CUDA_VISIBLE_DEVICES") && is_passed_on("RUST_BACKTRACE"));
        assert!(!is_passed_on("COHESIX_TICKET") && !is_passed_on("HOME"));
    }
}
