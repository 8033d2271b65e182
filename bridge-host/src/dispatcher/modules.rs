//! What is known of modules without a GPU: their form, and the kernels and parameter tables of PTX and of cubins.
//!
//! A fat binary tells its tables to the executor that loads it; there all of them are checked again.

use std::{collections::BTreeMap, io, sync::Arc};

use bridge_host_gpu::KernelSignature;
use ninedoor_abi::{
    Errno, Refusal,
    job::{ModuleFormat, Sha256},
};

use super::{
    cubin,
    readers::{Desk, Readers, Reading, Source, Task},
};
use crate::store::Owner;

/// Bytes of one module.
pub(super) const MODULE_BYTES_MAX: u64 = 16 << 20;

/// Modules whose tables are remembered; the oldest goes first.
const MODULES_MAX: usize = 256;

/// Kernels and parameters of one module.
const MODULE_ENTRIES_MAX: usize = 1 << 16;

/// Kernels and parameters that are remembered, of all modules together.
const ENTRIES_MAX: usize = 4 * MODULE_ENTRIES_MAX;

/// Kernels that a refusal names: a module may have very many.
const KERNELS_NAMED_MAX: usize = 8;

/// The tables of modules seen lately.
#[derive(Debug, Default)]
pub(super) struct Modules {
    seen: BTreeMap<Sha256, Seen>,
    count: u64,
    /// How many wait for each module that is being read.
    wanted: BTreeMap<Sha256, usize>,
    desk: Arc<Desk>,
}

/// What was found in a module, also where that is why it is refused.
#[derive(Debug)]
struct Seen {
    number: u64,
    /// Kernels and parameters.
    entries: usize,
    facts: Result<Arc<ModuleFacts>, Refusal>,
}

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleFacts {
    pub(super) format: ModuleFormat,
    /// `None` where only the driver can read them.
    kernels: Option<Kernels>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kernels {
    /// As the module has them.
    all: Vec<KernelSignature>,
    /// Their places, in the order of their names.
    by_name: Vec<usize>,
}

impl Modules {
    /// Starts the threads that read.
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub(super) fn start(
        &self,
        tell: impl Fn(Reading) + Send + Sync + 'static,
    ) -> io::Result<Readers> {
        Readers::start(&self.desk, tell)
    }

    /// The facts of the module with this hash, if they are known; why it is refused, if it is.
    pub(super) fn facts(&self, digest: &Sha256) -> Option<Result<Arc<ModuleFacts>, Refusal>> {
        self.seen.get(digest).map(|seen| seen.facts.clone())
    }

    /// Has a module read, for one more that waits for it.
    ///
    /// # Errors
    /// `EAGAIN` when too many of this owner's wait already.
    pub(super) fn want(
        &mut self,
        digest: Sha256,
        owner: &Owner,
        source: Source,
    ) -> Result<(), Refusal> {
        if let Some(waiting) = self.wanted.get_mut(&digest) {
            *waiting += 1;
            return Ok(());
        }
        self.desk.want(Task { digest, owner: owner.clone(), source })?;
        self.wanted.insert(digest, 1);
        Ok(())
    }

    /// One of those who wait for a module does not any more.
    pub(super) fn forget(&mut self, digest: &Sha256) {
        let Some(waiting) = self.wanted.get_mut(digest) else { return };
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 && self.desk.forget(digest) {
            self.wanted.remove(digest);
        }
    }

    /// A module was read: its facts are known, and nobody waits any more.
    pub(super) fn told(&mut self, reading: Reading) {
        let Reading { digest, facts } = reading;
        self.wanted.remove(&digest);
        self.count += 1;
        let entries = facts.as_ref().map_or(0, ModuleFacts::entries);
        self.seen.insert(digest, Seen { number: self.count, entries, facts: facts.map(Arc::new) });
        self.make_room();
    }

    /// What could not be read is tried again when somebody wants it again.
    pub(super) fn forget_unread(&mut self, digest: &Sha256) {
        let is_unread = |facts: &Result<_, Refusal>| matches!(facts, Err(refusal) if refusal.errno == Errno::EIO);
        if self.seen.get(digest).is_some_and(|seen| is_unread(&seen.facts)) {
            self.seen.remove(digest);
        }
    }

    fn make_room(&mut self) {
        while self.seen.len() > MODULES_MAX
            || self.seen.values().map(|seen| seen.entries).sum::<usize>() > ENTRIES_MAX
        {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.number);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else { return };
            self.seen.remove(&oldest);
        }
    }

    /// Reads what is due, without threads.
    #[cfg(test)]
    pub(super) fn read_all(&mut self) {
        while let Some(reading) = self.desk.read_one() {
            self.told(reading);
        }
    }
}

