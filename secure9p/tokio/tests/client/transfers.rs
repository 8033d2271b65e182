//! Bulk data: cut to what the server takes, several pieces in flight, put together right.

use std::sync::Arc;

use secure9p::{Bytes, Errno, Msize, OpenFlags, Rmessage, Tag, Tmessage, toy::ToyTree};
use secure9p_tokio::{Client, ClientError, ConnectOptions, File, Root};
use tokio::task::JoinHandle;

use crate::{
    script::Script,
    toy::{Toy, attached, tcp},
};

/// Bytes that tell where they belong.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Proves PIPE-23.
#[tokio::test]
async fn megabytes_arrive_as_they_were_at_any_frame_length() {
    let data = pattern(1_000_000);
    let toy = Toy::of(ToyTree::new().with_file("mega", Arc::from(data.clone())));
    let (_server, uri) = tcp(&toy).await;
    for msize in [512, 8192, 65_536, 1 << 20] {
        let msize = Msize::new(msize).unwrap();
        let options = ConnectOptions { msize, ..ConnectOptions::default() };
        let client = Client::connect(&uri, options).await.unwrap();
        assert_eq!(client.msize(), Some(msize));
        let root = client.attach("queen", "").await.unwrap();
        assert!(root.read("/mega").await.unwrap() == data);
        let name = format!("/copy-{}", msize.bytes());
        root.put(&name, &data[..200_000]).await.unwrap();
        assert!(root.read(&name).await.unwrap() == data[..200_000]);
    }
}

async fn opened(root: &Root, script: &mut Script, flags: OpenFlags) -> File {
    let root = root.clone();
    let opening: JoinHandle<Result<_, ClientError>> =
        tokio::spawn(async move { root.open("/file", flags).await });
    script.grant_walk().await;
    script.grant_open().await;
    opening.await.unwrap().unwrap()
}

async fn asked(script: &mut Script) -> (Tag, u64, u32) {
    match script.hear().await {
        (tag, Tmessage::Read { offset, count, .. }) => (tag, offset, count),
        (tag, Tmessage::Write { offset, data, .. }) => {
            (tag, offset, u32::try_from(data.len()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

async fn answer(script: &mut Script, tag: Tag, bytes: usize) {
    script.say(tag, Rmessage::Read { data: Bytes::Owned(vec![b'x'; bytes]) }).await;
}

const PIECE: u32 = 8192 - 24;

/// Proves PIPE-23.
#[tokio::test(start_paused = true)]
async fn reading_asks_ahead_only_while_pieces_come_back_full() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let file = opened(&root, &mut script, OpenFlags::RDONLY).await;
    let reading = tokio::spawn(async move { file.read_to_end(0).await });
    let piece = u64::from(PIECE);
    let (tag, offset, count) = asked(&mut script).await;
    assert_eq!((offset, count), (0, PIECE));
    answer(&mut script, tag, PIECE as usize).await;
    // full: two at a time
    let (first, second) = (asked(&mut script).await, asked(&mut script).await);
    assert_eq!((first.1, second.1), (piece, 2 * piece));
    // not full: what was asked ahead is given up, and it goes on where the bytes ended
    answer(&mut script, first.0, 10).await;
    let (flush_tag, flush) = script.hear().await;
    assert_eq!(flush, Tmessage::Flush { oldtag: second.0 });
    script.say(flush_tag, Rmessage::Flush {}).await;
    let (tag, offset, _) = asked(&mut script).await;
    assert_eq!(offset, piece + 10);
    answer(&mut script, tag, 0).await;
    assert_eq!(reading.await.unwrap().unwrap().len(), PIECE as usize + 10);
}

/// Proves PIPE-23.
#[tokio::test(start_paused = true)]
async fn writing_keeps_several_pieces_in_flight_and_goes_on_after_a_short_one() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let file = opened(&root, &mut script, OpenFlags::WRONLY).await;
    let data = pattern(3 * PIECE as usize);
    let writing = tokio::spawn(async move { file.write_at(100, &data).await });
    let (first, second) = (asked(&mut script).await, asked(&mut script).await);
    let third = asked(&mut script).await;
    let piece = u64::from(PIECE);
    assert_eq!((first.1, second.1, third.1), (100, 100 + piece, 100 + 2 * piece));
    script.say(first.0, Rmessage::Write { count: PIECE }).await;
    script.say(second.0, Rmessage::Write { count: 50 }).await;
    let (flush_tag, flush) = script.hear().await;
    assert_eq!(flush, Tmessage::Flush { oldtag: third.0 });
    script.say(third.0, Rmessage::Write { count: PIECE }).await;
    script.say(flush_tag, Rmessage::Flush {}).await;
    for wanted in [(100 + piece + 50, PIECE), (100 + 2 * piece + 50, PIECE - 50)] {
        let (tag, offset, count) = asked(&mut script).await;
        assert_eq!((offset, count), wanted);
        script.say(tag, Rmessage::Write { count }).await;
    }
    writing.await.unwrap().unwrap();
}

/// Proves PIPE-24.
#[tokio::test(start_paused = true)]
async fn an_append_waits_for_each_piece_before_the_next() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let file = opened(&root, &mut script, OpenFlags::WRONLY | OpenFlags::APPEND).await;
    let data = pattern(2 * PIECE as usize);
    let writing = tokio::spawn(async move { file.write_at(0, &data).await });
    let (tag, ..) = asked(&mut script).await;
    let waited = tokio::time::timeout(std::time::Duration::from_secs(1), script.hear()).await;
    assert!(waited.is_err(), "{waited:?}");
    script.refuse(tag, Errno::ENOSPC).await;
    let refused = writing.await.unwrap().unwrap_err().to_string();
    assert_eq!(refused, "cannot write /file: ENOSPC (no space left)");
}

/// Proves PIPE-24.
#[tokio::test]
async fn records_appended_by_many_at_once_stay_whole() {
    let (_toy, root) = attached(ConnectOptions::default()).await;
    let record = |number: usize| format!("{}\n", number.to_string().repeat(2000));
    let mut appending = tokio::task::JoinSet::new();
    for number in 1..=9 {
        let (root, record) = (root.clone(), record(number));
        appending.spawn(async move { root.append("/ctl", record.as_bytes()).await.unwrap() });
    }
    appending.join_all().await;
    let written = String::from_utf8(root.read("/ctl").await.unwrap()).unwrap();
    let mut lines: Vec<_> = written.split_inclusive('\n').map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, (1..=9).map(record).collect::<Vec<_>>());
}
