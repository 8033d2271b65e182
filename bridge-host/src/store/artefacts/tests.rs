//! The store told as stories, and any sequence of what may happen to it against a small model.

use std::{collections::BTreeSet, io::Read};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KEEP_MS: u64 = 1600;

const QUOTA: ArtefactQuota = ArtefactQuota {
    artefact_bytes_max: 100,
    owner_bytes_max: 150,
    owner_names_max: 3,
    store_bytes_max: 200,
    keep_ms: KEEP_MS,
};

struct World {
    directory: TempDir,
    store: Artefacts,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Artefacts::open(directory.path(), QUOTA).unwrap();
        Self { directory, store }
    }

    fn reopened(self) -> Self {
        let Self { directory, store } = self;
        let now = store.now;
        drop(store);
        let mut store = Artefacts::open(directory.path(), QUOTA).unwrap();
        store.tell_time(now);
        Self { directory, store }
    }

    /// Lets the scribes work until this receipt is redeemed.
    fn redeemed(&mut self, receipt: Receipt) -> Result<(), Refusal> {
        let mut redeemed = None;
        loop {
            let done = self.store.desks.work_off();
            if done.is_empty() {
                return redeemed.expect("every receipt is redeemed");
            }
            for done in done {
                if let Some((whose, outcome)) = self.store.told(done)
                    && whose == receipt
                {
                    redeemed = Some(outcome);
                }
            }
        }
    }

    fn write(&mut self, upload: &mut Upload, at: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let receipt = self.store.write(upload, at, bytes.to_vec())?;
        self.redeemed(receipt)
    }

    fn finish(&mut self, upload: Upload) -> Result<(), Refusal> {
        let receipt = self.store.finish(upload);
        self.redeemed(receipt)
    }

    fn stage(&mut self, owner: &Owner, name: &str, bytes: &[u8]) -> Result<Artefact, Refusal> {
        let mut upload = self.store.begin(owner, name)?;
        self.write(&mut upload, 0, bytes)?;
        self.finish(upload)?;
        Ok(self.store.names.own(owner, name).expect("it is staged"))
    }

    fn pass(&mut self, ms: u64) {
        self.store.tell_time(UnixMs(self.store.now.0 + ms));
        self.store.collect();
    }

    fn files(&mut self, part: &str) -> usize {
        self.store.desks.work_off();
        fs::read_dir(self.directory.path().join(part)).unwrap().count()
    }
}

fn worker(name: &str) -> Owner {
    Owner::Subject(name.parse().unwrap())
}

/// Proves ART-1.
#[test]
fn an_artefact_is_found_by_its_name_and_hash_also_after_a_restart() {
    let mut world = World::new();
    let staged = world.stage(&Owner::Shared, "a.f32", b"abc").unwrap();
    assert_eq!(staged, Artefact { digest: sha256_of(b"abc"), bytes: 3 });
    let world = world.reopened();
    assert_eq!(world.store.find(&Owner::Shared, "a.f32"), Some(staged));
    let mut text = String::new();
    world.store.read(&staged.digest).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
}

/// Proves ART-2.
#[test]
fn a_staged_artefact_is_immutable_until_its_owner_removes_it() {
    let mut world = World::new();
    world.stage(&worker("w"), "x", b"abc").unwrap();
    let refusal = world.store.begin(&worker("w"), "x").unwrap_err();
    assert_eq!(refusal.errno, Errno::EEXIST);
    assert_eq!(
        refusal.text,
        "artefact x is staged already and immutable; remove it first or take another name"
    );
    world.store.remove(&worker("w"), "x").unwrap();
    world.stage(&worker("w"), "x", b"new").unwrap();
}

/// Proves ART-3.
#[test]
fn identical_content_is_stored_once_and_goes_with_its_last_name() {
    let mut world = World::new();
    world.stage(&worker("w"), "x", b"abc").unwrap();
    world.stage(&worker("v"), "y", b"abc").unwrap();
    assert_eq!((world.files("objects"), world.store.bytes()), (1, 3));
    world.store.remove(&worker("w"), "x").unwrap();
    assert_eq!(world.files("objects"), 1);
    world.store.remove(&worker("v"), "y").unwrap();
    assert_eq!((world.files("objects"), world.store.bytes()), (0, 0));
}

