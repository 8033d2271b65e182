//! One connection's calls: shared by everyone who uses it, moved by its driver.
//!
//! Knows which caller waits for which reply, and cleans up after callers that stopped waiting. Knows no paths.
//!
//! ```text
//!            start               reply               poll
//! caller ──────────▶ Waiting ──────────▶ Answered ──────────▶ caller
//!                       │ drop               │ drop
//!                       ▼ Tflush             ▼
//!                   Forgotten ── reply ──▶ a fid that it made is clunked
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    ops::Deref,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use secure9p::{CallId, ClientSession, Errno, Fid, Rmessage, Tmessage};
use tokio::{sync::Notify, time::timeout};

use crate::client::{Cause, ConnectOptions};

/// What the users of one connection and its driver share.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Rings when calls that were too many, or bytes that were too much, have become fewer.
    room: Notify,
    options: ConnectOptions,
}

pub(crate) struct State {
    pub(crate) session: ClientSession,
    calls: BTreeMap<CallId, InFlight>,
    /// Fids that nobody uses any more, while there is no room for their Tclunk.
    unclunked: Vec<Fid>,
    /// The driver's task, while it sleeps.
    pub(crate) driver: Option<Waker>,
    greeted: Option<Waker>,
    /// Nobody uses the connection any more.
    pub(crate) hung_up: bool,
    /// It is over.
    end: Option<Cause>,
}

struct InFlight {
    progress: Progress,
    effect: Effect,
}

enum Progress {
    Waiting(Option<Waker>),
    Answered(Result<Rmessage, Errno>),
    Forgotten,
}

/// What a call does to fids: it must be known even when nobody waits for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    /// Makes this fid, if it succeeds.
    Makes(Fid),
    /// Ends this fid, whatever the answer is.
    Ends(Fid),
}

/// A use of the connection; the last one to go hangs up.
pub(crate) struct User(Arc<Link>);

/// A call on its way. Dropping it gives it up.
pub(crate) struct Call {
    user: Arc<User>,
    id: CallId,
    over: bool,
}