impl ModuleFacts {
    /// # Errors
    /// `EINVAL` for bytes that are no module, `EFBIG` for too many.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() as u64 > MODULE_BYTES_MAX {
            let text =
                format!("module has {} bytes, wanted at most {MODULE_BYTES_MAX}", bytes.len());
            return Err(Refusal::new(Errno::EFBIG, text));
        }
        let format = sniff(bytes)?;
        let kernels = match format {
            ModuleFormat::Ptx => Some(ptx_kernels(bytes)?),
            ModuleFormat::Cubin => cubin::kernels(bytes)?,
            ModuleFormat::Fatbin => None,
        };
        let facts = Self { format, kernels: kernels.map(Kernels::new) };
        match facts.entries() {
            entries if entries > MODULE_ENTRIES_MAX => {
                let text = format!(
                    "module has {entries} kernels and parameters, wanted at most {MODULE_ENTRIES_MAX}"
                );
                Err(Refusal::new(Errno::EFBIG, text))
            }
            _ => Ok(facts),
        }
    }

    fn entries(&self) -> usize {
        let all = self.kernels.iter().flat_map(|kernels| &kernels.all);
        all.map(|kernel| 1 + kernel.parameters.len()).sum()
    }

    /// The kernel of this name, where the module tells.
    ///
    /// # Errors
    /// `EINVAL`, listing the kernels that there are.
    pub(super) fn kernel(&self, name: &str) -> Result<Option<&KernelSignature>, Refusal> {
        let Some(kernels) = &self.kernels else { return Ok(None) };
        kernels.named(name).map(Some).ok_or_else(|| {
            let names = kernels.all.iter().map(|kernel| kernel.name.as_str());
            let mut names: Vec<_> = names.take(KERNELS_NAMED_MAX).collect();
            let more = format!("{} more", kernels.all.len() - names.len());
            if kernels.all.len() > names.len() {
                names.push(&more);
            }
            Refusal::invalid(format!("kernel: module has {}, got {name}", names.join(", ")))
        })
    }
}

impl Kernels {
    fn new(all: Vec<KernelSignature>) -> Self {
        let mut by_name: Vec<_> = (0..all.len()).collect();
        by_name.sort_by_key(|place| &all[*place].name);
        Self { all, by_name }
    }

    fn named(&self, name: &str) -> Option<&KernelSignature> {
        let found = self.by_name.binary_search_by(|place| self.all[*place].name.as_str().cmp(name));
        found.ok().map(|at| &self.all[self.by_name[at]])
    }
}

/// An ELF file for NVIDIA's machine number, the magic number of fat binaries, or text with a `.version`.
fn sniff(bytes: &[u8]) -> Result<ModuleFormat, Refusal> {
    const EM_CUDA: [u8; 2] = 190_u16.to_le_bytes();
    const FATBIN: [u8; 4] = 0xba55_ed50_u32.to_le_bytes();
    if bytes.starts_with(b"\x7fELF") && bytes.get(18..20) == Some(&EM_CUDA[..]) {
        Ok(ModuleFormat::Cubin)
    } else if bytes.starts_with(&FATBIN) {
        Ok(ModuleFormat::Fatbin)
    } else if std::str::from_utf8(bytes).is_ok_and(|text| text.contains(".version")) {
        Ok(ModuleFormat::Ptx)
    } else {
        Err(Refusal::invalid("module is neither PTX text nor a cubin nor a fat binary"))
    }
}

