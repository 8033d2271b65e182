//! The journal as a whole: what is there again after a crash, and what is refused.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bridge_host_broker::JobNumber;
use tempfile::TempDir;

use super::{
    row::tests::{accepted, step},
    *,
};

struct World {
    directory: TempDir,
    disk: Arc<FaultyDisk>,
}

/// A disk that fails when it is told to.
#[derive(Debug, Default)]
struct FaultyDisk {
    full: AtomicBool,
    sick: AtomicBool,
    syncs: AtomicU64,
    /// Held by a test that wants syncs to wait.
    gate: Mutex<()>,
}

impl Disk for FaultyDisk {
    fn write_at(&self, file: &fs::File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        RealDisk.write_at(file, bytes, at)
    }

    fn sync(&self, file: &fs::File) -> io::Result<()> {
        drop(self.gate.lock().unwrap());
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.sick.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is sick"));
        }
        RealDisk.sync(file)
    }
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), disk: Arc::default() }
    }

    fn open(&self) -> (Journal, Rows) {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<(Journal, Rows), JournalError> {
        let disk: Arc<dyn Disk> = Arc::<FaultyDisk>::clone(&self.disk);
        Journal::open_on(&self.directory.path().join("journal"), disk)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("journal").join(name)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.file("")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Overwrites bytes of a file.
    fn scratch(&self, name: &str, at: u64) {
        let file = fs::File::options().write(true).open(self.file(name)).unwrap();
        file.write_all_at(b"?", at).unwrap();
    }

    fn refusal(&self) -> String {
        let error = self.try_open().unwrap_err().to_string();
        error.replace(self.directory.path().to_str().unwrap(), "")
    }
}

fn append(journal: &mut Journal, rows: impl IntoIterator<Item = Row>) -> Position {
    journal.append(&mut rows.into_iter().collect()).unwrap()
}

fn jobs(rows: &Rows) -> Vec<u64> {
    rows.jobs.keys().map(|number| number.0).collect()
}

/// A journal with threads, and the bell they ring.
fn started(journal: &mut Journal) -> (JournalThreads, mpsc::Receiver<()>) {
    let (ring, bell) = mpsc::channel();
    let threads = journal
        .start(move || {
            let _ = ring.send(());
        })
        .unwrap();
    (threads, bell)
}

/// Proves BR-27.
#[test]
fn what_was_appended_is_there_again_after_a_crash() {
    let world = World::new();
    let (mut journal, nothing) = world.open();
    assert_eq!(nothing, Rows::default());
    append(&mut journal, [accepted(1), step(1, Stage::Queued)]);
    append(&mut journal, [accepted(2), step(1, Stage::Running)]);
    std::mem::forget(journal); // as kill -9 would
    let (mut journal, rows) = world.open();
    assert_eq!(jobs(&rows), [1, 2]);
    assert!(rows.jobs[&JobNumber(1)].running && !rows.jobs[&JobNumber(2)].running);
    append(&mut journal, [step(1, Stage::Ended), accepted(3)]);
    std::mem::forget(journal);
    let (_, rows) = world.open();
    assert_eq!((jobs(&rows), rows.last_job), (vec![2, 3], 3));
    assert_eq!(world.files(), ["00000003.log", "checkpoint"], "no file is left of earlier lives");
}

/// Proves BR-28.
#[test]
fn a_row_that_was_not_written_whole_is_dropped_and_the_rest_kept() {
    for cut in 1..40 {
        let world = World::new();
        let (mut journal, _) = world.open();
        append(&mut journal, [accepted(1)]);
        append(&mut journal, [accepted(2)]);
        drop(journal);
        let log = fs::File::options().write(true).open(world.file("00000001.log")).unwrap();
        log.set_len(log.metadata().unwrap().len() - cut).unwrap();
        let (mut journal, rows) = world.open();
        assert_eq!(jobs(&rows), [1], "{cut} bytes short");
        append(&mut journal, [accepted(2)]);
        assert_eq!(jobs(&world.open().1), [1, 2], "it goes on where it was cut");
    }
}

/// Proves BR-28.
#[test]
fn a_row_that_was_on_the_disk_and_is_damaged_is_refused_and_nothing_is_touched() {
    let world = World::new();
    let (mut journal, _) = world.open();
    let (threads, bell) = started(&mut journal);
    let first = append(&mut journal, [accepted(1)]);
    journal.want(first);
    while journal.synced() < first {
        bell.recv().unwrap();
    }
    append(&mut journal, [accepted(2)]);
    drop(threads);
    let log = world
        .files()
        .into_iter()
        .find(|name| fs::read(world.file(name)).unwrap().windows(9).any(|w| w == b"\"accepted"))
        .unwrap();
    world.scratch(&log, 60);
    let before = world.files();
    assert_eq!(
        world.refusal(),
        format!(
            "journal: /journal/{log}: the row at byte 26 is damaged, and later rows show that it had been stored whole; \
         start with a copy of the directory from before, or move it away to begin without leases and jobs"
        )
    );
    assert_eq!(world.files(), before);
}

/// Proves BR-28.
#[test]
fn a_checkpoint_that_is_damaged_or_another_programs_is_refused() {
    let world = World::new();
    append(&mut world.open().0, [accepted(1)]);
    drop(world.open());
    let whole = fs::read(world.file("checkpoint")).unwrap();
    for at in [0, 30, 60, whole.len() - 1] {
        world.scratch("checkpoint", at as u64);
        let refusal = world.refusal();
        assert!(refusal.starts_with("journal: /journal/checkpoint: "), "{refusal}");
        assert!(refusal.contains("move it away to begin without leases and jobs"), "{refusal}");
        fs::write(world.file("checkpoint"), &whole).unwrap();
    }
    fs::write(world.file("checkpoint"), &whole[..whole.len() - 10]).unwrap();
    assert!(world.refusal().contains("is damaged"), "{}", world.refusal());
    let later = String::from_utf8_lossy(&whole).replacen("journal 1", "journal 2", 1);
    fs::write(world.file("checkpoint"), later).unwrap();
    assert!(world.refusal().contains("it is of version 2, this program reads 1"));
    fs::write(world.file("checkpoint"), &whole).unwrap();
    assert_eq!(jobs(&world.open().1), [1], "and all is well when it is put back");
}

/// Proves BR-29.
#[test]
fn rows_are_synced_in_groups_and_whoever_waits_is_told() {
    let world = World::new();
    let (mut journal, _) = world.open();
    let (threads, bell) = started(&mut journal);
    let gate = world.disk.gate.lock().unwrap();
    let syncs = world.disk.syncs.load(Ordering::SeqCst);
    let positions: Vec<_> = (1..=100)
        .map(|number| {
            let position = append(&mut journal, [accepted(number)]);
            journal.want(position);
            position
        })
        .collect();
    assert!(journal.synced() < positions[99], "nothing counts as safe while the disk is at it");
    drop(gate);
    while journal.synced() < positions[99] {
        bell.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    drop(threads);
    let syncs = world.disk.syncs.load(Ordering::SeqCst) - syncs;
    assert!(syncs < 20, "{syncs} syncs for 100 rows");
}

#[test]
fn what_nobody_waits_for_is_synced_all_the_same() {
    let world = World::new();
    let (mut journal, _) = world.open();
    let (_threads, bell) = started(&mut journal);
    let position = append(&mut journal, [accepted(1)]);
    while journal.synced() < position {
        bell.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

/// Proves BR-30.
#[test]
fn a_full_disk_refuses_new_work_and_loses_nothing() {
    let world = World::new();
    let (mut journal, _) = world.open();
    append(&mut journal, [accepted(1)]);
    world.disk.full.store(true, Ordering::SeqCst);
    let mut rows = vec![accepted(2)];
    let end = journal.end();
    assert_eq!(journal.append(&mut rows).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((rows.len(), journal.end()), (1, end), "it may be tried again");
    let refusal = journal.check_room().unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOSPC);
    assert_eq!(
        refusal.text,
        "store: cannot write: no storage space; nothing new is taken on until it can"
    );
    world.disk.full.store(false, Ordering::SeqCst);
    journal.append(&mut rows).unwrap();
    assert!(journal.check_room().is_ok() && rows.is_empty());
    std::mem::forget(journal);
    assert_eq!(jobs(&world.open().1), [1, 2]);
}

/// Proves BR-30.
#[test]
fn without_room_for_the_next_segment_new_work_is_refused_before_the_last_one_is_full() {
    let world = World::new();
    let (mut journal, _) = world.open();
    world.disk.full.store(true, Ordering::SeqCst);
    let (threads, _bell) = started(&mut journal);
    let refusal = loop {
        match journal.check_room() {
            Ok(()) => std::thread::yield_now(),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.errno, Errno::ENOSPC);
    assert!(refusal.text.contains("cannot set room aside in"), "{}", refusal.text);
    world.disk.full.store(false, Ordering::SeqCst);
    append(&mut journal, [accepted(1)]);
    while journal.check_room().is_err() {
        std::thread::yield_now();
    }
    drop(threads);
}

/// Proves BR-30.
#[test]
fn a_sync_that_failed_is_never_called_a_success() {
    let world = World::new();
    let (mut journal, _) = world.open();
    world.disk.sick.store(true, Ordering::SeqCst);
    let (_threads, bell) = started(&mut journal);
    let position = append(&mut journal, [accepted(1)]);
    journal.want(position);
    while journal.broken().is_none() {
        bell.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    world.disk.sick.store(false, Ordering::SeqCst);
    let later = append(&mut journal, [accepted(2)]);
    journal.want(later);
    let refusal = journal.check_room().unwrap_err();
    assert_eq!(refusal.errno, Errno::EIO);
    assert_eq!(
        refusal.text,
        "store: cannot sync: the disk is sick; nothing new is taken on until the bridge is started again"
    );
    assert!(journal.synced() < position);
}

/// Proves BR-31.
#[test]
fn neither_files_nor_the_start_grow_with_history() {
    let world = World::new();
    let (mut journal, _) = world.open();
    let (threads, bell) = started(&mut journal);
    let line = "x".repeat(20_000);
    let ended = |number| match step(number, Stage::Ended) {
        Row::Step(step) => Row::Step(Step { line: line.clone(), ..step }),
        other => other,
    };
    append(&mut journal, [accepted(1)]);
    for number in 2..=2_000 {
        let position = append(&mut journal, [accepted(number), ended(number)]);
        if number % 100 == 0 {
            journal.want(position);
            while journal.synced() < position {
                bell.recv().unwrap();
            }
        }
    }
    drop(threads);
    assert!(journal.end().0 > 9 * SEGMENT_BYTES);
    drop(journal);
    let (_, rows) = world.open();
    assert_eq!((jobs(&rows), rows.last_job), (vec![1], 2_000));
    let bytes: u64 =
        world.files().iter().map(|name| fs::metadata(world.file(name)).unwrap().len()).sum();
    assert!(bytes < SEGMENT_BYTES, "{bytes} bytes in {:?}", world.files());
}
