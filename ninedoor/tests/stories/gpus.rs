//! A provider of two GPUs, a store of bundles, and the outputs of jobs: as small as stories allow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ninedoor::{
    Answer, Ask, AskId, MountId, ProviderNode,
    record::{RecordAssembly, StatusLines},
};
use ninedoor_abi::{
    Claims, CtlLine, Epoch, Errno, LeaseId, Now, Refusal, Role, Scope, ScopeVerb, Secret,
    StatusLine,
    ctl::{LeaseGranted, Verb},
};
use secure9p::{
    Name, Qid,
    message::{Attributes, DirectoryEntry},
    server::{Reply, Request},
};

/// One handle that the server holds.
#[derive(Debug, Default)]
struct Handle {
    path: Vec<String>,
    record: RecordAssembly,
    status: StatusLines,
}

/// Answers for `/gpu`, `/bundles` and `/worker`.
#[derive(Debug, Default)]
pub(crate) struct Gpus {
    mounts: BTreeMap<MountId, &'static str>,
    handles: BTreeMap<u64, Handle>,
    next: u64,
    bundles: BTreeMap<String, Vec<u8>>,
    leases: BTreeSet<u64>,
    next_lease: u64,
    /// What was asked for, in words.
    pub(crate) asked: Vec<String>,
    /// Orders to GPUs that were carried out.
    pub(crate) orders: Vec<String>,
    /// Refuse every LEASE.
    pub(crate) full: bool,
    /// Keep the answers to reads back until [`Gpus::let_go`].
    pub(crate) slow: bool,
    held_back: VecDeque<(AskId, Answer)>,
}

impl Gpus {
    pub(crate) fn mounted(&mut self, mount: MountId, at: &'static str) {
        self.mounts.insert(mount, at);
    }

    /// Handles that the server has not given back.
    pub(crate) fn handles(&self) -> usize {
        self.handles.len()
    }

    /// The handle that is open at a path.
    pub(crate) fn node_at(&self, path: &str) -> Option<ProviderNode> {
        let at = |handle: &Handle| {
            handle.path.iter().fold(String::new(), |path, name| path + "/" + name) == path
        };
        self.handles.iter().find(|(_, handle)| at(handle)).map(|(node, _)| ProviderNode(*node))
    }

    pub(crate) fn mount_of(&self, at: &str) -> MountId {
        *self.mounts.iter().find(|(_, mounted)| **mounted == at).expect("mounted").0
    }

    pub(crate) fn released(&mut self, node: ProviderNode) {
        assert!(self.handles.remove(&node.0).is_some(), "{node:?} was given back twice");
    }

    pub(crate) fn let_go(&mut self) -> VecDeque<(AskId, Answer)> {
        std::mem::take(&mut self.held_back)
    }

    pub(crate) fn ask(&mut self, ask: Ask, now: Now) -> Option<(AskId, Answer)> {
        let root = self.mounts[&ask.mount];
        let who = ask.caller.subject_text().to_owned();
        let reads = matches!(ask.request, Request::Read { .. });
        let answer = self.answer(root, &who, ask.request, now);
        if self.slow && reads {
            self.held_back.push_back((ask.id, answer));
            return None;
        }
        Some((ask.id, answer))
    }

