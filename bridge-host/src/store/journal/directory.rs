//! The journal's files: read when the daemon starts, and made anew.
//!
//! ```text
//! journal/checkpoint         all rows that count, up to the end of some segment; replaced by rename
//! journal/<number>.log       segments: the rows since, in order; as large as was set aside for them
//! ```

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    disk::Disk,
    error::{JournalDamage, JournalError},
    frame::{self, End, Position},
    row::Row,
    rows::Rows,
};

const CHECKPOINT: &str = "checkpoint";
const INCOMING: &str = ".checkpoint";
const SEGMENT_ENDING: &str = ".log";

/// Bytes written at once when a file is filled.
const CHUNK_BYTES: usize = 1 << 20;

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

/// One file of rows.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: File,
    /// Bytes that are there already, as zeros: a row within them changes nothing of the file but its content, so that a sync
    /// is one write to the disk.
    pub(super) set_aside: u64,
}

/// What an earlier daemon left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) rows: Rows,
    pub(super) end: Position,
    pub(super) last_segment: u64,
    /// Bytes of rows that were never written whole, or came after such.
    pub(super) torn_bytes: u64,
}

/// The first row of a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    /// The last segment whose rows are in here.
    covers: u64,
}

/// The last one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closing {
    rows: u64,
}

impl Directory {
    pub(super) fn at(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, JournalError> {
        fs::DirBuilder::new()
            .recursive(true)
            .create(path)
            .map_err(JournalError::world("make", path))?;
        Ok(Self { path: path.to_owned(), disk })
    }

    /// Reads everything; changes nothing.
    pub(super) fn read(&self) -> Result<Left, JournalError> {
        let mut left = self.read_checkpoint()?;
        let numbers = self.segments()?.into_iter().filter(|number| *number > left.last_segment);
        let files = numbers
            .map(|number| {
                let path = self.segment_path(number);
                let bytes = fs::read(&path).map_err(JournalError::world("read", &path))?;
                Ok((number, bytes))
            })
            .collect::<Result<Vec<_>, JournalError>>()?;
        for (index, (number, bytes)) in files.iter().enumerate() {
            let path = self.segment_path(*number);
            if *number != left.last_segment + 1 {
                let missing = self.segment_path(left.last_segment + 1);
                return Err(JournalError::damaged(&missing, JournalDamage::Missing));
            }
            left.last_segment = *number;
            let damaged = |damage| JournalError::damaged(&path, damage);
            let (at, fault) = left.read_segment(bytes).map_err(damaged)?;
            // What comes later may prove that this was whole once.
            let later = || files[index + 1..].iter().map(|(_, bytes)| bytes.as_slice());
            let behind = || [&bytes[at..]].into_iter().chain(later());
            let cut_bytes = match (&fault, frame::end(&bytes[at..])) {
                (None, End::Clean) => continue,
                (_, End::Clean) => 0,
                (_, End::Torn { bytes }) => bytes,
            };
            if behind().map(frame::synced_by_frames_within).max() > Some(left.end) {
                return Err(damaged(fault.unwrap_or(JournalDamage::Row { at })));
            }
            let later_bytes = later().map(|bytes| match frame::end(bytes) {
                End::Clean => 0,
                End::Torn { bytes } => bytes,
            });
            left.torn_bytes = (cut_bytes + later_bytes.sum::<usize>()) as u64;
            left.last_segment = files.last().map_or(left.last_segment, |(number, _)| *number);
            break;
        }
        Ok(left)
    }

    fn read_checkpoint(&self) -> Result<Left, JournalError> {
        let path = self.path.join(CHECKPOINT);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::default()),
            other => other.map_err(JournalError::world("read", &path))?,
        };
        read_checkpoint(&bytes).map_err(|damage| JournalError::damaged(&path, damage))
    }

    /// Writes all rows down, as they are at the end of segment `covers`, and forgets the files that this makes useless.
    pub(super) fn write_checkpoint(
        &self,
        rows: &Rows,
        covers: u64,
        end: Position,
    ) -> Result<u64, JournalError> {
        let incoming = self.path.join(INCOMING);
        let world = |act| JournalError::world(act, &incoming);
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&incoming)
            .map_err(world("make"))?;
        let bytes = self.fill_checkpoint(&file, rows, covers, end).map_err(world("write"))?;
        self.disk.sync(&file).map_err(world("sync"))?;
        fs::rename(&incoming, self.path.join(CHECKPOINT)).map_err(world("rename"))?;
        self.sync_names()?;
        for number in self.segments()?.into_iter().filter(|number| *number <= covers) {
            let path = self.segment_path(number);
            fs::remove_file(&path).map_err(JournalError::world("remove", &path))?;
        }
        Ok(bytes)
    }

    fn fill_checkpoint(
        &self,
        file: &File,
        rows: &Rows,
        covers: u64,
        end: Position,
    ) -> io::Result<u64> {
        let mut buffer = frame::file_head(end);
        let (mut at, mut count) = (0, 0);
        frame::put(&mut buffer, end, &serde_json::to_vec(&Opening { covers })?);
        for row in rows.rows() {
            frame::put(&mut buffer, end, &row.to_json());
            count += 1;
            if buffer.len() > CHUNK_BYTES {
                self.disk.write_at(file, &buffer, at)?;
                at += buffer.len() as u64;
                buffer.clear();
            }
        }
        frame::put(&mut buffer, end, &serde_json::to_vec(&Closing { rows: count })?);
        self.disk.write_at(file, &buffer, at)?;
        Ok(at + buffer.len() as u64)
    }

    /// Makes a segment with so many bytes set aside.
    pub(super) fn make_segment(
        &self,
        number: u64,
        set_aside: u64,
    ) -> Result<Segment, JournalError> {
        let path = self.segment_path(number);
        let world = |act| JournalError::world(act, &path);
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(world("make"))?;
        let zeros = vec![0; CHUNK_BYTES.min(usize::try_from(set_aside).unwrap_or(CHUNK_BYTES))];
        let mut at = 0;
        while at < set_aside {
            let made = self.disk.write_at(&file, &zeros, at);
            if made.is_err() {
                let _ = fs::remove_file(&path); // a part of it is of no use, and takes room
            }
            made.map_err(world("set room aside in"))?;
            at += zeros.len() as u64;
        }
        if set_aside > 0 {
            file.sync_all().map_err(world("sync"))?;
        }
        self.sync_names()?;
        Ok(Segment { number, file, set_aside: at })
    }

    pub(super) fn segment_path(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}{SEGMENT_ENDING}"))
    }

    fn segments(&self) -> Result<Vec<u64>, JournalError> {
        let world = || JournalError::world("list", &self.path);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(world())? {
            let name = entry.map_err(world())?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SEGMENT_ENDING));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn sync_names(&self) -> Result<(), JournalError> {
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(JournalError::world("sync", &self.path))
    }
}

