//! `audit`: whether the log of who did what is as it was written.
//!
//! Exit codes: 0 whole, 1 not whole or unreadable, 2 usage.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use ninedoor::AuditLine;
use ninedoor_abi::Ticket;
use serde_json::json;

use super::{AuditDir, Inbox, Link, Report, verify};
use crate::ticket::TicketVerb;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

/// The log of who did what.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Check every line against the hash that the next one keeps of it; also beside a server that runs.
    Verify {
        /// The server's state directory.
        #[arg(long, value_name = "DIR", env = "COHESIX_STATE_DIR")]
        state_dir: Option<PathBuf>,
        /// A head that was noted elsewhere: its line must be in the log, unchanged.
        #[arg(long, value_name = "NUMBER:SHA256")]
        head: Option<Link>,
        /// For people, or for programs.
        #[arg(short, long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
}

/// Does it, and prints what came of it; `default` is the state directory where none is named.
///
/// # Errors
/// When the log cannot be read.
pub fn run(verb: &AuditVerb, default: &Path) -> anyhow::Result<ExitCode> {
    let AuditVerb::Verify { state_dir, head, output } = verb;
    let directory = AuditDir::of(state_dir.as_deref().unwrap_or(default));
    let report = verify(&directory, *head)
        .with_context(|| format!("cannot read {}", directory.path().display()))?;
    match output {
        Form::Table => print!("{}", table(&report)),
        Form::Json => println!("{}", document(&report)),
    }
    Ok(if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(report: &Report) -> String {
    let mut text = format!("{:<24}{:>9}{:>12}{:>12}\n", "FILE", "LINES", "FIRST", "LAST");
    for file in &report.files {
        text += &format!(
            "{:<24}{:>9}{:>12}{:>12}\n",
            file.file, file.lines, file.first_seq, file.last_seq
        );
    }
    for note in &report.notes {
        text += &format!("note  {note}\n");
    }
    match &report.fault {
        None => text + &format!("whole, head {}\n", report.last),
        Some(fault) => {
            let at = if fault.line == 0 { String::new() } else { format!(" line {}", fault.line) };
            text + &format!("{} {}{at}: {}\n", fault.kind.as_str(), fault.file, fault.what)
        }
    }
}

fn document(report: &Report) -> serde_json::Value {
    json!({
        "whole": report.fault.is_none(),
        "head": report.last.to_string(),
        "files": report.files,
        "notes": report.notes,
        "fault": report.fault,
    })
}

/// Leaves for the log what became of a verb about tickets.
///
/// # Errors
/// What the file system says; then nothing of it must be shown.
pub fn leave_ticket(verb: &TicketVerb, state_dir: &Path, said: &[u8]) -> anyhow::Result<()> {
    let who = format!("uid {}", rustix::process::getuid().as_raw());
    let line = AuditLine::by(&who);
    let said = String::from_utf8_lossy(said);
    let line = match verb {
        TicketVerb::Show { .. } => return Ok(()),
        TicketVerb::Mint(_) => {
            let ticket = Ticket::parse(said.trim()).context("the ticket that was minted")?;
            let subject = ticket.alleged_identity().and_then(|identity| identity.subject);
            let subject = subject.as_ref().map_or("-", |subject| subject.as_str());
            let detail = format!("role={} subject={subject}", ticket.alleged_role());
            AuditLine { ticket: Some(ticket.id()), ..line.done("MINT", detail) }
        }
        // Its own words say what was revoked or rotated; a ticket is in there by its id.
        TicketVerb::Revoke { .. } => line.done("REVOKE", said.trim().to_owned()),
        TicketVerb::Rotate { .. } => line.done("ROTATE", said.trim().to_owned()),
    };
    Inbox::of(state_dir).leave(&line).context("the audit log's inbox")
}
