//! `/bundles`: artefacts are created, written, clunked, read and removed, never changed.

use ninedoor::Answer;
use ninedoor_abi::{Errno, Refusal};
use secure9p::{Access, Name, server::Reply};

use super::{Asking, Publisher, open_file::OpenFile, place::Place, refuse};

impl Publisher {
    /// Staged, or being written by its owner right now.
    pub(super) fn has_bundle(&self, asking: &Asking<'_>, name: &str) -> bool {
        let owner = asking.owner();
        self.dispatcher.artefacts.find(&owner, name).is_some()
            || self.nodes.uploads.has(&owner, name)
    }

    pub(super) fn bundle_names(&self, asking: &Asking<'_>) -> Vec<String> {
        let owner = asking.owner();
        let staged = self.dispatcher.artefacts.list(&owner);
        let uploading = self.nodes.uploads.of(&owner).filter(|name| !staged.contains_key(name));
        staged.keys().copied().chain(uploading).map(str::to_owned).collect()
    }

    pub(super) fn begin_upload(
        &mut self,
        asking: &Asking<'_>,
        name: &Name,
    ) -> Result<(Place, OpenFile), Refusal> {
        if name.is_dot() || name.is_dot_dot() {
            return Err(refuse(Errno::EINVAL, format!("{name} is not a name for an artefact")));
        }
        let (owner, name) = (asking.owner(), name.as_str().to_owned());
        let upload = self.dispatcher.artefacts.begin(&owner, &name)?;
        self.nodes.uploads.begin(&owner, &name);
        Ok((Place::Bundle(name.clone()), OpenFile::Upload { upload, owner, name }))
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
                Ok(OpenFile::Stored(self.dispatcher.artefacts.read(&artefact.digest)?))
            }
            None => Err(refuse(Errno::EBUSY, format!("{name} is being written"))),
        }
    }

    pub(super) fn remove_bundle(&mut self, asking: &Asking<'_>, name: &str) -> Answer {
        self.dispatcher.artefacts.remove(&asking.owner(), name)?;
        Ok(Reply::Done)
    }
}