impl Link {
    pub(crate) fn new(options: ConnectOptions) -> Arc<Self> {
        let state = State {
            session: ClientSession::new(options.limits()),
            calls: BTreeMap::new(),
            unclunked: Vec::new(),
            driver: None,
            greeted: None,
            hung_up: false,
            end: None,
        };
        Arc::new(Self { state: Mutex::new(state), room: Notify::new(), options })
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once the server has agreed to a version.
    pub(crate) async fn greeted(&self) -> Result<(), Cause> {
        poll_fn(|cx| {
            let mut state = self.state();
            if let Some(end) = &state.end {
                return Poll::Ready(Err(end.clone()));
            }
            if state.session.negotiated().is_some() {
                return Poll::Ready(Ok(()));
            }
            state.greeted = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Why the connection is over, if it is.
    pub(crate) fn end(&self) -> Option<Cause> {
        self.state().end.clone()
    }

    /// Tells everyone that the connection is over.
    pub(crate) fn finish(&self, cause: Cause) {
        let mut state = self.state();
        state.end.get_or_insert(cause);
        let waiting = state.calls.values_mut().filter_map(InFlight::take_waker);
        let wakers: Vec<_> = waiting.collect();
        wakers.into_iter().chain(state.greeted.take()).for_each(Waker::wake);
        drop(state);
        self.room.notify_waiters();
    }

    /// Calls have been answered, or bytes sent.
    pub(crate) fn made_room(&self) {
        self.room.notify_waiters();
    }

    /// Lets go of a fid, and waits for nothing.
    pub(crate) fn let_go(&self, fid: Fid) {
        let mut state = self.state();
        state.unclunked.push(fid);
        state.clunk_unused(&self.options);
        state.wake_driver();
    }
}

impl User {
    pub(crate) fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self(link))
    }

    /// A fid number that is free.
    pub(crate) fn new_fid(&self) -> Result<Fid, Cause> {
        self.state().session.new_fid().ok_or_else(|| {
            let fids_max = self.options.limits().fids_max;
            Cause::Unusable(format!(
                "{fids_max} fids are in use, the most there may be; close some"
            ))
        })
    }

    /// Makes a call, and waits for its reply.
    pub(crate) async fn call(
        self: &Arc<Self>,
        message: Tmessage,
        effect: Effect,
    ) -> Result<Rmessage, Cause> {
        self.timed(async { self.start(message, effect).await?.await }).await
    }

    /// What comes of `call`, if it comes in time.
    pub(crate) async fn timed<T>(
        &self,
        call: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, Cause> {
        match self.options.call_timeout {
            None => call.await,
            Some(limit) => timeout(limit, call).await.unwrap_or(Err(Cause::TimedOut(limit))),
        }
    }

    /// Sends a call as soon as there is room for it.
    pub(crate) async fn start(
        self: &Arc<Self>,
        message: Tmessage,
        effect: Effect,
    ) -> Result<Call, Cause> {
        let mut message = Some(message);
        loop {
            if let Some(call) = self.try_start(&mut message, effect)? {
                return Ok(call);
            }
            let mut rung = pin!(self.room.notified());
            rung.as_mut().enable();
            if let Some(call) = self.try_start(&mut message, effect)? {
                return Ok(call);
            }
            rung.await;
        }
    }

    /// Sends a call if there is room for it.
    fn try_start(
        self: &Arc<Self>,
        message: &mut Option<Tmessage>,
        effect: Effect,
    ) -> Result<Option<Call>, Cause> {
        let mut state = self.state();
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        if !state.has_room(&self.options) {
            return Ok(None);
        }
        let Some(message) = message.take() else { return Ok(None) };
        let id =
            state.session.call(message).map_err(|refused| Cause::Unusable(refused.to_string()))?;
        let progress = Progress::Waiting(None);
        state.calls.insert(id, InFlight { progress, effect });
        state.wake_driver();
        drop(state);
        Ok(Some(Call { user: Arc::clone(self), id, over: false }))
    }
}

impl State {
    fn has_room(&self, options: &ConnectOptions) -> bool {
        let limits = options.limits();
        self.session.in_flight() < limits.calls_max
            && self.session.transmit().len() < limits.transmit_bytes_max
    }

    pub(crate) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// Hands replies to those who wait for them; whether there were any.
    pub(crate) fn deliver(&mut self, options: &ConnectOptions) -> bool {
        if self.session.negotiated().is_some()
            && let Some(greeted) = self.greeted.take()
        {
            greeted.wake();
        }
        let mut any = false;
        while let Some((id, reply)) = self.session.poll_reply() {
            any = true;
            self.settle(id, reply);
        }
        self.clunk_unused(options);
        any
    }

    fn settle(&mut self, id: CallId, reply: Result<Rmessage, Errno>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (made, forgotten) = (reply.is_ok(), matches!(call.progress, Progress::Forgotten));
        match call.effect {
            Effect::Ends(fid) => self.session.forget_fid(fid),
            Effect::Makes(fid) if !made => self.session.forget_fid(fid),
            Effect::Makes(fid) if forgotten => self.unclunked.push(fid),
            Effect::Makes(_) | Effect::None => {}
        }
        if forgotten {
            self.calls.remove(&id);
        } else {
            let waker = call.take_waker();
            call.progress = Progress::Answered(reply);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    fn clunk_unused(&mut self, options: &ConnectOptions) {
        while !self.unclunked.is_empty() && self.has_room(options) {
            let Some(fid) = self.unclunked.pop() else { return };
            if let Ok(id) = self.session.call(Tmessage::Clunk { fid }) {
                let (progress, effect) = (Progress::Forgotten, Effect::Ends(fid));
                self.calls.insert(id, InFlight { progress, effect });
            }
        }
    }

    fn poll_call(&mut self, id: CallId, cx: &Context<'_>) -> Poll<Result<Rmessage, Cause>> {
        let Some(call) = self.calls.get_mut(&id) else {
            return Poll::Ready(Err(Cause::Lost("the call is over".to_owned())));
        };
        match (&mut call.progress, &self.end) {
            (Progress::Answered(_), _) => {}
            (_, Some(end)) => return Poll::Ready(Err(end.clone())),
            (progress, None) => {
                *progress = Progress::Waiting(Some(cx.waker().clone()));
                return Poll::Pending;
            }
        }
        match self.calls.remove(&id).map(|call| call.progress) {
            Some(Progress::Answered(reply)) => Poll::Ready(reply.map_err(Cause::Refused)),
            _ => Poll::Pending,
        }
    }

    /// The caller is gone. What would end a fid goes on: after a Tflush nobody would know whether the fid is free.
    fn forget(&mut self, id: CallId, options: &ConnectOptions) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match (&call.progress, call.effect) {
            (Progress::Answered(reply), effect) => {
                if let (Ok(_), Effect::Makes(fid)) = (reply, effect) {
                    self.unclunked.push(fid);
                }
                self.calls.remove(&id);
                self.clunk_unused(options);
            }
            (_, Effect::Ends(_)) => call.progress = Progress::Forgotten,
            (_, Effect::None | Effect::Makes(_)) => {
                call.progress = Progress::Forgotten;
                self.session.cancel(id);
            }
        }
        self.wake_driver();
    }
}

impl InFlight {
    fn take_waker(&mut self) -> Option<Waker> {
        match &mut self.progress {
            Progress::Waiting(waker) => waker.take(),
            Progress::Answered(_) | Progress::Forgotten => None,
        }
    }
}

impl Future for Call {
    type Output = Result<Rmessage, Cause>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.user.state().poll_call(self.id, cx);
        self.over = polled.is_ready();
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.over {
            self.user.state().forget(self.id, &self.user.options);
        }
    }
}

impl Deref for User {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.0
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.hung_up = true;
        state.wake_driver();
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("end", &self.0.end()).finish_non_exhaustive()
    }
}
