//! Replies on their way to a peer that may be slow.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

/// Replies, and how many of their bytes the stream has taken.
#[derive(Debug)]
pub(crate) struct Unsent {
    replies: Vec<u8>,
    taken: usize,
}

/// What a stream made of the replies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Took all of them.
    All,
    /// Would block; `progressed` when it took some first.
    Blocked { progressed: bool },
}

impl Unsent {
    pub(crate) fn new(replies: Vec<u8>) -> Self {
        Self { replies, taken: 0 }
    }

    /// The buffer, for the next replies.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.replies
    }

    /// Hands the stream what it will take now.
    pub(crate) fn poll_write(
        &mut self,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> io::Result<Taken> {
        let before = self.taken;
        while let Some(rest) = self.replies.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match stream.as_mut().poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => self.taken += taken,
                Poll::Pending => return Ok(Taken::Blocked { progressed: self.taken > before }),
            }
        }
        Ok(match stream.poll_flush(cx)? {
            Poll::Ready(()) => Taken::All,
            Poll::Pending => Taken::Blocked { progressed: self.taken > before },
        })
    }

    /// Gives up room that the rest does not need: a slow peer costs what it has not taken, not what it once asked for.
    pub(crate) fn trim(&mut self) {
        let rest = self.replies.len() - self.taken;
        if rest < self.replies.capacity() / 2 {
            self.replies.drain(..self.taken);
            self.replies.shrink_to_fit();
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_slow_peer_costs_no_more_than_what_it_has_not_taken() {
        let (mut ours, mut theirs) = duplex(6);
        let mut replies = Vec::with_capacity(4096);
        replies.extend_from_slice(b"0123456789");
        let mut unsent = Unsent::new(replies);
        let mut cx = Context::from_waker(Waker::noop());

        let mut write = |unsent: &mut Unsent| unsent.poll_write(Pin::new(&mut ours), &mut cx);
        assert_eq!(write(&mut unsent).unwrap(), Taken::Blocked { progressed: true });
        assert_eq!(write(&mut unsent).unwrap(), Taken::Blocked { progressed: false });
        unsent.trim();
        assert!(unsent.replies.capacity() < 64);

        let mut heard = [0; 6];
        theirs.read_exact(&mut heard).await.unwrap();
        assert_eq!(write(&mut unsent).unwrap(), Taken::All);
        let mut rest = [0; 4];
        theirs.read_exact(&mut rest).await.unwrap();
        assert_eq!((&heard, &rest), (b"012345", b"6789"));
    }
}