/// Proves ART-4.
#[test]
fn a_worker_finds_its_own_names_before_shared_ones_and_nobody_elses() {
    let mut world = World::new();
    let shared = world.stage(&Owner::Shared, "x", b"shared").unwrap();
    let own = world.stage(&worker("w"), "x", b"own").unwrap();
    world.stage(&worker("v"), "secret", b"v's").unwrap();
    assert_eq!(world.store.find(&worker("w"), "x"), Some(own));
    assert_eq!(world.store.find(&worker("v"), "x"), Some(shared));
    assert_eq!(world.store.find(&worker("w"), "secret"), None);
    assert_eq!(world.store.list(&worker("w")).into_keys().collect::<Vec<_>>(), ["x"]);
    assert_eq!(world.store.remove(&worker("v"), "x").unwrap_err().errno, Errno::ENOENT);
}

/// Proves ART-5.
#[test]
fn an_upload_that_is_dropped_leaves_nothing() {
    let mut world = World::new();
    let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
    world.write(&mut upload, 0, b"half").unwrap();
    assert_eq!((world.files("incoming"), world.store.is_coming(&Owner::Shared, "x")), (1, true));
    drop(upload);
    assert_eq!((world.files("incoming"), world.store.is_coming(&Owner::Shared, "x")), (0, false));
    assert_eq!(world.store.find(&Owner::Shared, "x"), None);
}

/// Proves ART-5.
#[test]
fn what_a_crash_left_half_done_is_gone_after_the_restart() {
    let mut world = World::new();
    world.stage(&Owner::Shared, "kept", b"kept").unwrap();
    let root = world.directory.path().to_owned();
    fs::write(root.join("incoming/77"), "half").unwrap();
    fs::write(root.join("objects").join(sha256_of(b"unnamed").hex()), "unnamed").unwrap();
    let gone = Path::new("../../objects").join(sha256_of(b"gone").hex());
    std::os::unix::fs::symlink(gone, root.join("names/shared/dangling")).unwrap();
    let mut world = world.reopened();
    world.store.drop_unneeded();
    assert_eq!(world.store.list(&Owner::Shared).into_keys().collect::<Vec<_>>(), ["kept"]);
    assert_eq!(
        (world.files("incoming"), world.files("objects"), world.files("names/shared")),
        (0, 1, 1)
    );
}

/// Proves ART-3.
#[test]
fn what_a_job_of_an_earlier_daemon_needs_stays_though_nobody_names_it() {
    let mut world = World::new();
    let needed = world.store.keep(b"needed").unwrap();
    world.store.keep(b"not needed").unwrap();
    let mut world = world.reopened();
    world.store.hold(&needed).unwrap();
    world.store.drop_unneeded();
    assert_eq!(
        (world.files("objects"), fs::read(world.store.path(&needed)).unwrap()),
        (1, b"needed".to_vec())
    );
}

/// Proves ART-6.
#[test]
fn every_quota_is_a_refusal_that_names_the_bound_and_what_frees_room() {
    let mut world = World::new();
    let (w, v) = (worker("w"), worker("v"));
    let too_big = world.stage(&w, "x", &[0; 101]).unwrap_err();
    let text = "artefact x grows to 101 bytes, at most 100 (artefacts.artefact_mb_max)";
    assert_eq!(too_big, Refusal::new(Errno::EFBIG, text));
    world.stage(&w, "1", &[1; 100]).unwrap();
    let over_owner = world.stage(&w, "2", &[2; 51]).unwrap_err();
    let text = "51 bytes more than the 100 staged; at most 150 per owner (artefacts.owner_mb_max); \
                removing /bundles/1 frees 100";
    assert_eq!(over_owner, Refusal::new(Errno::EDQUOT, text));
    world.stage(&v, "1", &[3; 99]).unwrap();
    let over_store = world.stage(&w, "2", &[4; 2]).unwrap_err();
    let text = "store has 199 of 200 bytes, 2 more do not fit (artefacts.store_mb_max); room comes when \
                artefacts are removed, or nobody has used them for 1 s";
    assert_eq!(over_store, Refusal::new(Errno::ENOSPC, text));
    world.stage(&w, "2", b"").unwrap();
    world.stage(&w, "3", b"").unwrap();
    let over_names = world.store.begin(&w, "4").unwrap_err();
    let text = "3 artefacts staged or being written, at most 3 (artefacts.owner_names_max); \
                remove some of /bundles";
    assert_eq!(over_names, Refusal::new(Errno::EDQUOT, text));
}

