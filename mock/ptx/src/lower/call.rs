//! `call`: inlined, real, through an address, or of the system's own functions.
//!
//! Arguments and results are variables of the frame. What is inlined shares them with its caller; what is
//! really called finds them at its frame's base, where they are copied to and from.

use crate::PtxError;
use crate::ir::{
    Address, Coherence, FunctionId, Intrinsic, Op, Operand, Reg, RegClass, Space, Terminator, Type,
};
use crate::limits::INLINE_DEPTH_MAX;
use crate::syntax::{self, DeclaredSpace, Variable};

use super::builder::{Builder, ReturnTo};
use super::layout::{ArgumentSlot, CallLayout, element_type};
use super::names::{FrameVariable, Names, Place, class_name};
use super::opcode::Opcode;
use super::operands::{Parts, nth};
use super::symbols::FunctionSymbol;
use crate::unit::Unit;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// A call as written.
#[derive(Clone, Copy)]
struct Call<'a> {
    results: Operands<'a>,
    target: &'a str,
    arguments: Operands<'a>,
    /// The type of the callee, of a call through an address.
    prototype: Option<&'a str>,
}

/// `call (results), target, (arguments), prototype`
pub(super) fn call<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    opcode.has("uni");
    opcode.finish()?;
    let call = read(b, operands)?;
    b.under_guard(|b| match b.find(call.target)? {
        Some(Place::Function(id)) => direct(b, call, id),
        Some(Place::Register(address)) => indirect(b, call, address),
        Some(_) => Err(b.malformed(format!("`{}` is no function", call.target))),
        None => Err(b.malformed(format!("`{}` is not declared", call.target))),
    })
}

fn read<'a>(b: &Builder<'a, '_, '_>, operands: Operands<'a>) -> Result<Call<'a>, PtxError> {
    use syntax::Operand::{Group, Name};
    let (results, rest) = match operands {
        [Group(results), rest @ ..] => (b.body_operands(*results), rest),
        rest => (&[][..], rest),
    };
    let (target, arguments, prototype) = match rest {
        [Name(target)] => (*target, &[][..], None),
        [Name(target), Group(arguments)] => (*target, b.body_operands(*arguments), None),
        [Name(target), Group(arguments), Name(prototype)] => {
            (*target, b.body_operands(*arguments), Some(*prototype))
        }
        [Name(target), Name(prototype)] => (*target, &[][..], Some(*prototype)),
        _ => return Err(b.malformed("wanted call (results), function, (arguments)")),
    };
    Ok(Call { results, target, arguments, prototype })
}

fn direct<'a>(b: &mut Builder<'a, '_, '_>, call: Call<'a>, id: FunctionId) -> Result<(), PtxError> {
    let symbols = b.context.symbols;
    let Some(symbol) = symbols.function(id) else {
        return Err(b.malformed(format!("`{}` is not declared", call.target)));
    };
    let function = symbol.function;
    if function.body.is_none() {
        return intrinsic(b, call, function.name);
    }
    check_counts(b, call, &function.returns, &function.parameters)?;
    // what is nested too deep to be inlined is called
    let is_deep = b.instances.len() > INLINE_DEPTH_MAX;
    if is_deep || b.context.inlining.calls(id) {
        b.context.call(id);
        return real(b, call, &symbol.layout, |then| Terminator::Call {
            callee: id,
            frame_bytes: 0,
            then,
        });
    }
    inline(b, call, symbol)
}

