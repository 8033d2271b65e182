//! What files look like to programs: sizes, ends, listings, locks.

use secure9p::{
    Errno, OpenFlags, Rmessage, Tmessage,
    message::{LockKind, LockStatus},
};

use crate::world::World;

/// Proves NS-7.
#[test]
fn a_made_up_file_has_size_zero_and_version_zero_and_is_read_whole() {
    let mut world = World::hive();
    let queen = world.queen();
    for at in ["/proc/boot", "/proc/9p/sessions", "/log/queen.log", "/queen/ctl"] {
        let attributes = world.stat(queen, at).unwrap();
        assert_eq!((attributes.size, attributes.qid.version), (0, 0), "{at}");
    }
    let boot = world.read(queen, "/proc/boot").unwrap();
    assert_eq!(
        boot,
        "name=hive\nversion=1.2.3\nprotocol=9P2000.L 9P2000\nbooted_ms=1700000000000\n"
    );
}

/// Proves NS-7.
#[test]
fn a_read_at_the_end_gives_nothing_and_far_beyond_it_too() {
    let mut world = World::hive();
    let queen = world.queen();
    let file = world.open(queen, "/proc/boot", OpenFlags::RDONLY).unwrap();
    let length = world.read_at(file, 0).unwrap().len() as u64;
    assert_eq!(world.read_at(file, length).unwrap(), "");
    assert_eq!(world.read_at(file, u64::MAX).unwrap(), "");
    assert_eq!(world.read_at(file, length - 1).unwrap(), "\n");
}

/// Proves NS-8.
#[test]
fn a_text_stays_as_it_was_when_it_was_opened() {
    let mut world = World::hive();
    let queen = world.queen();
    let file = world.open(queen, "/proc/9p/sessions", OpenFlags::RDONLY).unwrap();
    world.observer();
    assert_eq!(world.read_at(file, 0).unwrap(), "sessions total=1 worker=0 served=1\n");
    assert_eq!(
        world.read(queen, "/proc/9p/sessions").unwrap(),
        "sessions total=2 worker=0 served=2\n"
    );
}

/// Proves NS-9.
#[test]
fn truncating_a_control_file_succeeds_and_changes_nothing() {
    let mut world = World::hive();
    let queen = world.queen();
    world.order(queen, "/queen/ctl", "{\"budget\":{\"ops\":5}}\n").0.unwrap();
    world.truncate(queen, "/queen/ctl").unwrap();
    let flags = OpenFlags::WRONLY | OpenFlags::TRUNC | OpenFlags::CREAT | OpenFlags::APPEND;
    let file = world.open(queen, "/queen/ctl", flags).unwrap();
    world.clunk(file).unwrap();
    assert_eq!(world.read(queen, "/queen/ctl").unwrap(), "OK BUDGET ticks=- ops=5 ttl_s=-\n");
    assert_eq!(world.truncate(queen, "/proc/boot"), Err(Errno::EPERM));
}

/// Proves NS-9.
#[test]
fn creating_a_file_that_is_there_opens_it() {
    let mut world = World::hive();
    let queen = world.queen();
    world.stage(queen, "/queen", "ctl", "{\"budget\":{\"ops\":5}}\n").unwrap();
    assert_eq!(world.stage(queen, "/queen", "new", "x"), Err(Errno::EPERM));
    assert_eq!(world.stage(queen, "/proc", "boot", "x"), Err(Errno::EACCES));
}

/// Proves NS-10, NS-34.
#[test]
fn a_listing_names_everything_once_whatever_size_its_pages_have() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    assert_eq!(world.ls(queen, "/").unwrap(), ["proc", "queen", "worker", "log", "gpu", "bundles"]);
    assert_eq!(world.ls(queen, "/gpu").unwrap(), ["GPU-0", "GPU-1"]);
    assert_eq!(world.ls(queen, "/gpu/GPU-0").unwrap(), ["info", "ctl", "lease", "job", "stats"]);
    world.order(queen, "/queen/ctl", "{\"spawn\":\"heartbeat\",\"ticks\":3}\n").0.unwrap();
    assert_eq!(world.ls(queen, "/worker").unwrap(), ["worker-1", "jid-1"]);
}

