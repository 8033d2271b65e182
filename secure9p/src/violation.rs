//! What a peer did that the protocol forbids: the end of its connection, with the reason in words.
//!
//! Knows nothing of refusals: a request that may be made but not granted is an [`crate::Errno`].

use crate::{Errno, ids::Tag};

/// A breach of the protocol by the peer. The connection closes; others do not notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame shorter than its own header.
    #[error("frame says it has {size} bytes, want at least 7")]
    FrameTooShort {
        /// What `size[4]` said.
        size: u32,
    },
    /// A frame longer than agreed.
    #[error("frame says it has {size} bytes, want at most msize {msize}")]
    FrameTooLong {
        /// What `size[4]` said.
        size: u32,
        /// What was agreed.
        msize: u32,
    },
    /// A message that ends inside a field.
    #[error("{message} ends inside {field}, want the whole field")]
    CutShort {
        /// Its name.
        message: &'static str,
        /// The field that is not whole.
        field: &'static str,
    },
    /// A message that goes on after its last field.
    #[error("{message} has {bytes} bytes after its last field, want none")]
    TrailingBytes {
        /// Its name.
        message: &'static str,
        /// How many.
        bytes: usize,
    },
    /// An R-message to a server, a T-message to a client, or a reply that the dialect does not have.
    #[error("message of type {kind} ({name}), want {want}")]
    Foreign {
        /// `type[1]`.
        kind: u8,
        /// Its name, as far as it has one.
        name: &'static str,
        /// What the receiver takes.
        want: &'static str,
    },
    /// Something else before the version is agreed on.
    #[error("{message} before a version was agreed on, want Tversion")]
    BeforeVersion {
        /// Its name.
        message: &'static str,
    },
    /// A tag that is still in flight.
    #[error("{message} with tag {tag}, which is still in flight, want a free tag")]
    TagInUse {
        /// Its name.
        message: &'static str,
        /// The tag.
        tag: Tag,
    },
    /// NOTAG on something other than Tversion.
    #[error("{message} with NOTAG, want a tag of its own (only Tversion has NOTAG)")]
    NoTag {
        /// Its name.
        message: &'static str,
    },
    /// More Tflush waiting than any client needs.
    #[error("{waiting} Tflush are waiting for requests, want at most {waiting_max}")]
    TooManyFlushes {
        /// How many wait.
        waiting: usize,
        /// The bound.
        waiting_max: usize,
    },
    /// A reply to nothing (client side).
    #[error("{message} with tag {tag}, which no call has, want a tag in flight")]
    UnknownTag {
        /// Its name.
        message: &'static str,
        /// The tag.
        tag: Tag,
    },
    /// A reply that does not belong to its call (client side).
    #[error("{message} in answer to {call}, want {want} or an error")]
    WrongReply {
        /// What came.
        message: &'static str,
        /// What had been asked.
        call: &'static str,
        /// What answers it.
        want: &'static str,
    },
    /// A reply larger than what was asked for (client side).
    #[error("{message} carries {count}, want at most {count_max}")]
    TooMuch {
        /// Its name.
        message: &'static str,
        /// Bytes or names that came.
        count: usize,
        /// Bytes or names that were asked for.
        count_max: usize,
    },
    /// The server lets nobody in just now, and says so in answer to Tversion (client side).
    #[error("server answered Tversion with {errno}")]
    NotLetIn {
        /// Why.
        errno: Errno,
    },
    /// The server does not speak what we asked for (client side).
    #[error("server answered version '{version}', want '{want}'")]
    VersionRefused {
        /// What it said.
        version: alloc::string::String,
        /// What we had asked for.
        want: &'static str,
    },
    /// The server agreed to a frame length that nobody offered (client side).
    #[error("server answered msize {msize}, want {msize_min} to {msize_max}")]
    MsizeRefused {
        /// What it said.
        msize: u32,
        /// The least we talk with.
        msize_min: u32,
        /// What we had offered.
        msize_max: u32,
    },
}
