//! What the queen orders, one line of JSON each, and what needs no bridge to be carried out.

use alloc::{
    format,
    string::{String, ToString},
};

use ninedoor_abi::{Errno, Now, PathName, QueenCommand, Refusal, ticket::Budget};
use secure9p::Name;

use crate::{
    desk::{Carried, no_hive},
    limits::BINDS_MAX,
    server::Server,
    tree::Kind,
    upstream::UpstreamId,
};

impl Server {
    /// One line of `/queen/ctl`.
    pub(crate) fn queen_order(&mut self, order: &str, now: Now) -> (&'static str, Carried) {
        let command: QueenCommand = match order.parse() {
            Ok(command) => command,
            Err(refusal) => return ("?", Carried::Out(Err(refusal))),
        };
        match command {
            QueenCommand::SpawnGpu { lease, budget } => ("SPAWN", self.spawn_gpu(lease, budget)),
            QueenCommand::SpawnHeartbeat { ticks, budget } => {
                ("SPAWN", Carried::Out(self.spawn_heartbeat(ticks, budget, now)))
            }
            QueenCommand::Kill(worker) => ("KILL", self.kill(worker, now)),
            QueenCommand::Bind { from, to } => ("BIND", Carried::Out(self.bind(&from, &to))),
            QueenCommand::Mount { service, at } => {
                ("MOUNT", Carried::Out(self.mount_service(&service, &at)))
            }
            QueenCommand::Unmount(at) => ("UNMOUNT", Carried::Out(self.unmount_or_unbind(&at))),
            QueenCommand::Budget(budget) => ("BUDGET", Carried::Out(self.set_budget(budget))),
        }
    }

    /// What is at `from` is seen at `to` as well, by whoever may see it at `from`.
    fn bind(&mut self, from: &PathName, to: &PathName) -> Result<String, Refusal> {
        let hive = self.hive.as_ref().ok_or_else(no_hive)?;
        if hive.binds >= BINDS_MAX {
            return Err(Refusal::new(
                Errno::EBUSY,
                format!("{BINDS_MAX} binds are made, unmount one"),
            ));
        }
        if to.is_within(from) {
            return Err(Refusal::invalid(format!(
                "bind: to is {to}, which lies within from {from}"
            )));
        }
        if !self.may_be_there(from) {
            return Err(Refusal::new(Errno::ENOENT, format!("bind: there is no {from}")));
        }
        let elements: alloc::vec::Vec<&str> = to.elements().collect();
        let (Some(last), parent) =
            (elements.last(), elements.split_last().map_or(&[][..], |(_, above)| above))
        else {
            return Err(Refusal::new(Errno::EEXIST, "bind: to is /, wanted a name that is free"));
        };
        let directory =
            parent.iter().try_fold(self.tree.root(), |at, element| self.tree.child(at, element));
        let directory = directory.ok_or_else(|| {
            Refusal::new(Errno::ENOENT, format!("bind: there is no directory for {to}"))
        })?;
        let name = Name::new(*last).map_err(|bad| Refusal::invalid(bad.to_string()))?;
        self.tree.add(directory, &name, Kind::Bind(from.clone())).map_err(|errno| {
            Refusal::new(
                Errno(errno.0),
                format!("bind: {to} is taken, or its parent is no directory"),
            )
        })?;
        if let Some(hive) = &mut self.hive {
            hive.binds += 1;
        }
        Ok(format!("from={from} to={to}"))
    }

    /// Whether a path is there, as far as can be said without asking anybody.
    fn may_be_there(&self, path: &PathName) -> bool {
        let mut at = self.tree.root();
        for element in path.elements() {
            match self.tree.child(at, element) {
                Some(child) => at = child,
                None => {
                    return self.tree.get(at).is_some_and(|node| {
                        node.mount().is_some() || matches!(node.kind, Kind::Bind(_))
                    });
                }
            }
        }
        true
    }

    fn mount_service(&mut self, service: &str, at: &PathName) -> Result<String, Refusal> {
        let found =
            self.upstreams.iter().zip(0..).find(|(upstream, _)| upstream.service() == service);
        let Some((_, number)) = found else {
            let known = self
                .upstreams
                .iter()
                .map(|upstream| upstream.service())
                .collect::<alloc::vec::Vec<_>>()
                .join(", ");
            return Err(Refusal::new(
                Errno::ENOENT,
                format!("mount: there is no service {service}, wanted one of: {known}"),
            ));
        };
        self.mount_remote(UpstreamId(number), at)?;
        Ok(format!("service={service} at={at}"))
    }

    fn unmount_or_unbind(&mut self, at: &PathName) -> Result<String, Refusal> {
        let bound = self
            .tree
            .find(at)
            .filter(|id| matches!(self.tree.get(*id).map(|node| &node.kind), Some(Kind::Bind(_))));
        match (bound, &mut self.hive) {
            (Some(id), Some(hive)) => {
                self.tree.remove(id);
                hive.binds -= 1;
            }
            _ => self.unmount(at)?,
        }
        Ok(format!("at={at}"))
    }

    fn set_budget(&mut self, budget: Budget) -> Result<String, Refusal> {
        let hive = self.hive.as_mut().ok_or_else(no_hive)?;
        hive.budget = over(budget, hive.budget);
        let shown = |amount: Option<u64>| {
            amount.map_or_else(|| "-".to_string(), |amount| amount.to_string())
        };
        let Budget { ticks, ops, ttl_s } = hive.budget;
        Ok(format!("ticks={} ops={} ttl_s={}", shown(ticks), shown(ops), shown(ttl_s)))
    }
}

/// The first budget, and where it says nothing the second.
pub(crate) fn over(budget: Budget, default: Budget) -> Budget {
    Budget {
        ticks: budget.ticks.or(default.ticks),
        ops: budget.ops.or(default.ops),
        ttl_s: budget.ttl_s.or(default.ttl_s),
    }
}
