//! From an opcode's name to the family that lowers it.

use crate::PtxError;
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;
use super::{
    access, asynchronous, atomic, call, compare, control, convert, float, integer, matrix, moves,
    video, warp,
};

/// Lowers one instruction.
pub(super) fn instruction<'a>(
    b: &mut Builder<'a, '_, '_>,
    text: &'a str,
    operands: &'a [syntax::Operand<'a>],
) -> Result<(), PtxError> {
    let opcode = &mut Opcode::new(text, b.line)?;
    let is_float = || float::is_float(opcode);
    match opcode.name {
        "mov" => moves::mov(b, opcode, operands),
        "cvta" => moves::cvta(b, opcode, operands),
        "isspacep" => moves::isspacep(b, opcode, operands),
        "selp" => moves::selp(b, opcode, operands),
        "slct" => moves::slct(b, opcode, operands),
        "cvt" => convert::cvt(b, opcode, operands),
        "setp" => compare::setp(b, opcode, operands),
        "set" => compare::set(b, opcode, operands),

        "add" | "sub" if is_float() => float::add_sub_mul(b, opcode, operands),
        "mul" if is_float() => float::add_sub_mul(b, opcode, operands),
        "mad" if is_float() => float::fma(b, opcode, operands),
        "div" if is_float() => float::div(b, opcode, operands),
        "neg" | "abs" if is_float() => float::neg_abs(b, opcode, operands),
        "min" | "max" if is_float() => float::min_max(b, opcode, operands),
        "fma" => float::fma(b, opcode, operands),
        "rcp" | "sqrt" => float::rcp_sqrt(b, opcode, operands),
        "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => float::approximate(b, opcode, operands),
        "copysign" => float::copysign(b, opcode, operands),
        "testp" => float::testp(b, opcode, operands),

        "add" | "sub" => integer::add_sub(b, opcode, operands),
        "addc" | "subc" | "madc" => integer::with_carry(b, opcode, operands),
        "mul" => integer::mul(b, opcode, operands),
        "mad" => integer::mad(b, opcode, operands),
        "mul24" | "mad24" => integer::by_24_bits(b, opcode, operands),
        "div" | "rem" | "sad" => integer::div_rem_sad(b, opcode, operands),
        "min" | "max" => integer::min_max(b, opcode, operands),
        "neg" | "abs" => integer::neg_abs(b, opcode, operands),
        "not" | "cnot" | "popc" | "clz" | "brev" | "bfind" => {
            integer::bits_of_one(b, opcode, operands)
        }
        "and" | "or" | "xor" => integer::logic(b, opcode, operands),
        "shl" | "shr" => integer::shift(b, opcode, operands),
        "shf" => integer::funnel(b, opcode, operands),
        "bmsk" | "szext" => integer::mask_and_extend(b, opcode, operands),
        "bfe" => integer::bfe(b, opcode, operands),
        "bfi" => integer::bfi(b, opcode, operands),
        "prmt" => integer::prmt(b, opcode, operands),
        "fns" => integer::fns(b, opcode, operands),
        "lop3" => integer::lop3(b, opcode, operands),
        "dp4a" | "dp2a" => integer::dot(b, opcode, operands),

        "vadd" | "vsub" | "vabsdiff" | "vmin" | "vmax" | "vshl" | "vshr" | "vset" => {
            video::scalar(b, opcode, operands)
        }
        "vmad" => video::multiply(b, opcode, operands),
        "vadd2" | "vsub2" | "vavrg2" | "vabsdiff2" | "vmin2" | "vmax2" | "vset2" | "vadd4"
        | "vsub4" | "vavrg4" | "vabsdiff4" | "vmin4" | "vmax4" | "vset4" => {
            video::simd(b, opcode, operands)
        }

        "ld" | "ldu" => access::ld(b, opcode, operands),
        "st" => access::st(b, opcode, operands),
        "atom" | "red" => atomic::atomic(b, opcode, operands),
        "fence" => access::fence(b, opcode),
        "membar" => access::membar(b, opcode),
        "prefetch" | "prefetchu" | "discard" | "applypriority" => access::hint(b, opcode, operands),
        "createpolicy" => access::createpolicy(b, opcode, operands),
        "cp" => asynchronous::cp(b, opcode, operands),
        "mbarrier" => asynchronous::mbarrier(b, opcode, operands),

        "shfl" => warp::shfl(b, opcode, operands),
        "vote" => warp::vote(b, opcode, operands),
        "match" => warp::matching(b, opcode, operands),
        "redux" => warp::redux(b, opcode, operands),
        "activemask" => warp::activemask(b, opcode, operands),
        "elect" => warp::elect(b, opcode, operands),
        "bar" | "barrier" => warp::barrier(b, opcode, operands),

        "ldmatrix" | "stmatrix" => matrix::matrix_move(b, opcode, operands),
        "movmatrix" => matrix::transpose(b, opcode, operands),
        "mma" => matrix::mma(b, opcode, operands),
        "wmma" => matrix::wmma(b, opcode, operands),

        "bra" => control::bra(b, opcode, operands),
        "brx" => control::brx(b, opcode, operands),
        "call" => call::call(b, opcode, operands),
        "ret" | "exit" | "trap" | "brkpt" => control::end(b, opcode, operands),
        "nanosleep" => control::nanosleep(b, opcode, operands),
        "griddepcontrol" | "pmevent" => control::hint(b, opcode, operands),

        "tex" | "tld4" | "txq" | "suld" | "sust" | "sured" | "suq" | "istypep" => {
            Err(b.unsupported("textures and surfaces are"))
        }
        name => Err(b.unsupported(&format!("instruction {name} is"))),
    }
}
