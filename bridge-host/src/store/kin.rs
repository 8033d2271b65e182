//! Executors of an earlier daemon: GPU memory is granted again only when the last of them is gone, and what it had with it.
//!
//! They end with their daemon, but a driver may take its time over that. So each is written down before it is given a GPU, and the
//! next daemon waits for those on the list. A process that has ended counts as gone even if nobody has asked for its exit code:
//! the system has closed its files, the GPU among them, before.
//!
//! ```text
//! executors    boot id of the system, then a line for each: process id, and when it was started, in ticks since boot
//! ```
//! A list that has grown long is written anew beside the old one, with those that live, and takes its place.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::limits::KIN_LINES_MAX;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The list of one daemon's executors.
#[derive(Debug)]
pub(crate) struct KinList {
    path: PathBuf,
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    file: File,
    lines: usize,
}

impl KinList {
    /// The executors on the list at `path` that have not ended, by their process ids.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn living(path: &Path) -> io::Result<Vec<u32>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut lines = text.lines();
        if lines.next() != Some(fs::read_to_string(BOOT_ID)?.trim()) {
            return Ok(Vec::new()); // of another life of the whole machine
        }
        let listed = lines.filter_map(|line| {
            let (pid, started) = line.split_once(' ')?;
            Some((pid.parse().ok()?, started.parse().ok()?))
        });
        let living: BTreeSet<u32> = listed
            .filter(|(pid, started)| start_of(*pid) == Some(*started))
            .map(|(pid, _)| pid)
            .collect();
        Ok(living.into_iter().collect())
    }

    /// Begins a new list in place of the one at `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let list = Mutex::new(List::of(path, &[])?);
        Ok(Self { path: path.to_owned(), list })
    }

    /// Writes a process down that was just started, and has not been waited for.
    ///
    /// # Errors
    /// What the file system says: it must not be given a GPU then.
    pub(crate) fn note(&self, pid: u32) -> io::Result<()> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.lines >= KIN_LINES_MAX {
            *list = List::of(&self.path, &Self::living(&self.path)?)?;
        }
        list.add(pid)
    }
}

impl List {
    /// A new list in place of the one at `path`.
    fn of(path: &Path, living: &[u32]) -> io::Result<Self> {
        let beside = path.with_extension("new");
        let file =
            File::options().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
        let mut list = Self { file, lines: 0 };
        list.file.write_all(fs::read_to_string(BOOT_ID)?.trim().as_bytes())?;
        list.file.write_all(b"\n")?;
        living.iter().try_for_each(|pid| list.add(*pid))?;
        fs::rename(&beside, path)?;
        Ok(list)
    }

    fn add(&mut self, pid: u32) -> io::Result<()> {
        let Some(started) = start_of(pid) else { return Ok(()) }; // it has ended already
        self.lines += 1;
        self.file.write_all(format!("{pid} {started}\n").as_bytes())
    }
}

/// When a process was started, if it has not ended: `/proc/<pid>/stat`, third and twenty-second field.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name, and may have anything in it.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    if matches!(state, "Z" | "X") { None } else { started.parse().ok() }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Proves BR-33.
    #[test]
    fn an_executor_lives_until_it_has_ended_and_another_process_of_its_number_is_not_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("executors");
        assert!(KinList::living(&path).unwrap().is_empty(), "there never was a daemon");
        let list = KinList::begin(&path).unwrap();
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        list.note(child.id()).unwrap();
        assert_eq!(KinList::living(&path).unwrap(), [child.id()]);
        let started_earlier = format!("{} 1\n", std::process::id());
        list.list.lock().unwrap().file.write_all(started_earlier.as_bytes()).unwrap();
        assert_eq!(KinList::living(&path).unwrap(), [child.id()]);
        drop(child.stdin.take());
        while !KinList::living(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_list_that_has_grown_long_keeps_those_that_live() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("executors");
        let list = KinList::begin(&path).unwrap();
        let own = std::process::id();
        for _ in 0..KIN_LINES_MAX + 10 {
            list.note(own).unwrap();
        }
        assert!(KinList::living(&path).unwrap().contains(&own));
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= KIN_LINES_MAX + 1, "{lines}");
    }

    #[test]
    fn a_list_from_before_the_machine_was_started_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("executors");
        let own = std::process::id();
        let line = format!("{own} {}\n", start_of(own).unwrap());
        fs::write(&path, "another-boot\n".to_owned() + &line).unwrap();
        assert!(KinList::living(&path).unwrap().is_empty());
    }
}
