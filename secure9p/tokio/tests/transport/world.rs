//! One running server, and peers made of raw bytes.

use std::{sync::Arc, time::Duration};

use secure9p_tokio::{Dialer, Limits, ListenOptions, Listener, Service, Uri, serve};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// A server that runs until it is told to shut down.
pub(crate) struct Running {
    shutdown: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

pub(crate) fn start<S: Service>(listener: Listener, service: &Arc<S>, limits: Limits) -> Running {
    let (shutdown, told) = oneshot::channel();
    let service = Arc::clone(service);
    let told = async { told.await.unwrap_or(()) };
    let serving = tokio::spawn(serve(vec![listener], service, limits, told));
    Running { shutdown: Some(shutdown), serving }
}

pub(crate) fn embedded<S: Service>(service: &Arc<S>, limits: Limits) -> (Running, Dialer) {
    let (listener, dialer) = Listener::embedded();
    (start(listener, service, limits), dialer)
}

pub(crate) async fn tcp<S: Service>(service: &Arc<S>, limits: Limits) -> (Running, String) {
    let uri: Uri = "tcp://127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&uri, &ListenOptions::default()).await.unwrap();
    let address = listener.uri().to_string().replace("tcp://", "");
    (start(listener, service, limits), address)
}

impl Running {
    pub(crate) fn tell(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(self) {
        within(self.serving).await.unwrap();
    }

    pub(crate) fn abandon(&self) {
        self.serving.abort();
    }
}

/// A peer that sends and expects bytes.
pub(crate) struct RawPeer<S>(pub(crate) S);

pub(crate) async fn dialled(dialer: &Dialer) -> RawPeer<DuplexStream> {
    RawPeer(dialer.dial().await.unwrap())
}

pub(crate) async fn connected(address: &str) -> RawPeer<TcpStream> {
    RawPeer(TcpStream::connect(address).await.unwrap())
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawPeer<S> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let mut heard = vec![0; text.len()];
        let text = text.to_owned();
        async move {
            within(self.0.read_exact(&mut heard)).await.unwrap();
            let heard = String::from_utf8(heard).unwrap();
            assert_eq!(start_of(&heard), start_of(&text), "at {caller}");
            assert!(heard == text, "differs further on, at {caller}");
        }
    }

    pub(crate) async fn attach(&mut self) {
        self.send("attach\n").await;
        self.expect("attached\n").await;
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        rest
    }
}

fn start_of(text: &str) -> &str {
    text.get(..80).unwrap_or(text)
}

/// Fails a test that hangs, instead of hanging with it. Far more than any test needs, on the clock of the test.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3600), future).await.expect("the world stands still")
}