fn check_counts(
    b: &Builder<'_, '_, '_>,
    call: Call<'_>,
    returns: &[Variable<'_>],
    parameters: &[Variable<'_>],
) -> Result<(), PtxError> {
    for (what, wanted, got) in [
        ("results", returns.len(), call.results.len()),
        ("arguments", parameters.len(), call.arguments.len()),
    ] {
        if wanted != got {
            let reason = format!("`{}` has {wanted} {what}, got {got}", call.target);
            return Err(b.malformed(reason));
        }
    }
    Ok(())
}

// ---- inlined ----

fn inline<'a>(
    b: &mut Builder<'a, '_, '_>,
    call: Call<'a>,
    symbol: &'a FunctionSymbol<'a>,
) -> Result<(), PtxError> {
    let function = symbol.function;
    let Some(body) = &function.body else { return Ok(()) };
    let mut names = Names::new();
    for (formal, actual) in function.parameters.iter().zip(call.arguments) {
        let place = argument(b, formal, actual)?;
        names.bind(formal.name, place, formal.span.line)?;
    }
    let mut results = Vec::new();
    for (formal, actual) in function.returns.iter().zip(call.results) {
        let place = result(b, formal, actual)?;
        names.bind(formal.name, place, formal.span.line)?;
        results.push((place, actual));
    }
    let after = b.unit.block();
    b.body(body, names, ReturnTo::Block(after))?;
    b.go_on_at(after);
    for (place, actual) in results {
        match place {
            Place::Register(src) => {
                let (dst, src) = (b.dst_class(actual, src.class())?, Operand::Register(src));
                b.emit(Op::Move { dst, src });
            }
            Place::Registers { first, count, .. } => vector_result(b, actual, first, count)?,
            _ => {}
        }
    }
    Ok(())
}

/// A vector of registers as a parameter: the actual one, part by part.
fn vector_argument<'a>(
    b: &mut Builder<'a, '_, '_>,
    formal: &Variable<'a>,
    actual: &'a syntax::Operand<'a>,
) -> Result<Place<'a>, PtxError> {
    let place = vector_registers(b, formal)?;
    let Place::Registers { first, count, .. } = place else { return Ok(place) };
    let parts = b.src_parts(actual, element_type(formal).unwrap_or(Type::B32))?;
    check_parts(b, count, parts.len())?;
    for (index, src) in (0..).zip(&parts) {
        b.emit(Op::Move { dst: nth(first, index), src: *src });
    }
    Ok(place)
}

fn vector_result<'a>(
    b: &mut Builder<'a, '_, '_>,
    actual: &'a syntax::Operand<'a>,
    first: Reg,
    count: u32,
) -> Result<(), PtxError> {
    let parts = match b.parts(actual)? {
        Parts::Listed(list) => {
            list.iter().map(|part| b.dst_class(part, first.class())).collect::<Result<_, _>>()?
        }
        Parts::Registers(to, count) => (0..count).map(|i| nth(to, i)).collect::<Vec<_>>(),
    };
    check_parts(b, count, parts.len())?;
    for (index, dst) in (0..).zip(parts) {
        b.emit(Op::Move { dst, src: Operand::Register(nth(first, index)) });
    }
    Ok(())
}

fn check_parts(b: &Builder<'_, '_, '_>, wanted: u32, got: usize) -> Result<(), PtxError> {
    if wanted as usize == got {
        return Ok(());
    }
    Err(b.malformed(format!("a vector of {wanted} parts, got {got}")))
}

/// New registers for a parameter that is a vector of them.
fn vector_registers<'a>(
    b: &mut Builder<'a, '_, '_>,
    formal: &Variable<'_>,
) -> Result<Place<'a>, PtxError> {
    let ty = element_type(formal).ok_or_else(|| b.malformed("a parameter of no size"))?;
    let count = u32::from(formal.vector);
    let first = b.temporaries(ty.class(), count);
    Ok(Place::Registers { first, count, wide: false })
}

/// What a parameter is inside of an inlined function.
fn argument<'a>(
    b: &mut Builder<'a, '_, '_>,
    formal: &'a Variable<'a>,
    actual: &'a syntax::Operand<'a>,
) -> Result<Place<'a>, PtxError> {
    if formal.space == DeclaredSpace::Register && formal.vector > 1 {
        return vector_argument(b, formal, actual);
    }
    if formal.space == DeclaredSpace::Register {
        let ty = register_type(b, formal)?;
        let src = b.src(actual, ty)?;
        let dst = b.temporary(ty.class());
        b.emit(Op::Move { dst, src });
        return Ok(Place::Register(dst));
    }
    if let syntax::Operand::Name(name) = actual
        && let Some(Place::Frame(variable)) = b.find(name)?
    {
        return shared_variable(b, formal, name, variable);
    }
    // a register or constant for a parameter in memory
    let ty = element_type(formal).ok_or_else(|| b.malformed("a parameter of no size"))?;
    let place = b.frame_place(formal)?;
    let Place::Frame(variable) = place else { return Ok(place) };
    let (src, address) = (b.src(actual, ty)?, b.frame_address(variable, 0)?);
    b.emit(store(ty, src, address));
    Ok(place)
}

/// What a result is inside of an inlined function.
fn result<'a>(
    b: &mut Builder<'a, '_, '_>,
    formal: &'a Variable<'a>,
    actual: &syntax::Operand<'a>,
) -> Result<Place<'a>, PtxError> {
    if formal.space == DeclaredSpace::Register && formal.vector > 1 {
        return vector_registers(b, formal);
    }
    if formal.space == DeclaredSpace::Register {
        let ty = register_type(b, formal)?;
        return Ok(Place::Register(b.temporary(ty.class())));
    }
    match actual {
        syntax::Operand::Name("_") => b.frame_place(formal),
        syntax::Operand::Name(name) => match b.find(name)? {
            Some(Place::Frame(variable)) => shared_variable(b, formal, name, variable),
            _ => Err(b.malformed(format!("`{name}` is no .param variable"))),
        },
        _ => Err(b.malformed("a result goes to a .param variable")),
    }
}

