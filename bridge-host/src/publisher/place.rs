//! The files and directories that there are, and how each is told from the others.

use std::fmt;

use ninedoor_abi::{GpuId, JobId};
use secure9p::{Qid, QidKind, message::Attributes};

/// A file or directory, as a walk finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `/gpu`
    Gpus,
    /// `/gpu/<id>`
    Gpu(GpuId),
    /// `/gpu/<id>/<file>`
    GpuFile(GpuId, GpuFile),
    /// `/bundles`
    Bundles,
    /// `/bundles/<name>`
    Bundle(String),
    /// `/worker`
    Workers,
    /// `/worker/<job>`
    Job(JobId),
    /// `/worker/<job>/<name>`
    Output(JobId, String),
}

/// The files of one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum GpuFile {
    Info,
    Ctl,
    Lease,
    Job,
    Stats,
}

impl GpuFile {
    pub(super) const ALL: [Self; 5] = [Self::Info, Self::Ctl, Self::Lease, Self::Job, Self::Stats];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ctl => "ctl",
            Self::Lease => "lease",
            Self::Job => "job",
            Self::Stats => "stats",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }

    /// May be read, may be written, by whoever the server lets through.
    pub(super) const fn permissions(self) -> u32 {
        match self {
            Self::Info | Self::Stats => 0o444,
            Self::Ctl | Self::Lease | Self::Job => 0o666,
        }
    }
}

impl Place {
    pub(super) const fn is_directory(&self) -> bool {
        matches!(self, Self::Gpus | Self::Gpu(_) | Self::Bundles | Self::Workers | Self::Job(_))
    }

    /// The same place, the same path, in this daemon's life and the next. Version 0: nothing here may be cached.
    pub(super) fn qid(&self) -> Qid {
        let kind = match self {
            Self::GpuFile(_, GpuFile::Job) => QidKind::APPEND,
            place if place.is_directory() => QidKind::DIRECTORY,
            _ => QidKind::FILE,
        };
        Qid { kind, version: 0, path: fnv1a(self.to_string().as_bytes()) }
    }

    /// Type and permissions, as stat(2) shows them.
    pub(super) const fn mode(&self) -> u32 {
        match self {
            Self::Bundles => Attributes::MODE_DIRECTORY | 0o777,
            Self::Gpus | Self::Gpu(_) | Self::Workers | Self::Job(_) => {
                Attributes::MODE_DIRECTORY | 0o555
            }
            Self::GpuFile(_, file) => Attributes::MODE_FILE | file.permissions(),
            Self::Bundle(_) => Attributes::MODE_FILE | 0o644,
            Self::Output(..) => Attributes::MODE_FILE | 0o444,
        }
    }
}

/// The path from the root.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpus => f.write_str("/gpu"),
            Self::Gpu(gpu) => write!(f, "/gpu/{gpu}"),
            Self::GpuFile(gpu, file) => write!(f, "/gpu/{gpu}/{}", file.name()),
            Self::Bundles => f.write_str("/bundles"),
            Self::Bundle(name) => write!(f, "/bundles/{name}"),
            Self::Workers => f.write_str("/worker"),
            Self::Job(job) => write!(f, "/worker/{job}"),
            Self::Output(job, name) => write!(f, "/worker/{job}/{name}"),
        }
    }
}

/// A hash that no release of anything changes: clients of a restarted bridge may hold on to qids.
fn fnv1a(bytes: &[u8]) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(START, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_qid_path_of_its_own() {
        let gpus: [GpuId; 2] = ["GPU-0", "GPU-1"].map(|id| id.parse().unwrap());
        let mut places = vec![Place::Gpus, Place::Bundles, Place::Workers];
        for gpu in gpus {
            places.extend(GpuFile::ALL.map(|file| Place::GpuFile(gpu.clone(), file)));
            places.push(Place::Gpu(gpu));
        }
        places.push(Place::Bundle("x".to_owned()));
        places.push(Place::Job("x".parse().unwrap()));
        places.push(Place::Output("x".parse().unwrap(), "x".to_owned()));
        let paths: std::collections::BTreeSet<_> =
            places.iter().map(|place| place.qid().path).collect();
        assert_eq!(paths.len(), places.len());
    }

    #[test]
    fn a_qid_path_is_the_same_in_every_life_of_the_daemon() {
        let job = Place::GpuFile("GPU-0".parse().unwrap(), GpuFile::Job).qid();
        assert_eq!((job.kind, job.path), (QidKind::APPEND, 1_887_816_743_852_070_608));
        assert!(Place::Gpus.qid().is_directory());
    }
}
