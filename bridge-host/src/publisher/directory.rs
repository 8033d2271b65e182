//! What is in which directory, for whom, and how large files are.

use ninedoor_abi::Refusal;
use secure9p::{Access, Name, message::DirectoryEntry};

use super::{
    Asking, Publisher,
    nodes::Node,
    open_file::OpenFile,
    orders::Orders,
    place::{GpuFile, Place},
    refuse,
    stats::StatsReader,
};

impl Publisher {
    /// One step of a walk.
    pub(super) fn child(
        &self,
        asking: &Asking<'_>,
        directory: &Place,
        name: &Name,
    ) -> Option<Place> {
        let name = name.as_str();
        match directory {
            Place::Gpus => {
                let gpu = name.parse().ok()?;
                self.dispatcher.has_gpu(&gpu).then_some(Place::Gpu(gpu))
            }
            Place::Gpu(gpu) => GpuFile::named(name).map(|file| Place::GpuFile(gpu.clone(), file)),
            Place::Bundles => self.has_bundle(asking, name).then(|| Place::Bundle(name.to_owned())),
            Place::Workers => {
                let job = name.parse().ok()?;
                self.dispatcher.outputs.files(&asking.owner(), &job).map(|_| Place::Job(job))
            }
            Place::Job(job) => {
                let output = self.dispatcher.outputs.find(&asking.owner(), job, name);
                output.map(|_| Place::Output(job.clone(), name.to_owned()))
            }
            Place::GpuFile(..) | Place::Bundle(_) | Place::Output(..) => None,
        }
    }

    /// The entries of a directory, in a fixed order, from cookie `offset` on.
    pub(super) fn entries(
        &self,
        asking: &Asking<'_>,
        directory: &Place,
        offset: u64,
    ) -> Result<Vec<DirectoryEntry>, Refusal> {
        let names = self.names(asking, directory)?;
        let after = usize::try_from(offset).unwrap_or(usize::MAX);
        let entries = (1..).zip(names).skip(after).filter_map(|(cookie, name)| {
            let name = Name::new(name).ok()?;
            let place = self.child(asking, directory, &name)?;
            Some(DirectoryEntry::new(place.qid(), cookie, &name))
        });
        Ok(entries.collect())
    }

    fn names(&self, asking: &Asking<'_>, directory: &Place) -> Result<Vec<String>, Refusal> {
        let owner = asking.owner();
        Ok(match directory {
            Place::Gpus => self.dispatcher.gpus().map(ToString::to_string).collect(),
            Place::Gpu(_) => GpuFile::ALL.map(|file| file.name().to_owned()).to_vec(),
            Place::Bundles => self.bundle_names(asking),
            Place::Workers => {
                self.dispatcher.outputs.jobs(&owner).map(ToString::to_string).collect()
            }
            Place::Job(job) => {
                let files = self.dispatcher.outputs.files(&owner, job);
                files.into_iter().flat_map(|files| files.keys().cloned()).collect()
            }
            file => return Err(refuse(ninedoor_abi::Errno::ENOTDIR, format!("{file} is a file"))),
        })
    }

    /// A size only for what does not change: a size larger than what is read hangs newer Linux kernels for good.
    pub(super) fn size(&self, asking: &Asking<'_>, place: &Place) -> u64 {
        let owner = asking.owner();
        match place {
            Place::Bundle(name) => {
                self.dispatcher.artefacts.find(&owner, name).map_or(0, |artefact| artefact.bytes)
            }
            Place::Output(job, name) => {
                self.dispatcher.outputs.find(&owner, job, name).map_or(0, |output| output.bytes)
            }
            _ => 0,
        }
    }

    /// A file of a GPU, opened.
    pub(super) fn open_gpu_file(
        &self,
        asking: &Asking<'_>,
        gpu: &ninedoor_abi::GpuId,
        file: GpuFile,
        access: Access,
    ) -> Result<OpenFile, Refusal> {
        if access.writes() && file.permissions() & 0o222 == 0 {
            return Err(refuse(
                ninedoor_abi::Errno::EACCES,
                format!("{} is read only", file.name()),
            ));
        }
        let owner = asking.owner();
        let orders = |recent: String| {
            let orders = Orders::new(gpu.clone(), file, access.writes(), recent.into_bytes());
            OpenFile::Orders(Box::new(orders))
        };
        Ok(match file {
            GpuFile::Info => OpenFile::Text(self.info(gpu)?.into_bytes()),
            GpuFile::Stats => {
                OpenFile::Stats(StatsReader::open(&self.dispatcher, gpu, &owner, asking.now)?)
            }
            GpuFile::Ctl => orders(self.dispatcher.recent_control(gpu, &owner)),
            GpuFile::Lease => orders(self.dispatcher.lease_lines(gpu, &owner)),
            GpuFile::Job => orders(String::new()),
        })
    }
}

impl Node {
    /// A node for a place that nobody has opened.
    pub(super) fn at(mount: ninedoor::MountId, place: Place, asking: &Asking<'_>) -> Self {
        Self { mount, place, worker: asking.worker(), open: None }
    }
}
