//! Walking: one name after the other, through local directories, binds and mounts.
//!
//! A run of names behind a mount is asked for in one go; the walk then waits. `..` needs nobody's answer on the way: the fid
//! knows how it came to where it is. Only a walk that ends by going up behind a mount has to ask for the node it ends at.
//!
//! ```text
//!            name found, visible            names left to ask a mount        all found
//!  here ─────────────────────────▶ here ──────────────────────────▶ waiting ──────────▶ here ─ no names left ─▶ a new fid
//!    │ not there, or not to be seen                                    │ some found
//!    └──────────▶ what was found so far (partial walk); nothing: ENOENT ◀──┘
//! ```

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

use ninedoor_abi::{Now, PathName};
use secure9p::{
    Errno, Name, Qid,
    server::{Reply, Request},
};

use crate::{
    ask::{Caller, ProviderNode},
    authority::{Acts, Rights, rights},
    connection::Connection,
    errand::{Dispatch, Then, Turn},
    fid::{At, FidKey, Here, Mounted, Stride},
    limits::{BINDS_PER_WALK_MAX, TREE_DEPTH_MAX},
    mount::Hook,
    place::{Place, Side},
    server::Server,
    slab::Key,
    tree::{Kind, NodeId},
};

/// A walk on its way.
#[derive(Debug)]
pub(crate) struct Walk {
    attachment: Key,
    caller: Arc<Caller>,
    here: Here,
    /// Whether the node in `here` was got by this walk, and must be released when it goes on.
    owns_node: bool,
    steps: VecDeque<Step>,
    /// Names the peer gave, and the qids it is told so far.
    names: usize,
    qids: Vec<Qid>,
    binds: usize,
}

/// One name to go; a bind's own path is walked without telling.
#[derive(Debug)]
struct Step {
    name: Name,
    told: bool,
}

/// What was asked of a mount: the names, of which the first `known` were walked before.
#[derive(Debug)]
pub(crate) struct Leg {
    names: Vec<Name>,
    known: usize,
    /// What the others are, if they are there.
    strides: Vec<(Place, Rights)>,
}

/// A leg, and whom to ask from where.
struct Question {
    hook: Hook,
    from: ProviderNode,
    leg: Leg,
}

/// How one step went.
enum Stepped {
    On,
    Ask(Question),
    Missing(Errno),
}

