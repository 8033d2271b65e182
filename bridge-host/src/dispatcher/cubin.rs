//! What a cubin says of its kernels: an ELF file whose sections `.nv.info.<kernel>` hold a table of attributes.
//!
//! ```text
//! attribute   form u8 · name u8 · u16: a value, or (form 4) the bytes that follow
//! KPARAM_INFO 12 bytes: index u32 · ordinal u16 · offset u16 · u32 with the size in its upper 14 bits
//! ```
//! Bytes are an allegation: whatever does not hold together is refused. A table in a form that we do not know is left to the driver,
//! which checks it when it loads the module.

use bridge_host_gpu::{KernelSignature, ParameterSlot};
use ninedoor_abi::Refusal;
use object::{
    Endianness,
    elf::{FileHeader64, SHT_SYMTAB, STT_FUNC},
    read::{
        StringTable,
        elf::{FileHeader, SectionHeader, Sym},
    },
};

/// Sections that describe one kernel begin with this, and those with its shared memory with that.
const INFO: &[u8] = b".nv.info.";
const SHARED: &str = ".nv.shared.";

/// Where this section is, each kernel's shared memory begins with what the system keeps for itself (from sm_90 on).
const SYSTEM_SHARED: &[u8] = b".nv.shared.reserved.0";
const SYSTEM_SHARED_BYTES: u64 = 1024;

/// The form of an attribute whose bytes follow it.
const SIZED: u8 = 0x04;

/// Attributes: one parameter; the bytes of all of them.
const KPARAM_INFO: u8 = 0x17;
const CBANK_PARAM_SIZE: u8 = 0x19;
const KPARAM_INFO_BYTES: usize = 12;

/// In a symbol's `other`: it is a kernel, not a function that kernels call.
const ENTRY: u8 = 0x10;

/// Kernels of one module.
const KERNELS_MAX: usize = 65_536;

type Header = FileHeader64<Endianness>;

/// The kernels of a cubin; `None` where their parameters are told in a way that only the driver knows.
///
/// # Errors
/// `EINVAL` for a file that is damaged, naming what is.
pub(super) fn kernels(bytes: &[u8]) -> Result<Option<Vec<KernelSignature>>, Refusal> {
    let damaged = |error: object::Error| Refusal::invalid(format!("module: cubin: {error}"));
    let header = Header::parse(bytes).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let sections = header.sections(endian, bytes).map_err(damaged)?;
    let symbols = sections.symbols(endian, bytes, SHT_SYMTAB).map_err(damaged)?;
    let mut kernels = Vec::new();
    for symbol in symbols.iter() {
        if symbol.st_type() != STT_FUNC || symbol.st_other() & ENTRY == 0 {
            continue;
        }
        if kernels.len() == KERNELS_MAX {
            return Err(Refusal::invalid(format!(
                "module: cubin has more than {KERNELS_MAX} kernels"
            )));
        }
        let name = name_of(symbol, endian, symbols.strings()).map_err(damaged)?;
        let section = |wanted: &[u8]| sections.section_by_name(endian, wanted);
        let info = match section(&[INFO, name.as_bytes()].concat()) {
            Some((_, info)) => info.data(endian, bytes).map_err(damaged)?,
            None => return Ok(None),
        };
        let Some(parameters) = parameters(info)
            .map_err(|what| Refusal::invalid(format!("module: cubin: .nv.info.{name}: {what}")))?
        else {
            return Ok(None);
        };
        let shared = section(format!("{SHARED}{name}").as_bytes());
        let system = section(SYSTEM_SHARED).map_or(0, |_| SYSTEM_SHARED_BYTES);
        let shared =
            shared.map_or(0, |(_, section)| section.sh_size(endian).saturating_sub(system));
        kernels.push(KernelSignature {
            name,
            parameters,
            static_shared_bytes: u32::try_from(shared).unwrap_or(u32::MAX),
            block_threads_max: None,
            block_required: None,
        });
    }
    Ok(Some(kernels))
}

fn name_of(
    symbol: &impl Sym<Endian = Endianness>,
    endian: Endianness,
    strings: StringTable<'_>,
) -> object::Result<String> {
    Ok(String::from_utf8_lossy(symbol.name(endian, strings)?).into_owned())
}

