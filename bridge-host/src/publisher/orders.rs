//! A fid on `ctl`, `lease` or `job`: records are put together and carried out, status lines are read back.

use std::collections::VecDeque;

use ninedoor::record::{Framing, RecordAssembly, StatusLines};
use ninedoor_abi::{
    Errno, GpuId, Refusal, StatusLine,
    ctl::{Outcome, Verb},
    job::Sha256,
    limits::{CTL_LINE_BYTES_MAX, DESCRIPTOR_BYTES_MAX},
};

use super::{Asking, open_file::part, place::GpuFile};
use crate::{
    dispatcher::{Dispatcher, Submitted},
    store::Position,
};

/// Bytes of status lines that one fid keeps for its reader.
const STATUS_BYTES_MAX: usize = 64 * 1024;

/// Bytes of records that have not ended, of all fids together.
const UNFINISHED_BYTES_MAX: usize = 256 << 20;

/// One such fid.
#[derive(Debug)]
pub(super) struct Orders {
    gpu: GpuId,
    file: GpuFile,
    writable: bool,
    assembly: RecordAssembly,
    status: StatusLines,
    last: Option<Refusal>,
    /// Up to where must be on the disk before anybody is told of what became of the records.
    pub(super) told_of: Position,
    /// What is read as long as nothing was written.
    recent: Vec<u8>,
    written: bool,
    /// Records that are complete and not yet carried out.
    due: VecDeque<Vec<u8>>,
    /// Bytes of those, and of the record that has no newline yet.
    unfinished_bytes: usize,
}

/// How far the records of one write have got.
#[derive(Debug)]
pub(super) enum Progress {
    /// They are carried out, up to the first that was refused.
    Done(Result<(), Refusal>),
    /// The next one waits until this module has been read.
    Unread(Sha256),
}

impl Orders {
    pub(super) fn new(gpu: GpuId, file: GpuFile, writable: bool, recent: Vec<u8>) -> Self {
        let framing = if file == GpuFile::Job { Framing::Object } else { Framing::Line };
        Self {
            gpu,
            file,
            writable,
            assembly: RecordAssembly::of(framing),
            status: StatusLines::default(),
            last: None,
            told_of: Position::default(),
            recent,
            written: false,
            due: VecDeque::new(),
            unfinished_bytes: 0,
        }
    }

    /// Takes bytes and carries out the records that are complete with them. Each leaves a status line. After the first refusal
    /// those that follow in the same write are not carried out.
    pub(super) fn write(
        &mut self,
        dispatcher: &mut Dispatcher,
        asking: &Asking<'_>,
        data: &[u8],
    ) -> Progress {
        match self.take(dispatcher, data) {
            Ok(()) => self.go_on(dispatcher, asking),
            Err(refusal) => Progress::Done(Err(refusal)),
        }
    }

    fn take(&mut self, dispatcher: &mut Dispatcher, data: &[u8]) -> Result<(), Refusal> {
        if !self.writable {
            return Err(super::refuse(Errno::EBADF, "not open for writing"));
        }
        self.written = true;
        self.last = None;
        if let Err(refusal) = self.take_room(&mut dispatcher.unfinished, data) {
            return self.conclude(StatusLine::err(self.verb_of(data), refusal));
        }
        let assembled = self.assembly.write(data, self.record_bytes_max());
        match assembled {
            Ok(records) => self.due.extend(records),
            Err(refusal) => {
                self.count_unfinished(&mut dispatcher.unfinished);
                return self.conclude(StatusLine::err(self.verb_of(data), refusal));
            }
        }
        Ok(())
    }

    /// Carries out what is due, as far as that can be done now.
    pub(super) fn go_on(&mut self, dispatcher: &mut Dispatcher, asking: &Asking<'_>) -> Progress {
        let mut outcome = Ok(());
        while let Some(record) = self.due.pop_front() {
            match self.carry_out(dispatcher, asking, &record) {
                Progress::Done(Ok(())) => {}
                Progress::Done(refused) => {
                    outcome = refused;
                    self.due.clear();
                    self.assembly.clear();
                }
                Progress::Unread(module) => {
                    self.due.push_front(record);
                    self.count_unfinished(&mut dispatcher.unfinished);
                    return Progress::Unread(module);
                }
            }
        }
        self.count_unfinished(&mut dispatcher.unfinished);
        Progress::Done(outcome)
    }

    /// Unfinished records of all fids together are bounded: a peer may open many. Whether `data` ends its record is seen only
    /// when it has been put together, for a newline within an object ends none.
    fn take_room(&mut self, unfinished: &mut usize, data: &[u8]) -> Result<(), Refusal> {
        let others = *unfinished - self.unfinished_bytes;
        if others + self.unfinished_bytes + data.len() > UNFINISHED_BYTES_MAX {
            self.assembly.clear();
            self.give_room_back(unfinished);
            let text = format!(
                "unfinished records take {others} bytes of {UNFINISHED_BYTES_MAX}, try again later"
            );
            return Err(super::refuse(Errno::EAGAIN, text));
        }
        Ok(())
    }