/// A variable that caller and inlined callee both see.
fn shared_variable<'a>(
    b: &Builder<'a, '_, '_>,
    formal: &Variable<'a>,
    name: &str,
    variable: FrameVariable,
) -> Result<Place<'a>, PtxError> {
    let wanted = super::layout::extent(formal, 0)?.bytes;
    if u64::from(variable.bytes) < wanted {
        let reason = format!("`{name}` has {} bytes, wanted {wanted}", variable.bytes);
        return Err(b.malformed(reason));
    }
    Ok(Place::Frame(variable))
}

fn register_type(b: &Builder<'_, '_, '_>, formal: &Variable<'_>) -> Result<Type, PtxError> {
    element_type(formal)
        .filter(|_| formal.vector == 1)
        .ok_or_else(|| b.unsupported(&format!("a .reg parameter of .{} is", formal.ty)))
}

// ---- real ----

fn indirect<'a>(b: &mut Builder<'a, '_, '_>, call: Call<'a>, address: Reg) -> Result<(), PtxError> {
    if address.class() != RegClass::B64 {
        let is = class_name(address.class());
        return Err(b.malformed(format!("`{}` is a {is}, wanted a 64-bit register", call.target)));
    }
    let Some(name) = call.prototype else {
        return Err(b.malformed("a call through an address needs a prototype"));
    };
    let (returns, parameters) = match b.place(name)? {
        Place::Prototype(prototype) => (&prototype.returns, &prototype.parameters),
        Place::Targets(targets) => {
            // .calltargets: all of one type, that of the first
            let first = targets.names.first().copied().unwrap_or_default();
            match b.place(first)? {
                Place::Function(id) => match b.context.symbols.function(id) {
                    Some(symbol) => (&symbol.function.returns, &symbol.function.parameters),
                    None => return Err(b.malformed(format!("`{first}` is no function"))),
                },
                _ => return Err(b.malformed(format!("`{first}` is no function"))),
            }
        }
        _ => return Err(b.malformed(format!("`{name}` is no prototype"))),
    };
    check_counts(b, call, returns, parameters)?;
    let layout = CallLayout::new(returns, parameters)?;
    may_reach(b, &layout)?;
    let address = Operand::Register(address);
    real(b, call, &layout, |then| Terminator::CallIndirect { address, frame_bytes: 0, then })
}

/// Notes that every function of this type whose address is taken may be called.
fn may_reach(b: &mut Builder<'_, '_, '_>, layout: &CallLayout) -> Result<(), PtxError> {
    if b.context.indirect_types.iter().any(|known| known.matches(layout)) {
        return Ok(());
    }
    b.context.indirect_types.push(layout.clone());
    let (symbols, usage) = (b.context.symbols, b.context.usage);
    b.context.spend(usage.address_taken.len(), b.line)?;
    for id in &usage.address_taken {
        let fits = symbols
            .function(*id)
            .is_some_and(|symbol| symbol.function.body.is_some() && symbol.layout.matches(layout));
        if fits {
            b.context.call(*id);
        }
    }
    Ok(())
}

/// Copies arguments out, calls, copies results in.
fn real<'a>(
    b: &mut Builder<'a, '_, '_>,
    call: Call<'a>,
    layout: &CallLayout,
    terminator: impl FnOnce(crate::ir::BlockId) -> Terminator,
) -> Result<(), PtxError> {
    for (actual, slot) in call.arguments.iter().zip(&layout.parameters) {
        pass(b, actual, *slot)?;
    }
    b.end_into(terminator);
    for (actual, slot) in call.results.iter().zip(&layout.returns) {
        collect(b, actual, *slot)?;
    }
    Ok(())
}

/// The place of an argument or result of a function that is being called.
fn outgoing(slot: ArgumentSlot) -> FrameVariable {
    FrameVariable { index: Unit::OUTGOING, offset: slot.offset, bytes: slot.bytes }
}