    fn answer(
        &mut self,
        root: &str,
        who: &str,
        request: Request<ProviderNode>,
        now: Now,
    ) -> Answer {
        let word = format!("{request:?}");
        let word = word.split([' ', '{']).next().unwrap_or_default();
        self.asked.push(format!("{word} {root} by {who:?}"));
        match request {
            Request::Walk { from, names } => self.walk(root, from, &names),
            Request::Open { node, .. } => {
                Ok(Reply::Open { node, qid: self.qid(root, node)?, iounit: 0 })
            }
            Request::Create { directory, name, .. } => {
                self.bundles.entry(name.to_string()).or_default();
                self.handles.get_mut(&directory.0).ok_or_else(gone)?.path =
                    vec!["bundles".into(), name.to_string()];
                Ok(Reply::Create { node: directory, qid: self.qid(root, directory)?, iounit: 0 })
            }
            Request::Read { node, offset, count } => self.read(node, offset, count),
            Request::Write { node, data, .. } => self.write(node, &data, now),
            Request::Readdir { node, offset, .. } => {
                let path = self.path(root, node)?;
                let all = self
                    .entries(&path)
                    .into_iter()
                    .zip(1u64..)
                    .filter(|(_, cookie)| *cookie > offset);
                let entries = all.map(|(name, cookie)| {
                    let mut below = path.clone();
                    below.push(name.clone());
                    DirectoryEntry::new(qid_of(&below), cookie, &Name::new(name).unwrap())
                });
                Ok(Reply::Readdir { entries: entries.collect() })
            }
            Request::Getattr { node } => Ok(Reply::Getattr {
                attributes: Attributes::synthetic(self.qid(root, node)?, 0o100_666),
            }),
            Request::Clunk { node } => {
                let unfinished =
                    self.handles.get_mut(&node.0).and_then(|handle| handle.record.finish());
                if let (Some(line), [_, gpu, _]) = (unfinished, self.path(root, node)?.as_slice()) {
                    self.order(node, gpu, &String::from_utf8_lossy(&line), now)?;
                }
                self.released(node);
                Ok(Reply::Done)
            }
            Request::Remove { node } => {
                let path = self.path(root, node)?;
                self.released(node);
                match path.as_slice() {
                    [_, name] if root == "bundles" => {
                        self.bundles.remove(name).map(|_| Reply::Done).ok_or_else(gone)
                    }
                    _ => Err(Refusal::new(Errno::EPERM, "only bundles can be removed")),
                }
            }
            Request::Unlinkat { name, .. } => {
                self.bundles.remove(&*name).map(|_| Reply::Done).ok_or_else(gone)
            }
            Request::Setattr { .. } | Request::Fsync { .. } => Ok(Reply::Done),
            _ => Err(Refusal::new(Errno::EOPNOTSUPP, "not here")),
        }
    }

    fn path(&self, root: &str, node: ProviderNode) -> Result<Vec<String>, Refusal> {
        match node {
            ProviderNode::ROOT => Ok(vec![root.to_owned()]),
            node => Ok(self.handles.get(&node.0).ok_or_else(gone)?.path.clone()),
        }
    }

    fn qid(&self, root: &str, node: ProviderNode) -> Result<Qid, Refusal> {
        Ok(qid_of(&self.path(root, node)?))
    }

    fn walk(&mut self, root: &str, from: ProviderNode, names: &[Name]) -> Answer {
        let mut path = self.path(root, from)?;
        let mut qids = Vec::new();
        for name in names {
            if !self.entries(&path).contains(&name.to_string()) {
                break;
            }
            path.push(name.to_string());
            qids.push(qid_of(&path));
        }
        if qids.is_empty() && !names.is_empty() {
            return Err(gone());
        }
        let node = (qids.len() == names.len()).then(|| self.hand_out(path));
        Ok(Reply::Walk { qids, node })
    }

    fn hand_out(&mut self, path: Vec<String>) -> ProviderNode {
        self.next += 1;
        self.handles.insert(self.next, Handle { path, ..Handle::default() });
        ProviderNode(self.next)
    }