/// Proves ART-12.
#[test]
fn what_is_being_written_counts_against_every_quota_until_it_is_dropped() {
    let mut world = World::new();
    let (w, v) = (worker("w"), worker("v"));
    let mut uploads = ["1", "2"].map(|name| world.store.begin(&w, name).unwrap());
    let [first, second] = &mut uploads;
    world.write(first, 0, &[1; 100]).unwrap();
    let over_owner = world.write(second, 0, &[2; 51]).unwrap_err();
    assert_eq!(over_owner.errno, Errno::EDQUOT);
    let mut others = world.store.begin(&v, "1").unwrap();
    let over_store = world.write(&mut others, 0, &[3; 100]).unwrap_err();
    assert_eq!(over_store.errno, Errno::ENOSPC);
    let _third = world.store.begin(&w, "3").unwrap();
    assert_eq!(world.store.begin(&w, "4").unwrap_err().errno, Errno::EDQUOT);
    drop(uploads);
    world.write(&mut others, 0, &[3; 100]).unwrap();
    world.stage(&w, "4", &[4; 50]).unwrap();
}

/// Proves ART-7.
#[test]
fn bytes_out_of_order_are_refused() {
    let mut world = World::new();
    let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
    world.write(&mut upload, 0, b"abc").unwrap();
    let refusal = world.write(&mut upload, 2, b"d").unwrap_err();
    assert_eq!(refusal, Refusal::invalid("write at offset 2 of artefact x, wanted 3"));
}

/// Proves ART-3.
#[test]
fn content_that_a_job_holds_outlives_its_name() {
    let mut world = World::new();
    let artefact = world.stage(&Owner::Shared, "x", b"abc").unwrap();
    world.store.hold(&artefact.digest).unwrap();
    world.store.remove(&Owner::Shared, "x").unwrap();
    assert_eq!(world.files("objects"), 1);
    world.store.release(&artefact.digest);
    assert_eq!(world.files("objects"), 0);
}

/// Proves ART-3.
#[test]
fn content_without_a_name_goes_with_its_last_holder() {
    let mut world = World::new();
    let digest = world.store.keep(b"inline").unwrap();
    assert_eq!(world.store.keep(b"inline").unwrap(), digest);
    world.store.release(&digest);
    assert_eq!(world.files("objects"), 1);
    world.store.release(&digest);
    assert_eq!(world.files("objects"), 0);
    assert_eq!(world.store.keep(&[0; 201]).unwrap_err().errno, Errno::ENOSPC);
}

/// Proves ART-13.
#[test]
fn a_name_is_found_when_its_bytes_are_on_the_disk_and_not_before() {
    let mut world = World::new();
    let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
    let written = world.store.write(&mut upload, 0, b"abc".to_vec()).unwrap();
    let finished = world.store.finish(upload);
    assert!(world.store.find(&Owner::Shared, "x").is_none());
    let told: Vec<_> = world.store.desks.work_off();
    let redeemed: Vec<_> = told.into_iter().filter_map(|done| world.store.told(done)).collect();
    assert_eq!(redeemed, [(written, Ok(()))], "sealed, and not placed yet");
    assert!(world.store.find(&Owner::Shared, "x").is_none());
    assert!(world.store.is_coming(&Owner::Shared, "x"));
    world.redeemed(finished).unwrap();
    assert!(world.store.find(&Owner::Shared, "x").is_some());
}

/// Proves ART-13.
#[test]
fn two_uploads_of_one_name_end_with_the_first_that_is_finished() {
    let mut world = World::new();
    let first = world.store.begin(&Owner::Shared, "x").unwrap();
    let second = world.store.begin(&Owner::Shared, "x").unwrap();
    let (first, second) = (world.store.finish(first), world.store.finish(second));
    let mut ends = BTreeMap::new();
    loop {
        let done = world.store.desks.work_off();
        if done.is_empty() {
            break;
        }
        ends.extend(done.into_iter().filter_map(|done| world.store.told(done)));
    }
    assert_eq!(ends[&first], Ok(()));
    assert_eq!(ends[&second].as_ref().unwrap_err().errno, Errno::EEXIST);
    assert_eq!((world.files("objects"), world.files("incoming")), (1, 0));
}

