//! A server that runs: ready when it has said so, ended when the test is.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longer than this no server takes to listen, on the slowest machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server and where it listens.
#[derive(Debug)]
pub struct Running {
    child: Child,
    uris: Vec<String>,
}

impl Running {
    /// Starts a server and waits until it listens in `listeners` places.
    ///
    /// # Panics
    /// When it cannot be started, or ends, or does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start(command: &mut Command, listeners: usize) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let lines = lines_of(child.stdout.take().expect("standard output is piped"));
        let mut running = Self { child, uris: Vec::new() };
        while running.uris.len() < listeners {
            match lines.recv_timeout(READY_WITHIN) {
                Ok(line) => running.uris.extend(line.strip_prefix("listening ").map(str::to_owned)),
                Err(error) => panic!("{command:?} does not listen: {error}"),
            }
        }
        running
    }

    /// Where it listens first.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uris[0]
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// When the system cannot tell.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("one's own child can be asked").is_none()
    }
}

/// Lines of a pipe, read to its end so that the writer is never blocked.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (lines, received): (Sender<String>, _) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Once it listens nobody waits for lines any more; they are still read.
            let _ = lines.send(line);
        }
    });
    received
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
