//! Anything at all, in any order: nobody waits for ever, and nothing is left behind.

use ninedoor::Revocation;
use ninedoor_abi::Role;
use secure9p::{CallId, Fid, OpenFlags, Tmessage, message::AttributeMask};

use crate::world::{Line, User, World};

/// A die that falls the same way for the same seed.
struct Die(u64);

impl Die {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

const NAMES: [&str; 16] = [
    "..",
    ".",
    "gpu",
    "GPU-0",
    "GPU-1",
    "ctl",
    "info",
    "job",
    "bundles",
    "worker",
    "worker-1",
    "proc",
    "boot",
    "queen",
    "log",
    "queen.log",
];
const ORDERS: [&str; 6] = [
    "{\"spawn\":\"gpu\",\"lease\":{\"gpu_id\":\"GPU-0\",\"mem_mb\":64,\"streams\":1,\"ttl_s\":30}}\n",
    "{\"spawn\":\"heartbeat\",\"ticks\":3}\n",
    "{\"kill\":\"worker-1\"}\n",
    "{\"bind\":{\"from\":\"/gpu/GPU-0\",\"to\":\"/b\"}}\n",
    "{\"unmount\":\"/gpu\"}\n{\"mount\":{\"service\":\"gpu-bridge\",\"at\":\"/gpu\"}}\n",
    "REVOKE lease-1",
];

fn message(die: &mut Die, user: User) -> Tmessage {
    let fid = Fid(u32::try_from(die.roll(6)).unwrap());
    let newfid = Fid(u32::try_from(die.roll(6)).unwrap());
    let name = (*die.pick(&NAMES)).to_owned();
    let flags =
        *die.pick(&[OpenFlags::RDONLY, OpenFlags::RDWR, OpenFlags::WRONLY | OpenFlags::TRUNC]);
    match die.roll(12) {
        0..=3 => {
            let wname = (0..die.roll(5)).map(|_| (*die.pick(&NAMES)).to_owned()).collect();
            Tmessage::Walk { fid: if die.roll(3) == 0 { fid } else { user.root }, newfid, wname }
        }
        4 | 5 => Tmessage::Lopen { fid, flags },
        6 => Tmessage::Write { fid, offset: 0, data: die.pick(&ORDERS).as_bytes().to_vec() },
        7 => Tmessage::Read { fid, offset: die.roll(100), count: 100 },
        8 => Tmessage::Readdir { fid, offset: die.roll(5), count: 300 },
        9 => Tmessage::Lcreate { fid, name, flags: flags | OpenFlags::CREAT, mode: 0o644, gid: 0 },
        10 => Tmessage::Getattr { fid, request_mask: AttributeMask::BASIC },
        _ if die.roll(4) == 0 => Tmessage::Remove { fid },
        _ => Tmessage::Clunk { fid },
    }
}

/// What happens around the peers meanwhile.
fn weather(world: &mut World, die: &mut Die) {
    match die.roll(24) {
        0 => world.bridge_moves = !world.bridge_moves,
        1 => world.lose_bridge(),
        2 => world.dial_bridge(),
        3 => world.advance_s(die.roll(40)),
        4 => {
            let until_ms = world.now.unix_ms;
            let subject = "worker-9".parse().unwrap();
            world.server.revoke(&Revocation::Subject { subject, until_ms }, world.now).unwrap();
        }
        _ => {}
    }
}

fn play(seed: u64) {
    let mut die = Die(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::hive_on_bridge();
    let users = [
        world.queen(),
        world.worker("worker-9", &["GPU-0"]),
        world.user(&world.claims(Role::Observer, "eve")),
    ];
    let mut asked: Vec<(Line, CallId)> = Vec::new();
    for _ in 0..80 {
        let user = *die.pick(&users);
        let message = message(&mut die, user);
        asked.push((user.line, world.send(user.line, message)));
        if die.roll(8) == 0 {
            let (line, call) = *die.pick(&asked);
            world.cancel(line, call);
        }
        weather(&mut world, &mut die);
    }
    world.bridge_moves = true;
    world.run();
    for (line, call) in asked {
        assert!(world.answer(line, call).is_some(), "seed {seed}: a call was never answered");
    }
    users.iter().for_each(|user| world.hang_up(user.line));
    let left = world.bridge.as_ref().unwrap().1.gpus.handles();
    assert_eq!(left, 0, "seed {seed}: the bridge still holds {left} nodes");
    let watcher = world.queen();
    let fids = world.read(watcher, "/proc/9p/fids").unwrap();
    assert!(fids.starts_with("fids current=2 "), "seed {seed}: {fids}");
    let outstanding = world.read(watcher, "/proc/9p/outstanding").unwrap();
    assert!(outstanding.starts_with("outstanding current=0 "), "seed {seed}: {outstanding}");
}

/// Proves NS-35.
#[test]
fn every_call_is_answered_and_nothing_is_left_behind_whatever_happens() {
    (0..300).for_each(play);
}
