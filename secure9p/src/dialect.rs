//! Which 9P is spoken, and how a version string decides it (version(5)).
//!
//! Knows nothing of message layouts.

/// A dialect both of our codecs know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// 9P2000.L: Linux flags, numbers as errors.
    Linux,
    /// 9P2000: the words of Plan 9.
    Plan9,
}

impl Dialect {
    /// What Rversion says when nothing fits.
    pub const UNKNOWN_VERSION: &'static str = "unknown";

    /// The version string of the dialect.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Linux => "9P2000.L",
            Self::Plan9 => "9P2000",
        }
    }

    /// The dialect that a peer's version string asks for. A suffix after `9P2000.L.` is an extension that we do not
    /// speak, and version(5) lets us answer with what is before it. Other suffixes (`9P2000.u`) change the layout
    /// of messages that 9P2000 has, so they are not cut.
    #[must_use]
    pub fn from_version(version: &str) -> Option<Self> {
        match version {
            "9P2000" => Some(Self::Plan9),
            "9P2000.L" => Some(Self::Linux),
            _ if version.starts_with("9P2000.L.") => Some(Self::Linux),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_after_dot_l_is_cut_and_others_are_not() {
        assert_eq!(Dialect::from_version("9P2000.L.Google.7"), Some(Dialect::Linux));
        assert_eq!(Dialect::from_version("9P2000.LL"), None);
        assert_eq!(Dialect::from_version("9P2000.u"), None);
        assert_eq!(Dialect::from_version("9P2000"), Some(Dialect::Plan9));
        assert_eq!(Dialect::from_version("9p2000.L"), None);
    }
}
