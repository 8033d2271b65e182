//! Everything a program does by path.

use secure9p::{Errno, OpenFlags};
use secure9p_tokio::ConnectOptions;

use crate::toy::{attached, quiet};

/// Proves PIPE-17.
#[tokio::test(start_paused = true)]
async fn a_tree_is_read_written_and_looked_at_by_path() {
    let (toy, root) = attached(ConnectOptions::default()).await;
    assert_eq!(root.read("/hello").await.unwrap(), b"hello, world\n");
    assert_eq!(root.read("hello").await.unwrap(), b"hello, world\n");
    assert_eq!(root.read("/big").await.unwrap().len(), 100_000);

    root.write("/hello", b"goodbye").await.unwrap();
    assert_eq!(root.read("//hello").await.unwrap(), b"goodbye");
    root.append("/ctl", b"one\n").await.unwrap();
    root.append("/ctl", b"two\n").await.unwrap();
    assert_eq!(root.read("/ctl").await.unwrap(), b"one\ntwo\n");

    root.put("/dir/d", b"new").await.unwrap();
    let names: Vec<_> =
        root.list("/dir").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(root.stat("/dir/d").await.unwrap().size, 3);
    root.remove("/dir/d").await.unwrap();
    assert_eq!(root.list("/dir").await.unwrap().len(), 3);

    let dir = root.walk("/dir").await.unwrap();
    assert_eq!(dir.read("a").await.unwrap(), b"a");
    let file = dir.create("e", OpenFlags::RDWR, 0o600).await.unwrap();
    file.write_at(0, b"12345").await.unwrap();
    assert_eq!(file.read_at(1, 3).await.unwrap(), b"234");
    assert_eq!(file.read_to_end(3).await.unwrap(), b"45");
    assert_eq!(file.stat().await.unwrap().size, 5);
    file.close().await.unwrap();

    drop(dir);
    quiet().await;
    assert_eq!(toy.live_nodes(), 1, "only the root is still held");
    drop(root);
    quiet().await;
    assert_eq!(toy.live_nodes(), 0);
}

/// Proves PIPE-18.
#[tokio::test(start_paused = true)]
async fn a_refusal_names_what_was_tried_on_which_path() {
    let (toy, root) = attached(ConnectOptions::default()).await;
    let missing = root.read("/dir/nowhere/else").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read /dir/nowhere/else: ENOENT (no such file or directory)"
    );
    assert_eq!(missing.errno(), Some(Errno::ENOENT));
    let locked = root.open("/locked", OpenFlags::RDONLY).await.unwrap_err().to_string();
    assert_eq!(locked, "cannot open /locked: EACCES (permission denied)");
    let taken = root.put("/hello", b"").await.unwrap_err().to_string();
    assert_eq!(taken, "cannot create /hello: EEXIST (file exists)");
    let file = root.list("/hello").await.unwrap_err();
    assert_eq!(file.doing, "list");
    let endless = root.stat(&"x".repeat(256)).await.unwrap_err().to_string();
    assert!(endless.starts_with("cannot stat xxx") && endless.contains("255"), "{endless}");
    let nameless = root.create("/", OpenFlags::WRONLY, 0o644).await.unwrap_err().to_string();
    assert_eq!(nameless, "cannot create /: the path names no file");
    quiet().await;
    assert_eq!(toy.live_nodes(), 1, "nothing that failed holds a fid");
}

/// Proves PIPE-17.
#[tokio::test]
async fn a_file_larger_than_may_be_read_at_once_is_refused_not_cut() {
    let options = ConnectOptions { read_bytes_max: 99_999, ..ConnectOptions::default() };
    let (_toy, root) = attached(options).await;
    let refused = root.read("/big").await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "cannot read /big: it has more than 99999 bytes, the most that is read at once"
    );
    assert_eq!(root.read("/hello").await.unwrap().len(), 13);
}

/// Proves PIPE-17.
#[tokio::test]
async fn several_users_share_one_connection_and_each_has_a_root() {
    let (toy, first) = attached(ConnectOptions::default()).await;
    let (_, dialer) = crate::toy::embedded(&toy);
    let client = secure9p_tokio::Client::connect(
        &secure9p_tokio::Uri::Embedded,
        crate::toy::reaching(&dialer),
    )
    .await
    .unwrap();
    let (second, third) =
        tokio::join!(client.attach("worker-1", ""), client.attach("worker-2", ""));
    let (second, third) = (second.unwrap(), third.unwrap());
    first.write("/hello", b"by the first").await.unwrap();
    assert_eq!(second.read("/hello").await.unwrap(), b"by the first");
    assert_eq!(third.read("/hello").await.unwrap(), b"by the first");
    let refused = client.attach("worker-3", "nowhere").await.unwrap_err().to_string();
    assert_eq!(refused, "cannot attach to embedded:: ENOENT (no such file or directory)");
}

/// Proves PIPE-17.
#[tokio::test]
async fn a_path_deeper_than_one_walk_takes_several() {
    let (_toy, root) = attached(ConnectOptions::default()).await;
    let winding = "dir/../".repeat(20) + "dir/b";
    assert_eq!(root.read(&winding).await.unwrap(), b"b");
}
