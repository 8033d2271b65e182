//! A refusal: the errno a 9P peer sees, and the sentence a person reads.

use alloc::string::String;
use core::{fmt, str::FromStr};

/// A Linux error number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        impl Errno {
            $(#[doc = $meaning] pub const $name: Self = Self($number);)*

            /// `EBUSY` and the like; `None` for a number that has no name here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "The caller's role, lease or ticket does not allow it.";
    ENOENT = 2, "No such thing, or none that the caller may see.";
    EIO = 5, "The world failed: a device, a disk, a remote.";
    EBADF = 9, "The fid is not open for that.";
    EAGAIN = 11, "Not now; the text says when.";
    ENOMEM = 12, "More memory than there is.";
    EACCES = 13, "The ticket does not open this door.";
    EBUSY = 16, "Taken or full; the text says by whom or until when.";
    EEXIST = 17, "It is there already.";
    ENODEV = 19, "No such GPU, or one that may not be used.";
    ENOTDIR = 20, "A file where a directory was needed.";
    EISDIR = 21, "A directory where a file was needed.";
    EINVAL = 22, "Malformed; the text names the field.";
    EFBIG = 27, "Larger than a bound.";
    ENOSPC = 28, "A store or a quota of space is full.";
    EROFS = 30, "Written once, and that was before.";
    ENAMETOOLONG = 36, "A name or path longer than the bound.";
    ENOSYS = 38, "Not built.";
    ENOTEMPTY = 39, "A directory that still has something in it.";
    ENODATA = 61, "Nothing there to read.";
    EPROTO = 71, "Not what the protocol says.";
    EMSGSIZE = 90, "A record longer than the bound.";
    EOPNOTSUPP = 95, "Not something this file does.";
    EHOSTUNREACH = 113, "The remote is not there.";
    ETIMEDOUT = 110, "The other side did not answer in time.";
    ESTALE = 116, "An id of an earlier epoch.";
    EDQUOT = 122, "A quota of the ticket is used up.";
    ECANCELED = 125, "Ended because someone asked for it.";
    EKEYEXPIRED = 127, "The ticket's time is over.";
    EKEYREVOKED = 128, "The ticket was revoked.";
    EKEYREJECTED = 129, "The ticket's MAC is wrong.";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "E{}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Errno {
    type Err = Refusal;

    /// Reads what `Display` wrote: a name, or `E` and a number.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let numbered = || text.strip_prefix('E')?.parse().ok().map(Self);
        Self::named(text).or_else(numbered).ok_or_else(|| {
            Refusal::invalid(alloc::format!("errno is {text:?}, wanted a name like EBUSY"))
        })
    }
}

/// A caller asked for something that is refused: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What the 9P reply carries.
    pub errno: Errno,
    /// What was refused and why, with the value seen and the value wanted; lower case, no full stop.
    pub text: String,
}

impl Refusal {
    /// A refusal with this errno and this sentence.
    #[must_use]
    pub fn new(errno: Errno, text: impl Into<String>) -> Self {
        Self { errno, text: text.into() }
    }

    /// `EINVAL`: the caller's words are malformed.
    #[must_use]
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(Errno::EINVAL, text)
    }

    /// The same refusal, its text led by the place it is about: `params[3]: …`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.text = alloc::format!("{place}: {}", self.text);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn errno_prints_its_name_and_reads_it_back() {
        for errno in [Errno::EPERM, Errno::EBUSY, Errno::EKEYEXPIRED, Errno(999)] {
            assert_eq!(errno.to_string().parse(), Ok(errno));
        }
        assert_eq!(Errno::EBUSY.to_string(), "EBUSY");
        assert_eq!(Errno(999).to_string(), "E999");
        let refusal = "BUSY".parse::<Errno>().unwrap_err();
        assert_eq!(refusal.text, r#"errno is "BUSY", wanted a name like EBUSY"#);
    }

    #[test]
    fn place_leads_the_sentence() {
        let refusal = Refusal::invalid("is 0, wanted 1 to 3").at("grid");
        assert_eq!(refusal.to_string(), "grid: is 0, wanted 1 to 3");
        assert_eq!(refusal.errno, Errno::EINVAL);
    }
}
