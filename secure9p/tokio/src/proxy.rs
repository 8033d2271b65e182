//! Bytes from here to there: lets a client that knows no TLS (the Linux kernel's) use a server that insists on it.
//!
//! Understands no 9P. Limits and deadlines are those of the transport; who may do what is decided at the far end.

use std::{future::Future, sync::Arc};

use tokio::{io::copy_bidirectional_with_sizes, task::JoinSet};
use tracing::{debug, info, warn};

use crate::{
    client::{ConnectOptions, dial},
    limits::{ACCEPT_RETRY, PROXY_BYTES},
    listener::{Arrival, Listener},
    uri::Uri,
};
