//! Job descriptors: the JSON object written to `/gpu/<id>/job`.
//!
//! [`JobDescriptor::parse`] turns bytes into a descriptor whose values cannot be wrong in themselves. Two checks need facts from
//! elsewhere and are made later, on the same types: [`LaunchPlan::of`] resolves paths to buffers once the sizes of the staged artefacts
//! are known, [`LaunchPlan::lay_out`] lays the parameters out once the module's own parameter table is.
//! Knows nothing of leases, GPUs or how bytes get to a device.
//!
//! ```text
//! bytes ──parse──▶ JobDescriptor ──LaunchPlan::of(module, sizes)──▶ LaunchPlan { buffers, parameters }
//!                                  LaunchPlan ──lay_out(table)──▶ ParameterBlock ──fill(device addresses)──▶ bytes
//! ```

mod descriptor;
mod float16;
mod param;
mod plan;
mod sha256;

pub use descriptor::{Extent, ImpliedOutput, JobDescriptor, ModuleFormat, Params};
pub use param::{Param, Scalar};
pub use plan::{BufferUse, LaunchPlan, ParameterBlock, PlanBuffer, PlanParameter, TableEntry};
pub use sha256::Sha256;