    fn entries(&self, path: &[String]) -> Vec<String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let names: &[&str] = match path.as_slice() {
            ["gpu"] => &["GPU-0", "GPU-1"],
            ["gpu", _] => &["info", "ctl", "lease", "job", "stats"],
            ["worker"] => &["jid-1"],
            ["worker", "jid-1"] => &["result"],
            ["bundles"] => return self.bundles.keys().cloned().collect(),
            _ => &[],
        };
        names.iter().map(ToString::to_string).collect()
    }

    fn read(&mut self, node: ProviderNode, offset: u64, count: u32) -> Answer {
        let handle = self.handles.get_mut(&node.0).ok_or_else(gone)?;
        let path: Vec<&str> = handle.path.iter().map(String::as_str).collect();
        let text = match path.as_slice() {
            ["gpu", id, "info"] => format!("{{\"id\":\"{id}\"}}\n").into_bytes(),
            ["gpu", _, "ctl"] => {
                return Ok(Reply::Read(handle.status.read(offset, count as usize).to_vec().into()));
            }
            ["bundles", name] => self.bundles.get(*name).cloned().unwrap_or_default(),
            ["worker", _, "result"] => b"result\n".to_vec(),
            _ => Vec::new(),
        };
        let from = usize::try_from(offset).unwrap().min(text.len());
        let to = (from + count as usize).min(text.len());
        Ok(Reply::Read(text[from..to].to_vec().into()))
    }

    fn write(&mut self, node: ProviderNode, data: &[u8], now: Now) -> Answer {
        let handle = self.handles.get_mut(&node.0).ok_or_else(gone)?;
        let count = u32::try_from(data.len()).unwrap();
        let path: Vec<String> = handle.path.clone();
        match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["bundles", name] => {
                self.bundles.entry((*name).to_owned()).or_default().extend_from_slice(data)
            }
            ["gpu", gpu, "ctl"] => {
                for line in handle.record.write(data, 4096)? {
                    self.order(node, gpu, &String::from_utf8(line).unwrap(), now)?;
                }
            }
            ["gpu", _, "job" | "lease"] => {}
            _ => return Err(Refusal::new(Errno::EPERM, "read only")),
        }
        Ok(Reply::Write { count })
    }

    fn order(
        &mut self,
        node: ProviderNode,
        gpu: &str,
        line: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let outcome = self.carry_out(gpu, line, now);
        let status = match &outcome {
            Ok(status) => status.to_string(),
            Err(refusal) => StatusLine::err(Verb::of_line(line), refusal.clone()).to_string(),
        };
        self.orders.push(format!("{gpu} {line}"));
        if let Some(handle) = self.handles.get_mut(&node.0) {
            handle.status.push(&status, 4096);
        }
        outcome.map(drop)
    }

    fn carry_out(&mut self, gpu: &str, line: &str, now: Now) -> Result<StatusLine, Refusal> {
        match line.parse()? {
            CtlLine::Lease(_) if self.full => Err(Refusal::new(
                Errno::EBUSY,
                format!("gpu {gpu} has 0 of 4096 MiB free; lease-5 frees 4096 MiB in 37 s"),
            )),
            CtlLine::Lease(ask) => {
                let size = ask.size.expect("stories give a size");
                self.next_lease += 1;
                self.leases.insert(self.next_lease);
                let granted = LeaseGranted {
                    id: LeaseId(self.next_lease),
                    epoch: Epoch(1),
                    gpu: gpu.parse()?,
                    mem_mb: size.mem_mb,
                    streams: size.streams,
                    ttl_s: size.ttl_s,
                    deadline_ms: now.unix_ms.plus_s(size.ttl_s.into()),
                };
                Ok(granted.status(Verb::Lease))
            }
            CtlLine::Ticket(ask) => {
                let mut claims = Claims::new(Role::WorkerGpu, Some(ask.worker), now.unix_ms);
                claims.budget.ttl_s = Some(ask.ttl_s.into());
                let path = format!("/gpu/{gpu}").parse()?;
                claims.scopes = vec![Scope { path, verb: ScopeVerb::Both, rate_per_s: 0 }];
                let ticket = claims.mint(&secret(Role::WorkerGpu))?;
                Ok(StatusLine::ok(Verb::Ticket).with("ticket", ticket.expose()))
            }
            CtlLine::Revoke(_) => Ok(StatusLine::ok(Verb::Revoke)),
            _ => Err(Refusal::invalid("not in this story")),
        }
    }
}

/// The secret of a role, in all worlds.
pub(crate) fn secret(role: Role) -> Secret {
    Secret::new(role.as_str())
}

fn gone() -> Refusal {
    Refusal::new(Errno::ENOENT, "gone")
}

fn qid_of(path: &[String]) -> Qid {
    let number = path
        .iter()
        .flat_map(|name| name.bytes())
        .fold(7u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    let is_directory = match path.first().map(String::as_str) {
        Some("gpu" | "worker") => path.len() < 3,
        _ => path.len() < 2,
    };
    if is_directory { Qid::directory(number) } else { Qid::file(number) }
}
