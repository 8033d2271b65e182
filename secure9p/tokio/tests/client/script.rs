//! A server that does what the test says, message by message.

use secure9p::{Dialect, Errno, Qid, Rmessage, Tag, Tmessage};
use secure9p_tokio::{Client, ClientError, ConnectOptions, Root};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
};

const FRAME_BYTES_MAX: u32 = 1 << 20;

/// The server's end of a connection.
pub(crate) struct Script(DuplexStream);

impl Script {
    /// A client that is connecting, and the server it is connecting to.
    pub(crate) fn connecting(
        options: ConnectOptions,
    ) -> (JoinHandle<Result<Client, ClientError>>, Self) {
        let (ours, theirs) = duplex(1 << 20);
        let client = tokio::spawn(async move { Client::over(ours, "the script", options).await });
        (client, Self(theirs))
    }

    /// A client that has connected.
    pub(crate) async fn connected(options: ConnectOptions) -> (Client, Self) {
        let (client, mut script) = Self::connecting(options);
        script.agree().await;
        (client.await.unwrap().unwrap(), script)
    }

    /// A user that has attached, with fid 0.
    pub(crate) async fn attached(options: ConnectOptions) -> (Root, Self) {
        let (client, mut script) = Self::connected(options).await;
        let root = tokio::spawn(async move { client.attach("queen", "").await });
        let (tag, message) = script.hear().await;
        assert!(matches!(message, Tmessage::Attach { .. }), "{message:?}");
        script.say(tag, Rmessage::Attach { qid: Qid::directory(0) }).await;
        (root.await.unwrap().unwrap(), script)
    }

    pub(crate) async fn agree(&mut self) {
        let (tag, message) = self.hear().await;
        let Tmessage::Version { msize, version } = message else { panic!("{message:?}") };
        self.say(tag, Rmessage::Version { msize, version }).await;
    }

    pub(crate) async fn hear(&mut self) -> (Tag, Tmessage) {
        let mut frame = vec![0; 4];
        self.0.read_exact(&mut frame).await.unwrap();
        let bytes = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        frame.resize(bytes as usize, 0);
        self.0.read_exact(&mut frame[4..]).await.unwrap();
        Tmessage::decode(&frame, Dialect::Linux).unwrap()
    }

    pub(crate) async fn say(&mut self, tag: Tag, message: Rmessage) {
        let mut frame = Vec::new();
        message.encode(tag, Dialect::Linux, FRAME_BYTES_MAX, &mut frame).unwrap();
        self.0.write_all(&frame).await.unwrap();
    }

    /// Refuses, a byte at a time.
    pub(crate) async fn refuse_slowly(&mut self, tag: Tag, errno: Errno) {
        let mut frame = Vec::new();
        let refusal = Rmessage::Lerror { ecode: errno };
        refusal.encode(tag, Dialect::Linux, FRAME_BYTES_MAX, &mut frame).unwrap();
        for byte in frame {
            self.0.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn refuse(&mut self, tag: Tag, errno: Errno) {
        self.say(tag, Rmessage::Lerror { ecode: errno }).await;
    }

    /// Grants a walk of any names.
    pub(crate) async fn grant_walk(&mut self) {
        let (tag, message) = self.hear().await;
        let Tmessage::Walk { wname, .. } = message else { panic!("{message:?}") };
        self.say(tag, Rmessage::Walk { wqid: vec![Qid::file(1); wname.len()] }).await;
    }

    /// Grants an open, or a create.
    pub(crate) async fn grant_open(&mut self) {
        let qid = Qid::file(1);
        let (tag, message) = self.hear().await;
        let granted = match message {
            Tmessage::Lopen { .. } => Rmessage::Lopen { qid, iounit: 0 },
            Tmessage::Lcreate { .. } => Rmessage::Lcreate { qid, iounit: 0 },
            other => panic!("{other:?}"),
        };
        self.say(tag, granted).await;
    }

    /// Whether the client has closed the connection, after what it may still have said.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).await.is_ok()
    }
}
