//! What is known of modules without a GPU: their form, and the kernels and parameter tables of PTX and of cubins.
//!
//! A fat binary tells its tables to the executor that loads it; there all of them are checked again.

use std::collections::BTreeMap;

use bridge_host_gpu::KernelSignature;
use ninedoor_abi::{
    Errno, Refusal,
    job::{ModuleFormat, Sha256},
};

use super::cubin;

/// Bytes of one module.
pub(super) const MODULE_BYTES_MAX: u64 = 16 << 20;

/// Modules whose tables are remembered; the oldest goes first.
const MODULES_MAX: usize = 256;

/// Kernels that a refusal names: a module may have very many.
const KERNELS_NAMED_MAX: usize = 8;

/// The tables of modules seen lately.
#[derive(Debug, Default)]
pub(super) struct Modules {
    seen: BTreeMap<Sha256, Seen>,
    count: u64,
}

#[derive(Debug)]
struct Seen {
    number: u64,
    module: ModuleFacts,
}

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleFacts {
    pub(super) format: ModuleFormat,
    /// `None` where only the driver can read them.
    pub(super) kernels: Option<Vec<KernelSignature>>,
}

impl Modules {
    /// The facts of the module with this hash; `read` brings its bytes when they are not known yet.
    ///
    /// # Errors
    /// `EINVAL` for bytes that are no module, `EFBIG` for too many, what `read` says.
    pub(super) fn facts(
        &mut self,
        digest: &Sha256,
        read: impl FnOnce() -> Result<Vec<u8>, Refusal>,
    ) -> Result<&ModuleFacts, Refusal> {
        if !self.seen.contains_key(digest) {
            let module = ModuleFacts::of(&read()?)?;
            self.make_room();
            self.count += 1;
            self.seen.insert(*digest, Seen { number: self.count, module });
        }
        match self.seen.get(digest) {
            Some(seen) => Ok(&seen.module),
            None => Err(Refusal::new(Errno::EIO, "a module was read and is not known")),
        }
    }

    fn make_room(&mut self) {
        if self.seen.len() < MODULES_MAX {
            return;
        }
        let oldest =
            self.seen.iter().min_by_key(|(_, seen)| seen.number).map(|(digest, _)| *digest);
        if let Some(oldest) = oldest {
            self.seen.remove(&oldest);
        }
    }
}

impl ModuleFacts {
    fn of(bytes: &[u8]) -> Result<Self, Refusal> {
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
        Ok(Self { format, kernels })
    }

    /// The kernel of this name, where the module tells.
    ///
    /// # Errors
    /// `EINVAL`, listing the kernels that there are.
    pub(super) fn kernel(&self, name: &str) -> Result<Option<&KernelSignature>, Refusal> {
        let Some(kernels) = &self.kernels else { return Ok(None) };
        let found = kernels.iter().find(|kernel| kernel.name == name);
        found.map(Some).ok_or_else(|| {
            let names = kernels.iter().map(|kernel| kernel.name.as_str());
            let mut names: Vec<_> = names.take(KERNELS_NAMED_MAX).collect();
            let more = format!("{} more", kernels.len() - names.len());
            if kernels.len() > names.len() {
                names.push(&more);
            }
            Refusal::invalid(format!("kernel: module has {}, got {name}", names.join(", ")))
        })
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

    const PTX: &[u8] = b".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p) { ret; }\n";

    #[test]
    fn a_module_is_told_by_its_first_bytes() {
        let mut cubin = [0_u8; 64];
        cubin[..4].copy_from_slice(b"\x7fELF");
        cubin[18] = 190;
        assert_eq!(sniff(&cubin), Ok(ModuleFormat::Cubin));
        assert_eq!(sniff(&[0x50, 0xed, 0x55, 0xba, 1]), Ok(ModuleFormat::Fatbin));
        assert_eq!(sniff(PTX), Ok(ModuleFormat::Ptx));
        let text = sniff(b"\x7fELF for some other machine").unwrap_err().text;
        assert_eq!(text, "module is neither PTX text nor a cubin nor a fat binary");
    }

    #[test]
    fn a_module_is_read_once_and_its_kernels_are_remembered() {
        let mut modules = Modules::default();
        let digest = sha256_of(PTX);
        let facts = modules.facts(&digest, || Ok(PTX.to_vec())).unwrap();
        assert_eq!(facts.kernel("k").unwrap().unwrap().parameters.len(), 1);
        let again = modules.facts(&digest, || panic!("it is known")).unwrap();
        assert_eq!(again.kernel("j").unwrap_err().text, "kernel: module has k, got j");
    }

    #[test]
    fn a_refusal_names_the_first_kernels_of_very_many() {
        let kernel = |number: usize| format!(".visible .entry k{number}() {{ ret; }}\n");
        let head = ".version 8.0\n.target sm_80\n.address_size 64\n".to_owned();
        let ptx = head + &(0..100).map(kernel).collect::<String>();
        let refusal = ModuleFacts::of(ptx.as_bytes()).unwrap().kernel("j").unwrap_err();
        assert_eq!(
            refusal.text,
            "kernel: module has k0, k1, k2, k3, k4, k5, k6, k7, 92 more, got j"
        );
    }
}
