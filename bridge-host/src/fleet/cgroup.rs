//! A cgroup for each executor, where this daemon may make one: bounds memory and processes, and kills all of it at once.
//!
//! ```text
//! <where this daemon is>/executor-<daemon's pid>-<number>     (its cgroup of version 2, else nowhere)
//!
//! Nursery::make ─▶ Cgroup ─▶ the executor moves in by itself ─▶ kill ─▶ drop: removed
//! ```
//! What is not permitted is no error here: an executor without a cgroup says so itself, and `info` shows it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the kernel tells which file systems there are, and where we are in them.
const MOUNTS: &str = "/proc/self/mountinfo";
const OWN: &str = "/proc/self/cgroup";

/// How the cgroups are named: after whoever made them, so that what a daemon left behind is known.
const PREFIX: &str = "executor-";

/// The part of a unit that systemd puts the daemon's own process in (`DelegateSubgroup=daemon`): executors go beside it, for a
/// cgroup that has processes of its own cannot bound others in it.
const OWN_SUBGROUP: &str = "daemon";

/// Processes and threads of one executor.
const PIDS_MAX: u32 = 16_384;

/// Memory of an executor before it has a lease.
pub(crate) const SPARE_MEMORY_BYTES: u64 = 2 << 30;

/// The last processes of a cgroup that was killed go in their own time.
const REMOVE_TRIES: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(2);

/// Where executors' cgroups are made.
#[derive(Debug)]
pub(super) struct Nursery(Option<PathBuf>);

/// One executor's.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Nursery {
    /// Beside or below this daemon's own cgroup; removes what daemons that are gone have left there.
    pub(super) fn of_this_daemon() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let home = home(&read(MOUNTS), &read(OWN));
        if let Some(home) = &home {
            sweep(home);
            // Fails where this daemon may not, or where processes live beside it: then nothing bounds, and executors say so.
            let _ = fs::write(home.join("cgroup.subtree_control"), "+memory +pids");
        }
        Self(home)
    }

    /// A new one for an executor without a lease.
    pub(super) fn make(&self, number: u64) -> io::Result<Cgroup> {
        let Some(home) = &self.0 else { return Err(io::ErrorKind::Unsupported.into()) };
        let path = home.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let cgroup = Cgroup(path);
        cgroup.bound_memory(SPARE_MEMORY_BYTES);
        cgroup.set("pids.max", &PIDS_MAX.to_string());
        cgroup.set("memory.swap.max", "0");
        cgroup.set("memory.oom.group", "1");
        Ok(cgroup)
    }
}

impl Cgroup {
    /// Where it is, for the executor to move in.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Bounds what everything in it may use together.
    pub(super) fn bound_memory(&self, bytes: u64) {
        self.set("memory.max", &bytes.to_string());
    }

    /// Ends every process in it at once, also such as an executor has started.
    pub(super) fn kill(&self) {
        self.set("cgroup.kill", "1");
    }

    /// A controller that is not there has no file.
    fn set(&self, file: &str, value: &str) {
        let path = self.0.join(file);
        if path.exists()
            && let Err(error) = fs::write(&path, value)
        {
            tracing::warn!(path = %path.display(), %error, "cannot bound an executor");
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.kill();
        for _ in 0..REMOVE_TRIES {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(REMOVE_PAUSE);
                }
                _ => return,
            }
        }
        tracing::warn!(path = %self.0.display(), "an executor's cgroup does not go away");
    }
}

/// Where this daemon's cgroup of version 2 is among the files, or the place beside it that was made for executors.
fn home(mounts: &str, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let is_version_2 = after.split(' ').next() == Some("cgroup2");
        is_version_2.then(|| before.split(' ').nth(4)).flatten()
    })?;
    let path = Path::new(mount).join(own.trim_start_matches('/'));
    match path.file_name() {
        Some(name) if name == OWN_SUBGROUP => path.parent().map(Path::to_owned),
        _ => Some(path),
    }
}

/// Removes the cgroups of daemons that are gone. One that still has a process in it stays, and its daemon's successor kills it.
fn sweep(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(Cgroup(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "\
        30 24 0:26 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755\n\
        31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        41 30 0:37 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn executors_go_below_their_daemon_or_beside_its_subgroup() {
        let at = |own| home(UNIFIED, own).unwrap();
        assert_eq!(at("1:cpu:/x\n0::/\n"), Path::new("/sys/fs/cgroup/unified"));
        let unit = Path::new("/sys/fs/cgroup/unified/system.slice/gpu-bridge.service");
        assert_eq!(at("0::/system.slice/gpu-bridge.service\n"), unit);
        assert_eq!(at("0::/system.slice/gpu-bridge.service/daemon\n"), unit);
    }

    #[test]
    fn a_machine_without_cgroups_of_version_2_has_no_home_for_executors() {
        assert_eq!(home(UNIFIED, "1:cpu:/x\n"), None);
        assert_eq!(home("31 30 0:27 / /sys/fs/cgroup rw - cgroup cgroup rw\n", "0::/\n"), None);
        assert!(Nursery(None).make(1).is_err());
    }

    #[test]
    fn what_a_daemon_that_is_gone_left_behind_is_swept_away() {
        let home = tempfile::tempdir().unwrap();
        let own = format!("{PREFIX}{}-1", std::process::id());
        for name in [own.as_str(), "executor-4194305-1", "others"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        sweep(home.path());
        assert!(home.path().join(own).exists() && home.path().join("others").exists());
        assert!(!home.path().join("executor-4194305-1").exists());
    }

    #[test]
    fn a_cgroup_is_bounded_and_killed_through_the_files_that_it_has() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("executor");
        fs::create_dir(&path).unwrap();
        for file in ["memory.max", "cgroup.kill"] {
            fs::write(path.join(file), "").unwrap();
        }
        let cgroup = Cgroup(path.clone());
        cgroup.bound_memory(4096);
        cgroup.set("pids.max", "7");
        cgroup.kill();
        let read = |file: &str| fs::read_to_string(path.join(file)).unwrap();
        assert_eq!((read("memory.max"), read("cgroup.kill")), ("4096".to_owned(), "1".to_owned()));
        assert!(!path.join("pids.max").exists());
        fs::remove_dir_all(&path).unwrap(); // what files a real one has go with it
    }

    #[test]
    fn a_cgroup_is_bounded_where_there_are_controllers_and_goes_when_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let cgroup = Nursery(Some(home.path().to_owned())).make(7).unwrap();
        let path = cgroup.path().to_owned();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "no file is made that is not there");
        drop(cgroup);
        assert!(!path.exists());
    }
}
