//! Special registers by name.

use crate::ir::{Axis, ReservedShared, SpecialRegister};

/// The special register of this name.
pub(super) fn register(name: &str) -> Option<SpecialRegister> {
    let name = name.strip_prefix('%')?;
    if let Some((family, component)) = name.split_once('.') {
        let axis = match component {
            "x" => Axis::X,
            "y" => Axis::Y,
            "z" => Axis::Z,
            _ => return None,
        };
        return triple(family, axis);
    }
    single(name).or_else(|| numbered(name))
}

fn triple(family: &str, axis: Axis) -> Option<SpecialRegister> {
    Some(match family {
        "tid" => SpecialRegister::Tid(axis),
        "ntid" => SpecialRegister::Ntid(axis),
        "ctaid" => SpecialRegister::Ctaid(axis),
        "nctaid" => SpecialRegister::Nctaid(axis),
        "clusterid" => SpecialRegister::ClusterId(axis),
        "nclusterid" => SpecialRegister::NclusterId(axis),
        "cluster_ctaid" => SpecialRegister::ClusterCtaId(axis),
        "cluster_nctaid" => SpecialRegister::ClusterNctaId(axis),
        _ => return None,
    })
}

fn single(name: &str) -> Option<SpecialRegister> {
    Some(match name {
        "laneid" => SpecialRegister::LaneId,
        "warpid" => SpecialRegister::WarpId,
        "nwarpid" => SpecialRegister::NwarpId,
        "smid" => SpecialRegister::SmId,
        "nsmid" => SpecialRegister::NsmId,
        "gridid" => SpecialRegister::GridId,
        "lanemask_eq" => SpecialRegister::LanemaskEq,
        "lanemask_le" => SpecialRegister::LanemaskLe,
        "lanemask_lt" => SpecialRegister::LanemaskLt,
        "lanemask_ge" => SpecialRegister::LanemaskGe,
        "lanemask_gt" => SpecialRegister::LanemaskGt,
        "clock" => SpecialRegister::Clock,
        "clock_hi" => SpecialRegister::ClockHi,
        "clock64" => SpecialRegister::Clock64,
        "globaltimer" => SpecialRegister::GlobalTimer,
        "globaltimer_lo" => SpecialRegister::GlobalTimerLo,
        "globaltimer_hi" => SpecialRegister::GlobalTimerHi,
        "total_smem_size" => SpecialRegister::TotalSharedBytes,
        "aggr_smem_size" => SpecialRegister::AggregateSharedBytes,
        "dynamic_smem_size" => SpecialRegister::DynamicSharedBytes,
        "reserved_smem_offset_begin" => reserved(ReservedShared::Begin),
        "reserved_smem_offset_end" => reserved(ReservedShared::End),
        "reserved_smem_offset_cap" => reserved(ReservedShared::Capacity),
        "reserved_smem_offset_0" => reserved(ReservedShared::Slot(0)),
        "reserved_smem_offset_1" => reserved(ReservedShared::Slot(1)),
        "is_explicit_cluster" => SpecialRegister::IsExplicitCluster,
        "cluster_ctarank" => SpecialRegister::ClusterCtaRank,
        "cluster_nctarank" => SpecialRegister::ClusterNctaRank,
        "current_graph_exec" => SpecialRegister::CurrentGraphExec,
        _ => return None,
    })
}

const fn reserved(part: ReservedShared) -> SpecialRegister {
    SpecialRegister::ReservedSharedOffset(part)
}

/// `envreg0` to `envreg31`, `pm0` to `pm7`, `pm0_64` to `pm7_64`.
fn numbered(name: &str) -> Option<SpecialRegister> {
    if let Some(number) = name.strip_prefix("envreg") {
        return number.parse().ok().filter(|n| *n < 32).map(SpecialRegister::Environment);
    }
    let number = name.strip_prefix("pm")?;
    let number = number.strip_suffix("_64").unwrap_or(number);
    number.parse().ok().filter(|n| *n < 8).map(SpecialRegister::PerformanceCounter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_registers_are_known_by_name() {
        assert_eq!(register("%tid.y"), Some(SpecialRegister::Tid(Axis::Y)));
        assert_eq!(register("%envreg31"), Some(SpecialRegister::Environment(31)));
        assert_eq!(register("%pm3_64"), Some(SpecialRegister::PerformanceCounter(3)));
        assert_eq!(register("%envreg32"), None);
        assert_eq!(register("%tid.w"), None);
        assert_eq!(register("laneid"), None);
    }
}
