//! Walking: through directories, mounts and binds, up and down.

use ninedoor_abi::Role;
use secure9p::{Errno, Fid, Rmessage, Tmessage};

use crate::world::{User, World};

/// Qids of a walk from a fid, and whether the new fid is there.
fn walk(
    world: &mut World,
    user: User,
    from: Fid,
    names: &[&str],
) -> Result<(usize, Option<Fid>), Errno> {
    let newfid = world.new_fid(user.line);
    let wname: Vec<String> = names.iter().map(ToString::to_string).collect();
    match world.call(user.line, Tmessage::Walk { fid: from, newfid, wname })? {
        Rmessage::Walk { wqid } => Ok((wqid.len(), (wqid.len() == names.len()).then_some(newfid))),
        other => panic!("{other:?}"),
    }
}

/// Proves NS-1.
#[test]
fn a_walk_says_how_far_it_came_and_moves_nothing_when_it_fell_short() {
    let mut world = World::bridge();
    let queen = world.queen();
    assert_eq!(walk(&mut world, queen, queen.root, &["nowhere"]), Err(Errno::ENOENT));
    assert_eq!(walk(&mut world, queen, queen.root, &["proc", "nothing"]), Ok((1, None)));
    assert_eq!(walk(&mut world, queen, queen.root, &["gpu", "GPU-0", "nothing"]), Ok((2, None)));
    assert_eq!(walk(&mut world, queen, queen.root, &["gpu", "GPU-9", "ctl"]), Ok((1, None)));
    assert_eq!(walk(&mut world, queen, queen.root, &["proc", "boot", "x"]), Ok((2, None)));
    world.hang_up(queen.line);
    assert_eq!(world.gpus.handles(), 0);
}

/// Proves NS-2.
#[test]
fn dot_dot_leads_to_the_parent_and_never_above_the_root() {
    let mut world = World::bridge();
    let queen = world.queen();
    let (_, root) =
        walk(&mut world, queen, queen.root, &["..", "..", "proc", "..", "gpu"]).unwrap();
    assert_eq!(
        walk(&mut world, queen, root.unwrap(), &["GPU-0", "..", "GPU-1", "info"]).unwrap().0,
        4
    );
    let (_, file) = walk(&mut world, queen, queen.root, &["gpu", "GPU-0"]).unwrap();
    let (count, log) =
        walk(&mut world, queen, file.unwrap(), &["..", "..", "log", "bridge.log"]).unwrap();
    assert_eq!((count, log.is_some()), (4, true));
    world.hang_up(queen.line);
    assert_eq!(world.gpus.handles(), 0);
}

/// Proves NS-2.
#[test]
fn a_walk_may_leave_one_mount_and_enter_another() {
    let mut world = World::bridge();
    let queen = world.queen();
    let (count, found) = walk(
        &mut world,
        queen,
        queen.root,
        &["gpu", "GPU-0", "..", "..", "worker", "jid-1", "result"],
    )
    .unwrap();
    assert_eq!((count, found.is_some()), (7, true));
    let (_, gpu) =
        walk(&mut world, queen, queen.root, &["gpu", "GPU-0", "ctl", "..", "..", "GPU-1", ".."])
            .unwrap();
    assert_eq!(walk(&mut world, queen, gpu.unwrap(), &["GPU-0", "stats"]).unwrap().0, 2);
    world.hang_up(queen.line);
    assert_eq!(world.gpus.handles(), 0);
}

#[test]
fn dot_is_the_directory_itself() {
    let mut world = World::bridge();
    let queen = world.queen();
    assert_eq!(
        walk(&mut world, queen, queen.root, &[".", "gpu", ".", "GPU-0", ".", "info"]).unwrap().0,
        6
    );
}

