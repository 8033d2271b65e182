//! Executors of an earlier daemon: GPU memory is granted again only when the last of them is gone, and what it had with it.
//!
//! They end with their daemon, but a driver may take its time over that. So each is written down before it is given a GPU, and the
//! next daemon waits for those on the list. A process that has ended counts as gone even if nobody has asked for its exit code:
//! the system has closed its files, the GPU among them, before.
//!
//! ```text
//! executors    boot id of the system, then a line for each: process id, and when it was started, in ticks since boot
//! ```

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The list of one daemon's executors.
#[derive(Debug)]
pub(crate) struct KinList(File);

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
        Ok(listed
            .filter(|(pid, started)| start_of(*pid) == Some(*started))
            .map(|(pid, _)| pid)
            .collect())
    }

    /// Begins a new list in place of the one at `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let mut file =
            File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(fs::read_to_string(BOOT_ID)?.trim().as_bytes())?;
        file.write_all(b"\n")?;
        Ok(Self(file))
    }

    /// Writes a process down that was just started, and has not been waited for.
    ///
    /// # Errors
    /// What the file system says: it must not be given a GPU then.
    pub(crate) fn note(&self, pid: u32) -> io::Result<()> {
        match start_of(pid) {
            Some(started) => (&self.0).write_all(format!("{pid} {started}\n").as_bytes()),
            None => Ok(()), // it has ended already
        }
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
        (&list.0).write_all(started_earlier.as_bytes()).unwrap();
        assert_eq!(KinList::living(&path).unwrap(), [child.id()]);
        drop(child.stdin.take());
        while !KinList::living(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
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
