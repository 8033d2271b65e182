//! An executor's own cgroup, from within: it moves there itself, before it does anything else, and looks what bounds it there.

use std::{fs, io, path::Path};

/// Moves this process into the cgroup that the daemon made for it; says which controllers bound it.
///
/// # Errors
/// What is missing: also without controllers the cgroup is how everything in it is killed at once.
pub(super) fn join(own: Option<&Path>) -> io::Result<String> {
    let Some(own) = own else {
        return Err(io::Error::other("the daemon may not make one: delegate its own to it"));
    };
    fs::write(own.join("cgroup.procs"), "0").map_err(|error| {
        io::Error::new(error.kind(), format!("join {}: {error}", own.display()))
    })?;
    let bounds =
        |file: &str| fs::read_to_string(own.join(file)).is_ok_and(|text| text.trim_end() != "max");
    match (bounds("memory.max"), bounds("pids.max")) {
        (true, true) => Ok("memory,pids".to_owned()),
        (memory, _) => {
            let lacking = if memory { "pids" } else { "memory" };
            let text = format!("has one of its own, without the controller {lacking}: delegate it");
            Err(io::Error::other(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cgroup_lacks_is_told() {
        let gone = Path::new("/nonexistent/cgroup");
        let text = join(Some(gone)).unwrap_err().to_string();
        assert!(text.starts_with("join /nonexistent/cgroup: No such file"), "{text}");
        let home = tempfile::tempdir().unwrap();
        let text = join(Some(home.path())).unwrap_err().to_string();
        assert_eq!(text, "has one of its own, without the controller memory: delegate it");
        for (file, text) in [("memory.max", "2147483648\n"), ("pids.max", "max\n")] {
            fs::write(home.path().join(file), text).unwrap();
        }
        let text = join(Some(home.path())).unwrap_err().to_string();
        assert_eq!(text, "has one of its own, without the controller pids: delegate it");
        fs::write(home.path().join("pids.max"), "16384\n").unwrap();
        assert_eq!(join(Some(home.path())).unwrap(), "memory,pids");
        let text = join(None).unwrap_err().to_string();
        assert_eq!(text, "the daemon may not make one: delegate its own to it");
    }
}
