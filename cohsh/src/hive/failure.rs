//! From what the client or the server says to what an operator is told, and what the program exits with.

use ninedoor_abi::Refusal;
use secure9p::Errno;
use secure9p_tokio::{Cause, ClientError};

use crate::error::{CommandError, ErrorKind};

/// A failed 9P operation.
pub(crate) fn failed(error: ClientError) -> CommandError {
    let kind = match &error.cause {
        Cause::Refused(errno) => kind(*errno),
        Cause::TimedOut(_) => ErrorKind::Timeout,
        // It is we who say no: the server could be reached.
        Cause::Untrusted(_) => ErrorKind::Policy,
        Cause::Unreachable(_) | Cause::Lost(_) | Cause::Uncertain(_) | Cause::Nonsense(_) => {
            ErrorKind::Cut
        }
        Cause::Unusable(_) => ErrorKind::Usage,
    };
    let failure = CommandError::new(kind, error.to_string());
    match hint(&error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A refusal that a control file put into words.
pub(super) fn refused(refusal: &Refusal) -> CommandError {
    let kind = kind(Errno(refusal.errno.0));
    CommandError::new(kind, format!("{} ({})", refusal.text, refusal.errno))
}

/// A refusal out of a status line `ERR <VERB> <ERRNO> <text>`, whatever the verb.
pub(super) fn of_status(line: &str) -> Option<CommandError> {
    let (_, detail) = line.strip_prefix("ERR ")?.split_once(' ')?;
    let (errno, text) = detail.split_once(' ')?;
    Some(refused(&Refusal::new(errno.parse().ok()?, text)))
}

fn kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::EBUSY | Errno::EAGAIN => ErrorKind::Busy,
        Errno::ENOMEM | Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG | Errno::EMSGSIZE => {
            ErrorKind::Quota
        }
        Errno::EINVAL => ErrorKind::Payload,
        Errno::ETIMEDOUT => ErrorKind::Timeout,
        Errno::EHOSTUNREACH | Errno::EIO => ErrorKind::Cut,
        _ => ErrorKind::Policy,
    }
}

fn hint(error: &ClientError) -> Option<String> {
    let attaching = error.doing.starts_with("attach");
    match error.cause {
        Cause::Refused(Errno::EAGAIN) if attaching => {
            Some("too many failed attaches from here: wait 90 s".to_owned())
        }
        Cause::Refused(_) if attaching => Some(
            "a ticket is wanted: --ticket @FILE, made on the server by `ninedoor ticket mint \
             --state-dir DIR --role queen` (on a bridge: `gpu-bridge-host ticket mint …`)"
                .to_owned(),
        ),
        Cause::Unreachable(_) => {
            Some(format!("is a server running there? `ninedoor serve --listen {}`", error.path))
        }
        Cause::Untrusted(_) => {
            Some("name the authority that vouches for the server: --tls-ca FILE".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errno: Errno) -> CommandError {
        let path = "/gpu/GPU-0/ctl".to_owned();
        failed(ClientError { doing: "write", path, cause: Cause::Refused(errno) })
    }

    /// Proves SH-3.
    #[test]
    fn an_errno_decides_the_reason_and_the_exit_code() {
        let code = |errno| {
            let kind = of(errno).kind;
            (kind.reason(), kind.exit_code())
        };
        assert_eq!(code(Errno::EBUSY), ("busy", 3));
        assert_eq!(code(Errno::ENOMEM), ("quota", 3));
        assert_eq!(code(Errno::EACCES), ("policy", 3));
        assert_eq!(code(Errno::EINVAL), ("invalid", 6));
        assert_eq!(code(Errno::ETIMEDOUT), ("timeout", 4));
        assert_eq!(code(Errno::EHOSTUNREACH), ("cut", 5));
        assert!(of(Errno::EBUSY).text.starts_with("cannot write /gpu/GPU-0/ctl: EBUSY"));
    }

    #[test]
    fn a_status_line_is_told_in_its_own_words() {
        let line = "ERR LEASE EBUSY gpu GPU-0 has 2048 of 4096 MiB free";
        let error = of_status(line).unwrap();
        assert_eq!(error.text, "gpu GPU-0 has 2048 of 4096 MiB free (EBUSY)");
        assert_eq!(error.kind, ErrorKind::Busy);
        assert_eq!(of_status("OK LEASE id=lease-1"), None);
        assert_eq!(of_status("ERR LEASE"), None);
    }

    #[test]
    fn a_refused_attach_says_where_tickets_come_from() {
        let cause = Cause::Refused(Errno::EACCES);
        let error = failed(ClientError { doing: "attach to", path: "/".to_owned(), cause });
        assert!(error.hints[0].contains("ninedoor ticket mint"), "{:?}", error.hints);
    }
}
