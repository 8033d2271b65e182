//! `/worker/<job>/<name>`: what jobs have written, to be read.

use ninedoor_abi::{Errno, JobId, Refusal};
use secure9p::Access;

use super::{Asking, Publisher, open_file::OpenFile, refuse};

impl Publisher {
    pub(super) fn open_output(
        &self,
        asking: &Asking<'_>,
        job: &JobId,
        name: &str,
        access: Access,
    ) -> Result<OpenFile, Refusal> {
        if access.writes() {
            return Err(refuse(
                Errno::EACCES,
                format!("{name} of {job} is an output, and read only"),
            ));
        }
        self.dispatcher.outputs.read(&asking.owner(), job, name).map(OpenFile::Output)
    }
}
