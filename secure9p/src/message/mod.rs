//! Every message of 9P2000.L and 9P2000: the two tables, in the words of the manual pages.
//!
//! Knows layouts, not meaning: what a message does to a fid is the sessions' affair.

mod attributes;
mod entry;
mod lock;
mod stat;
mod statfs;
mod table;

use alloc::{string::String, vec::Vec};

pub use attributes::{AttributeMask, Attributes, SetAttributes, SetTime, Time};
pub use entry::DirectoryEntry;
pub use lock::{Lock, LockKind, LockStatus};
pub use stat::Stat;
pub use statfs::FileSystemStatistics;

pub(crate) use attributes::set;

use crate::{
    bytes::Bytes,
    dialect::Dialect,
    errno::Errno,
    fuzzing::{Dice, Sample},
    ids::{Fid, NumericUname, Qid, Tag},
    open::OpenFlags,
    transcript::{NotALine, Speech, Style, Words},
    violation::Violation,
    wire::{CutShort, Reader, Wire, Writer, frames::Frame},
};
use table::{messages, style};

messages! {
    /// What a client asks. Fields have the names and the order of the manual pages.
    pub enum Tmessage {
        /// Agree on dialect and frame length; ends everything that was in flight.
        Version = 100 "Tversion" in Linux | Plan9 { msize: u32, version: String }
        /// Ask for an authentication file.
        Auth = 102 "Tauth" in Linux | Plan9 { afid: Fid, uname: String, aname: String, n_uname: NumericUname }
        /// Introduce a user, and get the root of a tree.
        Attach = 104 "Tattach" in Linux | Plan9 { fid: Fid, afid: Fid, uname: String, aname: String, n_uname: NumericUname }
        /// Give up a request.
        Flush = 108 "Tflush" in Linux | Plan9 { oldtag: Tag }
        /// Descend from `fid`, and call what is found `newfid`.
        Walk = 110 "Twalk" in Linux | Plan9 { fid: Fid, newfid: Fid, wname: Vec<String> }
        /// Read from an open file (in 9P2000 also from a directory).
        Read = 116 "Tread" in Linux | Plan9 { fid: Fid, offset: u64, count: u32 }
        /// Write to an open file.
        Write = 118 "Twrite" in Linux | Plan9 { fid: Fid, offset: u64, data: Vec<u8> }
        /// Let go of a fid.
        Clunk = 120 "Tclunk" in Linux | Plan9 { fid: Fid }
        /// Remove a file, and let go of the fid.
        Remove = 122 "Tremove" in Linux | Plan9 { fid: Fid }

        /// Ask about the file system.
        Statfs = 8 "Tstatfs" in Linux { fid: Fid }
        /// Open with Linux flags.
        Lopen = 12 "Tlopen" in Linux { fid: Fid, flags: OpenFlags }
        /// Make a file and open it; `fid` moves from the directory to the file.
        Lcreate = 14 "Tlcreate" in Linux { fid: Fid, name: String, flags: OpenFlags, mode: u32 = Octal, gid: u32 }
        /// Make a symbolic link.
        Symlink = 16 "Tsymlink" in Linux { fid: Fid, name: String, symtgt: String, gid: u32 }
        /// Make a device node.
        Mknod = 18 "Tmknod" in Linux { dfid: Fid, name: String, mode: u32 = Octal, major: u32, minor: u32, gid: u32 }
        /// Give the file `fid` another name in `dfid`.
        Rename = 20 "Trename" in Linux { fid: Fid, dfid: Fid, name: String }
        /// Read a symbolic link.
        Readlink = 22 "Treadlink" in Linux { fid: Fid }
        /// Ask about a file.
        Getattr = 24 "Tgetattr" in Linux { fid: Fid, request_mask: AttributeMask }
        /// Change what is known about a file.
        Setattr = 26 "Tsetattr" in Linux { fid: Fid, attributes: SetAttributes }
        /// Open an extended attribute.
        Xattrwalk = 30 "Txattrwalk" in Linux { fid: Fid, newfid: Fid, name: String }
        /// Make an extended attribute.
        Xattrcreate = 32 "Txattrcreate" in Linux { fid: Fid, name: String, attr_size: u64, flags: u32 }
        /// Read entries of a directory.
        Readdir = 40 "Treaddir" in Linux { fid: Fid, offset: u64, count: u32 }
        /// Write cached data to the disk.
        Fsync = 50 "Tfsync" in Linux { fid: Fid, datasync: Datasync }
        /// Take or give back a record lock.
        Lock = 52 "Tlock" in Linux { fid: Fid, kind: LockKind, flags: u32, start: u64, length: u64, proc_id: u32, client_id: String }
        /// Ask who has a record lock.
        Getlock = 54 "Tgetlock" in Linux { fid: Fid, kind: LockKind, start: u64, length: u64, proc_id: u32, client_id: String }
        /// Make a hard link to `fid`.
        Link = 70 "Tlink" in Linux { dfid: Fid, fid: Fid, name: String }
        /// Make a directory.
        Mkdir = 72 "Tmkdir" in Linux { dfid: Fid, name: String, mode: u32 = Octal, gid: u32 }
        /// Give a file another name.
        Renameat = 74 "Trenameat" in Linux { olddirfid: Fid, oldname: String, newdirfid: Fid, newname: String }
        /// Remove a name.
        Unlinkat = 76 "Tunlinkat" in Linux { dirfd: Fid, name: String, flags: u32 = Hex }

        /// Open with a mode byte.
        Open = 112 "Topen" in Plan9 { fid: Fid, mode: u8 = Hex }
        /// Make a file and open it; `fid` moves from the directory to the file.
        Create = 114 "Tcreate" in Plan9 { fid: Fid, name: String, perm: u32 = Octal, mode: u8 = Hex }
        /// Ask about a file.
        Stat = 124 "Tstat" in Plan9 { fid: Fid }
        /// Change what is known about a file.
        Wstat = 126 "Twstat" in Plan9 { fid: Fid, stat: Stat }
    }
}