/// Proves NS-11.
#[test]
fn statfs_answers_locks_are_granted_and_attributes_are_none() {
    let mut world = World::hive();
    let queen = world.queen();
    let fid = world.walk(queen, "/queen/ctl").unwrap();
    assert!(matches!(
        world.call(queen.line, Tmessage::Statfs { fid }),
        Ok(Rmessage::Statfs { .. })
    ));
    let lock = |kind| Tmessage::Lock {
        fid,
        kind,
        flags: 0,
        start: 0,
        length: 0,
        proc_id: 1,
        client_id: "x".into(),
    };
    let granted = Ok(Rmessage::Lock { status: LockStatus::Success });
    assert_eq!(world.call(queen.line, lock(LockKind::Write)), granted);
    assert_eq!(world.call(queen.line, lock(LockKind::Unlock)), granted);
    let newfid = world.new_fid(queen.line);
    let xattr = Tmessage::Xattrwalk { fid, newfid, name: "security.capability".into() };
    assert_eq!(world.call(queen.line, xattr), Err(Errno::ENODATA));
}

/// Proves NS-12.
#[test]
fn the_local_tree_cannot_be_rearranged() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let (root, proc) = (world.walk(queen, "/").unwrap(), world.walk(queen, "/proc").unwrap());
    let refused = Err(Errno::EPERM);
    let mkdir = Tmessage::Mkdir { dfid: root, name: "x".into(), mode: 0o755, gid: 0 };
    assert_eq!(world.call(queen.line, mkdir), refused);
    let unlink = Tmessage::Unlinkat { dirfd: proc, name: "boot".into(), flags: 0 };
    assert_eq!(world.call(queen.line, unlink), refused);
    let rename = Tmessage::Renameat {
        olddirfid: root,
        oldname: "proc".into(),
        newdirfid: root,
        newname: "x".into(),
    };
    assert_eq!(world.call(queen.line, rename), refused);
    let symlink = Tmessage::Symlink { fid: root, name: "x".into(), symtgt: "/".into(), gid: 0 };
    assert_eq!(world.call(queen.line, symlink), refused);
    let fid = world.walk(queen, "/proc/boot").unwrap();
    assert_eq!(world.call(queen.line, Tmessage::Remove { fid }), refused);
    assert!(world.read(queen, "/proc/boot").is_ok());
}

#[test]
fn directories_and_read_only_files_are_not_opened_for_writing() {
    let mut world = World::hive();
    let queen = world.queen();
    let is = |world: &mut World, at: &str| world.open(queen, at, OpenFlags::WRONLY).err();
    assert_eq!(is(&mut world, "/proc/boot"), Some(Errno::EACCES));
    assert_eq!(is(&mut world, "/log/queen.log"), Some(Errno::EACCES));
    assert_eq!(is(&mut world, "/proc"), Some(Errno::EISDIR));
}

#[test]
fn what_a_shell_publishes_is_read_under_proc() {
    let mut world = World::bridge();
    let queen = world.queen();
    world.server.publish(&crate::world::path("/proc/queue"), "depth=3\n").unwrap();
    world.server.publish(&crate::world::path("/proc/queue"), "depth=4\n").unwrap();
    assert_eq!(world.read(queen, "/proc/queue").unwrap(), "depth=4\n");
    let refused = |at: &str, world: &mut World| {
        world.server.publish(&crate::world::path(at), "x").unwrap_err().text
    };
    assert_eq!(refused("/gpu/x", &mut world), "/gpu/x is not below /proc, wanted /proc/<name>");
    assert_eq!(
        refused("/proc/boot/x", &mut world),
        "/proc/boot/x is, or is below, a file of the server's own"
    );
    assert_eq!(
        refused("/proc/9p/fids", &mut world),
        "/proc/9p/fids is, or is below, a file of the server's own"
    );
    let long =
        world.server.publish(&crate::world::path("/proc/long"), &"x".repeat(65_537)).unwrap_err();
    assert_eq!(long.text, "text for /proc/long has 65537 bytes, wanted at most 65536");
}
