//! What hangs where: a provider in this process, or a directory of another server.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use ninedoor_abi::{Errno as AbiErrno, PathName, Refusal};
use secure9p::Qid;

use crate::{
    ask::{MountId, ProviderNode},
    limits::MOUNTS_MAX,
    server::Server,
    tree::{Kind, NodeId},
    upstream::UpstreamId,
};

/// Who answers for a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A provider in this process.
    Provider,
    /// Another server.
    Remote(UpstreamId),
}

/// A mount and who answers for it: what a fid behind it holds on to, even when the mount is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) mount: MountId,
    pub(crate) backend: Backend,
}

/// One mount.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) at: PathName,
    pub(crate) node: NodeId,
    pub(crate) backend: Backend,
}

impl Mount {
    /// The qid of a file behind the mount, as it is shown here: paths of different servers must not meet, or a client takes two
    /// files for one. The step between servers is odd and has no pattern, so small numbers stay apart.
    pub(crate) fn shown(&self, qid: Qid) -> Qid {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let server = match self.backend {
            Backend::Provider => 1,
            Backend::Remote(upstream) => 2 + u64::from(upstream.0),
        };
        Qid { path: qid.path.wrapping_add(server.wrapping_mul(STEP)), ..qid }
    }
}

/// All mounts.
#[derive(Debug)]
pub(crate) struct Mounts {
    all: BTreeMap<MountId, Mount>,
    next: u32,
}

impl Mounts {
    pub(crate) const fn new() -> Self {
        Self { all: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn get(&self, id: MountId) -> Option<&Mount> {
        self.all.get(&id)
    }
}

impl Server {
    /// Mounts a provider that is in this process: from now on it is asked about everything below `at`.
    ///
    /// # Errors
    /// EBUSY when something is mounted there or there are too many mounts, ENOTDIR where a file is in the way.
    pub fn mount_provider(&mut self, at: &PathName) -> Result<MountId, Refusal> {
        self.mount(at, Backend::Provider)
    }

    /// Mounts a directory of another server: `/gpu`, `/bundles` and `/worker` of it at the same path here, and the whole of it
    /// anywhere else.
    ///
    /// # Errors
    /// As for [`Server::mount_provider`].
    pub fn mount_remote(
        &mut self,
        upstream: UpstreamId,
        at: &PathName,
    ) -> Result<MountId, Refusal> {
        let id = self.mount(at, Backend::Remote(upstream))?;
        let prefix: Vec<String> = match at.as_str() {
            "/gpu" | "/bundles" | "/worker" => at.elements().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        if let Some(upstream) = self.upstream_mut(upstream) {
            upstream.add_mount(id, prefix);
        }
        Ok(id)
    }

    fn mount(&mut self, at: &PathName, backend: Backend) -> Result<MountId, Refusal> {
        if self.mounts.all.len() >= MOUNTS_MAX {
            return Err(Refusal::new(
                AbiErrno::EBUSY,
                format!("{MOUNTS_MAX} mounts are made, unmount one"),
            ));
        }
        if at.depth() == 0 {
            return Err(Refusal::new(
                AbiErrno::EBUSY,
                "/ is the server's own, wanted a path below it",
            ));
        }
        let node = self.tree.make_directory(at).map_err(|_| {
            Refusal::new(AbiErrno::ENOTDIR, format!("{at} is, or is below, a file"))
        })?;
        let id = MountId(self.mounts.next);
        match self.tree.get_mut(node).map(|node| &mut node.kind) {
            Some(Kind::Directory { mount: free @ None, .. }) => *free = Some(id),
            _ => {
                return Err(Refusal::new(
                    AbiErrno::EBUSY,
                    format!("something is mounted at {at}, unmount it first"),
                ));
            }
        }
        self.mounts.next += 1;
        self.mounts.all.insert(id, Mount { at: at.clone(), node, backend });
        Ok(id)
    }

    /// Takes a mount away; what is open behind it answers EIO from now on.
    ///
    /// # Errors
    /// EINVAL when nothing is mounted there.
    pub fn unmount(&mut self, at: &PathName) -> Result<(), Refusal> {
        let Some((&id, _)) = self.mounts.all.iter().find(|(_, mount)| mount.at == *at) else {
            return Err(Refusal::invalid(format!("nothing is mounted at {at}")));
        };
        let Some(mount) = self.mounts.all.remove(&id) else { return Ok(()) };
        if let Some(Kind::Directory { mount: hung, .. }) =
            self.tree.get_mut(mount.node).map(|node| &mut node.kind)
        {
            *hung = None;
        }
        if let Backend::Remote(upstream) = mount.backend
            && let Some(upstream) = self.upstream_mut(upstream)
        {
            upstream.remove_mount(id);
        }
        Ok(())
    }

    /// What is mounted: path, service, state.
    pub(crate) fn mounted(&self) -> impl Iterator<Item = (&PathName, &str, &str)> {
        self.mounts.all.values().map(|mount| match mount.backend {
            Backend::Provider => (&mount.at, "local", "up"),
            Backend::Remote(id) => {
                let upstream = self.upstreams.get(id.0 as usize);
                let up = upstream.is_some_and(|upstream| upstream.is_up());
                (
                    &mount.at,
                    upstream.map_or("", |upstream| upstream.service()),
                    if up { "up" } else { "away" },
                )
            }
        })
    }

    /// Where a mount leads, if it is still there.
    pub(crate) fn hook(&self, mount: MountId) -> Option<Hook> {
        self.mounts.get(mount).map(|found| Hook { mount, backend: found.backend })
    }

    /// A node handed out behind a mount is no longer held by any fid.
    pub(crate) fn release(&mut self, hook: Hook, node: ProviderNode) {
        match hook.backend {
            Backend::Provider => self.released.push_back(node),
            Backend::Remote(upstream) => {
                if let Some(upstream) = self.upstream_mut(upstream) {
                    upstream.release(node);
                }
            }
        }
    }

    /// As [`Self::release`], for a node with an unfinished order: it must not be taken for a finished one.
    pub(crate) fn abandon(&mut self, hook: Hook, node: ProviderNode) {
        match hook.backend {
            Backend::Provider => self.released.push_back(node),
            Backend::Remote(upstream) => {
                if let Some(upstream) = self.upstream_mut(upstream) {
                    upstream.abandon(node);
                }
            }
        }
    }

    /// The next node that a provider may forget.
    pub fn poll_released(&mut self) -> Option<ProviderNode> {
        self.released.pop_front()
    }
}
