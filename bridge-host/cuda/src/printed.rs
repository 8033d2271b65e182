//! What kernels print: the driver writes it to the process's standard output, which an executor has to spare.
#![allow(
    unsafe_code,
    reason = "flushes the C library's standard output: ARCHITECTURE, invariant 8"
)]

use std::{
    ffi::{c_int, c_void},
    fs::File,
    io,
    os::unix::fs::FileExt,
};

unsafe extern "C" {
    fn fflush(stream: *mut c_void) -> c_int;
}

/// Standard output, turned into a file in memory.
#[derive(Debug)]
pub(crate) struct Printed {
    file: File,
    taken_bytes: u64,
    limit_bytes: usize,
}

impl Printed {
    /// Turns this process's standard output into a file in memory.
    pub(crate) fn capture(limit_bytes: u32) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("printf", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::stdio::dup2_stdout(&file)?;
        Ok(Self::of(file.into(), limit_bytes))
    }

    fn of(file: File, limit_bytes: u32) -> Self {
        Self { file, taken_bytes: 0, limit_bytes: limit_bytes as usize }
    }

    /// What was printed since the last time, cut at the limit.
    pub(crate) fn take(&mut self) -> String {
        // SAFETY: a null stream means all of them; the C library locks each.
        unsafe { fflush(std::ptr::null_mut()) };
        let end = self.file.metadata().map_or(self.taken_bytes, |facts| facts.len());
        let fresh = usize::try_from(end.saturating_sub(self.taken_bytes)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; fresh.min(self.limit_bytes)];
        let read = self.file.read_exact_at(&mut bytes, self.taken_bytes);
        self.taken_bytes = end;
        if read.is_err() { String::new() } else { String::from_utf8_lossy(&bytes).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_printed_is_taken_once_and_cut_at_the_limit() {
        let memory = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut writer = File::from(memory);
        let mut printed = Printed::of(writer.try_clone().unwrap(), 8);
        writer.write_all(b"hello").unwrap();
        assert_eq!(printed.take(), "hello");
        writer.write_all(b"0123456789").unwrap();
        assert_eq!(printed.take(), "01234567");
        assert_eq!(printed.take(), "");
    }
}
