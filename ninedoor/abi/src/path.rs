//! An absolute path of the namespace, with nothing in it that a walk would have to resolve.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
};
use core::{fmt, str::FromStr};

use crate::{
    Errno, GpuId, Refusal,
    limits::{ELEMENT_BYTES_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX},
};

/// `/`, or elements each led by `/`: no empty element, no `.` or `..`, no NUL, at most eight deep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathName(String);

/// A path that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It does not begin with `/`.
    #[error("path {0:?} is not absolute, wanted a leading /")]
    Relative(String),
    /// An element that a walk would have to resolve, or that no file can have.
    #[error("path {path:?} has the element {element:?}, wanted a plain name")]
    Element {
        /// The whole path, cut.
        path: String,
        /// The element, cut.
        element: String,
    },
    /// Longer or deeper than the bound.
    #[error(
        "path has {bytes} bytes in {depth} elements, wanted at most {PATH_BYTES_MAX} in {PATH_DEPTH_MAX}"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// Its elements.
        depth: usize,
    },
}

impl From<BadPath> for Refusal {
    fn from(bad: BadPath) -> Self {
        let errno = match bad {
            BadPath::Relative(_) | BadPath::Element { .. } => Errno::EINVAL,
            BadPath::TooLong { .. } => Errno::ENAMETOOLONG,
        };
        Self::new(errno, bad.to_string())
    }
}

impl PathName {
    /// The root, `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The elements from the root down.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|element| !element.is_empty())
    }

    /// How many elements there are; 0 for the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.elements().count()
    }

    /// The last element; `None` for the root.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.elements().last()
    }

    /// Whether this is `ancestor` or lies below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        let mut own = self.elements();
        ancestor.elements().all(|element| own.next() == Some(element))
    }

    /// This path with one more element.
    ///
    /// # Errors
    /// An element that is no plain name, or a path that gets too long.
    pub fn join(&self, element: &str) -> Result<Self, BadPath> {
        let parent = self.0.trim_end_matches('/');
        // An element with a slash in it would be two.
        check_element(parent, element)?;
        alloc::format!("{parent}/{element}").parse()
    }

    /// `/gpu/<id>` and what lies below it: which GPU it is about.
    #[must_use]
    pub fn gpu(&self) -> Option<GpuId> {
        let mut elements = self.elements();
        (elements.next() == Some("gpu")).then(|| elements.next()?.parse().ok()).flatten()
    }
}

fn check_element(path: &str, element: &str) -> Result<(), BadPath> {
    let plain = !matches!(element, "" | "." | "..")
        && element.len() <= ELEMENT_BYTES_MAX
        && !element.contains(['\0', '/', '\n']);
    if plain { Ok(()) } else { Err(BadPath::Element { path: cut(path), element: cut(element) }) }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

impl FromStr for PathName {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let Some(below) = text.strip_prefix('/') else {
            return Err(BadPath::Relative(cut(text)));
        };
        if below.is_empty() {
            return Ok(Self::root());
        }
        let depth = below.split('/').count();
        if text.len() > PATH_BYTES_MAX || depth > PATH_DEPTH_MAX {
            return Err(BadPath::TooLong { bytes: text.len(), depth });
        }
        below.split('/').try_for_each(|element| check_element(text, element))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathName {
        text.parse().unwrap()
    }

    #[test]
    fn path_within_another_is_told_by_elements_not_letters() {
        assert!(path("/gpu/GPU-0/ctl").is_within(&path("/gpu/GPU-0")));
        assert!(path("/gpu").is_within(&PathName::root()));
        assert!(path("/gpu").is_within(&path("/gpu")));
        assert!(!path("/gpu/GPU-01").is_within(&path("/gpu/GPU-0")));
        assert!(!path("/gpu").is_within(&path("/gpu/GPU-0")));
    }

    #[test]
    fn path_that_a_walk_would_have_to_resolve_is_refused() {
        for text in ["", "gpu", "//", "/a//b", "/a/", "/a/../b", "/.", "/a\0b", "/a\nb"] {
            assert!(text.parse::<PathName>().is_err(), "{text:?}");
        }
        let bad = "/a/../b".parse::<PathName>().unwrap_err();
        assert_eq!(bad.to_string(), r#"path "/a/../b" has the element "..", wanted a plain name"#);
        let bad = "gpu".parse::<PathName>().unwrap_err();
        assert_eq!(bad.to_string(), r#"path "gpu" is not absolute, wanted a leading /"#);
    }

    #[test]
    fn path_deeper_than_eight_is_refused_with_its_depth() {
        assert_eq!(path("/1/2/3/4/5/6/7/8").depth(), 8);
        let bad = "/1/2/3/4/5/6/7/8/9".parse::<PathName>().unwrap_err();
        assert_eq!(bad.to_string(), "path has 18 bytes in 9 elements, wanted at most 1024 in 8");
        assert_eq!(Refusal::from(bad).errno, Errno::ENAMETOOLONG);
    }

    #[test]
    fn joined_element_stays_one_element() {
        assert_eq!(PathName::root().join("gpu").unwrap(), path("/gpu"));
        assert_eq!(path("/gpu").join("GPU-0").unwrap(), path("/gpu/GPU-0"));
        assert!(path("/gpu").join("a/b").is_err());
        assert!(path("/gpu").join("..").is_err());
    }

    #[test]
    fn path_below_a_gpu_names_it() {
        assert_eq!(path("/gpu/GPU-0/ctl").gpu(), Some("GPU-0".parse().unwrap()));
        assert_eq!(path("/gpu").gpu(), None);
        assert_eq!(path("/bundles/gpu").gpu(), None);
    }
}
