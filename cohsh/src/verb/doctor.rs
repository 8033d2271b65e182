//! `doctor`: what is wrong, from here to the GPU, and what to do about it.

use crate::ack::Done;
use crate::error::{CommandError, ErrorKind};
use crate::gpus;
use crate::hive::Hive;
use crate::quantity::shown_us;
use crate::render::Table;
use crate::shell::Shell;

/// `doctor` has no words.
#[derive(Debug, clap::Args)]
pub struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let address = shell.target().address();
        let findings = match shell.hive().await {
            Ok(hive) => examine(&hive).await,
            Err(error) => vec![Finding::bad("connect", format!("{address}: {error}"), &error)],
        };
        let mut table = Table::new(&["check", "verdict", "detail", "advice"]);
        for finding in &findings {
            let verdict = if finding.is_well { "ok" } else { "BAD" };
            table.row([
                finding.check.into(),
                verdict.into(),
                finding.detail.as_str().into(),
                finding.advice.as_str().into(),
            ]);
        }
        shell.screen.table(&table)?;
        match findings.iter().filter(|finding| !finding.is_well).count() {
            0 => Ok(Done::plain().with("checks", findings.len())),
            bad => Err(CommandError::new(
                findings.iter().find_map(|finding| finding.kind).unwrap_or(ErrorKind::Policy),
                format!("{bad} of {} checks are bad", findings.len()),
            )),
        }
    }
}

/// What one check found.
struct Finding {
    check: &'static str,
    is_well: bool,
    detail: String,
    advice: String,
    kind: Option<ErrorKind>,
}

impl Finding {
    fn well(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, is_well: true, detail: detail.into(), advice: String::new(), kind: None }
    }

    fn bad(check: &'static str, detail: impl Into<String>, error: &CommandError) -> Self {
        let advice = error.hints.join("; ");
        Self { check, is_well: false, detail: detail.into(), advice, kind: Some(error.kind) }
    }

    fn of(check: &'static str, outcome: Result<String, CommandError>) -> Self {
        match outcome {
            Ok(detail) => Self::well(check, detail),
            Err(error) => Self::bad(check, error.text.clone(), &error),
        }
    }
}

async fn examine(hive: &Hive) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("connect", round_trip(hive).await),
        Finding::well("attach", format!("as {}", hive.identity())),
        Finding::of("boot", one_line(hive, "/proc/boot").await),
        Finding::of("bundles", count(hive, "/bundles", "staged").await),
    ];
    match gpus::all(hive).await {
        Err(error) => findings.push(Finding::bad("gpu", error.text.clone(), &error)),
        Ok(gpus) if gpus.is_empty() => findings.push(no_gpu()),
        Ok(gpus) => findings.extend(gpus.iter().map(gpu)),
    }
    findings
}

async fn round_trip(hive: &Hive) -> Result<String, CommandError> {
    let time_us = u64::try_from(hive.ping().await?.as_micros()).unwrap_or(u64::MAX);
    Ok(format!("{} answers in {}", hive.address(), shown_us(time_us)))
}

async fn one_line(hive: &Hive, path: &str) -> Result<String, CommandError> {
    let text = hive.text(path).await?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

async fn count(hive: &Hive, path: &str, what: &str) -> Result<String, CommandError> {
    Ok(format!("{} {what}", hive.list(path).await?.len()))
}

fn gpu(gpu: &gpus::Gpu) -> Finding {
    let detail = format!("{} {} ({})", gpu.id, gpu.text("name"), gpu.health());
    if gpu.is_usable() {
        return Finding::well("gpu", detail);
    }
    let error = CommandError::new(ErrorKind::Busy, "it cannot be given work")
        .hint("the bridge's log says since when and why: /log/bridge.log");
    Finding::bad("gpu", detail, &error)
}

fn no_gpu() -> Finding {
    let error = CommandError::new(ErrorKind::Policy, "no GPU is to be seen")
        .hint("is a bridge mounted at /gpu, and does the ticket name a GPU?");
    Finding::bad("gpu", "no GPU is to be seen", &error)
}
