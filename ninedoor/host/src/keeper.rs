//! What restarts must not forget, in the state directory: the secrets of the roles, what was revoked, and which worker ids are taken.
//!
//! ```text
//! <state-dir>/            0700
//!   secrets/<role>        0600  64 hex digits, made at first start
//!   revocations           0600  a line each: "ticket 5e1c4c4f", "subject worker-7 until_ms=1700000000000"
//!   next-worker           0600  a number
//! ```
//!
//! Other programs write here too (`ticket revoke`, `ticket rotate`), while a server runs: [`Keeper::changes`] finds out.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use ninedoor::{Config, Revocation, Secrets};
use ninedoor_abi::{Role, Secret, UnixMs};

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The file system said no.
    #[error("cannot {act} {}: {cause}", .path.display())]
    World {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} holds {seen:?}, wanted {wanted}; restore it, or remove it to begin anew", .path.display())]
    Garbled {
        /// Which.
        path: PathBuf,
        /// What is there, cut.
        seen: String,
        /// What should be.
        wanted: &'static str,
    },
    /// The system has no randomness to give.
    #[error("cannot draw a secret: {0}")]
    NoRandomness(getrandom::Error),
}

/// A state directory.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    seen: Mutex<Seen>,
}

/// What the server knows already.
#[derive(Debug, Default)]
struct Seen {
    secrets_changed_at: Option<SystemTime>,
    revocations: usize,
}

/// What another program has changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Other secrets.
    pub secrets: Option<Secrets>,
    /// New revocations.
    pub revocations: Vec<Revocation>,
}

impl Keeper {
    /// Opens a state directory, and makes what is missing in it.
    ///
    /// # Errors
    /// What the file system says, or what is wrong with what is there.
    pub fn open(path: &Path) -> Result<Self, KeeperError> {
        make_directory(path)?;
        make_directory(&path.join("secrets"))?;
        let keeper = Self { path: path.to_owned(), seen: Mutex::default() };
        Role::ALL.into_iter().try_for_each(|role| keeper.make_secret(role))?;
        Ok(keeper)
    }

