//! A tree that outlives its connections: connects when it must, attaches and walks again, and repeats only what asks.
//!
//! **What is repeated.** Reading, listing and looking are. What may change something is sent once: when the connection is
//! lost before its answer, the error is [`Cause::Uncertain`], and the caller looks before trying again. While there is no
//! connection, everything waits for one, and nothing is uncertain.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    sync::Arc,
};

use secure9p::{
    Errno, OpenFlags,
    message::{Attributes, DirectoryEntry},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::info;

use crate::{
    client::{
        Cause, Client, ClientError, ConnectOptions, File, Root,
        retry::{Retry, Tries},
    },
    uri::Uri,
};

/// Flags that change something when a file is opened: never used twice.
const OPENING_CHANGES: OpenFlags = OpenFlags::CREAT.union(OpenFlags::EXCL).union(OpenFlags::TRUNC);

/// Asks `$root`, the tree over the connection of now, until the answer comes or the patience is over. A macro, for closures
/// over borrowed paths make futures that cannot be spawned.
macro_rules! repeat {
    ($tree:expr, $root:ident => $ask:expr) => {{
        let mut patience = Patience::new(&$tree.0.retry);
        loop {
            let $root = $tree.root().await?;
            match $ask.await {
                Err(error) if ClientError::is_lost(&error) => patience.wait_after(error).await?,
                outcome => break outcome,
            }
        }
    }};
}

/// A tree, and how to reach it again. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Reconnecting(Arc<Reach>);

struct Reach {
    uri: Uri,
    options: ConnectOptions,
    retry: Retry,
    uname: String,
    aname: String,
    /// Held while a connection is made, so that one is made for all.
    root: Mutex<Option<Root>>,
}

impl Reconnecting {
    /// A tree that is connected to at its first use.
    #[must_use]
    pub fn new(uri: Uri, options: ConnectOptions, retry: Retry, uname: &str, aname: &str) -> Self {
        let (uname, aname) = (uname.to_owned(), aname.to_owned());
        Self(Arc::new(Reach { uri, options, retry, uname, aname, root: Mutex::new(None) }))
    }

    /// The tree over the connection of now, which is made if there is none.
    pub async fn root(&self) -> Result<Root, ClientError> {
        let mut root = self.0.root.lock().await;
        if let Some(root) = root.as_ref().filter(|root| root.is_connected()) {
            return Ok(root.clone());
        }
        let mut patience = Patience::new(&self.0.retry);
        let fresh = loop {
            match self.0.attach().await {
                Err(error) if is_passing(&error) => patience.wait_after(error).await?,
                outcome => break outcome?,
            }
        };
        *root = Some(fresh.clone());
        Ok(fresh)
    }

    /// Repeats [`Root::read`].
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        repeat!(self, root => root.read(path))
    }

    /// Repeats [`Root::list`].
    pub async fn list(&self, path: &str) -> Result<Vec<DirectoryEntry>, ClientError> {
        repeat!(self, root => root.list(path))
    }

    /// Repeats [`Root::stat`].
    pub async fn stat(&self, path: &str) -> Result<Attributes, ClientError> {
        repeat!(self, root => root.stat(path))
    }

    /// [`Root::write`], once.
    pub async fn write(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        once(self.root().await?.write(path, data).await)
    }

    /// [`Root::append`], once.
    pub async fn append(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        once(self.root().await?.append(path, data).await)
    }

    /// [`Root::put`], once.
    pub async fn put(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        once(self.root().await?.put(path, data).await)
    }

    /// [`Root::remove`], once.
    pub async fn remove(&self, path: &str) -> Result<(), ClientError> {
        once(self.root().await?.remove(path).await)
    }

    /// Opens a file that is walked to and opened again when the connection has been made again; without `CREAT`, `EXCL`
    /// and `TRUNC` then, which count once.
    pub async fn open(
        &self,
        path: &str,
        flags: OpenFlags,
    ) -> Result<ReconnectingFile, ClientError> {
        let file = if flags.intersects(OPENING_CHANGES) {
            once(self.root().await?.open(path, flags).await)?
        } else {
            repeat!(self, root => root.open(path, flags))?
        };
        Ok(ReconnectingFile {
            tree: self.clone(),
            path: path.to_owned(),
            flags: flags.difference(OPENING_CHANGES),
            file: Mutex::new(Arc::new(file)),
        })
    }
}

impl Reach {
    async fn attach(&self) -> Result<Root, ClientError> {
        let client = Client::connect(&self.uri, self.options.clone()).await?;
        client.attach(&self.uname, &self.aname).await
    }
}

/// An open file of a [`Reconnecting`] tree.
#[derive(Debug)]
pub struct ReconnectingFile {
    tree: Reconnecting,
    path: String,
    flags: OpenFlags,
    file: Mutex<Arc<File>>,
}

impl ReconnectingFile {
    /// Repeats [`File::read_at`].
    pub async fn read_at(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, ClientError> {
        let mut patience = Patience::new(&self.tree.0.retry);
        loop {
            match self.file().await?.read_at(offset, bytes).await {
                Err(error) if error.is_lost() => patience.wait_after(error).await?,
                outcome => return outcome,
            }
        }
    }

    /// [`File::write_at`], once.
    pub async fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), ClientError> {
        once(self.file().await?.write_at(offset, data).await)
    }

    /// The file over the connection of now, opened again if that is another.
    async fn file(&self) -> Result<Arc<File>, ClientError> {
        let mut file = self.file.lock().await;
        if !file.is_connected() {
            let open = repeat!(self.tree, root => root.open(&self.path, self.flags));
            *file = Arc::new(open?);
        }
        Ok(Arc::clone(&file))
    }
}

/// The tries of one operation, on the clock.
struct Patience<'a> {
    start: Instant,
    tries: Tries<'a>,
}

impl<'a> Patience<'a> {
    fn new(retry: &'a Retry) -> Self {
        Self { start: Instant::now(), tries: Tries::new(retry) }
    }

    /// Waits before the next try, or gives up with the error of the last.
    async fn wait_after(&mut self, error: ClientError) -> Result<(), ClientError> {
        match self.tries.next(self.start.elapsed(), chance()) {
            None => Err(error),
            Some(wait) => {
                info!("{error}; next try in {} ms", wait.as_millis());
                sleep(wait).await;
                Ok(())
            }
        }
    }
}

/// What must not be repeated, and was lost, may have happened.
fn once<T>(outcome: Result<T, ClientError>) -> Result<T, ClientError> {
    outcome.map_err(|error| match error.cause {
        Cause::Lost(why) => ClientError { cause: Cause::Uncertain(why), ..error },
        _ => error,
    })
}

/// Whether a server that could not be attached to now may be later.
fn is_passing(error: &ClientError) -> bool {
    matches!(
        error.cause,
        Cause::Unreachable(_) | Cause::Lost(_) | Cause::TimedOut(_) | Cause::Refused(Errno::EAGAIN)
    )
}

/// A little randomness, without a generator: the hasher's keys are random.
fn chance() -> u8 {
    RandomState::new().build_hasher().finish().to_le_bytes()[0]
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the aname is a ticket, and no business of a log
        let Reach { uri, uname, .. } = &*self.0;
        f.debug_struct("Reconnecting")
            .field("uri", uri)
            .field("uname", uname)
            .finish_non_exhaustive()
    }
}
