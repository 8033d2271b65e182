//! `/bundles`: artefacts are created, written, clunked, read and removed, never changed.

use ninedoor::{Answer, ProviderNode};
use ninedoor_abi::{Errno, Refusal};
use secure9p::{
    Access, Name,
    server::{Reply, Request},
};

use super::{Asking, Awaited, Location, Publisher, open_file::OpenFile, place::Place, refuse};

impl Publisher {
    /// Staged, or being written by its owner right now.
    pub(super) fn has_bundle(&self, asking: &Asking<'_>, name: &str) -> bool {
        let owner = asking.owner();
        self.dispatcher.artefacts.find(&owner, name).is_some()
            || self.dispatcher.artefacts.is_coming(&owner, name)
    }

    pub(super) fn bundle_names(&self, asking: &Asking<'_>) -> Vec<String> {
        let owner = asking.owner();
        let staged = self.dispatcher.artefacts.list(&owner);
        let coming = self.dispatcher.artefacts.coming(&owner);
        let coming = coming.into_iter().filter(|name| !staged.contains_key(name.as_str()));
        staged.keys().copied().map(str::to_owned).chain(coming).collect()
    }

    pub(super) fn begin_upload(
        &mut self,
        asking: &Asking<'_>,
        name: &Name,
    ) -> Result<(Place, OpenFile), Refusal> {
        if name.is_dot() || name.is_dot_dot() {
            return Err(refuse(Errno::EINVAL, format!("{name} is not a name for an artefact")));
        }
        let upload = self.dispatcher.artefacts.begin(&asking.owner(), name.as_str())?;
        Ok((Place::Bundle(name.as_str().to_owned()), OpenFile::Upload(Box::new(upload))))
    }

    /// What is asked of an artefact on its way in, if it is one: bytes are taken out of the request, and the end of the upload
    /// takes its node.
    pub(super) fn ask_upload(
        &mut self,
        request: &mut Request<ProviderNode>,
    ) -> Option<Result<Awaited, Refusal>> {
        let artefacts = &mut self.dispatcher.artefacts;
        match request {
            Request::Write { node, offset, data } => {
                let OpenFile::Upload(upload) = self.nodes.open_file(*node).ok()? else {
                    return None;
                };
                let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let written = artefacts.write(upload, *offset, std::mem::take(data));
                Some(written.map(|receipt| (receipt, Reply::Write { count })))
            }
            Request::Clunk { node } => {
                let upload = self.nodes.take_upload(*node)?;
                Some(Ok((artefacts.finish(upload), Reply::Done)))
            }
            _ => None,
        }
    }

    /// Whether this is an artefact that its owner is still writing.
    pub(super) fn is_coming(&self, asking: &Asking<'_>, at: Location) -> bool {
        match self.place(at) {
            Ok(Place::Bundle(name)) => self.dispatcher.artefacts.is_coming(&asking.owner(), name),
            _ => false,
        }
    }

    pub(super) fn open_bundle(
        &mut self,
        asking: &Asking<'_>,
        name: &str,
        access: Access,
    ) -> Result<OpenFile, Refusal> {
        if access.writes() {
            let text = format!(
                "{name} is staged and does not change; remove it first or take another name"
            );
            return Err(refuse(Errno::EROFS, text));
        }
        match self.dispatcher.artefacts.find(&asking.owner(), name) {
            Some(artefact) => {
                let (digest, artefacts) = (artefact.digest, &mut self.dispatcher.artefacts);
                let file = artefacts.read(&digest)?;
                artefacts.hold(&digest)?;
                Ok(OpenFile::Artefact { file, digest })
            }
            None => Err(refuse(Errno::EBUSY, format!("{name} is being written"))),
        }
    }

    pub(super) fn remove_bundle(&mut self, asking: &Asking<'_>, name: &str) -> Answer {
        self.dispatcher.artefacts.remove(&asking.owner(), name)?;
        Ok(Reply::Done)
    }
}