messages! {
    /// What a server answers. Fields have the names and the order of the manual pages.
    pub enum Rmessage {
        /// To Tversion; `unknown` where nothing fits.
        Version = 101 "Rversion" in Linux | Plan9 { msize: u32, version: String }
        /// To Tauth. We never send it.
        Auth = 103 "Rauth" in Linux | Plan9 { aqid: Qid }
        /// To Tattach.
        Attach = 105 "Rattach" in Linux | Plan9 { qid: Qid }
        /// To Tflush: `oldtag` may be used again.
        Flush = 109 "Rflush" in Linux | Plan9 {}
        /// To Twalk: as many qids as names were found.
        Walk = 111 "Rwalk" in Linux | Plan9 { wqid: Vec<Qid> }
        /// To Tread; empty at the end.
        Read = 117 "Rread" in Linux | Plan9 { data: Bytes }
        /// To Twrite: bytes taken.
        Write = 119 "Rwrite" in Linux | Plan9 { count: u32 }
        /// To Tclunk.
        Clunk = 121 "Rclunk" in Linux | Plan9 {}
        /// To Tremove.
        Remove = 123 "Rremove" in Linux | Plan9 {}

        /// Refusal, by number.
        Lerror = 7 "Rlerror" in Linux { ecode: Errno }
        /// To Tstatfs.
        Statfs = 9 "Rstatfs" in Linux { statistics: FileSystemStatistics }
        /// To Tlopen.
        Lopen = 13 "Rlopen" in Linux { qid: Qid, iounit: u32 }
        /// To Tlcreate.
        Lcreate = 15 "Rlcreate" in Linux { qid: Qid, iounit: u32 }
        /// To Tsymlink.
        Symlink = 17 "Rsymlink" in Linux { qid: Qid }
        /// To Tmknod.
        Mknod = 19 "Rmknod" in Linux { qid: Qid }
        /// To Trename.
        Rename = 21 "Rrename" in Linux {}
        /// To Treadlink.
        Readlink = 23 "Rreadlink" in Linux { target: String }
        /// To Tgetattr.
        Getattr = 25 "Rgetattr" in Linux { attributes: Attributes }
        /// To Tsetattr.
        Setattr = 27 "Rsetattr" in Linux {}
        /// To Txattrwalk.
        Xattrwalk = 31 "Rxattrwalk" in Linux { size: u64 }
        /// To Txattrcreate.
        Xattrcreate = 33 "Rxattrcreate" in Linux {}
        /// To Treaddir; no entries at the end.
        Readdir = 41 "Rreaddir" in Linux { entries: Vec<DirectoryEntry> }
        /// To Tfsync.
        Fsync = 51 "Rfsync" in Linux {}
        /// To Tlock.
        Lock = 53 "Rlock" in Linux { status: LockStatus }
        /// To Tgetlock.
        Getlock = 55 "Rgetlock" in Linux { kind: LockKind, start: u64, length: u64, proc_id: u32, client_id: String }
        /// To Tlink.
        Link = 71 "Rlink" in Linux {}
        /// To Tmkdir.
        Mkdir = 73 "Rmkdir" in Linux { qid: Qid }
        /// To Trenameat.
        Renameat = 75 "Rrenameat" in Linux {}
        /// To Tunlinkat.
        Unlinkat = 77 "Runlinkat" in Linux {}

        /// Refusal, in words.
        Error = 107 "Rerror" in Plan9 { ename: String }
        /// To Topen.
        Open = 113 "Ropen" in Plan9 { qid: Qid, iounit: u32 }
        /// To Tcreate.
        Create = 115 "Rcreate" in Plan9 { qid: Qid, iounit: u32 }
        /// To Tstat.
        Stat = 125 "Rstat" in Plan9 { stat: Stat }
        /// To Twstat.
        Wstat = 127 "Rwstat" in Plan9 {}
    }
}

