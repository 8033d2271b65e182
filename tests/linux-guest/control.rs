//! A port where a guest asks for things that only its host can do: one word a connection; the connection ends when it is done.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Serves wishes until dropped.
pub(crate) struct Control {
    port: u16,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens on a free port of the loopback, and grants each wish in turn.
    pub(crate) fn start(mut grant: impl FnMut(&str) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let server = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let mut wish = String::new();
                let mut stream = BufReader::new(stream);
                if stream.read_line(&mut wish).is_ok_and(|bytes| bytes > 0) {
                    grant(wish.trim());
                }
                // Dropped only now: the guest waits for the end of the connection.
                drop(stream);
            }
        });
        Self { port, over, server: Some(server) }
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}
