//! Whose artefacts and outputs they are.

use ninedoor_abi::Subject;

/// Whose name it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Staged by the queen: everybody finds it.
    Shared,
    /// Staged by one worker: only it finds it, before a shared one of the same name.
    Subject(Subject),
}

impl Owner {
    pub(super) fn directory(&self) -> String {
        match self {
            Self::Shared => "shared".to_owned(),
            Self::Subject(subject) => format!("of-{subject}"),
        }
    }

    pub(super) fn from_directory(name: &str) -> Option<Self> {
        match name {
            "shared" => Some(Self::Shared),
            _ => name.strip_prefix("of-")?.parse().ok().map(Self::Subject),
        }
    }
}
