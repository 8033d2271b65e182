//! What the disk under the state directory costs: a small append that is made durable, as any journal must.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::figures::Times;

/// Bytes of one append.
const APPEND_BYTES: usize = 512;

/// Appends for a while; how long each took.
pub(crate) fn append_and_sync(directory: &Path, duration: Duration) -> Result<Times> {
    let path = tempfile::Builder::new().prefix("bench-jobs-").tempdir_in(directory)?;
    let mut file = File::create(path.path().join("journal"))?;
    let mut times = Vec::new();
    let end = Instant::now() + duration;
    while Instant::now() < end {
        let started = Instant::now();
        file.write_all(&[0; APPEND_BYTES])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    Ok(Times::new(times))
}
