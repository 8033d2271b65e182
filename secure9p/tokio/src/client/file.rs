//! An open file: reads and writes of any length, cut to what the server takes, several in flight.

use std::collections::VecDeque;

use secure9p::{OpenFlags, Qid, QidKind, Rmessage, Tmessage, message::Attributes};

use crate::client::{
    Cause, ClientError,
    fid::{OwnedFid, nonsense},
    link::Call,
    root::attributes,
};

/// Most pieces of one transfer in flight.
const PIECES_MAX: usize = 8;

/// Most bytes of one transfer in flight, where that is more than two pieces.
const IN_FLIGHT_BYTES: usize = 4 << 20;

/// An open file. Dropping it lets go of it without waiting; [`Self::close`] tells what the server says to that.
#[derive(Debug)]
pub struct File {
    fid: OwnedFid,
    path: String,
    qid: Qid,
    piece_bytes: u32,
    /// Writes go to the end, in the order in which the server sees them.
    appends: bool,
}

impl File {
    pub(crate) fn new(fid: OwnedFid, path: &str, qid: Qid, iounit: u32, flags: OpenFlags) -> Self {
        let io_bytes_max = fid.user().state().session.io_bytes_max().max(1);
        let piece_bytes = if iounit == 0 { io_bytes_max } else { iounit.min(io_bytes_max) };
        let appends = flags.contains(OpenFlags::APPEND) || qid.kind.contains(QidKind::APPEND);
        Self { fid, path: path.to_owned(), qid, piece_bytes, appends }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the server calls it.
    #[must_use]
    pub fn qid(&self) -> Qid {
        self.qid
    }

    /// Up to `bytes` bytes from `offset`; fewer only at the end of the file.
    pub async fn read_at(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, ClientError> {
        self.read_pieces(offset, bytes).await.map_err(|cause| self.failed("read", cause))
    }

    /// Everything from `offset` on, up to [`crate::ConnectOptions::read_bytes_max`].
    pub async fn read_to_end(&self, offset: u64) -> Result<Vec<u8>, ClientError> {
        self.read_bounded(offset).await.map_err(|cause| self.failed("read", cause))
    }

    /// Writes all of `data` at `offset`; a file that is appended to takes it at its end instead. What had been taken
    /// before an error stays written.
    pub async fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), ClientError> {
        self.write_pieces(offset, data).await.map_err(|cause| self.failed("write", cause))
    }

    /// What is known about it.
    pub async fn stat(&self) -> Result<Attributes, ClientError> {
        attributes(&self.fid).await.map_err(|cause| self.failed("stat", cause))
    }

    /// Closes it. Some files take what was written only now, and refuse it now.
    pub async fn close(self) -> Result<(), ClientError> {
        let Self { fid, path, .. } = self;
        fid.clunk().await.map_err(|cause| ClientError::new("close", &path, cause))
    }

    /// Whether the connection still stands, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.fid.user().end().is_none()
    }

    pub(crate) fn into_fid(self) -> OwnedFid {
        self.fid
    }

    pub(crate) async fn read_whole(self) -> Result<Vec<u8>, Cause> {
        self.read_bounded(0).await
    }

    pub(crate) async fn write_whole(&self, data: &[u8]) -> Result<(), Cause> {
        self.write_pieces(0, data).await
    }

    async fn read_bounded(&self, offset: u64) -> Result<Vec<u8>, Cause> {
        let bytes_max = self.fid.user().options().read_bytes_max;
        let read = self.read_pieces(offset, bytes_max.saturating_add(1)).await?;
        if read.len() > bytes_max {
            let why = format!("it has more than {bytes_max} bytes, the most that is read at once");
            return Err(Cause::Unusable(why));
        }
        Ok(read)
    }

    /// Reads one piece, then two at a time, four, and so on while they come back full. A piece that is not full may be
    /// the end, or only what there was: the next one tells, and what was asked ahead is given up.
    async fn read_pieces(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, Cause> {
        let end = offset.saturating_add(bytes as u64);
        let (mut read, mut in_flight) = (Vec::new(), VecDeque::new());
        let (mut ask_at, mut ahead) = (offset, 1);
        loop {
            while in_flight.len() < ahead && ask_at < end {
                let piece = self.ask(ask_at, end).await?;
                ask_at += u64::from(piece.count);
                in_flight.push_back(piece);
            }
            let Some(Piece { call, count }) = in_flight.pop_front() else { return Ok(read) };
            let data = match self.fid.user().timed(call).await? {
                Rmessage::Read { data } => data,
                other => return Err(nonsense(&other, "Tread")),
            };
            let data = data.as_slice();
            read.extend_from_slice(data);
            if data.is_empty() {
                return Ok(read);
            } else if data.len() == count as usize {
                ahead = (ahead * 2).min(self.pieces_max());
            } else {
                in_flight.clear();
                (ask_at, ahead) = (offset + read.len() as u64, 1);
            }
        }
    }

    async fn ask(&self, offset: u64, end: u64) -> Result<Piece, Cause> {
        let left = u32::try_from(end - offset).unwrap_or(u32::MAX);
        let count = self.piece_bytes.min(left);
        let call = self.fid.start(|fid| Tmessage::Read { fid, offset, count }).await?;
        Ok(Piece { call, count })
    }

    async fn write_pieces(&self, offset: u64, data: &[u8]) -> Result<(), Cause> {
        let (mut taken, mut sent, mut in_flight) = (0, 0, VecDeque::new());
        let ahead = if self.appends { 1 } else { self.pieces_max() };
        // an empty write still is one: a control file may take it as a command
        let mut first = true;
        loop {
            while in_flight.len() < ahead && (sent < data.len() || std::mem::take(&mut first)) {
                first = false;
                let piece = self.offer(offset, data, sent).await?;
                sent += piece.count as usize;
                in_flight.push_back(piece);
            }
            let Some(Piece { call, count }) = in_flight.pop_front() else { return Ok(()) };
            let done = match self.fid.user().timed(call).await? {
                Rmessage::Write { count } => count,
                other => return Err(nonsense(&other, "Twrite")),
            };
            taken += done as usize;
            if done == 0 && count > 0 {
                return Err(Cause::Nonsense(format!("the server took none of {count} bytes")));
            } else if done < count {
                in_flight.clear();
                sent = taken;
            }
        }
    }

    async fn offer(&self, offset: u64, data: &[u8], from: usize) -> Result<Piece, Cause> {
        let rest = data.get(from..).unwrap_or_default();
        let piece = rest.get(..self.piece_bytes as usize).unwrap_or(rest).to_vec();
        let count = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let offset = offset + from as u64;
        let call = self.fid.start(|fid| Tmessage::Write { fid, offset, data: piece }).await?;
        Ok(Piece { call, count })
    }

    fn pieces_max(&self) -> usize {
        (IN_FLIGHT_BYTES / self.piece_bytes as usize).clamp(2, PIECES_MAX)
    }

    fn failed(&self, doing: &'static str, cause: Cause) -> ClientError {
        ClientError::new(doing, &self.path, cause)
    }
}

/// One Tread or Twrite of a longer transfer.
struct Piece {
    call: Call,
    count: u32,
}
