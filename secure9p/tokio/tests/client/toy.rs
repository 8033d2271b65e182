//! A server of `secure9p`'s toy tree: honest, and able to tell whether every fid came back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secure9p::{
    ServerLimits, ServerSession,
    toy::{ToyNode, ToyTree},
};
use secure9p_tokio::{
    Client, Closed, ConnectOptions, ConnectRefused, Connection, Dialer, Limits, ListenOptions,
    Listener, Peer, Root, Service, Uri, Wake, serve,
};
use tokio::task::AbortHandle;

/// The tree, and the bells of its connections.
pub(crate) struct Toy {
    pub(crate) tree: Arc<Mutex<ToyTree>>,
    wakes: Mutex<Vec<Wake>>,
    /// Connections of now keep their answers to themselves.
    mute: Mutex<Arc<AtomicBool>>,
}

pub(crate) struct ToyConnection {
    session: ServerSession<ToyNode>,
    mute: Arc<AtomicBool>,
    tree: Arc<Mutex<ToyTree>>,
}

impl Toy {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(ToyTree::new())
    }

    pub(crate) fn of(tree: ToyTree) -> Arc<Self> {
        let tree = Arc::new(Mutex::new(tree));
        Arc::new(Self { tree, wakes: Mutex::default(), mute: Mutex::default() })
    }

    pub(crate) fn live_nodes(&self) -> usize {
        self.tree.lock().unwrap().live_nodes()
    }

    /// The connections of now do what they are asked, and say nothing.
    pub(crate) fn hold_answers(&self) {
        std::mem::take(&mut *self.mute.lock().unwrap()).store(true, Ordering::SeqCst);
    }

    /// Ends every connection there is.
    pub(crate) fn cut(&self) {
        self.wakes.lock().unwrap().drain(..).for_each(|wake| wake.close("cut"));
    }
}

impl Service for Toy {
    type Connection = ToyConnection;

    fn connect(&self, _peer: Peer, wake: Wake) -> Result<ToyConnection, ConnectRefused> {
        self.wakes.lock().unwrap().push(wake);
        let session = ServerSession::new(ServerLimits::default());
        let mute = Arc::clone(&self.mute.lock().unwrap());
        Ok(ToyConnection { session, mute, tree: Arc::clone(&self.tree) })
    }
}

impl ToyConnection {
    fn answer(&mut self) {
        let mut tree = self.tree.lock().unwrap();
        while let Some((owed, request)) = self.session.poll_request() {
            self.session.answer(owed, tree.handle(request));
        }
        while let Some(node) = self.session.poll_released() {
            tree.release(node);
        }
    }
}

impl Connection for ToyConnection {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let outcome = self.session.receive(bytes);
        self.answer();
        let recent = self.session.recent();
        outcome.map_err(|violation| Closed { why: format!("{violation}; last: {recent}") })
    }

    fn transmit(&mut self, out: &mut Vec<u8>) {
        if self.mute.load(Ordering::SeqCst) {
            return;
        }
        out.extend_from_slice(self.session.transmit());
        self.session.sent(out.len());
        self.answer();
    }

    fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    fn is_attached(&self) -> bool {
        self.session.fids() > 0
    }

    fn is_idle(&self) -> bool {
        self.session.requests() == 0 && self.session.transmit().is_empty()
    }
}

impl Drop for ToyConnection {
    fn drop(&mut self) {
        self.session.close();
        self.answer();
    }
}

/// Serves the toy in this process.
pub(crate) fn embedded(toy: &Arc<Toy>) -> (AbortHandle, Dialer) {
    let (listener, dialer) = Listener::embedded();
    (start(listener, toy), dialer)
}

/// Serves the toy over TCP.
pub(crate) async fn tcp(toy: &Arc<Toy>) -> (AbortHandle, Uri) {
    let uri = "tcp://127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&uri, &ListenOptions::default()).await.unwrap();
    let uri = listener.uri().clone();
    (start(listener, toy), uri)
}

pub(crate) fn start(listener: Listener, toy: &Arc<Toy>) -> AbortHandle {
    let serving = serve(vec![listener], Arc::clone(toy), Limits::default(), std::future::pending());
    tokio::spawn(serving).abort_handle()
}

pub(crate) fn reaching(dialer: &Dialer) -> ConnectOptions {
    ConnectOptions { embedded: Some(dialer.clone()), ..ConnectOptions::default() }
}

/// A user of a fresh toy, over a fresh connection.
pub(crate) async fn attached(options: ConnectOptions) -> (Arc<Toy>, Root) {
    let toy = Toy::new();
    let (_, dialer) = embedded(&toy);
    let options = ConnectOptions { embedded: Some(dialer), ..options };
    let client = Client::connect(&Uri::Embedded, options).await.unwrap();
    let root = client.attach("queen", "").await.unwrap();
    (toy, root)
}

/// Lets everything happen that can happen by itself; on a paused clock this takes no time.
pub(crate) async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