impl Left {
    /// Takes in the rows of the next segment; where the first that is not whole begins, and what is wrong there if it is not the
    /// row itself.
    fn read_segment(
        &mut self,
        bytes: &[u8],
    ) -> Result<(usize, Option<JournalDamage>), JournalDamage> {
        if frame::end(bytes) == End::Clean {
            return Ok((0, None));
        }
        let mut at = match frame::read_file_head(bytes) {
            Ok((base, _)) if base != self.end => {
                return Ok((0, Some(JournalDamage::Gap { seen: base.0, wanted: self.end.0 })));
            }
            Ok((_, first)) => first,
            Err(JournalDamage::NoHead) => return Ok((0, Some(JournalDamage::NoHead))),
            Err(other) => return Err(other),
        };
        while let Some(next) = frame::read(&bytes[at..]) {
            let meaning = |what| JournalDamage::Meaning { at, what };
            self.rows.apply(Row::of_json(next.body).map_err(meaning)?).map_err(meaning)?;
            at += next.bytes;
            self.end = self.end.plus(next.bytes);
        }
        Ok((at, None))
    }
}

fn read_checkpoint(bytes: &[u8]) -> Result<Left, JournalDamage> {
    let (end, mut at) = frame::read_file_head(bytes)?;
    let mut bodies = Vec::new();
    while let Some(next) = frame::read(&bytes[at..]) {
        bodies.push((at, next.body));
        at += next.bytes;
    }
    if at != bytes.len() {
        return Err(JournalDamage::Row { at });
    }
    let cut_short = || JournalDamage::CutShort { at };
    let (_, opening) = bodies.first().ok_or_else(cut_short)?;
    let Opening { covers } = serde_json::from_slice(opening).map_err(|_| cut_short())?;
    let (closing, rows) = bodies[1..].split_last().ok_or_else(cut_short)?;
    let Closing { rows: count } = serde_json::from_slice(closing.1).map_err(|_| cut_short())?;
    if count != rows.len() as u64 {
        return Err(cut_short());
    }
    let mut left = Left { end, last_segment: covers, ..Left::default() };
    for (at, body) in rows {
        let meaning = |what| JournalDamage::Meaning { at: *at, what };
        left.rows.apply(Row::of_json(body).map_err(meaning)?).map_err(meaning)?;
    }
    Ok(left)
}