/// Proves ART-13.
#[test]
fn bytes_that_cannot_be_written_are_refused_and_nothing_of_them_counts() {
    let mut world = World::new();
    let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
    fs::remove_dir(world.directory.path().join("incoming")).unwrap();
    let refusal = world.write(&mut upload, 0, b"abc").unwrap_err();
    assert_eq!(refusal.errno, Errno::EIO);
    assert_eq!(world.finish(upload).unwrap_err().errno, Errno::EIO);
    assert!(world.store.find(&Owner::Shared, "x").is_none());
}

/// Proves ART-14.
#[test]
fn what_nobody_uses_goes_in_time_and_what_somebody_holds_stays() {
    let mut world = World::new();
    world.stage(&Owner::Shared, "unused", b"unused").unwrap();
    let held = world.stage(&Owner::Shared, "held", b"held").unwrap();
    world.store.hold(&held.digest).unwrap();
    world.pass(KEEP_MS);
    assert_eq!(world.files("objects"), 2, "not older than they are kept");
    world.pass(1);
    assert_eq!(world.store.list(&Owner::Shared).into_keys().collect::<Vec<_>>(), ["held"]);
    world.store.release(&held.digest);
    world.pass(KEEP_MS);
    let mut world = world.reopened();
    world.pass(0);
    assert_eq!(world.files("objects"), 1, "its use is known after a restart");
    world.pass(1);
    assert_eq!((world.files("objects"), world.files("names/shared")), (0, 0));
}

/// What may happen to the store.
#[derive(Debug, Clone)]
enum Act {
    Stage { owner: usize, name: usize, content: usize },
    Abandon { owner: usize, content: usize },
    Remove { owner: usize, name: usize },
    Hold { content: usize },
    Keep { content: usize },
    Release { content: usize },
    Pass { ms: u64 },
    Restart,
}

fn acts() -> impl Strategy<Value = Act> {
    let (owner, name, content) = (0..3_usize, 0..4_usize, 0..5_usize);
    prop_oneof![
        4 => (owner.clone(), name.clone(), content.clone())
            .prop_map(|(owner, name, content)| Act::Stage { owner, name, content }),
        1 => (owner.clone(), content.clone())
            .prop_map(|(owner, content)| Act::Abandon { owner, content }),
        2 => (owner, name).prop_map(|(owner, name)| Act::Remove { owner, name }),
        2 => content.clone().prop_map(|content| Act::Hold { content }),
        1 => content.clone().prop_map(|content| Act::Keep { content }),
        2 => content.prop_map(|content| Act::Release { content }),
        2 => (0..KEEP_MS).prop_map(|ms| Act::Pass { ms }),
        1 => Just(Act::Restart),
    ]
}

/// What the store should be, kept as simply as can be.
#[derive(Default)]
struct Model {
    names: BTreeMap<(usize, usize), usize>,
    holds: BTreeMap<usize, usize>,
    used: BTreeMap<usize, Used>,
    now: u64,
}

struct Used {
    ms: u64,
    noted_ms: u64,
}

const CONTENT_BYTES: [usize; 5] = [0, 10, 45, 80, 101];

fn content(index: usize) -> Vec<u8> {
    vec![u8::try_from(index).unwrap(); CONTENT_BYTES[index]]
}

impl Model {
    fn contents(&self) -> BTreeSet<usize> {
        let held = self.holds.iter().filter(|(_, count)| **count > 0).map(|(content, _)| *content);
        self.names.values().copied().chain(held).collect()
    }

    fn bytes(&self) -> usize {
        self.contents().into_iter().map(|content| CONTENT_BYTES[content]).sum()
    }

    fn owned(&self, owner: usize) -> impl Iterator<Item = usize> {
        self.names
            .iter()
            .filter(move |((whose, _), _)| *whose == owner)
            .map(|(_, content)| *content)
    }

    /// Whether that many bytes more of an owner's fit, as long as they are being written.
    fn fits(&self, owner: usize, content: usize) -> bool {
        let bytes = CONTENT_BYTES[content];
        let owned: usize = self.owned(owner).map(|content| CONTENT_BYTES[content]).sum();
        bytes <= 100
            && self.owned(owner).count() < 3
            && owned + bytes <= 150
            && self.bytes() + bytes <= 200
    }