impl Server {
    /// Twalk.
    pub(crate) fn walk(
        &mut self,
        connection: &mut Connection,
        from: FidKey,
        names: Vec<Name>,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, from, now)?;
        let caller = self
            .attachments
            .get(attachment)
            .map(|attachment| attachment.caller.clone())
            .ok_or(Errno::EPERM)?;
        let steps: VecDeque<_> = names.into_iter().map(|name| Step { name, told: true }).collect();
        let names = steps.len();
        let walk = Walk {
            attachment,
            caller,
            here,
            owns_node: false,
            steps,
            names,
            qids: Vec::new(),
            binds: 0,
        };
        self.go_on(connection, walk)
    }

    /// Takes a walk as far as it goes without anybody's answer.
    fn go_on(&mut self, connection: &mut Connection, mut walk: Walk) -> Result<Turn, Errno> {
        while let Some(step) = walk.steps.front() {
            let stepped = match &*step.name {
                "." => self.stay(&mut walk),
                ".." => self.step_up(&mut walk),
                _ => match &walk.here.at {
                    At::Local(directory) => {
                        let directory = *directory;
                        self.step_down(&mut walk, directory)
                    }
                    At::Mounted(_) => self.leg(&mut walk),
                },
            };
            match stepped {
                Stepped::On => {}
                Stepped::Ask(question) => return Ok(walk.wait_for(question)),
                Stepped::Missing(errno) => return self.give_up(walk, errno),
            }
        }
        match &walk.here.at {
            At::Mounted(mounted) if !walk.owns_node => {
                let question = node_of(mounted);
                Ok(walk.wait_for(question))
            }
            _ => Ok(self.arrive(connection, walk)),
        }
    }

    fn stay(&self, walk: &mut Walk) -> Stepped {
        let qid = self.qid_of(&walk.here);
        walk.tell(qid);
        Stepped::On
    }

    /// `..`: the parent, and at the root the root itself.
    fn step_up(&mut self, walk: &mut Walk) -> Stepped {
        let above = match &walk.here.at {
            At::Local(node) => self.local(self.tree.parent(*node), &walk.caller),
            At::Mounted(mounted) => self.above(mounted, &walk.caller),
        };
        let Some(above) = above else { return Stepped::Missing(Errno::EIO) };
        self.move_to(walk, above, false);
        let qid = self.qid_of(&walk.here);
        walk.tell(qid);
        Stepped::On
    }

    fn above(&self, mounted: &Mounted, caller: &Caller) -> Option<Here> {
        let (_, above) = mounted.trail.split_last()?;
        let Some(last) = above.last() else {
            return self.local(self.mounts.get(mounted.hook.mount)?.node, caller);
        };
        let (place, rights) = (last.place, last.rights);
        let at = At::Mounted(Mounted { hook: mounted.hook, node: None, trail: above.to_vec() });
        Some(Here { at, place, rights })
    }

    /// A name in a local directory: its own entry first, then what is mounted there.
    fn step_down(&mut self, walk: &mut Walk, directory: NodeId) -> Stepped {
        let Some(step) = walk.steps.front() else { return Stepped::On };
        let Some(child) = self.tree.child(directory, &step.name) else {
            return match self.tree.get(directory).map(|node| (&node.kind, node.mount())) {
                Some((Kind::Directory { .. }, Some(_))) => self.leg(walk),
                Some((Kind::Directory { .. }, None)) => Stepped::Missing(Errno::ENOENT),
                _ => Stepped::Missing(Errno::ENOTDIR),
            };
        };
        let Some(here) =
            self.local(child, &walk.caller).filter(|here| here.rights.acts.allow(Acts::SEE))
        else {
            return Stepped::Missing(Errno::ENOENT);
        };
        if let Some(Kind::Bind(target)) = self.tree.get(child).map(|node| &node.kind) {
            let target = target.clone();
            return self.enter_bind(walk, &target);
        }
        self.move_to(walk, here, false);
        let qid = self.tree.qid(child);
        walk.tell(qid);
        Stepped::On
    }

    /// A bind is its target, walked from the root; the peer is told of one step.
    fn enter_bind(&mut self, walk: &mut Walk, target: &PathName) -> Stepped {
        walk.binds += 1;
        if walk.binds > BINDS_PER_WALK_MAX {
            return Stepped::Missing(Errno::ELOOP);
        }
        let Some(told) = walk.steps.pop_front().map(|step| step.told) else { return Stepped::On };
        let names: Vec<Name> =
            target.elements().filter_map(|element| Name::new(element).ok()).collect();
        let last = names.len();
        for (index, name) in names.into_iter().enumerate().rev() {
            walk.steps.push_front(Step { name, told: told && index + 1 == last });
        }
        let Some(root) = self.local(self.tree.root(), &walk.caller) else {
            return Stepped::Missing(Errno::EIO);
        };
        self.move_to(walk, root, false);
        Stepped::On
    }

    /// All the plain names from here that lie behind a mount, in one question.
    fn leg(&mut self, walk: &mut Walk) -> Stepped {
        let Some((hook, from, trail)) = self.footing(&walk.here) else {
            return Stepped::Missing(Errno::ENOENT);
        };
        let mut path: Vec<Name> = self.names_of(&walk.here);
        let (mut place, mut strides) = (walk.here.place, Vec::new());
        for step in walk.steps.iter().take_while(|step| !matches!(&*step.name, "." | "..")) {
            place = place.below(&step.name, Side::Mounted, walk.caller.subject_text());
            path.push(step.name.clone());
            let rights = rights(&walk.caller, place, path.iter().map(Name::as_str));
            if path.len() > TREE_DEPTH_MAX || !rights.acts.allow(Acts::SEE) {
                break;
            }
            strides.push((place, rights));
        }
        if strides.is_empty() {
            return Stepped::Missing(Errno::ENOENT);
        }
        let asked = walk.steps.iter().take(strides.len()).map(|step| step.name.clone());
        // Without a node to start from, the names that lead here are walked again.
        let (node, known) = match from {
            Some(node) => (node, Vec::new()),
            None => (ProviderNode::ROOT, trail.iter().map(|stride| stride.name.clone()).collect()),
        };
        let leg =
            Leg { known: known.len(), names: known.into_iter().chain(asked).collect(), strides };
        Stepped::Ask(Question { hook, from: node, leg })
    }

    /// Where a mount's names begin from here: the node to start from if one is held, and how it was reached.
    fn footing<'a>(&self, here: &'a Here) -> Option<(Hook, Option<ProviderNode>, &'a [Stride])> {
        match &here.at {
            At::Local(directory) => {
                let hook = self.hook(self.tree.get(*directory)?.mount()?)?;
                Some((hook, Some(ProviderNode::ROOT), &[]))
            }
            At::Mounted(mounted) => Some((mounted.hook, mounted.node, &mounted.trail)),
        }
    }

    /// The answer to a leg.
    pub(crate) fn walked(
        &mut self,
        connection: &mut Connection,
        hook: Hook,
        mut walk: Walk,
        leg: Leg,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        let (found, node) = match result {
            Ok(Reply::Walk { qids, node }) => (qids, node),
            Ok(_) => return self.give_up(walk, Errno::EIO),
            Err(errno) => return self.give_up(walk, errno),
        };
        let mut trail = match &mut walk.here.at {
            At::Mounted(mounted) => core::mem::take(&mut mounted.trail),
            At::Local(_) => Vec::new(),
        };
        let walked_before = trail.len();
        let shown = self.shown(hook, found.into_iter().skip(leg.known));
        let names = leg.names.into_iter().skip(leg.known);
        for ((name, qid), (place, rights)) in names.zip(shown).zip(leg.strides.iter().copied()) {
            trail.push(Stride { name, qid, place, rights });
            walk.tell(qid);
        }
        let all_found = trail.len() - walked_before == leg.strides.len();
        let (place, rights) =
            leg.strides.last().copied().unwrap_or((walk.here.place, walk.here.rights));
        match node {
            Some(node) if all_found => {
                let at = At::Mounted(Mounted { hook, node: Some(node), trail });
                self.move_to(&mut walk, Here { at, place, rights }, true);
                self.go_on(connection, walk)
            }
            node => {
                node.into_iter().for_each(|node| self.release(hook, node));
                self.give_up(walk, if all_found { Errno::EIO } else { Errno::ENOENT })
            }
        }
    }

    fn shown(&self, hook: Hook, qids: impl Iterator<Item = Qid>) -> Vec<Qid> {
        let mount = self.mounts.get(hook.mount);
        qids.map(|qid| mount.map_or(qid, |mount| mount.shown(qid))).collect()
    }

    /// The end of the walk: a fid of its own for what was found.
    fn arrive(&mut self, connection: &mut Connection, walk: Walk) -> Turn {
        let Walk { attachment, here, qids, .. } = walk;
        let node = self.new_fid(connection, attachment, here);
        Turn::Reply(Reply::Walk { qids, node: Some(node) })
    }

    /// Not all of it was found: what was found moves no fid.
    fn give_up(&mut self, walk: Walk, errno: Errno) -> Result<Turn, Errno> {
        self.let_go_of(&walk);
        if walk.qids.is_empty() || walk.qids.len() >= walk.names {
            return Err(errno);
        }
        Ok(Turn::Reply(Reply::Walk { qids: walk.qids, node: None }))
    }

    fn move_to(&mut self, walk: &mut Walk, here: Here, owns_node: bool) {
        self.let_go_of(walk);
        walk.here = here;
        walk.owns_node = owns_node;
    }

    /// Releases the node a walk has got on its way.
    pub(crate) fn let_go_of(&mut self, walk: &Walk) {
        if walk.owns_node
            && let At::Mounted(Mounted { hook, node: Some(node), .. }) = &walk.here.at
        {
            self.release(*hook, *node);
        }
    }

    /// A local node as a place for this caller. A bind is what its target is: who may not see that may not see the bind.
    pub(crate) fn local(&self, node: NodeId, caller: &Caller) -> Option<Here> {
        let names: Vec<&str> = match &self.tree.get(node)?.kind {
            Kind::Bind(target) => target.elements().collect(),
            _ => self.tree.names(node).into_iter().map(Name::as_str).collect(),
        };
        let place = self.place_of(&names, caller.subject_text());
        let rights = rights(caller, place, names.iter().copied());
        Some(Here { at: At::Local(node), place, rights })
    }

    /// What a path is, as far as the local tree and its mounts tell.
    fn place_of(&self, names: &[&str], subject: &str) -> Place {
        let mut at = Some(self.tree.root());
        names.iter().fold(Place::Root, |place, name| {
            at = at.and_then(|directory| self.tree.child(directory, name));
            place.below(name, if at.is_some() { Side::Local } else { Side::Mounted }, subject)
        })
    }

    /// Names from the root to here.
    pub(crate) fn names_of(&self, here: &Here) -> Vec<Name> {
        match &here.at {
            At::Local(node) => self.tree.names(*node).into_iter().cloned().collect(),
            At::Mounted(mounted) => {
                let mount = self.mounts.get(mounted.hook.mount);
                let above = mount.map(|mount| self.tree.names(mount.node)).unwrap_or_default();
                above
                    .into_iter()
                    .chain(mounted.trail.iter().map(|stride| &stride.name))
                    .cloned()
                    .collect()
            }
        }
    }

    /// The qid of a place.
    pub(crate) fn qid_of(&self, here: &Here) -> Qid {
        match &here.at {
            At::Local(node) => self.tree.qid(*node),
            At::Mounted(mounted) => {
                mounted.trail.last().map_or(Qid::directory(0), |stride| stride.qid)
            }
        }
    }
}

impl Walk {
    /// The walk rests until the mount has answered.
    fn wait_for(self, question: Question) -> Turn {
        let Question { hook, from, leg } = question;
        let request = Request::Walk { from, names: leg.names.clone() };
        let attachment = self.attachment;
        Turn::Errand(Dispatch { hook, attachment, request, then: Then::Walk(Box::new(self), leg) })
    }

    /// One step done: the peer is told its qid, unless it is a bind's own.
    fn tell(&mut self, qid: Qid) {
        if let Some(step) = self.steps.pop_front()
            && step.told
        {
            self.qids.push(qid);
        }
    }
}

/// Asks for a node at the place a walk has come to, without any more names.
fn node_of(mounted: &Mounted) -> Question {
    let (from, names): (_, Vec<Name>) = match mounted.node {
        Some(node) => (node, Vec::new()),
        None => {
            (ProviderNode::ROOT, mounted.trail.iter().map(|stride| stride.name.clone()).collect())
        }
    };
    Question {
        hook: mounted.hook,
        from,
        leg: Leg { known: names.len(), names, strides: Vec::new() },
    }
}
