//! The local tree: directories, made-up texts, control files, logs, and the directories where mounts hang.
//!
//! Knows its nodes by id and where each hangs; who may see them, and what a mount answers, is decided elsewhere.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

use ninedoor_abi::PathName;
use secure9p::{Errno, Name, Qid, QidKind};

use crate::{
    ask::MountId,
    limits::CONTROL_LOG_BYTES_MAX,
    proc::Figure,
    ring::LogRing,
    slab::{Key, Slab},
};

/// A node of the local tree.
pub(crate) type NodeId = Key;

/// One file or directory.
#[derive(Debug)]
pub(crate) struct Node {
    parent: NodeId,
    name: Name,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A directory; with a mount, a union: local entries first.
    Directory { entries: BTreeMap<Name, NodeId>, mount: Option<MountId> },
    /// A text that does not change.
    Text(Arc<[u8]>),
    /// A text that the shell has put there, and may change.
    Published(Arc<[u8]>),
    /// A text made from the server's figures when it is opened.
    Figure(Figure),
    /// Lines in are orders; lines out say what became of them.
    Control(Control, LogRing),
    /// A log that nobody writes through 9P.
    Log(LogRing),
    /// A log that one worker writes.
    Telemetry(LogRing),
    /// Another name for what is at this path.
    Bind(PathName),
}

/// Whose orders a control file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Queen,
    Lifecycle,
}

/// All nodes.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Slab<Node>,
    root: NodeId,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node {
            parent: Key::from_number(0),
            name: name("root"),
            kind: Kind::directory(),
        });
        let mut tree = Self { nodes, root };
        if let Some(node) = tree.nodes.get_mut(root) {
            node.parent = root;
        }
        tree
    }

    pub(crate) const fn root(&self) -> NodeId {
        self.root
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// The directory above; the root's is the root.
    pub(crate) fn parent(&self, id: NodeId) -> NodeId {
        self.nodes.get(id).map_or(self.root, |node| node.parent)
    }

    /// The entry of this name.
    pub(crate) fn child(&self, directory: NodeId, name: &str) -> Option<NodeId> {
        match &self.nodes.get(directory)?.kind {
            Kind::Directory { entries, .. } => entries.get(name).copied(),
            _ => None,
        }
    }

    /// Hangs a new node into a directory; `EEXIST` when the name is taken, `ENOTDIR` when there is no directory.
    pub(crate) fn add(
        &mut self,
        directory: NodeId,
        child_name: &Name,
        kind: Kind,
    ) -> Result<NodeId, Errno> {
        match self.nodes.get(directory).map(|node| &node.kind) {
            Some(Kind::Directory { entries, .. }) if entries.contains_key(child_name) => {
                return Err(Errno::EEXIST);
            }
            Some(Kind::Directory { .. }) => {}
            Some(_) => return Err(Errno::ENOTDIR),
            None => return Err(Errno::ENOENT),
        }
        let id = self.nodes.insert(Node { parent: directory, name: child_name.clone(), kind });
        if let Some(Kind::Directory { entries, .. }) =
            self.nodes.get_mut(directory).map(|node| &mut node.kind)
        {
            entries.insert(child_name.clone(), id);
        }
        Ok(id)
    }

    /// Takes a node out of the tree, with everything below it.
    pub(crate) fn remove(&mut self, id: NodeId) {
        let Some(node) = self.nodes.remove(id) else { return };
        if let Some(Kind::Directory { entries, .. }) =
            self.nodes.get_mut(node.parent).map(|node| &mut node.kind)
        {
            entries.remove(&node.name);
        }
        if let Kind::Directory { entries, .. } = node.kind {
            entries.into_values().for_each(|child| self.remove(child));
        }
    }

    /// The node at a path, if all of the path is local.
    pub(crate) fn find(&self, path: &PathName) -> Option<NodeId> {
        path.elements().try_fold(self.root, |directory, element| self.child(directory, element))
    }

    /// The directory at a path, made with everything on the way to it where it is missing.
    pub(crate) fn make_directory(&mut self, path: &PathName) -> Result<NodeId, Errno> {
        self.descend(path.elements())
    }

    /// A new file at a path, with the directories on the way to it.
    pub(crate) fn plant(&mut self, at: &PathName, kind: Kind) -> Result<NodeId, Errno> {
        let elements: Vec<&str> = at.elements().collect();
        let (last, above) = elements.split_last().ok_or(Errno::EISDIR)?;
        let directory = self.descend(above.iter().copied())?;
        self.add(directory, &Name::new(*last).map_err(|bad| bad.errno())?, kind)
    }

    fn descend<'a>(&mut self, elements: impl Iterator<Item = &'a str>) -> Result<NodeId, Errno> {
        let mut directory = self.root;
        for element in elements {
            directory = match self.child(directory, element) {
                Some(child) => child,
                None => self.add(
                    directory,
                    &Name::new(element).map_err(|bad| bad.errno())?,
                    Kind::directory(),
                )?,
            };
        }
        match self.get(directory).map(|node| &node.kind) {
            Some(Kind::Directory { .. }) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Names from the root to a node.
    pub(crate) fn names(&self, id: NodeId) -> Vec<&Name> {
        let mut names = Vec::new();
        let mut at = id;
        while at != self.root
            && let Some(node) = self.nodes.get(at)
        {
            names.push(&node.name);
            at = node.parent;
        }
        names.reverse();
        names
    }

    /// The qid of a node: unique for the life of the server, version 0 because everything here is made up as it is read.
    pub(crate) fn qid(&self, id: NodeId) -> Qid {
        let kind = self.nodes.get(id).map_or(QidKind::FILE, |node| node.kind.qid_kind());
        Qid { kind, version: 0, path: id.number() }
    }

    /// Entries of a directory whose cookies come after `cookie`, in the order of their cookies.
    pub(crate) fn entries_after(
        &self,
        directory: NodeId,
        cookie: u64,
    ) -> Vec<(u64, &Name, NodeId)> {
        let Some(Kind::Directory { entries, .. }) =
            self.nodes.get(directory).map(|node| &node.kind)
        else {
            return Vec::new();
        };
        let mut after: Vec<_> = entries
            .iter()
            .map(|(name, id)| (id.number().saturating_add(1), name, *id))
            .filter(|(own, ..)| *own > cookie)
            .collect();
        after.sort_unstable_by_key(|(own, ..)| *own);
        after
    }
}

impl Node {
    /// The mount that hangs here.
    pub(crate) const fn mount(&self) -> Option<MountId> {
        match self.kind {
            Kind::Directory { mount, .. } => mount,
            _ => None,
        }
    }
}

impl Kind {
    pub(crate) const fn directory() -> Self {
        Self::Directory { entries: BTreeMap::new(), mount: None }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().into())
    }

    pub(crate) const fn control(control: Control) -> Self {
        Self::Control(control, LogRing::new(CONTROL_LOG_BYTES_MAX))
    }

    const fn qid_kind(&self) -> QidKind {
        match self {
            Self::Directory { .. } | Self::Bind(_) => QidKind::DIRECTORY,
            Self::Control(..) | Self::Telemetry(..) => QidKind::APPEND,
            Self::Text(_) | Self::Published(_) | Self::Figure(_) | Self::Log(_) => QidKind::FILE,
        }
    }

    /// Type and permissions as stat shows them. Generous: Linux checks them against local uids before it asks us.
    pub(crate) const fn mode(&self) -> u32 {
        match self {
            Self::Directory { mount: Some(_), .. } => 0o040_777,
            Self::Directory { .. } | Self::Bind(_) => 0o040_555,
            Self::Control(..) | Self::Telemetry(..) => 0o100_666,
            Self::Text(_) | Self::Published(_) | Self::Figure(_) | Self::Log(_) => 0o100_444,
        }
    }
}

