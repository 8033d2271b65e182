//! Which files an executor may open: none where the GPU is a program, the driver's where it is hardware. (landlock)
//!
//! Files that it was given stay open; this is about names. TCP ports, abstract sockets and signals to processes outside are closed
//! too, on kernels that know how.

use bridge_host_gpu::BackendKind;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

/// What is asked for. An older kernel does less of it, and the report says which version is in force.
const WANTED: ABI = ABI::V6;

/// Where NVIDIA's libraries and what they read at start are. What is not there is passed over.
const DRIVER_READS: [&str; 14] = [
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/local",
    "/opt",
    "/usr/share/nvidia",
    "/etc/ld.so.cache",
    "/etc/nvidia",
    "/proc",
    "/sys",
    "/run/nvidia",
    "/dev/urandom",
];

/// What its driver writes to besides its device nodes.
const DRIVER_WRITES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/shm", "/run/nvidia-persistenced"];

/// Its device nodes are `/dev/nvidia…`.
const DRIVER_NODES: &str = "nvidia";

/// Closes the file system; says by which version of landlock.
pub(super) fn restrict(backend: BackendKind) -> Result<String, String> {
    let status = ruleset()
        .and_then(|rules| match backend {
            BackendKind::Nvidia => driver_files(rules),
            BackendKind::Soft | BackendKind::Mock => Ok(rules),
        })
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("the kernel has it and it is not enabled, see lsm= on its command line".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("the kernel does not have it".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => {
            Ok(format!("abi {}", effective_abi.min(WANTED)))
        }
        (_, other) => Err(format!("the kernel answers {other:?}")),
    }
}

fn ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()
}

fn driver_files(mut rules: RulesetCreated) -> Result<RulesetCreated, RulesetError> {
    let libraries = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let reads =
        DRIVER_READS.into_iter().chain(libraries.split(':').filter(|path| !path.is_empty()));
    for path in reads {
        rules = allow(rules, path, AccessFs::from_read(WANTED))?;
    }
    let all = AccessFs::from_all(WANTED);
    for path in DRIVER_WRITES {
        rules = allow(rules, path, all)?;
    }
    for node in device_nodes() {
        rules = allow(rules, &node, all)?;
    }
    Ok(rules)
}

/// A path that is not there cannot be opened anyway.
fn allow(
    rules: RulesetCreated,
    path: &str,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(at) => rules.add_rule(PathBeneath::new(at, access)),
        Err(_) => Ok(rules),
    }
}

fn device_nodes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(DRIVER_NODES)).map(|name| format!("/dev/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::ErrorKind, thread};

    use super::*;

    /// Landlock holds for the thread that asks for it. What the thread saw, and the version that is in force.
    fn confined<T: Send + 'static>(
        backend: BackendKind,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Option<(u32, T)> {
        let thread = thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            match restrict(backend) {
                Ok(version) => Some((version["abi ".len()..].parse().unwrap(), act())),
                Err(why) => {
                    eprintln!("skipped: no landlock here: {why}");
                    None
                }
            }
        });
        thread.join().unwrap()
    }

    fn opened(path: &str) -> Option<ErrorKind> {
        File::open(path).err().map(|error| error.kind())
    }

    /// Proves EXEC-6.
    #[test]
    fn the_software_gpu_opens_no_file_at_all() {
        let paths = ["/etc/passwd", "/proc/self/maps", "/", "/dev/null"];
        let seen = confined(BackendKind::Soft, move || paths.map(opened));
        if let Some((_, seen)) = seen {
            assert_eq!(seen, [Some(ErrorKind::PermissionDenied); 4]);
        }
    }

    /// Proves EXEC-6.
    #[test]
    fn nvidias_driver_opens_its_libraries_and_no_secrets() {
        let seen = confined(BackendKind::Nvidia, || {
            (opened("/proc/cpuinfo"), opened("/dev/null"), opened("/etc/passwd"), opened("/root"))
        });
        if let Some((_, (libraries, null, passwd, home))) = seen {
            assert_eq!((libraries, null), (None, None));
            assert_eq!(
                (passwd, home),
                (Some(ErrorKind::PermissionDenied), Some(ErrorKind::PermissionDenied))
            );
        }
    }

    /// Proves EXEC-6.
    #[test]
    fn no_tcp_port_is_reached_where_the_kernel_can_forbid_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = confined(BackendKind::Soft, move || {
            std::net::TcpStream::connect(address).err().map(|error| error.kind())
        });
        if let Some((version, refused)) = seen {
            // Older kernels leave it to seccomp.
            let wanted = (version >= 4).then_some(ErrorKind::PermissionDenied);
            assert_eq!(refused, wanted);
        }
    }
}
