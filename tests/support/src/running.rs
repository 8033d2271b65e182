//! A program that runs on: a server that is ready when it has said so, a shell that follows something. Ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longer than this nothing takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that goes on.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
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
        let mut running = Self::follow(command);
        while running.uris.len() < listeners {
            let line = running.until_line("listening ");
            running.uris.push(line.trim_start_matches("listening ").to_owned());
        }
        running
    }

    /// Starts any program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn follow(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let lines = lines_of(child.stdout.take().expect("standard output is piped"));
        Self { child, lines, uris: Vec::new() }
    }

    /// Waits for a line that begins like this.
    ///
    /// # Panics
    /// When none comes in time, or the program ends first.
    #[track_caller]
    pub fn until_line(&self, start: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line {start:?}: {error}"),
            }
        }
    }

    /// Waits until it ends by itself, and tells its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn until_end(&mut self) -> Option<i32> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        self.child.wait().expect("one's own child can be waited for").code()
    }

    /// Does what Ctrl-C on a terminal does: the signal goes to the program and to all of its process group.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn interrupt(&self) {
        let group = format!("-{}", self.child.id());
        let killed = Command::new("kill").args(["-INT", "--", &group]).status();
        assert!(killed.expect("kill can be run").success(), "the program is gone");
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
