//! Refusals as Linux numbers, the vocabulary of Rlerror, and as the sentences of Rerror.
//!
//! Knows nothing of why something was refused.

use core::fmt;

/// A Linux errno as it travels in Rlerror. Numbers we have no name for are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident = $number:literal $sentence:literal $(| $alias:literal)*;)*) => {
        impl Errno {
            $(#[doc = concat!($sentence, ".")] pub const $name: Self = Self($number);)*

            /// The C name, where we know it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some(stringify!($name)),)* _ => None }
            }

            /// The number for a C name such as `ENOENT`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }

            /// The sentence of Rerror (9P2000 has words, not numbers).
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self.0 { $($number => $sentence,)* _ => "unknown error" }
            }

            /// What a sentence of Rerror means, as well as it can be known. Plan 9 servers have sentences of their own.
            #[must_use]
            pub fn from_sentence(sentence: &str) -> Self {
                match sentence { $($sentence $(| $alias)* => Self::$name,)* _ => Self::EIO }
            }
        }
    };
}

errnos! {
    EPERM = 1 "operation not permitted" | "Operation not permitted" | "wstat prohibited";
    ENOENT = 2 "no such file or directory" | "No such file or directory" | "file not found" | "file does not exist" | "directory entry not found";
    EINTR = 4 "interrupted" | "Interrupted system call";
    EIO = 5 "input/output error" | "Input/output error" | "i/o error";
    ENXIO = 6 "no such device or address" | "No such device or address";
    EBADF = 9 "bad fid" | "Bad file descriptor" | "unknown fid" | "fid unknown or out of range";
    EAGAIN = 11 "try again" | "Resource temporarily unavailable";
    ENOMEM = 12 "out of memory" | "Cannot allocate memory";
    EACCES = 13 "permission denied" | "Permission denied";
    EBUSY = 16 "busy" | "Device or resource busy" | "file in use";
    EEXIST = 17 "file exists" | "File exists" | "file already exists" | "file or directory already exists";
    EXDEV = 18 "cross-device link" | "Invalid cross-device link";
    ENODEV = 19 "no such device" | "No such device";
    ENOTDIR = 20 "not a directory" | "Not a directory";
    EISDIR = 21 "is a directory" | "Is a directory" | "file is a directory";
    EINVAL = 22 "invalid argument" | "Invalid argument";
    ENFILE = 23 "too many files open in system" | "Too many open files in system";
    EMFILE = 24 "too many fids" | "Too many open files" | "no free fids";
    ETXTBSY = 26 "text file busy" | "Text file busy";
    EFBIG = 27 "file too large" | "File too large";
    ENOSPC = 28 "no space left" | "No space left on device" | "file system full";
    ESPIPE = 29 "illegal seek" | "Illegal seek";
    EROFS = 30 "read-only file system" | "Read-only file system" | "file is read only";
    EMLINK = 31 "too many links" | "Too many links";
    EPIPE = 32 "broken pipe" | "Broken pipe";
    ERANGE = 34 "out of range" | "Numerical result out of range";
    ENAMETOOLONG = 36 "name too long" | "File name too long";
    ENOSYS = 38 "function not implemented" | "Function not implemented";
    ENOTEMPTY = 39 "directory not empty" | "Directory not empty";
    ELOOP = 40 "too many symbolic links" | "Too many levels of symbolic links";
    ENODATA = 61 "no data" | "No data available";
    EPROTO = 71 "protocol error" | "Protocol error";
    EBADMSG = 74 "bad message" | "Bad message";
    EILSEQ = 84 "not UTF-8" | "Invalid or incomplete multibyte or wide character";
    EMSGSIZE = 90 "message too long" | "Message too long";
    EOPNOTSUPP = 95 "operation not supported" | "Operation not supported";
    ENOBUFS = 105 "no buffer space" | "No buffer space available";
    ECONNRESET = 104 "connection reset" | "Connection reset by peer";
    ENOTCONN = 107 "not connected" | "Transport endpoint is not connected";
    ETIMEDOUT = 110 "timed out" | "Connection timed out";
    ECONNREFUSED = 111 "connection refused" | "Connection refused";
    EHOSTUNREACH = 113 "no route to host" | "No route to host";
    ESTALE = 116 "stale" | "Stale file handle";
    EDQUOT = 122 "quota exceeded" | "Disk quota exceeded";
    ECANCELED = 125 "cancelled" | "Operation canceled";
    EKEYEXPIRED = 127 "ticket expired" | "Key has expired";
    EKEYREVOKED = 128 "ticket revoked" | "Key has been revoked";
    EKEYREJECTED = 129 "ticket rejected" | "Key was rejected by service";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.sentence()),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn an_errno_says_its_name_and_what_it_means() {
        assert_eq!(Errno::ENOENT.to_string(), "ENOENT (no such file or directory)");
        assert_eq!(Errno(4095).to_string(), "errno 4095");
        assert_eq!(Errno::from_name("EKEYEXPIRED"), Some(Errno(127)));
    }

    #[test]
    fn a_sentence_of_another_server_finds_its_number() {
        assert_eq!(Errno::from_sentence("file not found"), Errno::ENOENT);
        assert_eq!(Errno::from_sentence("Permission denied"), Errno::EACCES);
        assert_eq!(Errno::from_sentence("the dog ate it"), Errno::EIO);
    }
}
