//! Moves the bytes of one client connection: the only one that touches its stream.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use secure9p::Violation;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::warn;

use crate::{
    client::{
        Cause,
        link::{Link, State},
    },
    scratch,
};

/// A stream and what goes over it. Ends when the stream does, when the server breaks the protocol, or when nobody uses
/// the connection any more; then every call that still waits fails.
pub(crate) struct Driver<S> {
    link: Arc<Link>,
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(crate) fn new(link: Arc<Link>, stream: S) -> Self {
        Self { link, stream }
    }

    pub(crate) async fn run(mut self) {
        let cause = poll_fn(|cx| self.poll_end(cx)).await;
        self.link.finish(cause);
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Cause> {
        loop {
            let heard = match self.poll_receive(cx) {
                Ok(heard) => heard,
                Err(cause) => return Poll::Ready(cause),
            };
            let mut state = self.link.state();
            let sent = match poll_send(&mut state, Pin::new(&mut self.stream), cx) {
                Ok(sent) => sent,
                Err(cause) => return Poll::Ready(lost(&cause)),
            };
            if state.hung_up && sent.is_ready() {
                // nobody is left to be told that the farewell failed
                let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
                return Poll::Ready(Cause::Lost("it was closed".to_owned()));
            }
            if heard.is_pending() {
                state.driver = Some(cx.waker().clone());
            }
            drop(state);
            self.link.made_room();
            ready!(heard);
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Cause> {
        let Self { link, stream } = self;
        scratch::with_input(|input| {
            let mut input = ReadBuf::new(input);
            match Pin::new(stream).poll_read(cx, &mut input) {
                Poll::Pending => Ok(Poll::Pending),
                Poll::Ready(Err(cause)) => Err(lost(&cause)),
                Poll::Ready(Ok(())) if input.filled().is_empty() => {
                    Err(Cause::Lost("the server closed it".to_owned()))
                }
                Poll::Ready(Ok(())) => receive(link, input.filled()).map(Poll::Ready),
            }
        })
    }
}

impl<S> Drop for Driver<S> {
    /// Also when the runtime ends under us.
    fn drop(&mut self) {
        self.link.finish(Cause::Lost("its runtime ended".to_owned()));
    }
}

fn receive(link: &Link, bytes: &[u8]) -> Result<(), Cause> {
    let mut state = link.state();
    let outcome = state.session.receive(bytes);
    state.deliver(link.options());
    outcome.map_err(|violation| {
        if let Violation::NotLetIn { errno } = violation {
            return Cause::Refused(errno);
        }
        warn!("server broke the protocol: {violation}; last: {}", state.session.recent());
        Cause::Nonsense(format!("the server broke the protocol: {violation}"))
    })
}

/// `Ready` when all is sent.
fn poll_send(
    state: &mut State,
    mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    cx: &mut Context<'_>,
) -> io::Result<Poll<()>> {
    while !state.session.transmit().is_empty() {
        match stream.as_mut().poll_write(cx, state.session.transmit())? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => state.session.sent(count),
            Poll::Pending => return Ok(Poll::Pending),
        }
    }
    match stream.poll_flush(cx) {
        Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
        Poll::Ready(Err(cause)) => Err(cause),
        Poll::Pending => Ok(Poll::Pending),
    }
}

fn lost(cause: &io::Error) -> Cause {
    Cause::Lost(cause.to_string())
}
