//! How a job's end becomes the end of a command.

use ninedoor_abi::record::{JobCode, JobRecord, JobStep};

use crate::error::{CommandError, ErrorKind};

/// The failure that this end of a job is; none when it ended well or has not ended.
#[must_use]
pub fn failure(record: &JobRecord) -> Option<CommandError> {
    let JobStep::Err { code, detail, .. } = &record.step else { return None };
    let failure = CommandError::new(kind(*code), format!("job {} {code}: {detail}", record.job));
    Some(match hint(*code) {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

const fn kind(code: JobCode) -> ErrorKind {
    match code {
        JobCode::Timeout | JobCode::QueueTimeout => ErrorKind::Timeout,
        JobCode::Hash
        | JobCode::Invalid
        | JobCode::Module
        | JobCode::Kernel
        | JobCode::Unsupported => ErrorKind::Payload,
        _ => ErrorKind::Job,
    }
}

const fn hint(code: JobCode) -> Option<&'static str> {
    match code {
        JobCode::Oom => Some("give the lease more memory: --mem"),
        JobCode::LeaseExpired => Some("give the lease more time: --ttl"),
        JobCode::Lost => Some("what became of it cannot be known; submit it again"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninedoor_abi::{LeaseId, UnixMs};

    fn ended(code: JobCode) -> CommandError {
        let step = JobStep::Err { code, detail: "ran 5000 ms".into(), sticky: false };
        let job = "jid-42".parse().unwrap();
        failure(&JobRecord { ts_ms: UnixMs(1), job, lease: LeaseId(1), step }).unwrap()
    }

    /// Proves SH-3.
    #[test]
    fn the_exit_code_tells_how_a_job_ended() {
        assert_eq!(ended(JobCode::Fault).kind.exit_code(), 1);
        assert_eq!(ended(JobCode::Timeout).kind.exit_code(), 4);
        assert_eq!(ended(JobCode::Kernel).kind.exit_code(), 6);
        assert_eq!(ended(JobCode::Timeout).text, "job jid-42 TIMEOUT: ran 5000 ms");
    }
}