/// Copies one argument out.
fn pass<'a>(
    b: &mut Builder<'a, '_, '_>,
    actual: &syntax::Operand<'a>,
    slot: ArgumentSlot,
) -> Result<(), PtxError> {
    let to = outgoing(slot);
    let ty = scalar_type(slot.bytes);
    if let syntax::Operand::Name(name) = actual {
        match b.place(name)? {
            Place::Frame(from) => return copy(b, to, from),
            Place::Register(reg) if reg.class() == RegClass::Predicate => {
                let src = Operand::Register(word_of_predicate(b, reg));
                let address = b.frame_address(to, 0)?;
                b.emit(store(Type::B32, src, address));
                return Ok(());
            }
            _ => {}
        }
    }
    let ty = ty.ok_or_else(|| b.malformed("this argument is a variable"))?;
    let (src, address) = (b.src_wide(actual, ty)?, b.frame_address(to, 0)?);
    b.emit(store(ty, src, address));
    Ok(())
}

/// Copies one result in.
fn collect<'a>(
    b: &mut Builder<'a, '_, '_>,
    actual: &syntax::Operand<'a>,
    slot: ArgumentSlot,
) -> Result<(), PtxError> {
    let from = outgoing(slot);
    let syntax::Operand::Name(name) = actual else {
        return Err(b.malformed("a result goes to a variable or register"));
    };
    if *name == "_" {
        return Ok(());
    }
    match b.place(name)? {
        Place::Frame(to) => copy(b, to, from),
        Place::Register(dst) if dst.class() == RegClass::Predicate => {
            let word = b.temporary(RegClass::B32);
            let address = b.frame_address(from, 0)?;
            b.emit(load(Type::B32, word, address));
            predicate_of_word(b, dst, word);
            Ok(())
        }
        Place::Register(dst) => {
            let ty = scalar_type(slot.bytes).ok_or_else(|| b.malformed("a result of no size"))?;
            let address = b.frame_address(from, 0)?;
            b.emit(load(ty, dst, address));
            Ok(())
        }
        _ => Err(b.malformed(format!("`{name}` is no variable"))),
    }
}

/// 1 or 0.
pub(super) fn word_of_predicate(b: &mut Builder<'_, '_, '_>, predicate: Reg) -> Reg {
    let dst = b.temporary(RegClass::B32);
    b.emit(Op::Select {
        dst,
        a: Operand::Immediate(1),
        b: Operand::Immediate(0),
        condition: crate::ir::Guard { predicate, negated: false },
    });
    dst
}

pub(super) fn predicate_of_word(b: &mut Builder<'_, '_, '_>, dst: Reg, word: Reg) {
    b.emit(Op::Compare {
        comparison: crate::ir::Comparison::Ne,
        ty: Type::B32,
        flush_subnormals: false,
        dst: Some(dst),
        complement: None,
        a: Operand::Register(word),
        b: Operand::Immediate(0),
        combine: None,
    });
}

/// Copies as many bytes as both have, in pieces as large as they are aligned.
fn copy(
    b: &mut Builder<'_, '_, '_>,
    to: FrameVariable,
    from: FrameVariable,
) -> Result<(), PtxError> {
    let bytes = to.bytes.min(from.bytes);
    let align = [to, from].iter().map(|variable| b.unit.frame_align(variable.index)).min();
    let mut at = 0;
    while at < bytes {
        let piece = [8, 4, 2, 1]
            .into_iter()
            .find(|piece| *piece <= bytes - at && align.is_some_and(|align| *piece <= align))
            .unwrap_or(1);
        let ty = scalar_type(piece).unwrap_or(Type::B8);
        let held = b.temporary(ty.class());
        let (source, target) = (b.frame_address(from, at.into())?, b.frame_address(to, at.into())?);
        b.emit(load(ty, held, source));
        b.emit(store(ty, Operand::Register(held), target));
        at += piece;
    }
    Ok(())
}

const fn scalar_type(bytes: u32) -> Option<Type> {
    Some(match bytes {
        1 => Type::B8,
        2 => Type::B16,
        4 => Type::B32,
        8 => Type::B64,
        _ => return None,
    })
}

fn load(ty: Type, dst: Reg, address: Address) -> Op {
    Op::Load { ty, space: Space::Local, coherence: Coherence::WEAK, dst, address }
}

fn store(ty: Type, src: Operand, address: Address) -> Op {
    Op::Store { ty, space: Space::Local, coherence: Coherence::WEAK, src, address }
}

// ---- the system's own functions ----

