//! Which node number stands for what, and which uploads are under way.

use std::collections::BTreeMap;

use ninedoor::{MountId, ProviderNode};
use ninedoor_abi::{GpuId, Refusal, Subject};
use secure9p::server::Request;

use super::{
    open_file::OpenFile,
    place::{GpuFile, Place},
    unknown_node,
};
use crate::store::{Owner, Position};

/// What a fid of a client stands for.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) mount: MountId,
    pub(super) place: Place,
    /// The worker whose fid it is; a queen's and an observer's are nobody's.
    pub(super) worker: Option<Subject>,
    pub(super) open: Option<OpenFile>,
}

/// Every node handed out and not yet given back. How many there may be is bounded by the server, in fids.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<ProviderNode, Node>,
    handed_out: u64,
    pub(super) uploads: Uploads,
}

impl Nodes {
    pub(super) fn insert(&mut self, node: Node) -> ProviderNode {
        self.handed_out += 1;
        let number = ProviderNode(self.handed_out);
        self.nodes.insert(number, node);
        number
    }

    /// However a node goes, its upload is no longer under way.
    pub(super) fn remove(&mut self, node: ProviderNode) -> Option<Node> {
        let removed = self.nodes.remove(&node)?;
        if let Some(OpenFile::Upload { owner, name, .. }) = &removed.open {
            self.uploads.end(owner, name);
        }
        Some(removed)
    }

    pub(super) fn place(&self, node: ProviderNode) -> Result<&Place, Refusal> {
        self.nodes.get(&node).map(|node| &node.place).ok_or_else(unknown_node)
    }

    pub(super) fn open_file(&mut self, node: ProviderNode) -> Result<&mut OpenFile, Refusal> {
        self.nodes.get_mut(&node).and_then(|node| node.open.as_mut()).ok_or_else(unknown_node)
    }

    /// Up to where must be on the disk before this is answered: whoever reads what became of a record is promised it too.
    pub(super) fn told_of(&self, request: &Request<ProviderNode>) -> Position {
        let (Request::Read { node, .. } | Request::Fsync { node } | Request::Clunk { node }) =
            request
        else {
            return Position::default();
        };
        match self.nodes.get(node).and_then(|node| node.open.as_ref()) {
            Some(OpenFile::Orders(orders)) => orders.told_of,
            _ => Position::default(),
        }
    }

    /// The open fids by which a worker gives orders to a GPU.
    pub(super) fn orders_of<'a>(
        &'a self,
        worker: &'a Subject,
        gpu: &'a GpuId,
    ) -> impl Iterator<Item = (MountId, ProviderNode)> + 'a {
        let gives_orders = move |node: &Node| {
            let here = matches!(&node.place, Place::GpuFile(on, GpuFile::Ctl | GpuFile::Lease | GpuFile::Job) if on == gpu);
            here && node.open.is_some() && node.worker.as_ref() == Some(worker)
        };
        self.nodes
            .iter()
            .filter(move |(_, node)| gives_orders(node))
            .map(|(number, node)| (node.mount, *number))
    }

    pub(super) fn is_upload(&self, node: ProviderNode) -> bool {
        matches!(self.nodes.get(&node), Some(Node { open: Some(OpenFile::Upload { .. }), .. }))
            || matches!(self.nodes.get(&node), Some(Node { place: Place::Bundle(name), .. }) if self.uploads.has_name(name))
    }
}

/// Names of artefacts that are being written: Linux looks a file up again right after creating it.
#[derive(Debug, Default)]
pub(super) struct Uploads(BTreeMap<(Owner, String), usize>);

impl Uploads {
    pub(super) fn begin(&mut self, owner: &Owner, name: &str) {
        *self.0.entry((owner.clone(), name.to_owned())).or_default() += 1;
    }

    pub(super) fn end(&mut self, owner: &Owner, name: &str) {
        let key = (owner.clone(), name.to_owned());
        if let Some(count) = self.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key);
            }
        }
    }

    pub(super) fn has(&self, owner: &Owner, name: &str) -> bool {
        self.0.contains_key(&(owner.clone(), name.to_owned()))
    }

    fn has_name(&self, name: &str) -> bool {
        self.0.keys().any(|(_, uploading)| uploading == name)
    }

    /// Bytes that are being written by nobody yet counted: how many uploads are under way.
    pub(super) fn of<'a>(&'a self, owner: &'a Owner) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter(move |(whose, _)| whose == owner).map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ArtefactQuota, Artefacts};

    fn some_mount() -> MountId {
        let config = ninedoor::Config::bridge("b", "0", ninedoor::Secrets::new(BTreeMap::new()));
        let now = ninedoor_abi::Now {
            unix_ms: ninedoor_abi::UnixMs(0),
            mono_us: ninedoor_abi::MonoUs(0),
        };
        let at = "/bundles".parse().unwrap();
        ninedoor::Server::new(config, now).mount_provider(&at).unwrap()
    }

    /// Proves ART-5.
    #[test]
    fn an_upload_whose_fid_is_removed_leaves_its_name_free() {
        let directory = tempfile::tempdir().unwrap();
        let quota = ArtefactQuota {
            artefact_bytes_max: 9,
            owner_bytes_max: 9,
            owner_names_max: 9,
            store_bytes_max: 9,
        };
        let (owner, name) = (Owner::Shared, "x".to_owned());
        let upload = Artefacts::open(directory.path(), quota).unwrap().begin(&owner, "x").unwrap();
        let mut nodes = Nodes::default();
        nodes.uploads.begin(&owner, "x");
        let node = nodes.insert(Node {
            mount: some_mount(),
            place: Place::Bundle(name.clone()),
            worker: None,
            open: Some(OpenFile::Upload { upload, owner: owner.clone(), name }),
        });
        assert!(nodes.uploads.has(&owner, "x"));
        drop(nodes.remove(node));
        assert!(!nodes.uploads.has(&owner, "x"));
    }

    #[test]
    fn a_name_is_being_written_until_its_last_upload_ends() {
        let mut uploads = Uploads::default();
        uploads.begin(&Owner::Shared, "x");
        uploads.begin(&Owner::Shared, "x");
        uploads.end(&Owner::Shared, "x");
        assert!(uploads.has(&Owner::Shared, "x"));
        uploads.end(&Owner::Shared, "x");
        assert!(!uploads.has(&Owner::Shared, "x") && uploads.of(&Owner::Shared).next().is_none());
    }
}
