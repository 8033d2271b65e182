//! How a client connects, and what its calls may cost.

use std::time::Duration;

use secure9p::{ClientLimits, Msize};

use crate::{memory::Dialer, tls::ClientTls};

/// How a client connects.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// For `tls://`.
    pub tls: Option<ClientTls>,
    /// For `embedded:`.
    pub embedded: Option<Dialer>,
    /// Allows plain TCP to other machines. Tickets then cross the network in the clear.
    pub allow_plaintext: bool,
    /// The frame length to offer: 8192 suits control files, more suits bulk data.
    pub msize: Msize,
    /// For the whole of it: name, TCP, TLS and Tversion.
    pub connect_timeout: Duration,
    /// For each call; `None` waits for ever.
    pub call_timeout: Option<Duration>,
    /// Calls in flight at once, over all users of the connection; more wait for their turn.
    pub calls_max: usize,
    /// Most that reading a file whole may bring.
    pub read_bytes_max: usize,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            tls: None,
            embedded: None,
            allow_plaintext: false,
            msize: Msize::DEFAULT,
            connect_timeout: Duration::from_secs(10),
            call_timeout: Some(Duration::from_secs(30)),
            calls_max: ClientLimits::default().calls_max,
            read_bytes_max: 1 << 30,
        }
    }
}

impl ConnectOptions {
    pub(crate) fn limits(&self) -> ClientLimits {
        ClientLimits { msize: self.msize, calls_max: self.calls_max, ..ClientLimits::default() }
    }
}