fn ptx_kernels(bytes: &[u8]) -> Result<Vec<KernelSignature>, Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Refusal::invalid(format!("module is not text: {error}")))?;
    mock::signatures(text).map_err(|error| Refusal::invalid(format!("module: {}", error.detail)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_of;

    const PTX: &str = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p) { ret; }\n";

    #[test]
    fn a_module_is_told_by_its_first_bytes() {
        let mut cubin = [0_u8; 64];
        cubin[..4].copy_from_slice(b"\x7fELF");
        cubin[18] = 190;
        assert_eq!(sniff(&cubin), Ok(ModuleFormat::Cubin));
        assert_eq!(sniff(&[0x50, 0xed, 0x55, 0xba, 1]), Ok(ModuleFormat::Fatbin));
        assert_eq!(sniff(PTX.as_bytes()), Ok(ModuleFormat::Ptx));
        let text = sniff(b"\x7fELF for some other machine").unwrap_err().text;
        assert_eq!(text, "module is neither PTX text nor a cubin nor a fat binary");
    }

    fn inline(text: &str) -> (Sha256, Source) {
        (sha256_of(text.as_bytes()), Source::Bytes(text.as_bytes().to_vec()))
    }

    fn known(modules: &Modules, digest: &Sha256) -> Arc<ModuleFacts> {
        modules.facts(digest).unwrap().unwrap()
    }

    #[test]
    fn a_module_is_read_once_for_all_who_want_it_and_its_kernels_are_remembered() {
        let mut modules = Modules::default();
        let (digest, source) = inline(PTX);
        assert!(modules.facts(&digest).is_none());
        modules.want(digest, &Owner::Shared, source).unwrap();
        modules.want(digest, &Owner::Shared, Source::File("/not/needed".into())).unwrap();
        modules.read_all();
        let facts = known(&modules, &digest);
        assert_eq!(facts.kernel("k").unwrap().unwrap().parameters.len(), 1);
        assert_eq!(facts.kernel("j").unwrap_err().text, "kernel: module has k, got j");
    }

    /// Proves BR-34.
    #[test]
    fn a_module_is_read_as_long_as_somebody_wants_it() {
        let mut modules = Modules::default();
        for text in ["one", "two"] {
            let (digest, source) = inline(text);
            modules.want(digest, &Owner::Shared, source).unwrap();
        }
        let ((one, source), (two, _)) = (inline("one"), inline("two"));
        modules.want(one, &Owner::Shared, source).unwrap();
        modules.forget(&one);
        modules.forget(&two);
        modules.read_all();
        assert!(modules.facts(&one).unwrap().is_err());
        assert!(modules.facts(&two).is_none() && modules.wanted.is_empty());
    }

    #[test]
    fn a_module_that_is_none_is_refused_without_being_read_again_and_one_that_could_not_be_read_is()
    {
        let mut modules = Modules::default();
        let (digest, source) = inline("no module");
        modules.want(digest, &Owner::Shared, source).unwrap();
        let gone = sha256_of(b"gone");
        modules.want(gone, &Owner::Shared, Source::File("/nowhere".into())).unwrap();
        modules.read_all();
        modules.forget_unread(&digest);
        modules.forget_unread(&gone);
        assert_eq!(modules.facts(&digest).unwrap().unwrap_err().errno, Errno::EINVAL);
        assert!(modules.facts(&gone).is_none());
    }

    fn module(kernels: usize) -> String {
        let kernel = |number: usize| format!(".visible .entry k{number}() {{ ret; }}\n");
        let head = ".version 8.0\n.target sm_80\n.address_size 64\n".to_owned();
        head + &(0..kernels).map(kernel).collect::<String>()
    }

    /// Proves BR-34.
    #[test]
    fn what_is_remembered_is_bounded_by_modules_and_by_kernels() {
        let mut modules = Modules::default();
        let small = ModuleFacts::of(module(1).as_bytes()).unwrap();
        let large = ModuleFacts::of(module(MODULE_ENTRIES_MAX).as_bytes()).unwrap();
        let digest = |number: usize| sha256_of(&number.to_le_bytes());
        for number in 0..=MODULES_MAX {
            modules.told(Reading { digest: digest(number), facts: Ok(small.clone()) });
        }
        assert!(modules.facts(&digest(0)).is_none() && modules.facts(&digest(1)).is_some());
        assert_eq!(modules.seen.len(), MODULES_MAX);
        for number in 0..4 {
            modules.told(Reading { digest: digest(1000 + number), facts: Ok(large.clone()) });
        }
        assert_eq!(modules.seen.len(), 4);
        let refusal = ModuleFacts::of(module(MODULE_ENTRIES_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(refusal.text, "module has 65537 kernels and parameters, wanted at most 65536");
    }

    #[test]
    fn a_refusal_names_the_first_kernels_of_very_many() {
        let refusal = ModuleFacts::of(module(100).as_bytes()).unwrap().kernel("j").unwrap_err();
        assert_eq!(
            refusal.text,
            "kernel: module has k0, k1, k2, k3, k4, k5, k6, k7, 92 more, got j"
        );
    }
}