fn intrinsic<'a>(b: &mut Builder<'a, '_, '_>, call: Call<'a>, name: &str) -> Result<(), PtxError> {
    match (name, call.arguments) {
        ("vprintf", [format, arguments]) => {
            let format = value(b, format, Type::B64)?;
            let arguments = value(b, arguments, Type::B64)?;
            let dst = call.results.first().map(|_| b.temporary(RegClass::B32));
            b.emit(Op::Intrinsic(Box::new(Intrinsic::Print { dst, format, arguments })));
            give(b, call, dst)
        }
        ("__assertfail", [message, file, line, function, _]) => {
            let (message, file) = (value(b, message, Type::B64)?, value(b, file, Type::B64)?);
            let (line, function) = (value(b, line, Type::B32)?, value(b, function, Type::B64)?);
            let failure = Intrinsic::AssertFail { message, file, line, function };
            b.emit(Op::Intrinsic(Box::new(failure)));
            Ok(())
        }
        ("malloc", [bytes]) => {
            let bytes = value(b, bytes, Type::B64)?;
            let dst = call.results.first().map(|_| b.temporary(RegClass::B64));
            b.emit(Op::Intrinsic(Box::new(Intrinsic::Allocate { dst, bytes })));
            give(b, call, dst)
        }
        ("free", [pointer]) => {
            let pointer = value(b, pointer, Type::B64)?;
            b.emit(Op::Intrinsic(Box::new(Intrinsic::Free { pointer })));
            Ok(())
        }
        _ => Err(b.unsupported(&format!("function `{name}`, which this text does not define, is"))),
    }
}

/// The value of an argument: of a variable, its first bytes.
fn value<'a>(
    b: &mut Builder<'a, '_, '_>,
    actual: &syntax::Operand<'a>,
    ty: Type,
) -> Result<Operand, PtxError> {
    if let syntax::Operand::Name(name) = actual
        && let Some(Place::Frame(variable)) = b.find(name)?
    {
        if variable.bytes < ty.bytes() {
            let reason = format!("`{name}` has {} bytes, wanted {}", variable.bytes, ty.bytes());
            return Err(b.malformed(reason));
        }
        let dst = b.temporary(ty.class());
        let address = b.frame_address(variable, 0)?;
        b.emit(load(ty, dst, address));
        return Ok(Operand::Register(dst));
    }
    b.src(actual, ty)
}

/// Puts the result of an intrinsic where the call wants it.
fn give<'a>(b: &mut Builder<'a, '_, '_>, call: Call<'a>, src: Option<Reg>) -> Result<(), PtxError> {
    let (Some(src), [syntax::Operand::Name(name)]) = (src, call.results) else { return Ok(()) };
    if *name == "_" {
        return Ok(());
    }
    match b.place(name)? {
        Place::Frame(variable) => {
            let ty = if src.class() == RegClass::B64 { Type::B64 } else { Type::B32 };
            let address = b.frame_address(variable, 0)?;
            b.emit(store(ty, Operand::Register(src), address));
        }
        Place::Register(dst) if dst.class() == src.class() => {
            b.emit(Op::Move { dst, src: Operand::Register(src) });
        }
        _ => return Err(b.malformed(format!("`{name}` takes no result"))),
    }
    Ok(())
}

/// The base of a called function's own arguments and results.
pub(super) fn incoming(slot: ArgumentSlot) -> FrameVariable {
    FrameVariable { index: Unit::INCOMING, offset: slot.offset, bytes: slot.bytes }
}

/// The names of a really called function's parameters and results; registers among its parameters are
/// loaded.
pub(super) fn bind_formals<'a>(
    b: &mut Builder<'a, '_, '_>,
    symbol: &'a FunctionSymbol<'a>,
) -> Result<Names<'a>, PtxError> {
    let function = symbol.function;
    let mut names = Names::new();
    for (formal, slot) in function.parameters.iter().zip(&symbol.layout.parameters) {
        let mut place = Place::Frame(incoming(*slot));
        if formal.space == DeclaredSpace::Register {
            let ty = register_type(b, formal)?;
            let address = b.frame_address(incoming(*slot), 0)?;
            let dst = b.temporary(ty.class());
            if ty == Type::Pred {
                let word = b.temporary(RegClass::B32);
                b.emit(load(Type::B32, word, address));
                predicate_of_word(b, dst, word);
            } else {
                b.emit(load(scalar_type(slot.bytes).unwrap_or(Type::B32), dst, address));
            }
            place = Place::Register(dst);
        }
        names.bind(formal.name, place, formal.span.line)?;
    }
    for (formal, slot) in function.returns.iter().zip(&symbol.layout.returns) {
        if formal.space == DeclaredSpace::Register {
            return Err(b.unsupported("a .reg result of a function that is really called is"));
        }
        names.bind(formal.name, Place::Frame(incoming(*slot)), formal.span.line)?;
    }
    Ok(names)
}