/// The parameters in kernel order; `None` where there are some and none is told as we know it.
fn parameters(mut info: &[u8]) -> Result<Option<Vec<ParameterSlot>>, String> {
    let mut told: Vec<(u16, ParameterSlot)> = Vec::new();
    let mut bytes_of_all = 0;
    while !info.is_empty() {
        let (attribute, rest) = Attribute::read(info)?;
        info = rest;
        match attribute {
            Attribute { name: CBANK_PARAM_SIZE, value, .. } => bytes_of_all = u32::from(value),
            Attribute { name: KPARAM_INFO, payload, .. } => told.push(parameter(payload)?),
            _ => {}
        }
    }
    if told.is_empty() && bytes_of_all > 0 {
        return Ok(None);
    }
    told.sort_by_key(|(ordinal, _)| *ordinal);
    let mut end = 0;
    for (place, (ordinal, slot)) in told.iter().enumerate() {
        if usize::from(*ordinal) != place {
            return Err(format!("parameter {place} is missing, or there twice"));
        }
        if slot.offset < end {
            return Err(format!("parameter {place} lies upon the one before it"));
        }
        end = slot.offset + slot.bytes;
    }
    Ok(Some(told.into_iter().map(|(_, slot)| slot).collect()))
}

struct Attribute<'a> {
    name: u8,
    /// What stands in the place of its length, where it has no bytes of its own.
    value: u16,
    payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    fn read(info: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let Some((&[form, name, low, high], rest)) = info.split_first_chunk() else {
            return Err(format!(
                "ends within an attribute, {} bytes before its length",
                info.len()
            ));
        };
        let value = u16::from_le_bytes([low, high]);
        let length = if form == SIZED { usize::from(value) } else { 0 };
        match rest.split_at_checked(length) {
            Some((payload, rest)) => Ok((Self { name, value, payload }, rest)),
            None => {
                Err(format!("attribute {name:#04x} has {length} bytes, {} are left", rest.len()))
            }
        }
    }
}