/// Proves NS-3.
#[test]
fn a_clone_outlives_the_fid_it_was_made_from() {
    let mut world = World::bridge();
    let queen = world.queen();
    let (_, gpu) = walk(&mut world, queen, queen.root, &["gpu", "GPU-0"]).unwrap();
    let (_, clone) = walk(&mut world, queen, gpu.unwrap(), &[]).unwrap();
    world.clunk(crate::world::File { line: queen.line, fid: gpu.unwrap() }).unwrap();
    assert_eq!(walk(&mut world, queen, clone.unwrap(), &["info"]).unwrap().0, 1);
}

/// Proves NS-4.
#[test]
fn nothing_is_deeper_than_eight() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let names =
        ["proc", "9p", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    assert_eq!(walk(&mut world, queen, queen.root, &names), Ok((2, None)));
    let names =
        ["bundles", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
    assert_eq!(walk(&mut world, queen, queen.root, &names), Ok((1, None)));
}

/// Proves NS-5.
#[test]
fn qids_tell_files_apart_across_mounts_and_stay_the_same_for_one_file() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let mut seen = std::collections::BTreeMap::new();
    for at in [
        "/",
        "/proc",
        "/proc/boot",
        "/gpu",
        "/gpu/GPU-0",
        "/gpu/GPU-0/info",
        "/gpu/GPU-1/info",
        "/log/queen.log",
        "/worker",
        "/worker/jid-1",
    ] {
        let qid = world.stat(queen, at).unwrap().qid;
        assert_eq!(qid.version, 0, "{at}");
        assert_eq!(seen.insert(qid.path, at), None, "{at}");
        assert_eq!(world.stat(queen, at).unwrap().qid, qid);
    }
}

/// Proves NS-6.
#[test]
fn a_bind_shows_a_place_at_another_name_to_those_who_may_see_it() {
    let mut world = World::hive_on_bridge();
    let queen = world.queen();
    let (ok, status) = world.order(
        queen,
        "/queen/ctl",
        "{\"bind\":{\"from\":\"/gpu/GPU-0\",\"to\":\"/first\"}}\n",
    );
    assert_eq!((ok, status.as_str()), (Ok(()), "OK BIND from=/gpu/GPU-0 to=/first\n"));
    assert_eq!(world.read(queen, "/first/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    assert!(world.ls(queen, "/").unwrap().contains(&"first".to_string()));
    let observer = world.observer();
    assert_eq!(world.read(observer, "/first/info").unwrap(), "{\"id\":\"GPU-0\"}\n");
    assert_eq!(world.read(observer, "/first/ctl"), Err(Errno::ENOENT));
    let heartbeat = world.user(&world.claims(Role::WorkerHeartbeat, "w"));
    assert_eq!(world.read(heartbeat, "/first/info"), Err(Errno::ENOENT));
    assert!(!world.ls(heartbeat, "/").unwrap().contains(&"first".to_string()));
    let (ok, _) = world.order(queen, "/queen/ctl", "{\"unmount\":\"/first\"}\n");
    assert_eq!(ok, Ok(()));
    assert_eq!(world.read(queen, "/first/info"), Err(Errno::ENOENT));
}

#[test]
fn binds_that_lead_in_a_circle_end() {
    let mut world = World::hive();
    let queen = world.queen();
    let (ok, _) = world.order(queen, "/queen/ctl", "{\"bind\":{\"from\":\"/proc\",\"to\":\"/a\"}}\n{\"bind\":{\"from\":\"/a/x\",\"to\":\"/b\"}}\n");
    assert_eq!(ok, Ok(()));
    assert_eq!(world.read(queen, "/b"), Err(Errno::ENOENT));
    assert_eq!(world.read(queen, "/a/boot").unwrap(), world.read(queen, "/proc/boot").unwrap());
    let (refused, status) =
        world.order(queen, "/queen/ctl", "{\"bind\":{\"from\":\"/a\",\"to\":\"/a/b\"}}\n");
    assert_eq!(
        (refused, status.as_str()),
        (Err(Errno::EINVAL), "ERR BIND EINVAL bind: to is /a/b, which lies within from /a\n")
    );
}
