//! A job file: one descriptor, and the files beside it that its inputs are staged from.

use std::io::Read;
use std::path::{Path, PathBuf};

use ninedoor_abi::{JobDescriptor, PathName};

use crate::error::CommandError;
use crate::limits::JOB_FILE_BYTES_MAX;

/// A job file that was read and understood.
#[derive(Debug)]
pub struct JobFile {
    /// What it describes.
    pub descriptor: JobDescriptor,
    record: String,
    directory: PathBuf,
}

impl JobFile {
    /// Reads a job file.
    ///
    /// # Errors
    /// When it cannot be read, or is no descriptor: the field is named.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        let local = |error| CommandError::local("read", path, &error);
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(local)?;
        file.take(JOB_FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(local)?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&text, directory).map_err(|text| {
            CommandError::payload(format!("{}: {text}", path.display()))
                .hint("the form of a job file: docs/INTERFACES.md, JOBD")
        })
    }

    fn parse(text: &[u8], directory: PathBuf) -> Result<Self, String> {
        let descriptor = JobDescriptor::parse(text).map_err(|refusal| refusal.text)?;
        let record = one_record(&String::from_utf8_lossy(text));
        Ok(Self { descriptor, record, directory })
    }

    /// The descriptor as `/gpu/<id>/job` takes it: one line, ended.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The file that an input is staged from: its namesake beside the job file.
    #[must_use]
    pub fn beside(&self, input: &PathName) -> PathBuf {
        self.directory.join(input.last().unwrap_or_default())
    }
}

/// A record ends at a line's end, so the descriptor goes on one line. In valid JSON a line break is never inside of a
/// string, and a space says the same.
fn one_record(text: &str) -> String {
    text.trim().replace(['\n', '\r'], " ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(grid: &str) -> Result<JobFile, String> {
        let text = format!(
            "{{\"job\":\"j\",\"kernel\":\"k\",\r\n \"grid\":{grid},\"block\":[1],\n\
             \"bytes_hash\":\"sha256:{}\",\"inputs\":[\"/bundles/a.f32\"],\"timeout_ms\":1}}\n",
            "00".repeat(32)
        );
        JobFile::parse(text.as_bytes(), PathBuf::from("jobs"))
    }

    /// Proves SH-13.
    #[test]
    fn a_descriptor_of_many_lines_becomes_one_record() {
        let file = parsed("[1]").unwrap();
        assert_eq!(file.record().matches('\n').count(), 1);
        assert!(file.record().ends_with("}\n"));
        let again = JobDescriptor::parse(file.record().as_bytes()).unwrap();
        assert_eq!(again, file.descriptor);
    }

    /// Proves SH-13.
    #[test]
    fn inputs_are_looked_for_beside_the_job_file() {
        let file = parsed("[1]").unwrap();
        let input = &file.descriptor.inputs[0];
        assert_eq!(file.beside(input), PathBuf::from("jobs/a.f32"));
    }

    /// Proves SH-13.
    #[test]
    fn a_field_that_is_wrong_is_named() {
        assert_eq!(parsed("[0]").unwrap_err(), "grid[0]: got 0, wanted 1 to 4294967295");
    }
}
