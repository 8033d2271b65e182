//! For tests: the toy tree of `secure9p`, attached to over an in-memory pair.

use std::sync::Arc;

use ninedoor_abi::Identity;
use secure9p::ServerLimits;
use secure9p::toy::{ToyServer, ToyTree};
use secure9p_tokio::{
    Client, Closed, ConnectOptions, ConnectRefused, Connection, Limits, Listener, Peer, Service,
    Uri, Wake, serve,
};

use super::Hive;

struct ToyService;

struct ToyConnection(ToyServer);

impl Service for ToyService {
    type Connection = ToyConnection;

    fn connect(&self, _: Peer, _: Wake) -> Result<ToyConnection, ConnectRefused> {
        Ok(ToyConnection(ToyServer::new(ServerLimits::default(), ToyTree::new())))
    }
}

impl Connection for ToyConnection {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.0.receive(bytes).map_err(|violation| Closed { why: violation.to_string() })
    }

    fn transmit(&mut self, out: &mut Vec<u8>) {
        self.0.serve();
        out.extend_from_slice(self.0.session.transmit());
        self.0.session.sent(out.len());
    }

    fn wants_read(&self) -> bool {
        self.0.session.wants_read()
    }

    fn is_attached(&self) -> bool {
        true
    }

    fn is_idle(&self) -> bool {
        self.0.session.transmit().is_empty()
    }
}

/// A hive that is no hive: `/hello`, `/empty`, `/big` (100000 bytes), `/ctl` (append only), `/locked`, `/dir/{a,b,c}`.
pub(crate) async fn toy() -> Hive {
    let (listener, dialer) = Listener::embedded();
    let serving =
        serve(vec![listener], Arc::new(ToyService), Limits::default(), std::future::pending());
    tokio::spawn(serving);
    let options = ConnectOptions { embedded: Some(dialer), ..ConnectOptions::default() };
    let client = Client::connect(&Uri::Embedded, options).await.unwrap();
    let root = client.attach("queen", "").await.unwrap();
    Hive::new(root, "embedded:", Identity::QUEEN)
}
