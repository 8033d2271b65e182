//! What this process costs, as the kernel tells it. A figure that cannot be had is left out.

use std::{fs, path::Path};

use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// The figures that Prometheus' own libraries would give a program.
#[derive(Debug, Default)]
pub(crate) struct ProcessFigures {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<usize>,
    pub(crate) files_max: Option<u64>,
    pub(crate) start_time_seconds: Option<f64>,
    pub(crate) state_directory_free_bytes: Option<u64>,
}

impl ProcessFigures {
    /// Asks the kernel.
    pub(crate) fn read(state_directory: &Path) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            resident_bytes: number_after(&status, "VmRSS:").map(|kib| kib * 1024),
            cpu_seconds: Some(cpu_seconds()),
            threads: number_after(&status, "Threads:"),
            open_files: fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
            files_max: getrlimit(Resource::Nofile).current,
            start_time_seconds: None,
            state_directory_free_bytes: free_bytes(state_directory),
        }
    }
}

/// `VmRSS:     5480 kB`.
fn number_after(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[allow(clippy::cast_precision_loss, reason = "seconds and nanoseconds of a process's life")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn free_bytes(directory: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(directory).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_threads_and_files() {
        let figures = ProcessFigures::read(Path::new("/"));
        assert!(figures.resident_bytes.unwrap() > 100_000);
        assert!(figures.threads.unwrap() >= 1);
        assert!(figures.open_files.unwrap() >= 1);
        assert!(figures.state_directory_free_bytes.is_some());
        assert!(ProcessFigures::read(Path::new("/no/such")).state_directory_free_bytes.is_none());
    }
}