    /// Puts into a configuration what the directory knows.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn fill(&self, config: &mut Config) -> Result<(), KeeperError> {
        let secrets_changed_at = self.secrets_changed_at();
        config.secrets = self.secrets()?;
        config.revocations = self.revocations()?;
        config.next_worker = self.next_worker()?;
        *self.seen() = Seen { secrets_changed_at, revocations: config.revocations.len() };
        Ok(())
    }

    /// The secret of each role.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn secrets(&self) -> Result<Secrets, KeeperError> {
        let secrets = Role::ALL.into_iter().map(|role| Ok((role, self.secret(role)?)));
        Ok(Secrets::new(secrets.collect::<Result<BTreeMap<_, _>, KeeperError>>()?))
    }

    /// A role's secret.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn secret(&self, role: Role) -> Result<Secret, KeeperError> {
        let path = self.secret_path(role);
        let text = read(&path)?;
        let bytes = unhex(text.trim()).filter(|bytes| bytes.len() == SECRET_BYTES);
        bytes.map(Secret::new).ok_or_else(|| KeeperError::Garbled {
            path,
            // Never the secret itself, garbled or not.
            seen: format!("{} characters", text.trim().len()),
            wanted: "64 lower-case hex digits",
        })
    }

    /// Draws another secret for a role: every ticket of that role is void from now on.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn rotate(&self, role: Role) -> Result<(), KeeperError> {
        replace(&self.secret_path(role), &draw_secret()?)?;
        // So that a server that is running sees the directory change.
        let marker = self.path.join("secrets").join(".rotated");
        replace(&marker, role.as_str())?;
        Ok(())
    }

    fn make_secret(&self, role: Role) -> Result<(), KeeperError> {
        let path = self.secret_path(role);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                let written =
                    file.write_all(draw_secret()?.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(world("write", &path))
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(cause) => Err(world("create", &path)(cause)),
        }
    }

    /// What was revoked.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn revocations(&self) -> Result<Vec<Revocation>, KeeperError> {
        let path = self.path.join("revocations");
        let text = match fs::read_to_string(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(world("read", &path))?,
        };
        let parse = |line: &str| {
            parse_revocation(line).ok_or_else(|| KeeperError::Garbled {
                path: path.clone(),
                seen: line.chars().take(80).collect(),
                wanted: "\"ticket <id>\" or \"subject <name> until_ms=<n>\"",
            })
        };
        text.lines().map(parse).collect()
    }

    /// Keeps a revocation, unless it is kept already.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn note_revocation(&self, revocation: &Revocation) -> Result<(), KeeperError> {
        let mut seen = self.seen();
        let kept = self.revocations()?;
        if kept.contains(revocation) {
            return Ok(());
        }
        let path = self.path.join("revocations");
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        let line = format!("{}\n", print_revocation(revocation));
        let written = file
            .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_data()));
        written.map_err(world("write", &path))?;
        seen.revocations += usize::from(seen.revocations == kept.len());
        Ok(())
    }

    fn next_worker(&self) -> Result<u64, KeeperError> {
        let path = self.path.join("next-worker");
        match fs::read_to_string(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(1),
            Err(cause) => Err(world("read", &path)(cause)),
            Ok(text) => text.trim().parse().map_err(|_| KeeperError::Garbled {
                path,
                seen: text.chars().take(80).collect(),
                wanted: "a number",
            }),
        }
    }

    /// Keeps which worker ids are taken.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn note_next_worker(&self, next: u64) -> Result<(), KeeperError> {
        replace(&self.path.join("next-worker"), &next.to_string())
    }

    /// What other programs have changed since the last call.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn changes(&self) -> Result<Changes, KeeperError> {
        let mut seen = self.seen();
        let mut changes = Changes::default();
        let secrets_changed_at = self.secrets_changed_at();
        if secrets_changed_at != seen.secrets_changed_at {
            changes.secrets = Some(self.secrets()?);
            seen.secrets_changed_at = secrets_changed_at;
        }
        let revocations = self.revocations()?;
        if revocations.len() != seen.revocations {
            let known = seen.revocations.min(revocations.len());
            seen.revocations = revocations.len();
            changes.revocations = revocations.into_iter().skip(known).collect();
        }
        Ok(changes)
    }

    fn secrets_changed_at(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join("secrets")).and_then(|directory| directory.modified()).ok()
    }

    fn secret_path(&self, role: Role) -> PathBuf {
        self.path.join("secrets").join(role.as_str())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_directory(path: &Path) -> Result<(), KeeperError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(world("make", path))?;
    let mode = fs::metadata(path).map_err(world("look at", path))?.permissions().mode();
    if mode & 0o077 != 0 {
        // It was there before us, with others let in: it is ours to close.
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(world("close", path))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, KeeperError> {
    fs::read_to_string(path).map_err(world("read", path))
}

/// Puts new contents in place of a file's, or leaves it as it was: never half of it.
fn replace(path: &Path, text: &str) -> Result<(), KeeperError> {
    let fresh = path.with_extension("new");
    let written = (|| {
        let mut file: File =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    written.map_err(world("write", path))
}

fn world<'a>(act: &'static str, path: &'a Path) -> impl Fn(io::Error) -> KeeperError + use<'a> {
    move |cause| KeeperError::World { act, path: path.to_owned(), cause }
}

fn draw_secret() -> Result<String, KeeperError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(KeeperError::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    rest.is_empty().then(|| {
        pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect()
    })?
}

fn print_revocation(revocation: &Revocation) -> String {
    match revocation {
        Revocation::Ticket(id) => format!("ticket {id}"),
        Revocation::Subject { subject, until_ms } => {
            format!("subject {subject} until_ms={until_ms}")
        }
    }
}

fn parse_revocation(line: &str) -> Option<Revocation> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "ticket" => Some(Revocation::Ticket(rest.parse().ok()?)),
        "subject" => {
            let (subject, until_ms) = rest.split_once(" until_ms=")?;
            let until_ms: UnixMs = until_ms.parse().ok()?;
            Some(Revocation::Subject { subject: subject.parse().ok()?, until_ms })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninedoor::Config;
    use ninedoor_abi::TicketId;

    fn keeper() -> (tempfile::TempDir, Keeper) {
        let directory = tempfile::tempdir().unwrap();
        let keeper = Keeper::open(&directory.path().join("state")).unwrap();
        (directory, keeper)
    }

    fn config() -> Config {
        Config::hive("test", "0", Secrets::default())
    }

    const REVOKED: Revocation = Revocation::Ticket(TicketId([1, 2, 3, 4]));

    /// Proves AUTH-12.
    #[test]
    fn secrets_are_drawn_once_per_role_and_nobody_else_may_read_them() {
        let (_directory, keeper) = keeper();
        let path = keeper.secret_path(Role::Queen);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&keeper.path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(
            Keeper::open(&keeper.path).unwrap().secret(Role::Queen).unwrap(),
            keeper.secret(Role::Queen).unwrap()
        );
        assert_ne!(keeper.secret(Role::Queen).unwrap(), keeper.secret(Role::Observer).unwrap());
    }

    #[test]
    fn a_garbled_secret_is_named_and_not_shown() {
        let (_directory, keeper) = keeper();
        fs::write(keeper.secret_path(Role::Queen), "hunter2").unwrap();
        let text = keeper.secret(Role::Queen).unwrap_err().to_string();
        assert!(text.ends_with("secrets/queen holds \"7 characters\", wanted 64 lower-case hex digits; restore it, or remove it to begin anew"), "{text}");
    }

    /// Proves AUTH-12.
    #[test]
    fn what_another_program_revokes_or_rotates_is_found_once() {
        let (_directory, keeper) = keeper();
        let mut filled = config();
        keeper.fill(&mut filled).unwrap();
        let other = Keeper::open(&keeper.path).unwrap();
        other.note_revocation(&REVOKED).unwrap();
        let subject =
            Revocation::Subject { subject: "worker-7".parse().unwrap(), until_ms: UnixMs(5) };
        other.note_revocation(&subject).unwrap();
        assert_eq!(keeper.changes().unwrap().revocations, [REVOKED, subject]);
        assert!(keeper.changes().unwrap().revocations.is_empty());
        let before = keeper.secret(Role::Queen).unwrap();
        other.rotate(Role::Queen).unwrap();
        assert_ne!(keeper.secret(Role::Queen).unwrap(), before);
        assert!(keeper.changes().unwrap().secrets.is_some());
    }

    #[test]
    fn what_was_noted_comes_back_after_a_restart_and_is_not_news() {
        let (_directory, keeper) = keeper();
        keeper.note_revocation(&REVOKED).unwrap();
        keeper.note_revocation(&REVOKED).unwrap();
        keeper.note_next_worker(8).unwrap();
        let restarted = Keeper::open(&keeper.path).unwrap();
        let mut filled = config();
        restarted.fill(&mut filled).unwrap();
        assert_eq!((filled.revocations, filled.next_worker), (vec![REVOKED], 8));
        assert!(restarted.changes().unwrap().revocations.is_empty());
    }
}
