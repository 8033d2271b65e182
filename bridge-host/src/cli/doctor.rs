//! `doctor`: what would keep a bridge from working here, each with what to do about it. Changes nothing.
//!
//! `ok` is well, `warn` works with less than there could be, `fail` keeps a bridge from starting or its log from being believed.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use bridge_host_cuda::CudaBackend;
use bridge_host_gpu::BackendKind;
use rustix::process::{Resource, getrlimit};
use secure9p_tokio::Uri;
use serde::Serialize;

use super::Form;
use crate::{
    Config, StateDirError,
    audit::{AuditDir, verify},
    inventory::Inventory,
    store::StateDir,
};

/// Descriptors below which many peers will be refused.
const DESCRIPTORS_WANTED: u64 = 8192;
/// A clock before this has never been set: 2024, in seconds.
const CLOCK_S_MIN: u64 = 1_704_067_200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    grade: Grade,
    seen: String,
}

impl Finding {
    fn new(what: &'static str, grade: Grade, seen: impl Into<String>) -> Self {
        Self { what, grade, seen: seen.into() }
    }

    fn of(what: &'static str, outcome: Result<String, String>, otherwise: Grade) -> Self {
        match outcome {
            Ok(seen) => Self::new(what, Grade::Ok, seen),
            Err(seen) => Self::new(what, otherwise, seen),
        }
    }
}

pub(super) fn run(config: &Config, form: Form) -> ExitCode {
    let findings = [
        gpus(config),
        cuda(config),
        state_dir(config),
        audit(config),
        listeners(config),
        executor(config),
        confinement(),
        cgroup(),
        descriptors(),
        clock(),
    ];
    match form {
        Form::Table => findings.iter().for_each(|Finding { what, grade, seen }| {
            let grade = match grade {
                Grade::Ok => "ok",
                Grade::Warn => "warn",
                Grade::Fail => "fail",
            };
            println!("{grade:<6}{what}: {seen}");
        }),
        Form::Json => println!("{}", serde_json::json!(findings)),
    }
    if findings.iter().any(|finding| finding.grade == Grade::Fail) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The driver's libraries are looked for on the way; where they are missing, the note says what was looked for.
fn gpus(config: &Config) -> Finding {
    let outcome = Inventory::take(config.backend, config.soft.into())
        .map_err(|error| error.to_string())
        .map(|found| {
            let names = found.gpus.iter().map(|(id, info)| format!("{id} {}", info.name));
            let names = names.collect::<Vec<_>>().join(", ");
            found.note.map_or_else(|| names.clone(), |note| format!("{names} ({note})"))
        });
    Finding::of("gpus", outcome, Grade::Fail)
}

/// The library that executors will need: loaded here, and no context made.
fn cuda(config: &Config) -> Finding {
    let needed = Inventory::take(config.backend, config.soft.into())
        .is_ok_and(|found| found.backend.kind == BackendKind::Nvidia);
    let outcome = match CudaBackend::new().and_then(|driver| driver.version()) {
        _ if !needed => Ok("not needed by this backend".to_owned()),
        Ok(version) => Ok(format!("the driver runs CUDA {version}")),
        Err(error) => Err(error.to_string()),
    };
    Finding::of("cuda", outcome, Grade::Fail)
}

/// Held for a moment, and let go again.
fn state_dir(config: &Config) -> Finding {
    let what = "state directory";
    match StateDir::open(&config.state_dir) {
        Ok(held) => {
            Finding::new(what, Grade::Ok, format!("{} is ours alone", held.path().display()))
        }
        Err(busy @ StateDirError::Busy { .. }) => Finding::new(what, Grade::Warn, busy.to_string()),
        Err(error) => Finding::new(what, Grade::Fail, error.to_string()),
    }
}

fn audit(config: &Config) -> Finding {
    let outcome = match verify(&AuditDir::of(&config.state_dir), None) {
        Ok(report) => match report.fault {
            None => Ok(format!("whole, head {}", report.last)),
            Some(fault) => Err(format!(
                "{} {} line {}: {}; see: gpu-bridge-host audit verify",
                fault.kind.as_str(),
                fault.file,
                fault.line,
                fault.what
            )),
        },
        Err(error) => Err(error.to_string()),
    };
    Finding::of("audit log", outcome, Grade::Fail)
}

fn listeners(config: &Config) -> Finding {
    let what = "listeners";
    let uris: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    let needs_tls = uris.iter().any(|uri| uri.starts_with("tls://"));
    let certificates = match (&config.tls, needs_tls) {
        (None, true) => {
            Err("tls:// needs [tls] in the configuration; try: gpu-bridge-host tls init".to_owned())
        }
        (Some(tls), _) => tls.load().map(drop).map_err(|error| error.to_string()),
        (None, false) => Ok(()),
    };
    if let Err(trouble) = certificates {
        return Finding::new(what, Grade::Fail, trouble);
    }
    let taken: Vec<_> = config.listen.iter().filter_map(taken).collect();
    match taken.is_empty() {
        true => Finding::new(what, Grade::Ok, uris.join(", ")),
        false => Finding::new(what, Grade::Warn, taken.join(", ")),
    }
}

/// Why nobody could listen there now: for one thing, because a bridge does.
fn taken(uri: &Uri) -> Option<String> {
    let text = uri.to_string();
    let address = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("tls://"))?;
    TcpListener::bind(address).err().map(|error| format!("{text}: {error}"))
}