/// A name of our own making.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("names of the server's own files are names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn path(text: &str) -> PathName {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_is_found_as_it_was_made_and_its_names_lead_back() {
        let mut tree = Tree::new();
        let made = tree.make_directory(&path("/proc/lifecycle")).unwrap();
        assert_eq!(tree.find(&path("/proc/lifecycle")), Some(made));
        let names: Vec<String> = tree.names(made).into_iter().map(ToString::to_string).collect();
        assert_eq!(names, ["proc", "lifecycle"]);
        assert_eq!(tree.parent(tree.root()), tree.root());
    }

    #[test]
    fn a_removed_directory_takes_its_files_along_and_its_qid_never_comes_back() {
        let mut tree = Tree::new();
        let worker = tree.make_directory(&path("/worker/worker-1")).unwrap();
        let file = tree.add(worker, &name("ticket"), Kind::text("x")).unwrap();
        let old = tree.qid(file);
        tree.remove(worker);
        assert_eq!((tree.find(&path("/worker/worker-1")), tree.get(file).is_some()), (None, false));
        let worker = tree.make_directory(&path("/worker/worker-1")).unwrap();
        let file = tree.add(worker, &name("ticket"), Kind::text("x")).unwrap();
        assert_ne!(tree.qid(file).path, old.path);
    }

    #[test]
    fn cookies_go_on_where_the_last_listing_stopped() {
        let mut tree = Tree::new();
        for element in ["c", "a", "b"] {
            tree.make_directory(&path("/").join(element).unwrap()).unwrap();
        }
        let all = tree.entries_after(tree.root(), 0);
        assert_eq!(all.len(), 3);
        let rest = tree.entries_after(tree.root(), all[0].0);
        assert_eq!(rest, all[1..]);
        assert!(tree.entries_after(tree.root(), all[2].0).is_empty());
    }

    #[test]
    fn a_name_is_given_once_and_only_in_a_directory() {
        let mut tree = Tree::new();
        let file = tree.add(tree.root(), &name("f"), Kind::text("x")).unwrap();
        assert_eq!(tree.add(tree.root(), &name("f"), Kind::text("y")), Err(Errno::EEXIST));
        assert_eq!(tree.add(file, &name("g"), Kind::text("y")), Err(Errno::ENOTDIR));
    }
}
