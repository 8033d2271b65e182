//! The servers that are measured, each a process of its own on the same CPU.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use secure9p_tokio::{
    Limits, ListenOptions, Listener, serve as serve_9p,
    tls::{AuthorityFiles, ServerTls},
};

use crate::{
    floor, namespace,
    tree::{LARGE_BYTES, SMALL_BYTES, Tree, Trees},
};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Raw TCP.
    Floor,
    /// Ours.
    Ours,
    /// Ours, with the whole namespace server between the session and the files.
    Ninedoor,
    /// Ours, over TLS.
    OursTls,
    /// Debian's.
    Diod,
}

/// How to get at the files.
pub(crate) struct Entry {
    /// Who to attach as.
    pub(crate) uname: &'static str,
    /// What to attach to, or with.
    pub(crate) aname: String,
    /// Where the files are.
    pub(crate) directory: Option<&'static str>,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) entry: Entry,
    process: Child,
    /// What is served or trusted, while the server runs.
    _files: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) fn start(kind: Kind, cpu: usize, certificates: &Path) -> Result<Self> {
        let address = free_address()?;
        match kind {
            Kind::Diod => Self::start_diod(address),
            Kind::Floor | Kind::Ours | Kind::Ninedoor | Kind::OursTls => {
                let entry = match kind {
                    Kind::Ninedoor => Entry {
                        uname: "queen",
                        aname: namespace::ticket()?,
                        directory: Some(namespace::MOUNT),
                    },
                    _ => Entry { uname: "root", aname: String::new(), directory: None },
                };
                let name = kind.to_possible_value().context("every kind has a name")?;
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("serve").arg(name.get_name()).arg(address.to_string());
                command.arg("--cpu").arg(cpu.to_string()).arg("--certificates").arg(certificates);
                Self::await_ready(kind, address, entry, command.spawn()?, None)
            }
        }
    }

    /// diod serves real files; on a file system in memory, so that no disk is measured. It inherits our CPU.
    fn start_diod(address: SocketAddr) -> Result<Self> {
        let files = tempfile::tempdir_in("/dev/shm")?;
        fs::write(files.path().join("small"), [7; SMALL_BYTES])?;
        fs::write(files.path().join("large"), vec![7; LARGE_BYTES])?;
        let aname = files.path().display().to_string();
        let process = Command::new("diod")
            .args(["-f", "-n", "-l", &address.to_string(), "-e", &aname])
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start diod; apt-get install diod")?;
        let entry = Entry { uname: "root", aname, directory: None };
        Self::await_ready(Kind::Diod, address, entry, process, Some(files))
    }

    fn await_ready(
        kind: Kind,
        address: SocketAddr,
        entry: Entry,
        process: Child,
        files: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if start.elapsed() > Duration::from_secs(5) {
                bail!("{kind:?} does not listen on {address}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { kind, address, entry, process, _files: files })
    }

    /// Resident memory in bytes, and threads.
    pub(crate) fn footprint(&self) -> Result<(f64, u32)> {
        let status = fs::File::open(format!("/proc/{}/status", self.process.id()))?;
        let (mut resident_kib, mut threads) = (0.0, 0);
        for line in BufReader::new(status).lines() {
            let line = line?;
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("VmRSS:"), Some(kib)) => resident_kib = kib.parse()?,
                (Some("Threads:"), Some(count)) => threads = count.parse()?,
                _ => {}
            }
        }
        Ok((resident_kib * 1024.0, threads))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // a server that has ended by itself cannot be killed, which is as good
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a server in this process.
pub(crate) fn serve(kind: Kind, address: SocketAddr, certificates: Option<&Path>) -> Result<()> {
    secure9p_tokio::raise_descriptor_limit();
    match kind {
        Kind::Floor => Ok(floor::serve(address)?),
        Kind::Diod => bail!("diod is a program of its own"),
        Kind::Ours | Kind::Ninedoor | Kind::OursTls => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let (scheme, tls) = match (kind, certificates) {
                    (Kind::OursTls, Some(directory)) => {
                        let identity = AuthorityFiles::of(directory).server();
                        ("tls", Some(ServerTls::load(&identity, None)?))
                    }
                    _ => ("tcp", None),
                };
                let options = ListenOptions { tls, allow_plaintext: false };
                let listener =
                    Listener::bind(&format!("{scheme}://{address}").parse()?, &options).await?;
                let (limits, never) = (Limits::default(), std::future::pending());
                if kind == Kind::Ninedoor {
                    let hive = namespace::hive()?;
                    tokio::spawn(hive.clone().keep_time());
                    serve_9p(vec![listener], Arc::new(hive), limits, never).await;
                } else {
                    let trees = Arc::new(Trees(Arc::new(Mutex::new(Tree::new()))));
                    serve_9p(vec![listener], trees, limits, never).await;
                }
                Ok(())
            })
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
