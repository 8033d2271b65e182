//! Constants as the bits of a type.

use crate::ir::Type;
use crate::syntax::Constant;

use super::opcode::name_of;

/// The bits of a constant as an operand of type `ty`, zero above its width.
///
/// Integers are cut to the width. Floats of another width are converted, to nearest even. Types of
/// 16-bit floats take integers as their bits, since PTX has no constants of them.
pub(super) fn bits_of(constant: Constant, ty: Type) -> Result<u64, String> {
    let mask = if ty.bits() >= 64 { u64::MAX } else { (1 << ty.bits()) - 1 };
    match (constant, ty) {
        (Constant::Integer { bits, .. }, Type::Pred) => Ok(u64::from(bits != 0)),
        (Constant::Integer { bits, .. }, Type::F32) if bits != 0 => Err(not_a_float(bits, "f32")),
        (Constant::Integer { bits, .. }, Type::F64) if bits != 0 => Err(not_a_float(bits, "f64")),
        (Constant::Integer { bits, .. }, _) => Ok(bits & mask),
        (Constant::F32(bits), Type::F32 | Type::B32 | Type::Tf32) => Ok(bits.into()),
        (Constant::F64(bits), Type::F64 | Type::B64) => Ok(bits),
        (Constant::F32(_), Type::F64) => Ok(constant.as_f64().to_bits()),
        #[expect(clippy::cast_possible_truncation, reason = "rounding to nearest is what is meant")]
        (Constant::F64(_), Type::F32) => Ok((constant.as_f64() as f32).to_bits().into()),
        _ => Err(format!("a float constant where .{} is wanted", name_of(ty))),
    }
}

fn not_a_float(bits: u64, ty: &str) -> String {
    format!("integer constant {} where .{ty} is wanted", bits.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_take_the_width_of_their_type() {
        assert_eq!(bits_of(Constant::signed(-1), Type::S16), Ok(0xffff));
        assert_eq!(bits_of(Constant::signed(-1), Type::B64), Ok(u64::MAX));
        assert_eq!(bits_of(Constant::F32(0x3f80_0000), Type::F64), Ok(1.0_f64.to_bits()));
        assert_eq!(bits_of(Constant::F64(0.1_f64.to_bits()), Type::F32), Ok(0x3dcc_cccd));
        assert_eq!(bits_of(Constant::signed(7), Type::Pred), Ok(1));
        assert_eq!(bits_of(Constant::signed(0x3c00), Type::F16), Ok(0x3c00));
    }

    #[test]
    fn integers_are_no_floats() {
        let error = bits_of(Constant::signed(3), Type::F32).unwrap_err();
        assert_eq!(error, "integer constant 3 where .f32 is wanted");
        let error = bits_of(Constant::F32(0), Type::S32).unwrap_err();
        assert_eq!(error, "a float constant where .s32 is wanted");
    }
}
