//! `ping`: one request there and back, timed.

use std::time::Duration;

use crate::ack::Done;
use crate::error::CommandError;
use crate::quantity::shown_us;
use crate::shell::Shell;

/// Words of `ping`.
#[derive(Debug, clap::Args)]
pub struct Ping {
    /// How often.
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
}

impl Ping {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let mut times = Vec::new();
        for _ in 0..self.count {
            times.push(hive.ping().await?);
        }
        times.sort_unstable();
        let [least, median, most] =
            [times[0], times[times.len() / 2], times[times.len() - 1]].map(micros);
        let [least_shown, median_shown, most_shown] = [least, median, most].map(shown_us);
        let shown = format!("least {least_shown}, median {median_shown}, most {most_shown}");
        shell.screen.line(&format!("{}: {shown}", hive.address()), None)?;
        Ok(Done::plain().with("count", self.count).with("median_us", median))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
