//! Files as memory: how bulk data reaches the device with one copy and comes back with one.
//!
//! The one place of the daemon's package with `unsafe` in it.
#![allow(
    unsafe_code,
    reason = "mapping a file is sound only as long as nobody truncates it: ARCHITECTURE, invariant 8"
)]

use std::{fs::File, io};

use memmap2::{Mmap, MmapMut};

/// A file that nobody changes any more, as bytes.
#[derive(Debug)]
pub(super) struct ReadMapping(Option<Mmap>);

impl ReadMapping {
    /// Maps all of `file`.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None)); // mmap(2) refuses an empty range
        }
        // SAFETY: the daemon hands over only artefacts that are sealed: files of the store, which have no writer after they got
        // their name and are mode 0400, and memfds it has finished writing. No one truncates or changes them.
        let mapping = unsafe { Mmap::map(file)? };
        Ok(Self(Some(mapping)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A file of fixed size that only this process writes, as bytes.
#[derive(Debug)]
pub(super) struct WriteMapping(Option<MmapMut>);

impl WriteMapping {
    /// Maps all of `file`.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: an output file is made for one run and given its size by the daemon before that; the daemon neither reads nor
        // resizes it until this process has reported the run's end, and gives it to no other process.
        let mapping = unsafe { MmapMut::map_mut(file)? };
        Ok(Self(Some(mapping)))
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn what_is_written_through_a_mapping_is_read_from_the_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(5).unwrap();
        WriteMapping::of(&file).unwrap().bytes_mut().copy_from_slice(b"hello");
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn an_empty_file_maps_to_no_bytes() {
        let file = tempfile::tempfile().unwrap();
        assert!(ReadMapping::of(&file).unwrap().bytes().is_empty());
        assert!(WriteMapping::of(&file).unwrap().bytes_mut().is_empty());
    }

    #[test]
    fn a_read_mapping_shows_the_whole_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        assert_eq!(ReadMapping::of(&file).unwrap().bytes(), &[7; 10_000]);
    }
}
