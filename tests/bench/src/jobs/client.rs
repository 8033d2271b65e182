//! A 9P client as thin as can be: blocking, one connection, as many requests in flight as the caller likes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use secure9p::{Dialect, Errno, Fid, NumericUname, OpenFlags, Rmessage, Tag, Tmessage};

/// Longest frame there is.
const FRAME_BYTES_MAX: u32 = 64 << 10;

/// What one read asks for.
pub(crate) const READ_BYTES: u32 = FRAME_BYTES_MAX / 2;

/// What one write of a long file takes.
const PIECE_BYTES: usize = 32 << 10;

/// Longer than this no answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The fid of the root.
const ROOT: Fid = Fid(0);

/// The tag of a request that is answered before the next one is made.
const TAG: Tag = Tag(0);

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// Frames to be sent.
    unsent: Vec<u8>,
    /// Bytes that have arrived and were not yet taken: those from `taken` on.
    heard: Vec<u8>,
    taken: usize,
}

impl Client {
    /// Connects, agrees on a version and attaches.
    pub(crate) fn attach(address: SocketAddr, uname: &str, ticket: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, unsent: Vec::new(), heard: Vec::new(), taken: 0 };
        let version = Tmessage::Version { msize: FRAME_BYTES_MAX, version: "9P2000.L".to_owned() };
        client.queue(Tag::NOTAG, &version)?;
        client.send()?;
        match client.hear()? {
            (_, Rmessage::Version { version, .. }) if version == "9P2000.L" => {}
            (_, other) => bail!("the bridge answers {other:?} to Tversion"),
        }
        client.call(&Tmessage::Attach {
            fid: ROOT,
            afid: Fid::NOFID,
            uname: uname.to_owned(),
            aname: ticket.to_owned(),
            n_uname: NumericUname(0),
        })?;
        Ok(client)
    }

    /// Opens a file.
    pub(crate) fn open(&mut self, fid: Fid, path: &str, flags: OpenFlags) -> Result<()> {
        let wname = path.split('/').skip(1).map(str::to_owned).collect();
        self.call(&Tmessage::Walk { fid: ROOT, newfid: fid, wname })?;
        self.call(&Tmessage::Lopen { fid, flags })?;
        Ok(())
    }

    /// Stages an artefact.
    pub(crate) fn stage(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let fid = Fid(99);
        self.call(&Tmessage::Walk { fid: ROOT, newfid: fid, wname: vec!["bundles".to_owned()] })?;
        let flags = OpenFlags::WRONLY;
        self.call(&Tmessage::Lcreate { fid, name: name.to_owned(), flags, mode: 0o644, gid: 0 })?;
        let mut offset = 0;
        for piece in data.chunks(PIECE_BYTES) {
            self.call(&Tmessage::Write { fid, offset, data: piece.to_vec() })?;
            offset += piece.len() as u64;
        }
        self.call(&Tmessage::Clunk { fid })?;
        Ok(())
    }

    /// One read.
    pub(crate) fn read(&mut self, fid: Fid, offset: u64) -> Result<Vec<u8>> {
        match self.call(&Tmessage::Read { fid, offset, count: READ_BYTES })? {
            Rmessage::Read { data } => Ok(data.into_vec()),
            other => bail!("the bridge answers {other:?} to Tread"),
        }
    }

    /// One request and its answer, which must not be a refusal.
    pub(crate) fn call(&mut self, message: &Tmessage) -> Result<Rmessage> {
        self.try_call(message)?.map_err(|errno| anyhow::anyhow!("{message:?} is refused: {errno}"))
    }

    /// One request and its answer.
    pub(crate) fn try_call(&mut self, message: &Tmessage) -> Result<Result<Rmessage, Errno>> {
        self.queue(TAG, message)?;
        self.send()?;
        Ok(self.hear()?.1.into_result())
    }

    /// Puts a request behind those to be sent.
    pub(crate) fn queue(&mut self, tag: Tag, message: &Tmessage) -> Result<()> {
        message.encode(tag, Dialect::Linux, FRAME_BYTES_MAX, &mut self.unsent)?;
        Ok(())
    }

    /// Sends what is queued.
    pub(crate) fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }

    /// The next answer, whenever it comes.
    pub(crate) fn hear(&mut self) -> Result<(Tag, Rmessage)> {
        loop {
            if let Some(answer) = self.take()? {
                return Ok(answer);
            }
            self.receive().context("wait for an answer")?;
        }
    }

    fn take(&mut self) -> Result<Option<(Tag, Rmessage)>> {
        let heard = &self.heard[self.taken..];
        let Some(frame) = frame_bytes(heard).and_then(|bytes| heard.get(..bytes)) else {
            return Ok(None);
        };
        self.taken += frame.len();
        Ok(Some(Rmessage::decode(frame, Dialect::Linux)?))
    }

    fn receive(&mut self) -> std::io::Result<()> {
        self.heard.drain(..self.taken);
        self.taken = 0;
        let before = self.heard.len();
        self.heard.resize(before + FRAME_BYTES_MAX as usize, 0);
        let read = self.stream.read(&mut self.heard[before..]);
        self.heard.truncate(before + *read.as_ref().unwrap_or(&0));
        match read? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// size[4] of the frame that begins here.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let size: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    Some(u32::from_le_bytes(size) as usize)
}