    fn use_now(&mut self, content: usize) {
        let now = self.now;
        let used = self.used.entry(content).or_insert(Used { ms: now, noted_ms: now });
        used.ms = now;
        if now - used.noted_ms > KEEP_MS / 16 {
            used.noted_ms = now;
        }
    }

    fn forget_gone(&mut self) {
        let there = self.contents();
        self.used.retain(|content, _| there.contains(content));
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
        let is_unused = |model: &Self, content: usize| {
            let held = model.holds.get(&content).is_some_and(|count| *count > 0);
            !held && model.now - model.used[&content].ms > KEEP_MS
        };
        let unused: Vec<_> =
            self.names.values().copied().filter(|content| is_unused(self, *content)).collect();
        self.names.retain(|_, content| !unused.contains(content));
    }

    fn restart(&mut self) {
        self.holds.clear();
        self.used.values_mut().for_each(|used| used.ms = used.noted_ms);
    }
}

fn owner(index: usize) -> Owner {
    [Owner::Shared, worker("w"), worker("v")][index].clone()
}

fn act_on(world: &mut World, model: &mut Model, act: &Act) {
    match *act {
        Act::Stage { owner: whose, name, content: what } => {
            let staged = world.stage(&owner(whose), &name.to_string(), &content(what)).is_ok();
            let wanted = !model.names.contains_key(&(whose, name)) && model.fits(whose, what);
            assert_eq!(staged, wanted, "{act:?}");
            if staged {
                model.names.insert((whose, name), what);
                model.use_now(what);
            }
        }
        Act::Abandon { owner: whose, content: what } => {
            if let Ok(mut upload) = world.store.begin(&owner(whose), "abandoned") {
                let _ = world.write(&mut upload, 0, &content(what));
            }
        }
        Act::Remove { owner: whose, name } => {
            let removed = world.store.remove(&owner(whose), &name.to_string()).is_ok();
            assert_eq!(removed, model.names.remove(&(whose, name)).is_some(), "{act:?}");
        }
        Act::Hold { content: what } => {
            let held = world.store.hold(&sha256_of(&content(what))).is_ok();
            assert_eq!(held, model.contents().contains(&what), "{act:?}");
            if held {
                *model.holds.entry(what).or_default() += 1;
                model.used.get_mut(&what).unwrap().ms = model.now;
            }
        }
        Act::Keep { content: what } => {
            let is_new = !model.contents().contains(&what);
            let kept = world.store.keep(&content(what)).is_ok();
            assert_eq!(kept, !is_new || model.bytes() + CONTENT_BYTES[what] <= 200, "{act:?}");
            if kept {
                *model.holds.entry(what).or_default() += 1;
                let now = model.now;
                model.used.entry(what).or_insert(Used { ms: now, noted_ms: now }).ms = now;
            }
        }
        Act::Release { content: what } => {
            if let Some(count) = model.holds.get_mut(&what).filter(|count| **count > 0) {
                *count -= 1;
                world.store.release(&sha256_of(&content(what)));
                model.use_now(what);
            }
        }
        Act::Pass { ms } => {
            world.pass(ms);
            model.pass(ms);
        }
        Act::Restart => model.restart(),
    }
    model.forget_gone();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Proves ART-3, ART-6, ART-14.
    #[test]
    fn whatever_happens_the_store_is_what_a_small_model_says(acts in prop::collection::vec(acts(), 1..40)) {
        let (mut world, mut model) = (World::new(), Model::default());
        for act in &acts {
            act_on(&mut world, &mut model, act);
            if matches!(act, Act::Restart) {
                world = world.reopened();
                world.store.drop_unneeded();
            }
            for whose in 0..3 {
                let names: BTreeMap<String, usize> = model
                    .names
                    .iter()
                    .filter(|((of, _), _)| *of == whose)
                    .map(|((_, name), content)| (name.to_string(), CONTENT_BYTES[*content]))
                    .collect();
                let seen: BTreeMap<String, usize> = world
                    .store
                    .names
                    .of(&owner(whose))
                    .map(|(name, artefact)| (name.to_owned(), usize::try_from(artefact.bytes).unwrap()))
                    .collect();
                prop_assert_eq!(seen, names);
            }
            prop_assert_eq!(world.store.bytes(), model.bytes() as u64);
            prop_assert_eq!(world.files("objects"), model.contents().len());
            prop_assert_eq!(world.files("incoming"), 0);
        }
    }
}
