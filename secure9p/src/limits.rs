//! Every bound of a session, and the proof that they fit together.
//!
//! Knows no configuration files: shells fill these in.

use crate::{dialect::Dialect, ids::Qid};

/// Longest name in a directory.
pub const NAME_BYTES_MAX: usize = 255;
/// Most names in one Twalk (walk(5)).
pub const WALK_NAMES_MAX: usize = 16;
/// `size[4] type[1] tag[2]`.
pub const HEADER_BYTES: usize = 7;
/// What Rread and Rreaddir add to their data: header and `count[4]`.
pub const READ_OVERHEAD_BYTES: u32 = 11;
/// What Twrite adds to its data: header, `fid[4]`, `offset[8]`, `count[4]`.
pub const WRITE_OVERHEAD_BYTES: u32 = 23;
/// What clients commonly leave for either (IOHDRSZ): `msize` minus this is a safe unit of I/O.
pub const IO_HEADER_BYTES: u32 = 24;
/// Least msize we talk with: every reply of fixed size and one directory entry with the longest name fit.
pub const MSIZE_MIN: u32 = 512;
/// What a client offers when nobody says otherwise.
pub const MSIZE_DEFAULT: u32 = 8192;
/// Most that can be configured.
pub const MSIZE_MAX: u32 = 1 << 20;
/// Longest frame before a version is agreed on.
pub const FIRST_FRAME_BYTES_MAX: u32 = MSIZE_DEFAULT;
/// How much of a frame is allocated on the word of its header alone; the rest when this much has come.
pub const FRAME_EAGER_BYTES_MAX: usize = 64 << 10;
/// What a buffer keeps when nothing is in it and nothing is going on.
pub const BUFFER_IDLE_BYTES_MAX: usize = 4 << 10;
/// How often in a row a large buffer may go unused before its memory is given back.
pub const QUIET_ROUNDS_MAX: u8 = 4;
/// How many messages a session remembers for the log line of a violation.
pub const GLIMPSES_MAX: usize = 8;

const LONGEST_ENTRY_BYTES: usize = Qid::WIRE_BYTES + 8 + 1 + 2 + NAME_BYTES_MAX;
const LONGEST_RWALK_BYTES: usize = HEADER_BYTES + 2 + WALK_NAMES_MAX * Qid::WIRE_BYTES;
const RGETATTR_BYTES: usize = HEADER_BYTES + 153;
const _: () = assert!(READ_OVERHEAD_BYTES as usize + LONGEST_ENTRY_BYTES <= MSIZE_MIN as usize);
const _: () = assert!(LONGEST_RWALK_BYTES <= MSIZE_MIN as usize);
const _: () = assert!(RGETATTR_BYTES <= MSIZE_MIN as usize);
const _: () = assert!(MSIZE_MIN <= MSIZE_DEFAULT && MSIZE_DEFAULT <= MSIZE_MAX);
const _: () = assert!(WRITE_OVERHEAD_BYTES < IO_HEADER_BYTES && IO_HEADER_BYTES < MSIZE_MIN);

/// A frame length both sides agreed on, or would agree on: `MSIZE_MIN..=MSIZE_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Msize(u32);

impl Msize {
    /// The least.
    pub const MIN: Self = Self(MSIZE_MIN);
    /// What control clients offer.
    pub const DEFAULT: Self = Self(MSIZE_DEFAULT);
    /// The most.
    pub const MAX: Self = Self(MSIZE_MAX);

    /// Checks a number.
    #[must_use]
    pub const fn new(bytes: u32) -> Option<Self> {
        if bytes < MSIZE_MIN || bytes > MSIZE_MAX { None } else { Some(Self(bytes)) }
    }

    /// The number nearest to `bytes` that is allowed.
    #[must_use]
    pub const fn clamped(bytes: u32) -> Self {
        if bytes < MSIZE_MIN {
            Self::MIN
        } else if bytes > MSIZE_MAX {
            Self::MAX
        } else {
            Self(bytes)
        }
    }

    /// Longest frame, header included.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    /// Most data in one Rread or Rreaddir.
    #[must_use]
    pub const fn read_bytes_max(self) -> u32 {
        self.0 - READ_OVERHEAD_BYTES
    }

    /// Most data in one Twrite.
    #[must_use]
    pub const fn write_bytes_max(self) -> u32 {
        self.0 - WRITE_OVERHEAD_BYTES
    }
}

/// What one server session may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest frame we agree to.
    pub msize_max: Msize,
    /// Most fids; one more is refused with EMFILE.
    pub fids_max: usize,
    /// Most requests in flight, flushed ones that the tree still works on included; one more is refused with EAGAIN.
    pub requests_max: usize,
    /// Bytes of requests held back before the session stops wanting to read.
    pub held_bytes_max: usize,
    /// Bytes of replies made or promised before no further request is let through to the tree.
    pub transmit_bytes_max: usize,
}

impl ServerLimits {
    /// What a server takes unless it is told otherwise.
    pub const DEFAULT: Self = Self {
        msize_max: Msize::MAX,
        fids_max: 4096,
        requests_max: 1024,
        held_bytes_max: 2 * MSIZE_MAX as usize,
        transmit_bytes_max: 4 * MSIZE_MAX as usize,
    };
}

// A frame of the greatest length is held whole, and its answer has room; tags do not run out before requests do.
const _: () = assert!(ServerLimits::DEFAULT.held_bytes_max >= MSIZE_MAX as usize);
const _: () = assert!(ServerLimits::DEFAULT.transmit_bytes_max >= MSIZE_MAX as usize);
const _: () = assert!(2 * ServerLimits::DEFAULT.requests_max < u16::MAX as usize);

impl Default for ServerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What one client session may cost, and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Longest frame we offer.
    pub msize: Msize,
    /// The dialect we ask for.
    pub dialect: Dialect,
    /// Most calls in flight, cancelled ones included until the server has let go of them.
    pub calls_max: usize,
    /// Most fids.
    pub fids_max: usize,
    /// Bytes of calls queued for the wire before further ones are refused.
    pub transmit_bytes_max: usize,
}

impl ClientLimits {
    /// What a client asks for unless it is told otherwise.
    pub const DEFAULT: Self = Self {
        msize: Msize::DEFAULT,
        dialect: Dialect::Linux,
        calls_max: 256,
        fids_max: 4096,
        transmit_bytes_max: 4 * MSIZE_MAX as usize,
    };
}

// Our clients do not ask more of our servers than these take; each call may have its Tflush.
const _: () = assert!(ClientLimits::DEFAULT.calls_max <= ServerLimits::DEFAULT.requests_max);
const _: () = assert!(ClientLimits::DEFAULT.fids_max <= ServerLimits::DEFAULT.fids_max);
const _: () = assert!(2 * ClientLimits::DEFAULT.calls_max < u16::MAX as usize);

impl Default for ClientLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_msize_is_between_its_bounds() {
        assert_eq!(Msize::new(511), None);
        assert_eq!(Msize::new(MSIZE_MAX + 1), None);
        assert_eq!(Msize::clamped(0), Msize::MIN);
        assert_eq!(Msize::clamped(u32::MAX), Msize::MAX);
        assert_eq!(Msize::new(8192), Some(Msize::DEFAULT));
    }

    #[test]
    fn data_and_what_surrounds_it_fill_a_frame_exactly() {
        assert_eq!(Msize::DEFAULT.read_bytes_max(), 8181);
        assert_eq!(Msize::DEFAULT.write_bytes_max(), 8169);
    }
}
