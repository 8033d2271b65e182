//! A fid that the server holds for us, and lets go of when nobody needs it any more.

use std::sync::Arc;

use secure9p::{Fid, Name, Rmessage, Tmessage, limits::WALK_NAMES_MAX};

use crate::client::{
    Cause,
    link::{Call, Effect, User},
};

/// A fid of ours. Dropping it clunks it, and waits for nothing.
#[derive(Debug)]
pub(crate) struct OwnedFid {
    user: Arc<User>,
    fid: Fid,
    clunked: bool,
}

impl OwnedFid {
    /// Takes over a fid that the server has just made.
    pub(crate) fn new(user: &Arc<User>, fid: Fid) -> Self {
        Self { user: Arc::clone(user), fid, clunked: false }
    }

    pub(crate) fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The file at `names` from here, as a fid of its own.
    pub(crate) async fn walk(&self, names: &[Name]) -> Result<Self, Cause> {
        let mut parts = names.chunks(WALK_NAMES_MAX);
        let mut found = self.step(parts.next().unwrap_or_default()).await?;
        for part in parts {
            found = found.step(part).await?;
        }
        Ok(found)
    }

    /// One Twalk.
    async fn step(&self, names: &[Name]) -> Result<Self, Cause> {
        let newfid = self.user.new_fid()?;
        let wname: Vec<_> = names.iter().map(ToString::to_string).collect();
        let walk = Tmessage::Walk { fid: self.fid, newfid, wname };
        match self.user.call(walk, Effect::Makes(newfid)).await? {
            Rmessage::Walk { wqid } if wqid.len() == names.len() => {
                Ok(Self::new(&self.user, newfid))
            }
            // walk(5): a partial walk makes no fid, and the element after the last qid is the one that is missing
            Rmessage::Walk { .. } => {
                self.user.state().session.forget_fid(newfid);
                Err(secure9p::Errno::ENOENT.into())
            }
            other => Err(nonsense(&other, "Twalk")),
        }
    }

    /// Makes a call about this fid, which leaves it as it is.
    pub(crate) async fn call(
        &self,
        message: impl FnOnce(Fid) -> Tmessage,
    ) -> Result<Rmessage, Cause> {
        self.user.call(message(self.fid), Effect::None).await
    }

    /// Sends a call about this fid, whose reply is waited for later.
    pub(crate) async fn start(&self, message: impl FnOnce(Fid) -> Tmessage) -> Result<Call, Cause> {
        self.user.start(message(self.fid), Effect::None).await
    }

    /// Lets go of the fid, and tells what the server says to that.
    pub(crate) async fn clunk(self) -> Result<(), Cause> {
        self.end(|fid| Tmessage::Clunk { fid }).await
    }

    /// Removes the file, and lets go of the fid whether that succeeds or not.
    pub(crate) async fn remove(self) -> Result<(), Cause> {
        self.end(|fid| Tmessage::Remove { fid }).await
    }

    async fn end(mut self, message: impl FnOnce(Fid) -> Tmessage) -> Result<(), Cause> {
        let user = Arc::clone(&self.user);
        user.timed(async {
            let call = user.start(message(self.fid), Effect::Ends(self.fid)).await?;
            self.clunked = true;
            call.await.map(drop)
        })
        .await
    }
}

impl Drop for OwnedFid {
    fn drop(&mut self) {
        if !self.clunked {
            self.user.let_go(self.fid);
        }
    }
}

/// A reply that cannot be one to this call.
pub(crate) fn nonsense(reply: &Rmessage, call: &str) -> Cause {
    Cause::Nonsense(format!("the server answered {call} with {}", reply.name()))
}
