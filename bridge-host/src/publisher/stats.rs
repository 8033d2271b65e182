//! `/gpu/<id>/stats`: a sample of the GPU as it is, then the records of its jobs as they appear.
//!
//! ```text
//! offset   0 ........... sample.len() ..................... end of the ring
//!          one line, as   |  records kept when the file was opened, then new ones
//!          it was at open |
//! ```

use ninedoor::ring::LogReader;
use ninedoor_abi::{GpuId, Now, Refusal};
use secure9p::Bytes;

use super::open_file::part;
use crate::{dispatcher::Dispatcher, store::Owner};

/// One open fid on a `stats` file.
#[derive(Debug)]
pub(super) struct StatsReader {
    gpu: GpuId,
    viewer: Owner,
    sample: Vec<u8>,
    records: LogReader,
}

impl StatsReader {
    pub(super) fn open(
        dispatcher: &Dispatcher,
        gpu: &GpuId,
        viewer: &Owner,
        now: Now,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            gpu: gpu.clone(),
            viewer: viewer.clone(),
            sample: dispatcher.sample_line(gpu, now)?.into_bytes(),
            records: LogReader::open(dispatcher.records(gpu, viewer)?),
        })
    }

    pub(super) fn read(
        &mut self,
        dispatcher: &Dispatcher,
        offset: u64,
        count: usize,
    ) -> Result<Bytes, Refusal> {
        let sample_bytes = self.sample.len() as u64;
        Ok(Bytes::Owned(match offset.checked_sub(sample_bytes) {
            Some(beyond) => {
                self.records.read(dispatcher.records(&self.gpu, &self.viewer)?, beyond, count)
            }
            None => part(&self.sample, offset, count).to_vec(),
        }))
    }
}
