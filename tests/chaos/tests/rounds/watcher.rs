//! Reads `stats` as long as there is a daemon to read it from, and keeps the books.

use std::sync::Arc;

use secure9p::OpenFlags;
use secure9p_tokio::Root;
use tokio::task::JoinHandle;

use crate::books::Books;

const READ_BYTES: usize = 256 * 1024;

/// Follows the records until the daemon is gone.
pub(crate) fn follow(queen: Root, books: Arc<Books>) -> JoinHandle<()> {
    books.a_daemon_starts();
    tokio::spawn(async move {
        let Ok(file) = queen.open("/gpu/GPU-0/stats", OpenFlags::RDONLY).await else { return };
        let (mut offset, mut rest) = (0, Vec::new());
        while let Ok(bytes) = file.read_at(offset, READ_BYTES).await {
            if bytes.is_empty() {
                books.all_that_was_kept_is_read();
                tokio::task::yield_now().await;
            }
            offset += bytes.len() as u64;
            rest.extend(bytes);
            let complete = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in String::from_utf8(rest.drain(..complete).collect()).unwrap().lines() {
                books.read(line);
            }
        }
    })
}
