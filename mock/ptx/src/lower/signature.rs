//! What a text says of its kernels, without looking at what they do.

use crate::PtxError;
use crate::ir::{LaunchBounds, Parameter, SharedLayout, TargetVersion};
use crate::limits::{LARGE_PARAMETER_BYTES_MAX, PARAMETER_BYTES_MAX};
use crate::syntax::{Ast, DeclaredSpace, Function, Tuning};
use crate::{Fault, KernelSignature};

use super::layout::extent;
use super::symbols::Symbols;
use super::usage::Usage;
use crate::unit::align_up;

/// The signatures of all kernels.
pub(crate) fn signatures<'a>(
    text: &'a str,
    ast: &'a Ast<'a>,
) -> Result<Vec<KernelSignature>, PtxError> {
    let target = target(ast)?;
    let symbols = Symbols::new(text, ast)?;
    let usage = Usage::new(&symbols, ast);
    let of_kernel = |(index, kernel): (usize, &&Function<'_>)| {
        let ParameterBlock { parameters, bytes } =
            parameters(kernel, target).map_err(|error| error.within(kernel.span.text(text)))?;
        let SharedLayout { static_bytes, .. } = usage.shared_of_kernel(&symbols, index)?.layout;
        let bounds = launch_bounds(&kernel.tuning)?;
        Ok(KernelSignature {
            name: kernel.name.into(),
            parameters,
            parameter_bytes: bytes,
            static_shared_bytes: static_bytes,
            bounds,
        })
    };
    symbols.kernels.iter().enumerate().map(of_kernel).collect()
}

/// `.version` and `.target`, if they are such as we take.
pub(super) fn target(ast: &Ast<'_>) -> Result<TargetVersion, PtxError> {
    let line = ast.target_line;
    if let Some(bits) = ast.address_bits.filter(|bits| *bits != 64) {
        let reason = format!("addresses of {bits} bits are not supported, only of 64");
        return Err(PtxError::unsupported(line, reason));
    }
    let mut sm = None;
    for part in &ast.targets {
        if let Some(number) = part.strip_prefix("sm_").or_else(|| part.strip_prefix("compute_")) {
            let digits = number.trim_end_matches(['a', 'f']);
            sm = digits.parse().ok();
        } else if *part == "map_f64_to_f32" {
            return Err(PtxError::unsupported(line, "target map_f64_to_f32 is not supported"));
        }
    }
    match sm {
        Some(sm) => Ok(TargetVersion { ptx: ast.version, sm }),
        None => Err(PtxError::new(
            Fault::Malformed,
            line,
            format!("target `{}` names no sm_NN", ast.targets.join(", ")),
        )),
    }
}

/// Where a kernel's parameters lie.
#[derive(Debug, Default)]
pub(super) struct ParameterBlock {
    pub(super) parameters: Vec<Parameter>,
    pub(super) bytes: u32,
}

pub(super) fn parameters(
    kernel: &Function<'_>,
    target: TargetVersion,
) -> Result<ParameterBlock, PtxError> {
    let is_large = target.ptx >= (8, 1) && target.sm >= 70;
    let bytes_max = if is_large { LARGE_PARAMETER_BYTES_MAX } else { PARAMETER_BYTES_MAX };
    let mut block = ParameterBlock::default();
    for variable in &kernel.parameters {
        let line = variable.span.line;
        if variable.space != DeclaredSpace::Parameter {
            return Err(PtxError::malformed(line, "a kernel's parameters are `.param`"));
        }
        let extent = extent(variable, 0)?;
        let offset = align_up(u64::from(block.bytes), extent.align);
        let end = offset.saturating_add(extent.bytes);
        match (u32::try_from(offset), u32::try_from(extent.bytes), u32::try_from(end)) {
            (Ok(offset), Ok(bytes), Ok(end)) if end <= bytes_max => {
                block.parameters.push(Parameter { offset, bytes, align: extent.align });
                block.bytes = end;
            }
            _ => {
                let reason = format!("{end} bytes of parameters, at most {bytes_max} are taken");
                return Err(PtxError::too_large(line, reason));
            }
        }
    }
    Ok(block)
}

/// `.maxntid`, `.reqntid`; other tuning says nothing about what is right.
pub(super) fn launch_bounds(tuning: &[Tuning<'_>]) -> Result<LaunchBounds, PtxError> {
    let mut bounds = LaunchBounds::default();
    for Tuning { name, values, line } in tuning {
        match *name {
            "maxntid" => {
                let threads = values.iter().fold(1_u64, |all, n| all.saturating_mul(*n));
                bounds.block_threads_max = Some(u32::try_from(threads).unwrap_or(u32::MAX));
            }
            "reqntid" => {
                let mut block = [1_u32; 3];
                for (slot, value) in block.iter_mut().zip(values) {
                    *slot = u32::try_from(*value).unwrap_or(u32::MAX);
                }
                bounds.block_required = Some(block);
            }
            "minnctapersm"
            | "maxnctapersm"
            | "maxnreg"
            | "pragma"
            | "attribute"
            | "noreturn"
            | "unified"
            | "abi_preserve"
            | "abi_preserve_control"
            | "maxclusterrank"
            | "language" => {}
            "reqnctapercluster" if values.iter().all(|n| *n == 1) => {}
            "reqnctapercluster" | "explicitcluster" | "blocksareclusters" => {
                let reason =
                    format!("directive .{name} is not supported: clusters of one block only");
                return Err(PtxError::unsupported(*line, reason));
            }
            other => {
                let reason = format!("directive .{other} is not supported");
                return Err(PtxError::unsupported(*line, reason));
            }
        }
    }
    Ok(bounds)
}
