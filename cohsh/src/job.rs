//! What `run`, `submit`, `wait` and `cancel` are made of: the job file, staging, the lease, following, results.
//!
//! ```text
//! file ─▶ stage inputs ─▶ lease ─▶ submit ─▶ follow: QUEUED… RUNNING OK|ERR ─▶ results
//! ```

pub mod file;
pub mod follow;
pub mod history;
pub mod lease;
pub mod outcome;
pub mod picture;
pub mod renewal;
pub mod report;
pub mod results;
pub mod stage;
pub mod submit;
pub mod values;
