//! Which node number stands for what.

use std::collections::BTreeMap;

use ninedoor::{MountId, ProviderNode};
use ninedoor_abi::{GpuId, Refusal, Subject};
use secure9p::server::Request;

use super::{
    open_file::OpenFile,
    place::{GpuFile, Place},
    unknown_node,
};
use crate::store::{Position, Upload};

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
}

impl Nodes {
    pub(super) fn insert(&mut self, node: Node) -> ProviderNode {
        self.handed_out += 1;
        let number = ProviderNode(self.handed_out);
        self.nodes.insert(number, node);
        number
    }

    pub(super) fn remove(&mut self, node: ProviderNode) -> Option<Node> {
        self.nodes.remove(&node)
    }

    /// The upload that this node is, if it is one; then the node is gone.
    pub(super) fn take_upload(&mut self, node: ProviderNode) -> Option<Upload> {
        if !matches!(self.nodes.get(&node)?.open, Some(OpenFile::Upload(_))) {
            return None;
        }
        match self.nodes.remove(&node)?.open {
            Some(OpenFile::Upload(upload)) => Some(*upload),
            _ => None,
        }
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
}
