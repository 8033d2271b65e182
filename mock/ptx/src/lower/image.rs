//! What variables hold at the start, as bytes and as addresses to fill in.

use std::collections::HashMap;

use crate::PtxError;
use crate::ir::{Relocation, Type};
use crate::limits::IMAGE_BYTES_MAX;
use crate::syntax::{Constant, Initialiser, SymbolValue, Variable};

use super::constant::bits_of;
use super::layout::element_type;
use super::symbols::Symbol;

/// Fills images, counting their bytes over the whole module.
pub(super) struct Images<'n, 'a> {
    names: &'n HashMap<&'a str, Symbol>,
    bytes_left: u64,
}

impl<'n, 'a> Images<'n, 'a> {
    pub(super) fn new(names: &'n HashMap<&'a str, Symbol>) -> Self {
        Self { names, bytes_left: IMAGE_BYTES_MAX }
    }

    /// The image of one variable of `bytes` bytes.
    pub(super) fn fill(
        &mut self,
        variable: &Variable<'_>,
        initialiser: &Initialiser<'_>,
        bytes: u64,
    ) -> Result<(Vec<u8>, Vec<Relocation>), PtxError> {
        let line = variable.span.line;
        let element = element_type(variable).ok_or_else(|| {
            PtxError::unsupported(line, format!("initialised .{} is not supported", variable.ty))
        })?;
        let mut image = Image {
            names: self.names,
            line,
            element,
            strides: strides(variable, element),
            bytes,
            bytes_max: self.bytes_left,
            image: Vec::new(),
            relocations: Vec::new(),
        };
        image.put(initialiser, 0, 0)?;
        self.bytes_left = self.bytes_left.saturating_sub(image.image.len() as u64);
        Ok((image.image, image.relocations))
    }
}

/// Bytes that one step of each dimension takes, outermost first; the last is one element.
fn strides(variable: &Variable<'_>, element: Type) -> Vec<u64> {
    let mut stride = u64::from(element.bytes());
    let mut strides = vec![stride];
    if variable.vector > 1 {
        stride = stride.saturating_mul(variable.vector.into());
        strides.push(stride);
    }
    for dimension in variable.dimensions.iter().skip(1).rev() {
        stride = stride.saturating_mul(dimension.unwrap_or(1));
        strides.push(stride);
    }
    strides.reverse();
    strides
}

struct Image<'n, 'a> {
    names: &'n HashMap<&'a str, Symbol>,
    line: u32,
    element: Type,
    strides: Vec<u64>,
    bytes: u64,
    bytes_max: u64,
    image: Vec<u8>,
    relocations: Vec<Relocation>,
}

impl Image<'_, '_> {
    /// Puts a value at `at`; values of a list one after the other, lists within it at multiples of
    /// their dimension's stride.
    fn put(&mut self, value: &Initialiser<'_>, at: u64, depth: usize) -> Result<(), PtxError> {
        let list = match value {
            Initialiser::List(list) => list,
            Initialiser::Constant(constant) => return self.put_constant(*constant, at),
            Initialiser::Symbol(symbol) => return self.put_symbol(*symbol, at),
        };
        let element = u64::from(self.element.bytes());
        let stride = self.strides.get(depth).copied().unwrap_or(element);
        let mut next = at;
        for item in list {
            self.put(item, next, depth + 1)?;
            let step = if matches!(item, Initialiser::List(_)) { stride } else { element };
            next = next.saturating_add(step);
        }
        Ok(())
    }

    fn put_constant(&mut self, constant: Constant, at: u64) -> Result<(), PtxError> {
        let bits = bits_of(constant, self.element)
            .map_err(|reason| PtxError::malformed(self.line, reason))?;
        self.put_bits(bits, at)
    }

    fn put_bits(&mut self, bits: u64, at: u64) -> Result<(), PtxError> {
        let width = u64::from(self.element.bytes());
        let end = at.saturating_add(width);
        if end > self.bytes {
            let reason = format!("more values than the {} bytes hold", self.bytes);
            return Err(PtxError::malformed(self.line, reason));
        }
        if end > self.bytes_max {
            let reason = format!("more than {IMAGE_BYTES_MAX} bytes of initialised data");
            return Err(PtxError::too_large(self.line, reason));
        }
        if bits == 0 {
            // zeros follow an image by themselves
            return Ok(());
        }
        self.reach(end);
        let (at, width) = (usize::try_from(at).unwrap_or(0), self.element.bytes() as usize);
        if let (Some(place), Some(bytes)) =
            (self.image.get_mut(at..at + width), bits.to_le_bytes().get(..width))
        {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Makes the image at least `end` bytes long; the caller has checked that it may be.
    fn reach(&mut self, end: u64) {
        let end = usize::try_from(end).unwrap_or(0);
        if self.image.len() < end {
            self.image.resize(end, 0);
        }
    }

    fn put_symbol(&mut self, value: SymbolValue<'_>, at: u64) -> Result<(), PtxError> {
        let malformed = |reason: String| Err(PtxError::malformed(self.line, reason));
        let width = self.element.bytes();
        let (shift, bytes) = match value.mask {
            None if width == 8 => (0, 8),
            None => return malformed(format!("the address of `{}` takes 8 bytes", value.name)),
            Some(mask) => match mask_shift(mask) {
                Some(shift) => (shift, u8::try_from(width).unwrap_or(8)),
                None => return malformed(format!("mask {mask:#x} is no whole byte")),
            },
        };
        match self.names.get(value.name) {
            Some(Symbol::Function(id)) => {
                let address = id.address().wrapping_add_signed(value.addend);
                let kept = value.mask.map_or(address, |mask| (address & mask) >> shift);
                self.put_bits(kept, at)
            }
            Some(Symbol::Global(symbol)) => {
                self.put_bits(0, at)?;
                self.reach(at + u64::from(bytes));
                let (symbol, addend) = (*symbol, value.addend);
                let shift = u8::try_from(shift).unwrap_or(0);
                self.relocations.push(Relocation { offset: at, bytes, shift, symbol, addend });
                Ok(())
            }
            Some(_) => malformed(format!("`{}` has no address that is known at load", value.name)),
            None => malformed(format!("`{}` is not declared", value.name)),
        }
    }
}

/// How far a mask of one byte lies from the lowest.
fn mask_shift(mask: u64) -> Option<u32> {
    let shift = mask.trailing_zeros();
    (mask != 0 && shift.is_multiple_of(8) && mask >> shift == 0xff).then_some(shift)
}