    fn count_unfinished(&mut self, unfinished: &mut usize) {
        self.give_room_back(unfinished);
        let due = self.due.iter().map(Vec::len).sum::<usize>();
        self.unfinished_bytes = self.assembly.unfinished_bytes() + due;
        *unfinished += self.unfinished_bytes;
    }

    /// What has not been carried out is not there any more.
    pub(super) const fn give_room_back(&mut self, unfinished: &mut usize) {
        *unfinished -= self.unfinished_bytes;
        self.unfinished_bytes = 0;
    }

    /// The fid goes: a record without a newline ends here.
    pub(super) fn finish(&mut self, dispatcher: &mut Dispatcher, asking: &Asking<'_>) -> Progress {
        self.due.extend(self.assembly.finish());
        self.go_on(dispatcher, asking)
    }

    pub(super) fn read(&mut self, offset: u64, count: usize) -> Vec<u8> {
        if self.written {
            self.status.read(offset, count).to_vec()
        } else {
            part(&self.recent, offset, count).to_vec()
        }
    }

    /// How the last write was refused, if it was.
    pub(super) fn last_refusal(&self) -> Option<Refusal> {
        self.last.clone()
    }

    fn carry_out(
        &mut self,
        dispatcher: &mut Dispatcher,
        asking: &Asking<'_>,
        record: &[u8],
    ) -> Progress {
        let before = dispatcher.stored_up_to();
        let status = match self.file {
            GpuFile::Job => match dispatcher.submit(&self.gpu, asking.caller, record, asking.now) {
                Submitted::Answered(status) => status,
                Submitted::Unread(module) => return Progress::Unread(module),
            },
            GpuFile::Lease => dispatcher.renew(&self.gpu, asking.caller, &text(record), asking.now),
            _ => dispatcher.control(&self.gpu, asking.caller, &text(record), asking.now),
        };
        if dispatcher.stored_up_to() > before {
            self.told_of = dispatcher.stored_up_to();
        }
        Progress::Done(self.conclude(status))
    }

    fn conclude(&mut self, status: StatusLine) -> Result<(), Refusal> {
        self.status.push(&status.to_string(), STATUS_BYTES_MAX);
        match status.outcome {
            Outcome::Ok(_) => Ok(()),
            Outcome::Err(refusal) => {
                self.last = Some(refusal.clone());
                Err(refusal)
            }
        }
    }

    const fn record_bytes_max(&self) -> usize {
        match self.file {
            GpuFile::Job => DESCRIPTOR_BYTES_MAX,
            _ => CTL_LINE_BYTES_MAX,
        }
    }

    fn verb_of(&self, data: &[u8]) -> Verb {
        match self.file {
            GpuFile::Job => Verb::Job,
            _ => Verb::of_line(&text(data)),
        }
    }
}

/// A line that is not UTF-8 is refused by the grammar for what it is: not a word of it.
fn text(record: &[u8]) -> String {
    String::from_utf8_lossy(record).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Orders {
        Orders::new("GPU-0".parse().unwrap(), GpuFile::Job, true, Vec::new())
    }

    fn write(orders: &mut Orders, unfinished: &mut usize, data: &[u8]) {
        orders.take_room(unfinished, data).unwrap();
        orders.assembly.write(data, DESCRIPTOR_BYTES_MAX).unwrap();
        orders.count_unfinished(unfinished);
    }

    /// Proves BR-26.
    #[test]
    fn unfinished_records_take_room_until_they_end_and_no_more_than_there_is() {
        let (mut one, mut other, mut unfinished) = (orders(), orders(), 0);
        write(&mut one, &mut unfinished, &[b'x'; 100]);
        write(&mut other, &mut unfinished, b"abc");
        assert_eq!(unfinished, 103);
        write(&mut one, &mut unfinished, b"y\nzz");
        assert_eq!(unfinished, 5);
        unfinished += UNFINISHED_BYTES_MAX - 5;
        let refusal = other.take_room(&mut unfinished, b"d").unwrap_err();
        assert_eq!(refusal.errno, Errno::EAGAIN);
        assert_eq!(
            refusal.text,
            "unfinished records take 268435453 bytes of 268435456, try again later"
        );
        assert_eq!(unfinished, UNFINISHED_BYTES_MAX - 3, "what it had is given back");
    }

    /// Proves BR-26.
    #[test]
    fn newlines_within_an_unfinished_descriptor_take_room_too() {
        let (mut one, mut unfinished) = (orders(), 0);
        write(&mut one, &mut unfinished, b"{\n\n\n\n");
        write(&mut one, &mut unfinished, b"\n\n");
        assert_eq!(unfinished, 7);
        write(&mut one, &mut unfinished, b"}\n");
        assert_eq!(unfinished, 0);
    }
}
