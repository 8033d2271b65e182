//! Clients: one connection, many users, many calls in flight.
//!
//! ```text
//! Client ── attach ──▶ Root ── open ──▶ File          each may be cloned or shared; any number of calls may be under way
//!    └──── Link (who waits for what) ◀──▶ Driver (one task, the stream)
//! ```
//!
//! Dropping a future gives its call up (Tflush); dropping a [`File`] or the last clone of a [`Root`] lets go of its fid;
//! dropping everything closes the connection. Nothing is ever asked twice: [`Reconnecting`] says what it repeats.

mod dial;
mod driver;
mod error;
mod fid;
mod file;
mod link;
mod options;
mod reconnecting;
mod retry;
mod root;

use std::sync::Arc;

use secure9p::Msize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

pub use self::{
    dial::dial,
    error::{Cause, ClientError},
    file::File,
    options::ConnectOptions,
    reconnecting::{Reconnecting, ReconnectingFile},
    retry::Retry,
    root::Root,
};
use self::{
    driver::Driver,
    link::{Link, User},
};
use crate::uri::Uri;

/// A connection to a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    user: Arc<User>,
    server: Arc<str>,
}

impl Client {
    /// Connects, and agrees on a version. Must be called within a tokio runtime, which then moves the bytes.
    pub async fn connect(uri: &Uri, options: ConnectOptions) -> Result<Self, ClientError> {
        let limit = options.connect_timeout;
        let connect = async {
            let stream = dial(uri, &options).await?;
            Self::over(stream, &uri.to_string(), options).await
        };
        timeout(limit, connect).await.unwrap_or_else(|_| {
            let cause = Cause::TimedOut(limit);
            Err(ClientError::new("connect to", &uri.to_string(), cause))
        })
    }

    /// Agrees on a version over a stream that is there already; `server` names it in errors.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        server: &str,
        options: ConnectOptions,
    ) -> Result<Self, ClientError> {
        let limit = options.connect_timeout;
        let link = Link::new(options);
        tokio::spawn(Driver::new(Arc::clone(&link), stream).run());
        let user = User::new(link);
        let greeted = timeout(limit, user.greeted()).await.unwrap_or(Err(Cause::TimedOut(limit)));
        greeted.map_err(|cause| ClientError::new("connect to", server, cause))?;
        Ok(Self { user, server: server.into() })
    }

    /// Introduces a user, and gives the tree as that user sees it. One connection may carry many.
    pub async fn attach(&self, uname: &str, aname: &str) -> Result<Root, ClientError> {
        let attached = Root::attach(&self.user, uname, aname).await;
        attached.map_err(|cause| ClientError::new("attach to", &self.server, cause))
    }

    /// The frame length agreed on.
    #[must_use]
    pub fn msize(&self) -> Option<Msize> {
        self.user.state().session.negotiated()
    }

    /// Whether the connection still stands, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.user.end().is_none()
    }
}
