//! Who may do what: one table of role × place × act, and the scopes of a ticket that narrow it.
//!
//! What a caller may not see is not listed and is answered ENOENT; what it may see but not do is refused when it is opened.
//!
//! Scopes narrow the top-level directories that they name: there, only what lies within a scope is left, and the directories on
//! the way to it. A queen's or an observer's ticket with scopes opens nothing else at all. A worker keeps its own places
//! (`/proc/boot`, `/log/queen.log`, `/worker/<id>`, outputs, and `/bundles` unless a scope names it); GPUs it has none but those in its scopes.

use ninedoor_abi::{Role, Scope, ScopeVerb};

use crate::{ask::Caller, place::Place};

/// What may be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acts(u8);

impl Acts {
    pub(crate) const NONE: Self = Self(0);
    /// Walk to it, list it, stat it.
    pub(crate) const SEE: Self = Self(1);
    /// Open it for reading.
    pub(crate) const READ: Self = Self(2);
    /// Open it for writing; truncate it.
    pub(crate) const WRITE: Self = Self(4);
    /// Both.
    pub(crate) const READ_WRITE: Self = Self(2 | 4);
    /// Make and remove files in it.
    pub(crate) const CHANGE: Self = Self(8);

    const LOOK: Self = Self(Self::SEE.0 | Self::READ.0);
    const USE: Self = Self(Self::LOOK.0 | Self::WRITE.0);
    const ALL: Self = Self(Self::USE.0 | Self::CHANGE.0);

