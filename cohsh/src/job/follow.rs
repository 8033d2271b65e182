//! Following jobs through `/gpu/<id>/stats`: every record, once, in order.

use std::time::Duration;

use ninedoor_abi::{GpuId, JobId, JobRecord};

use crate::error::CommandError;
use crate::hive::{Hive, Reader};

/// Between two looks at a `stats` that has nothing new; doubled up to the second while nothing comes.
const LOOK_AGAIN_MS: [u64; 2] = [2, 100];

/// Reads the records of one GPU from some moment on.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    unread: Vec<u8>,
    pause_ms: u64,
}

impl Follower {
    /// Everything that `stats` still knows, and then what comes.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn from_the_start(hive: &Hive, gpu: &GpuId) -> Result<Self, CommandError> {
        let reader = hive.reader(&format!("/gpu/{gpu}/stats")).await?;
        Ok(Self { reader, unread: Vec::new(), pause_ms: LOOK_AGAIN_MS[0] })
    }

    /// Only what comes from now on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn from_now(hive: &Hive, gpu: &GpuId) -> Result<Self, CommandError> {
        let mut follower = Self::from_the_start(hive, gpu).await?;
        follower.reader.to_the_end().await?;
        Ok(follower)
    }

    /// All records that are there now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn present(&mut self) -> Result<Vec<JobRecord>, CommandError> {
        self.unread.extend(self.reader.to_the_end().await?);
        Ok(self.take_lines().iter().filter_map(|line| line.parse().ok()).collect())
    }

    /// The next records of `job`, as many as came together; waits until there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn of_job(&mut self, job: &JobId) -> Result<Vec<JobRecord>, CommandError> {
        loop {
            let mut records = self.present().await?;
            records.retain(|record| record.job == *job);
            if !records.is_empty() {
                self.pause_ms = LOOK_AGAIN_MS[0];
                return Ok(records);
            }
            tokio::time::sleep(Duration::from_millis(self.pause_ms)).await;
            self.pause_ms = (self.pause_ms * 2).min(LOOK_AGAIN_MS[1]);
        }
    }

    /// Whole lines; what is left of the last stays unread. Lines that are no job records (samples) are the caller's to skip.
    fn take_lines(&mut self) -> Vec<String> {
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.unread.drain(..end).collect();
        String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect()
    }
}
