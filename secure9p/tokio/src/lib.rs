//! Secure9P over TCP, TLS, Unix sockets and in-memory pairs: servers, clients and a proxy on tokio.
//!
//! Moves bytes, keeps time, and bounds what a peer may cost. Knows nothing of namespaces and leases: what is served is a
//! [`Service`], and 9P itself is `secure9p`.
//!
//! A server:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use secure9p_tokio::{Limits, ListenOptions, Listener, Service, serve};
//! # async fn example(service: Arc<impl Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener::bind(&"tcp://127.0.0.1:5640".parse()?, &ListenOptions::default()).await?;
//! println!("listening {}", listener.uri());
//! serve(vec![listener], service, Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! A client. Calls may be in flight side by side (`tokio::join!`); [`Reconnecting`] is the same over connections that come and go,
//! and never repeats a write that may have happened:
//!
//! ```no_run
//! # use secure9p_tokio::{Client, ConnectOptions};
//! # async fn example(ticket: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(&"tcp://127.0.0.1:5640".parse()?, ConnectOptions::default()).await?;
//! let root = client.attach("worker-gpu:worker-7", ticket).await?;
//! root.write("/gpu/GPU-0/ctl", b"LEASE mem_mb=64 streams=1 ttl_s=30\n").await?;
//! let (info, stats) = tokio::join!(root.read("/gpu/GPU-0/info"), root.read("/gpu/GPU-0/stats"));
//! println!("{}{}", String::from_utf8(info?)?, String::from_utf8(stats?)?);
//! # Ok(())
//! # }
//! ```
//!
//! The runtime is the caller's: one thread or many, both work.

mod client;
mod descriptors;
mod limits;
mod listener;
mod memory;
mod peer;
mod proxy;
mod scratch;
mod server;
mod stream;
pub mod tls;
mod unix;
mod uri;

pub use self::{
    client::{
        Cause, Client, ClientError, ConnectOptions, File, Reconnecting, ReconnectingFile, Retry,
        Root, dial,
    },
    descriptors::raise_descriptor_limit,
    limits::Limits,
    listener::{BindRefused, ListenOptions, Listener},
    memory::{DialRefused, Dialer},
    peer::{Peer, Transport},
    proxy::proxy,
    server::{
        Closed, ConnectRefused, Connection, Service, Tallied, Tally, Wake, serve, serve_tallied,
    },
    stream::Stream,
    unix::SocketFileRefused,
    uri::{Authority, BRIDGE_PORT, NINEDOOR_PORT, Uri, UriRefused},
};