    /// Whether all of `acts` are among these.
    pub(crate) const fn allow(self, acts: Self) -> bool {
        self.0 & acts.0 == acts.0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The table. What a file itself cannot do (writing to `info`) is refused by the file, not here.
pub(crate) const fn permitted(role: Role, place: Place) -> Acts {
    match (role, place) {
        (Role::Queen, _) => Acts::ALL,

        (_, Place::Root | Place::Proc | Place::Boot) => Acts::LOOK,

        (Role::Observer, Place::Figures | Place::Logs | Place::QueenLog | Place::Log) => Acts::LOOK,
        (Role::Observer, Place::Gpus | Place::Gpu | Place::GpuReport | Place::GpuLease) => {
            Acts::LOOK
        }
        (Role::Observer, _) => Acts::NONE,

        (_, Place::Logs | Place::QueenLog | Place::Workers | Place::OwnWorker) => Acts::LOOK,
        (_, Place::OwnTelemetry) => Acts::USE,

        (Role::WorkerGpu, Place::Gpus | Place::Gpu | Place::GpuReport | Place::JobOutputs) => {
            Acts::LOOK
        }
        (Role::WorkerGpu, Place::GpuLease | Place::GpuOrders) => Acts::USE,
        (Role::WorkerGpu, Place::Bundles | Place::Bundle) => Acts::ALL,

        (Role::WorkerGpu | Role::WorkerHeartbeat, _) => Acts::NONE,
    }
}

/// What a caller may do to one file, and which scope of its ticket pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) acts: Acts,
    pub(crate) scope: Option<u8>,
}

/// The rights of `caller` at the file that `names` lead to from the root; the last of them is at `place`.
pub(crate) fn rights<'a>(
    caller: &Caller,
    place: Place,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Rights {
    let acts = permitted(caller.role, place);
    if !narrows(caller, names.clone().next()) {
        return Rights { acts, scope: None };
    }
    let mut granted = Acts::NONE;
    let mut paying = None;
    for (scope, number) in caller.scopes.iter().zip(0u8..) {
        match compare(scope, names.clone()) {
            Standing::Within => {
                granted = granted.or(granted_by(scope.verb));
                paying = paying.or_else(|| (scope.rate_per_s > 0).then_some(number));
            }
            Standing::OnTheWay => granted = granted.or(Acts::LOOK),
            Standing::Apart => {}
        }
    }
    Rights { acts: acts.and(granted), scope: paying }
}

/// Whether the scopes of the ticket have a say below this top-level directory.
fn narrows(caller: &Caller, top: Option<&str>) -> bool {
    match caller.role {
        Role::Queen | Role::Observer => !caller.scopes.is_empty(),
        Role::WorkerGpu | Role::WorkerHeartbeat => top.is_some_and(|top| {
            top == "gpu"
                || caller.scopes.iter().any(|scope| scope.path.elements().next() == Some(top))
        }),
    }
}

const fn granted_by(verb: ScopeVerb) -> Acts {
    match verb {
        ScopeVerb::Read => Acts::LOOK,
        ScopeVerb::Write => Acts(Acts::SEE.0 | Acts::WRITE.0 | Acts::CHANGE.0),
        ScopeVerb::Both => Acts::ALL,
    }
}

enum Standing {
    /// The path is the scope's, or below it.
    Within,
    /// The scope lies below the path.
    OnTheWay,
    Apart,
}

fn compare<'a>(scope: &Scope, mut names: impl Iterator<Item = &'a str>) -> Standing {
    for element in scope.path.elements() {
        match names.next() {
            None => return Standing::OnTheWay,
            Some(name) if name == element => {}
            Some(_) => return Standing::Apart,
        }
    }
    Standing::Within
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ConnectionId;
    use crate::slab::Key;
    use alloc::{format, string::String, vec::Vec};

    fn letters(acts: Acts) -> String {
        let letter = |act, letter| if acts.allow(act) { letter } else { '-' };
        [(Acts::SEE, 's'), (Acts::READ, 'r'), (Acts::WRITE, 'w'), (Acts::CHANGE, 'c')]
            .into_iter()
            .map(|(act, name)| letter(act, name))
            .collect()
    }

    /// Proves AUTH-9.
    #[test]
    fn the_table_is_this() {
        let mut table = format!("{:<14}", "");
        for role in Role::ALL {
            table += &format!("{:<18}", role.as_str());
        }
        for place in Place::ALL {
            table += &format!("\n{:<14}", format!("{place:?}"));
            for role in Role::ALL {
                table += &format!("{:<18}", letters(permitted(role, place)));
            }
        }
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        let wanted = "
              queen             worker-heartbeat  worker-gpu        observer
Root          srwc              sr--              sr--              sr--
Proc          srwc              sr--              sr--              sr--
Boot          srwc              sr--              sr--              sr--
Figures       srwc              ----              ----              sr--
Logs          srwc              sr--              sr--              sr--
QueenLog      srwc              sr--              sr--              sr--
Log           srwc              ----              ----              sr--
Queen         srwc              ----              ----              ----
Gpus          srwc              ----              sr--              sr--
Gpu           srwc              ----              sr--              sr--
GpuReport     srwc              ----              sr--              sr--
GpuLease      srwc              ----              srw-              sr--
GpuOrders     srwc              ----              srw-              ----
Bundles       srwc              ----              srwc              ----
Bundle        srwc              ----              srwc              ----
Workers       srwc              sr--              sr--              ----
OwnWorker     srwc              sr--              sr--              ----
OwnTelemetry  srwc              srw-              srw-              ----
QueensOwn     srwc              ----              ----              ----
JobOutputs    srwc              ----              sr--              ----
Elsewhere     srwc              ----              ----              ----";
        assert_eq!(lines, wanted.lines().skip(1).collect::<Vec<_>>(), "\n{table}");
    }

    fn caller(role: Role, scopes: &[(&str, ScopeVerb)]) -> Caller {
        let scopes = scopes.iter().map(|(path, verb)| Scope {
            path: path.parse().unwrap(),
            verb: *verb,
            rate_per_s: 0,
        });
        Caller {
            role,
            subject: None,
            ticket: None,
            scopes: scopes.collect(),
            connection: ConnectionId(Key::from_number(0)),
        }
    }

    fn at(caller: &Caller, place: Place, path: &str) -> String {
        letters(rights(caller, place, path.split('/').filter(|name| !name.is_empty())).acts)
    }

    /// Proves AUTH-10.
    #[test]
    fn scopes_leave_what_lies_within_them_and_the_way_there() {
        let queen = caller(
            Role::Queen,
            &[("/gpu/GPU-0/job", ScopeVerb::Write), ("/gpu/GPU-0/lease", ScopeVerb::Read)],
        );
        assert_eq!(at(&queen, Place::Root, "/"), "sr--");
        assert_eq!(at(&queen, Place::Gpu, "/gpu/GPU-0"), "sr--");
        assert_eq!(at(&queen, Place::GpuOrders, "/gpu/GPU-0/job"), "s-wc");
        assert_eq!(at(&queen, Place::GpuLease, "/gpu/GPU-0/lease"), "sr--");
        assert_eq!(at(&queen, Place::GpuOrders, "/gpu/GPU-0/ctl"), "----");
        assert_eq!(at(&queen, Place::Queen, "/queen"), "----");
    }

    /// Proves AUTH-10.
    #[test]
    fn a_worker_keeps_its_own_places_and_has_only_the_gpus_it_was_given() {
        let worker = caller(Role::WorkerGpu, &[("/gpu/GPU-0", ScopeVerb::Both)]);
        assert_eq!(at(&worker, Place::GpuOrders, "/gpu/GPU-0/ctl"), "srw-");
        assert_eq!(at(&worker, Place::GpuOrders, "/gpu/GPU-01/ctl"), "----");
        assert_eq!(at(&worker, Place::Bundle, "/bundles/a"), "srwc");
        assert_eq!(at(&worker, Place::OwnTelemetry, "/worker/w/telemetry"), "srw-");
        assert_eq!(at(&worker, Place::Boot, "/proc/boot"), "sr--");
        let narrowed = caller(Role::WorkerGpu, &[("/bundles/mine", ScopeVerb::Both)]);
        assert_eq!(at(&narrowed, Place::Bundle, "/bundles/a"), "----");
        assert_eq!(at(&narrowed, Place::Gpus, "/gpu"), "----");
    }

    #[test]
    fn the_first_scope_with_a_rate_pays() {
        let mut guest = caller(Role::Queen, &[("/gpu", ScopeVerb::Both)]);
        let slow =
            Scope { path: "/gpu/GPU-0".parse().unwrap(), verb: ScopeVerb::Read, rate_per_s: 5 };
        guest.scopes = [guest.scopes[0].clone(), slow].into();
        let paying = |path: &str| rights(&guest, Place::Gpu, path.split('/').skip(1)).scope;
        assert_eq!((paying("/gpu/GPU-0"), paying("/gpu/GPU-1")), (Some(1), None));
    }
}