impl Tmessage {
    /// A type that the dialect does not have. T-messages are even: the peer may mean well, and can be answered.
    fn foreign(kind: u8, tag: Tag) -> Undecodable {
        if kind.is_multiple_of(2) {
            return Undecodable::Refused { tag, kind, errno: Errno::EOPNOTSUPP };
        }
        Violation::Foreign { kind, name: name_of(kind), want: "a T-message" }.into()
    }
}

impl Rmessage {
    /// A type that the dialect does not have: nobody asked for it.
    fn foreign(kind: u8, _: Tag) -> Undecodable {
        let want = "an R-message of the agreed dialect";
        Violation::Foreign { kind, name: name_of(kind), want }.into()
    }

    /// A refusal as an errno, anything else as it is.
    ///
    /// # Errors
    /// What Rlerror or Rerror says.
    pub fn into_result(self) -> Result<Self, Errno> {
        match self {
            Self::Lerror { ecode } => Err(ecode),
            Self::Error { ename } => Err(Errno::from_sentence(&ename)),
            reply => Ok(reply),
        }
    }

    /// How `dialect` says no.
    #[must_use]
    pub fn refusal(errno: Errno, dialect: Dialect) -> Self {
        match dialect {
            Dialect::Linux => Self::Lerror { ecode: errno },
            Dialect::Plan9 => Self::Error { ename: errno.sentence().into() },
        }
    }
}

/// Tfsync's `datasync[4]`: whether times may stay behind. Old clients leave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Datasync(pub bool);

impl Wire for Datasync {
    fn put(&self, out: &mut Writer<'_>) {
        out.field(&u32::from(self.0));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self(!from.is_empty() && from.field::<u32>()? != 0))
    }
}

/// A message that does not fit: into a frame of the agreed length, or into the count of one of its strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message does not fit into a frame of {frame_bytes_max} bytes")]
pub struct TooLong {
    /// The bound it was measured against.
    pub frame_bytes_max: u32,
}

/// Why a frame is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// The frame is not sound: the peer's fault, and the end of its connection.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The frame is sound and says something nobody can grant: an unknown type, text that is not UTF-8.
    #[error("message of type {kind} with tag {tag} is refused: {errno}")]
    Refused {
        /// Its tag, so that it can be answered.
        tag: Tag,
        /// `type[1]`.
        kind: u8,
        /// The answer.
        errno: Errno,
    },
}

/// The name of a `type[1]` in either direction.
#[must_use]
pub fn name_of(kind: u8) -> &'static str {
    Tmessage::name_of(kind).or_else(|| Rmessage::name_of(kind)).unwrap_or("unknown")
}

/// Appends one frame: `size[4] type[1] tag[2]`, then what `fill` appends. Taken back when it does not fit.
fn frame(
    out: &mut Vec<u8>,
    kind: u8,
    tag: Tag,
    dialect: Dialect,
    frame_bytes_max: u32,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut writer = Writer::new(out, dialect);
    writer.field(&kind);
    writer.field(&tag);
    fill(&mut writer);
    let fits = writer.fits();
    match (u32::try_from(out.len() - start), out.get_mut(start..start + 4)) {
        (Ok(size), Some(place)) if fits && size <= frame_bytes_max => {
            place.copy_from_slice(&size.to_le_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(TooLong { frame_bytes_max })
        }
    }
}
