//! Names: what each owner calls its artefacts. On disk each is a symbolic link to its content.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use ninedoor_abi::{Refusal, job::Sha256};

use super::{Artefact, Owner, at, objects::Objects, world};

/// Every name.
#[derive(Debug)]
pub(super) struct Names {
    directory: PathBuf,
    names: BTreeMap<Owner, BTreeMap<String, Artefact>>,
}

impl Names {
    /// What is below `directory`. A link that leads nowhere is what a crash between two steps may leave: it is removed.
    pub(super) fn open(directory: PathBuf, objects: &mut Objects) -> io::Result<Self> {
        let mut names = Self { directory, names: BTreeMap::new() };
        for entry in fs::read_dir(&names.directory)? {
            let entry = entry?;
            let Some(owner) = Owner::from_directory(&entry.file_name().to_string_lossy()) else {
                continue;
            };
            for link in fs::read_dir(entry.path())? {
                names.read(&owner, &link?.path(), objects)?;
            }
        }
        Ok(names)
    }

    fn read(&mut self, owner: &Owner, link: &Path, objects: &mut Objects) -> io::Result<()> {
        let target = fs::read_link(link).map_err(|error| at(link, error))?;
        let digest = target
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| Sha256::of_hex(name).ok());
        let name = link.file_name().and_then(|name| name.to_str());
        let found = digest.and_then(|digest| objects.name_found(&digest));
        let (Some(artefact), Some(name)) = (found, name) else {
            tracing::warn!(link = %link.display(), "removing a name whose artefact is not there");
            return fs::remove_file(link);
        };
        self.insert(owner, name, artefact);
        Ok(())
    }

    /// Where the link of a name is.
    pub(super) fn path(&self, owner: &Owner, name: &str) -> PathBuf {
        self.directory.join(owner.directory()).join(name)
    }

    pub(super) fn insert(&mut self, owner: &Owner, name: &str, artefact: Artefact) {
        self.names.entry(owner.clone()).or_default().insert(name.to_owned(), artefact);
    }

    /// Forgets a name, and removes its link.
    pub(super) fn remove(&mut self, owner: &Owner, name: &str) -> Result<(), Refusal> {
        let link = self.path(owner, name);
        fs::remove_file(&link).map_err(|error| world(&link, &error))?;
        if let Some(names) = self.names.get_mut(owner) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(owner);
            }
        }
        Ok(())
    }

    pub(super) fn own(&self, owner: &Owner, name: &str) -> Option<Artefact> {
        self.names.get(owner)?.get(name).copied()
    }

    pub(super) fn of(&self, owner: &Owner) -> impl Iterator<Item = (&str, Artefact)> {
        let own = self.names.get(owner).into_iter().flatten();
        own.map(|(name, artefact)| (name.as_str(), *artefact))
    }

    /// Everybody's names for one content.
    pub(super) fn with_content(&self, digest: &Sha256) -> Vec<(Owner, String)> {
        let all = self.names.iter().flat_map(|(owner, names)| {
            names.iter().map(move |(name, artefact)| (owner, name, artefact))
        });
        all.filter(|(.., artefact)| artefact.digest == *digest)
            .map(|(owner, name, _)| (owner.clone(), name.clone()))
            .collect()
    }

    pub(super) fn count(&self, owner: &Owner) -> usize {
        self.names.get(owner).map_or(0, BTreeMap::len)
    }

    pub(super) fn bytes(&self, owner: &Owner) -> u64 {
        self.of(owner).map(|(_, artefact)| artefact.bytes).sum()
    }

    /// What its owner would free most by removing.
    pub(super) fn largest(&self, owner: &Owner) -> Option<(&str, u64)> {
        self.of(owner)
            .max_by_key(|(_, artefact)| artefact.bytes)
            .map(|(name, artefact)| (name, artefact.bytes))
    }
}