fn parameter(payload: &[u8]) -> Result<(u16, ParameterSlot), String> {
    let Ok([_, _, _, _, ordinal @ .., _, _, _, _, _, _]) =
        <[u8; KPARAM_INFO_BYTES]>::try_from(payload)
    else {
        return Err(format!(
            "a parameter takes {KPARAM_INFO_BYTES} bytes to tell, got {}",
            payload.len()
        ));
    };
    let two = |at: usize| u16::from_le_bytes([payload[at], payload[at + 1]]);
    let word = u32::from_le_bytes([payload[8], payload[9], payload[10], payload[11]]);
    let slot = ParameterSlot { offset: u32::from(two(6)), bytes: word >> 18 };
    Ok((u16::from_le_bytes(ordinal), slot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A cubin as ptxas lays it out, with one kernel, written here: NVIDIA's own files are not ours to copy.
    fn cubin(kernel: &str, info: &[u8], shared_bytes: u64) -> Vec<u8> {
        const HEADER_BYTES: usize = 64;
        let names = [
            String::new(),
            ".strtab".to_owned(),
            ".symtab".to_owned(),
            format!(".nv.info.{kernel}"),
            format!(".nv.shared.{kernel}"),
            kernel.to_owned(),
        ];
        let mut strings = Vec::new();
        let starts: Vec<u32> = names
            .iter()
            .map(|name| {
                let start = u32::try_from(strings.len()).unwrap();
                strings.extend([name.as_bytes(), b"\0"].concat());
                start
            })
            .collect();
        let mut symbols = vec![0; 24];
        symbols.extend(starts[5].to_le_bytes());
        symbols.extend([0x12, ENTRY, 3, 0]);
        symbols.extend([0; 16]);
        let mut file = vec![0; HEADER_BYTES];
        let mut place = |bytes: &[u8]| {
            let at = file.len() as u64;
            file.extend(bytes);
            (at, bytes.len() as u64)
        };
        let (strings, symbols, info) = (place(&strings), place(&symbols), place(info));
        let nothing = (0, 0);
        let shared = (0, shared_bytes);
        let table: [(usize, u32, (u64, u64), u32); 5] = [
            (0, 0, nothing, 0),
            (1, 3, strings, 0),
            (2, 2, symbols, 1),
            (3, 0x7000_0000, info, 0),
            (4, 8, shared, 0),
        ];
        let start = file.len() as u64;
        for (name, kind, (at, bytes), link) in table {
            file.extend([starts[name].to_le_bytes(), kind.to_le_bytes()].concat());
            file.extend([0, 0, at, bytes].map(u64::to_le_bytes).concat());
            file.extend([link, 1].map(u32::to_le_bytes).concat());
            let entry_bytes = if kind == 2 { 24 } else { 0 };
            file.extend([1, entry_bytes].map(u64::to_le_bytes).concat());
        }
        file[..9].copy_from_slice(b"\x7fELF\x02\x01\x01\x33\x07");
        file[16..20].copy_from_slice(&[2, 0, 190, 0]);
        file[40..48].copy_from_slice(&start.to_le_bytes());
        file[52..64].copy_from_slice(&[64, 0, 0, 0, 0, 0, 64, 0, 5, 0, 1, 0]);
        file
    }

    fn told(ordinal: u16, offset: u16, bytes: u32) -> Vec<u8> {
        let mut attribute = vec![SIZED, KPARAM_INFO, 12, 0, 0, 0, 0, 0];
        attribute.extend([ordinal, offset].map(u16::to_le_bytes).concat());
        attribute.extend((bytes << 18 | 0x1_f000).to_le_bytes());
        attribute
    }

    fn refused(info: &[u8]) -> String {
        kernels(&cubin("k", info, 0)).unwrap_err().text
    }

    /// Proves JOBD-13.
    #[test]
    fn the_parameters_of_a_cubin_are_read_in_kernel_order() {
        // As ptxas writes structArg(P p, float *o): the last parameter first, other attributes around them.
        let info = [
            vec![SIZED, 0x37, 4, 0, 0x81, 0, 0, 0],
            told(1, 32, 8),
            told(0, 0, 32),
            vec![0x03, 0x1b, 255, 0, 0x03, CBANK_PARAM_SIZE, 40, 0],
        ];
        let found = kernels(&cubin("structArg", &info.concat(), 2048)).unwrap().unwrap();
        assert_eq!(
            found,
            [KernelSignature {
                name: "structArg".to_owned(),
                parameters: vec![
                    ParameterSlot { offset: 0, bytes: 32 },
                    ParameterSlot { offset: 32, bytes: 8 }
                ],
                static_shared_bytes: 2048,
                block_threads_max: None,
                block_required: None,
            }]
        );
    }

    /// Proves JOBD-13.
    #[test]
    fn a_kernel_without_parameters_has_none_and_a_table_of_another_kind_is_the_drivers() {
        let none = kernels(&cubin("k", &[], 0)).unwrap().unwrap();
        assert!(none[0].parameters.is_empty());
        let unknown = [0x03, CBANK_PARAM_SIZE, 8, 0];
        assert_eq!(kernels(&cubin("k", &unknown, 0)).unwrap(), None);
    }

    /// Proves JOBD-13.
    #[test]
    fn a_cubin_that_does_not_hold_together_is_refused_by_what_is_wrong() {
        assert_eq!(
            refused(&[SIZED, KPARAM_INFO, 12, 0, 0]),
            "module: cubin: .nv.info.k: attribute 0x17 has 12 bytes, 1 are left"
        );
        assert_eq!(
            refused(&[SIZED, KPARAM_INFO, 1, 0, 0]),
            "module: cubin: .nv.info.k: a parameter takes 12 bytes to tell, got 1"
        );
        assert_eq!(
            refused(&[told(0, 0, 8), told(2, 8, 8)].concat()),
            "module: cubin: .nv.info.k: parameter 1 is missing, or there twice"
        );
        assert_eq!(
            refused(&[told(0, 0, 8), told(1, 4, 8)].concat()),
            "module: cubin: .nv.info.k: parameter 1 lies upon the one before it"
        );
        let cut = kernels(&cubin("k", &[], 0)[..100]).unwrap_err().text;
        assert!(cut.starts_with("module: cubin: "), "{cut}");
    }

    proptest! {
        /// Proves JOBD-13.
        #[test]
        fn any_bytes_of_a_cubin_are_read_or_refused(
            info in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut file = cubin("k", &info, 16);
            let at = at.index(file.len());
            file[at] = byte;
            let _ = kernels(&file);
        }
    }
}
