//! `doctor`: what would keep a bridge from working here, each with what to do about it.

use std::process::ExitCode;

use crate::{Config, inventory::Inventory, store::StateDir};

/// One thing looked at.
struct Finding {
    what: &'static str,
    outcome: Result<String, String>,
}

pub(super) fn run(config: &Config) -> ExitCode {
    let findings = [gpus(config), state_dir(config), listeners(config), executor(config)];
    let mut well = true;
    for Finding { what, outcome } in &findings {
        match outcome {
            Ok(seen) => println!("ok    {what}: {seen}"),
            Err(trouble) => {
                well = false;
                println!("fail  {what}: {trouble}");
            }
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn gpus(config: &Config) -> Finding {
    let outcome = Inventory::take(config.backend).map_err(|error| error.to_string()).map(|found| {
        let names = found.gpus.iter().map(|(id, info)| format!("{id} {}", info.name));
        let names = names.collect::<Vec<_>>().join(", ");
        found.note.map_or_else(|| names.clone(), |note| format!("{names} ({note})"))
    });
    Finding { what: "gpus", outcome }
}

/// Held for a moment, and let go again.
fn state_dir(config: &Config) -> Finding {
    let outcome = StateDir::open(&config.state_dir)
        .map(|held| format!("{} is ours alone", held.path().display()))
        .map_err(|error| error.to_string());
    Finding { what: "state directory", outcome }
}

fn listeners(config: &Config) -> Finding {
    let uris: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    let needs_tls = uris.iter().any(|uri| uri.starts_with("tls://"));
    let outcome = match (&config.tls, needs_tls) {
        (None, true) => {
            Err("tls:// needs [tls] in the configuration; try: gpu-bridge-host tls init".to_owned())
        }
        (Some(tls), _) => tls.load().map(|_| uris.join(", ")).map_err(|error| error.to_string()),
        (None, false) => Ok(uris.join(", ")),
    };
    Finding { what: "listeners", outcome }
}

fn executor(config: &Config) -> Finding {
    let path = config.executors.program();
    let outcome = match std::fs::metadata(&path) {
        Ok(facts) if facts.is_file() => Ok(path.display().to_string()),
        Ok(_) => Err(format!("{} is not a program", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    Finding { what: "executor", outcome }
}
