//! The two buffers of a worker thread, lent to whichever connection it is serving: what an idle connection does not
//! have to own.

use std::cell::Cell;

use crate::limits::{READ_BYTES_MAX, REPLY_BYTES_KEPT};

thread_local! {
    static INPUT: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static REPLIES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's input buffer to `read`.
pub(crate) fn with_input<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut input = INPUT.take().unwrap_or_else(|| vec![0; READ_BYTES_MAX].into_boxed_slice());
    let result = read(&mut input);
    INPUT.set(Some(input));
    result
}

/// Takes the thread's reply buffer, empty. Give it back, or keep it while a peer is slow.
pub(crate) fn take_replies() -> Vec<u8> {
    REPLIES.take()
}

/// Gives a reply buffer back, if it is not too large to keep.
pub(crate) fn give_back_replies(mut replies: Vec<u8>) {
    if replies.capacity() <= REPLY_BYTES_KEPT {
        replies.clear();
        REPLIES.set(replies);
    }
}