fn executor(config: &Config) -> Finding {
    let path = config.executors.program();
    let outcome = match fs::metadata(&path) {
        Ok(facts) if facts.is_file() => Ok(path.display().to_string()),
        Ok(_) => Err(format!("{} is not a program", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    Finding::of("executor", outcome, Grade::Fail)
}

/// What of it is in force for an executor, `info` of each GPU says; this is what the kernel has.
fn confinement() -> Finding {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let seccomp = read("/proc/sys/kernel/seccomp/actions_avail").contains("kill_process");
    let modules = read("/sys/kernel/security/lsm");
    let landlock = match modules.trim() {
        "" => "landlock unknown (/sys/kernel/security is not mounted)",
        names if names.split(',').any(|name| name == "landlock") => "landlock",
        _ => "no landlock (add it to the kernel's lsm=)",
    };
    let seen = format!("{}, {landlock}", if seccomp { "seccomp" } else { "no seccomp" });
    let well = seccomp && landlock == "landlock";
    Finding::new("confinement", if well { Grade::Ok } else { Grade::Warn }, seen)
}

/// Executors get cgroups of their own only below one that was delegated.
fn cgroup() -> Finding {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Finding::new("cgroup", Grade::Warn, "no cgroup v2 here: executors get none");
    };
    let place = Path::new("/sys/fs/cgroup").join(own);
    let controllers = fs::read_to_string(place.join("cgroup.controllers")).unwrap_or_default();
    let missing: Vec<_> = ["memory", "pids"]
        .into_iter()
        .filter(|wanted| !controllers.split_whitespace().any(|name| name == *wanted))
        .collect();
    let may_write = rustix::fs::access(&place, rustix::fs::Access::WRITE_OK).is_ok();
    let outcome = match (missing.is_empty(), may_write) {
        (true, true) => Ok(format!("{} can be divided", place.display())),
        (false, _) => Err(format!(
            "{} lacks {}; with systemd: Delegate=yes",
            place.display(),
            missing.join(" and ")
        )),
        (true, false) => {
            Err(format!("{} is not ours to divide; with systemd: Delegate=yes", place.display()))
        }
    };
    Finding::of("cgroup", outcome, Grade::Warn)
}

fn descriptors() -> Finding {
    let most = getrlimit(Resource::Nofile).maximum;
    let (grade, seen) = match most {
        None => (Grade::Ok, "without bound".to_owned()),
        Some(most) if most >= DESCRIPTORS_WANTED => (Grade::Ok, format!("{most} at most")),
        Some(most) => (
            Grade::Warn,
            format!("{most} at most, wanted {DESCRIPTORS_WANTED}; with systemd: LimitNOFILE=65536"),
        ),
    };
    Finding::new("descriptors", grade, seen)
}

/// Leases and tickets end by the wall's clock.
fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let outcome = if now >= CLOCK_S_MIN {
        Ok(format!("{now} s since 1970"))
    } else {
        Err(format!("{now} s since 1970: was it ever set? leases and tickets end by it"))
    };
    Finding::of("clock", outcome, Grade::Fail)
}
