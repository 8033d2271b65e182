//! Random scripts: what callers ask, what executors do, how time passes.

use proptest::prelude::*;

/// One thing that happens. Small numbers stand for names and are taken modulo what there is.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Lease {
        who: u8,
        gpu: u8,
        for_worker: bool,
        mem_gb: u8,
        streams: u8,
        ttl_s: u8,
        wait_s: u8,
        priority: u8,
    },
    BareLease {
        who: u8,
        gpu: u8,
    },
    Release {
        who: u8,
        gpu: u8,
    },
    Renew {
        who: u8,
        gpu: u8,
        ttl_s: u8,
    },
    Priority {
        who: u8,
        gpu: u8,
        priority: u8,
    },
    Submit {
        who: u8,
        gpu: u8,
        name: u8,
        mem_mb: u16,
        timeout_ms: u16,
        queue_timeout_ms: Option<u16>,
        priority: u8,
    },
    Cancel {
        who: u8,
        gpu: u8,
        name: u8,
    },
    Revoke {
        gpu: u8,
        nth: u8,
    },
    RevokeTicket {
        who: u8,
    },
    Drain {
        gpu: u8,
        drained: bool,
    },
    Health {
        gpu: u8,
        ok: bool,
    },
    Reset {
        gpu: u8,
    },
    ResetDone {
        failed: bool,
    },
    Executor {
        nth: u8,
        act: Act,
    },
    Pass {
        ms: u16,
    },
    WallJump {
        s: u8,
    },
    Restart {
        down_s: u8,
    },
}

/// What an executor does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Ready,
    Finish {
        nth: u8,
    },
    Fail {
        nth: u8,
        sticky: bool,
    },
    Die,
    Lie {
        job: u8,
    },
    /// An event of the epoch before.
    SpeakFromTheGrave,
}

pub(crate) fn script(len: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..len)
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0_u8..4;
    let gpu = || prop_oneof![4 => Just(0_u8), 1 => Just(1_u8)];
    prop_oneof![
        30 => (who(), gpu(), any::<bool>(), 1_u8..5, 1_u8..4, 5_u8..240, 0_u8..60, 0_u8..4).prop_map(
            |(who, gpu, for_worker, mem_gb, streams, ttl_s, wait_s, priority)| {
                Step::Lease { who, gpu, for_worker, mem_gb, streams, ttl_s, wait_s, priority }
            }
        ),
        4 => (who(), gpu()).prop_map(|(who, gpu)| Step::BareLease { who, gpu }),
        4 => (who(), gpu()).prop_map(|(who, gpu)| Step::Release { who, gpu }),
        6 => (who(), gpu(), 0_u8..60).prop_map(|(who, gpu, ttl_s)| Step::Renew { who, gpu, ttl_s }),
        4 => (who(), gpu(), 0_u8..6).prop_map(|(who, gpu, priority)| Step::Priority { who, gpu, priority }),
        120 => (who(), gpu(), any::<u8>(), 0_u16..1500, 1_u16..5000, prop::option::of(1_u16..3000), 0_u8..3).prop_map(
            |(who, gpu, name, mem_mb, timeout_ms, queue_timeout_ms, priority)| {
                Step::Submit { who, gpu, name, mem_mb, timeout_ms, queue_timeout_ms, priority }
            }
        ),
        8 => (who(), gpu(), any::<u8>()).prop_map(|(who, gpu, name)| Step::Cancel { who, gpu, name }),
        2 => (gpu(), any::<u8>()).prop_map(|(gpu, nth)| Step::Revoke { gpu, nth }),
        1 => who().prop_map(|who| Step::RevokeTicket { who }),
        2 => (gpu(), prop::bool::weighted(0.3)).prop_map(|(gpu, drained)| Step::Drain { gpu, drained }),
        3 => (gpu(), prop::bool::weighted(0.7)).prop_map(|(gpu, ok)| Step::Health { gpu, ok }),
        1 => gpu().prop_map(|gpu| Step::Reset { gpu }),
        8 => prop::bool::weighted(0.2).prop_map(|failed| Step::ResetDone { failed }),
        160 => (any::<u8>(), act()).prop_map(|(nth, act)| Step::Executor { nth, act }),
        20 => prop_oneof![6 => 0_u16..200, 2 => 0_u16..8000, 1 => 0_u16..30000].prop_map(|ms| Step::Pass { ms }),
        1 => (0_u8..60).prop_map(|s| Step::WallJump { s }),
        1 => (0_u8..60).prop_map(|down_s| Step::Restart { down_s }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        60 => Just(Act::Ready),
        60 => any::<u8>().prop_map(|nth| Act::Finish { nth }),
        10 => (any::<u8>(), prop::bool::weighted(0.2)).prop_map(|(nth, sticky)| Act::Fail { nth, sticky }),
        10 => Just(Act::Die),
        1 => any::<u8>().prop_map(|job| Act::Lie { job }),
        10 => Just(Act::SpeakFromTheGrave),
    ]
}
