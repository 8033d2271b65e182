//! From a descriptor to a launch: which buffers there are, and which bytes the kernel is called with.

use alloc::{string::String, vec::Vec};

use super::{JobDescriptor, Param, Params, descriptor::ImpliedOutput};
use crate::{Errno, PathName, Refusal, limits::PARAM_BYTES_MAX};

/// One device buffer of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanBuffer {
    /// Its length.
    pub bytes: u64,
    /// What it is for.
    pub usage: BufferUse,
}

/// What a buffer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BufferUse {
    /// A device copy of a staged artefact.
    In(PathName),
    /// Zeroed, and written back.
    Out(PathName),
    /// A device copy of a staged artefact, and written back.
    InOut {
        /// Where it is written back to.
        path: PathName,
        /// What it begins as.
        init: PathName,
    },
}

impl BufferUse {
    /// The staged artefact that it begins as.
    #[must_use]
    pub const fn source(&self) -> Option<&PathName> {
        match self {
            Self::In(source) | Self::InOut { init: source, .. } => Some(source),
            Self::Out(_) => None,
        }
    }

    /// The output that it is written back to.
    #[must_use]
    pub const fn output(&self) -> Option<&PathName> {
        match self {
            Self::Out(path) | Self::InOut { path, .. } => Some(path),
            Self::In(_) => None,
        }
    }
}

/// One parameter, its path resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanParameter {
    /// The address of a buffer, by its place in the plan.
    Buffer(usize),
    /// These bytes; `kind` is for messages: `i64`, `bytes_b64`, `null`.
    Value {
        /// What the descriptor called it.
        kind: &'static str,
        /// What the kernel gets.
        bytes: Vec<u8>,
    },
}

/// One parameter of the module's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableEntry {
    /// Bytes from the parameter block's start.
    pub offset: u32,
    /// Bytes it takes.
    pub bytes: u32,
}

/// A job's buffers and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPlan {
    /// Each buffer once, however many parameters point to it.
    pub buffers: Vec<PlanBuffer>,
    /// In kernel order.
    pub parameters: Vec<PlanParameter>,
}

/// The bytes that the kernel is called with, but for the addresses of its buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterBlock {
    bytes: Vec<u8>,
    /// Where in `bytes` the address of which buffer goes.
    addresses: Vec<(usize, usize)>,
}

const POINTER_BYTES: usize = 8;

impl LaunchPlan {
    /// Resolves paths to buffers. `module` is the input that holds the module, where it is not inline; `staged_bytes` tells the
    /// length of a staged artefact.
    ///
    /// # Errors
    /// `ENOENT` for an artefact that is not staged; `EINVAL` for an output without size, or with two.
    pub fn of(
        job: &JobDescriptor,
        module: Option<&PathName>,
        staged_bytes: impl Fn(&PathName) -> Option<u64>,
    ) -> Result<Self, Refusal> {
        let mut plan = Self { buffers: Vec::new(), parameters: Vec::new() };
        match &job.params {
            Params::Given(params) => plan.add_given(params, &staged_bytes)?,
            Params::Implied(outputs) => {
                let data = job.inputs.iter().filter(|path| Some(*path) != module);
                plan.add_implied(data, outputs, &staged_bytes)?;
            }
        }
        plan.check_parameter_bytes()?;
        Ok(plan)
    }

    /// Also where the module's table is not known yet.
    fn check_parameter_bytes(&self) -> Result<(), Refusal> {
        let bytes = |parameter: &PlanParameter| match parameter {
            PlanParameter::Buffer(_) => POINTER_BYTES,
            PlanParameter::Value { bytes, .. } => bytes.len(),
        };
        let together: usize = self.parameters.iter().map(bytes).sum();
        if together <= PARAM_BYTES_MAX {
            return Ok(());
        }
        Err(Refusal::invalid(alloc::format!(
            "params: take {together} bytes together, wanted at most {PARAM_BYTES_MAX}"
        )))
    }

    /// Device memory for all of its buffers.
    #[must_use]
    pub fn buffer_bytes(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, buffer| sum.saturating_add(buffer.bytes))
    }

    /// Lays the parameters out as the kernel's own table wants them.
    ///
    /// # Errors
    /// The first parameter whose length is not what the table says, or a wrong count of them.
    pub fn lay_out(&self, kernel: &str, table: &[TableEntry]) -> Result<ParameterBlock, Refusal> {
        if table.len() != self.parameters.len() {
            return Err(Refusal::invalid(alloc::format!(
                "params: kernel {kernel} takes {}, got {}",
                table.len(),
                self.parameters.len()
            )));
        }
        let end = |entry: &TableEntry| entry.offset as usize + entry.bytes as usize;
        let mut block = ParameterBlock {
            bytes: alloc::vec![0; table.iter().map(end).max().unwrap_or(0)],
            addresses: Vec::new(),
        };
        for (index, (parameter, entry)) in self.parameters.iter().zip(table).enumerate() {
            block
                .place(parameter, entry)
                .map_err(|refusal| refusal.at(format_args!("params[{index}]")))?;
        }
        Ok(block)
    }

    fn add_given(
        &mut self,
        params: &[Param],
        staged_bytes: &impl Fn(&PathName) -> Option<u64>,
    ) -> Result<(), Refusal> {
        for (index, param) in params.iter().enumerate() {
            let parameter = self
                .parameter(param, staged_bytes)
                .map_err(|refusal| refusal.at(format_args!("params[{index}]")))?;
            self.parameters.push(parameter);
        }
        Ok(())
    }

    fn parameter(
        &mut self,
        param: &Param,
        staged_bytes: &impl Fn(&PathName) -> Option<u64>,
    ) -> Result<PlanParameter, Refusal> {
        let value = |kind, bytes| Ok(PlanParameter::Value { kind, bytes });
        let (bytes, usage) = match param {
            Param::In(path) => (length(path, staged_bytes)?, BufferUse::In(path.clone())),
            Param::Out { path, bytes } => (*bytes, BufferUse::Out(path.clone())),
            Param::InOut { path, init } => {
                let usage = BufferUse::InOut { path: path.clone(), init: init.clone() };
                (length(init, staged_bytes)?, usage)
            }
            Param::Scalar(scalar) => return value(scalar.kind, scalar.bytes()),
            Param::Bytes(bytes) => return value("bytes_b64", bytes.clone()),
            Param::Null => return value("null", alloc::vec![0; POINTER_BYTES]),
        };
        self.buffer(PlanBuffer { bytes, usage }).map(PlanParameter::Buffer)
    }

    /// The place of this buffer; the same path twice is the same buffer.
    fn buffer(&mut self, wanted: PlanBuffer) -> Result<usize, Refusal> {
        let path = |usage: &BufferUse| match usage {
            BufferUse::In(path) | BufferUse::Out(path) | BufferUse::InOut { path, .. } => {
                path.clone()
            }
        };
        let same = |buffer: &PlanBuffer| path(&buffer.usage) == path(&wanted.usage);
        let Some(index) = self.buffers.iter().position(same) else {
            self.buffers.push(wanted);
            return Ok(self.buffers.len() - 1);
        };
        if self.buffers.get(index) == Some(&wanted) {
            return Ok(index);
        }
        Err(Refusal::invalid(alloc::format!(
            "{:?} was given before with another size or use, wanted the same",
            path(&wanted.usage).as_str()
        )))
    }

    fn add_implied<'a>(
        &mut self,
        data: impl Iterator<Item = &'a PathName>,
        outputs: &[ImpliedOutput],
        staged_bytes: &impl Fn(&PathName) -> Option<u64>,
    ) -> Result<(), Refusal> {
        for path in data {
            let bytes = length(path, staged_bytes)?;
            self.add_pointer(PlanBuffer { bytes, usage: BufferUse::In(path.clone()) })?;
        }
        let largest = self.buffers.iter().map(|buffer| buffer.bytes).max();
        for (index, output) in outputs.iter().enumerate() {
            let bytes = output.bytes.or(largest).ok_or_else(|| {
                Refusal::invalid(alloc::format!(
                    "outputs[{index}]: size is not known without data inputs, wanted {{\"path\":…,\"bytes\":…}} or params"
                ))
            })?;
            self.add_pointer(PlanBuffer { bytes, usage: BufferUse::Out(output.path.clone()) })?;
        }
        Ok(())
    }

    fn add_pointer(&mut self, buffer: PlanBuffer) -> Result<(), Refusal> {
        let index = self.buffer(buffer)?;
        self.parameters.push(PlanParameter::Buffer(index));
        Ok(())
    }
}

fn length(
    path: &PathName,
    staged_bytes: &impl Fn(&PathName) -> Option<u64>,
) -> Result<u64, Refusal> {
    staged_bytes(path).ok_or_else(|| {
        Refusal::new(
            Errno::ENOENT,
            alloc::format!("{:?} is not staged, write it first", path.as_str()),
        )
    })
}

impl ParameterBlock {
    /// The bytes with every address filled in; `address_of` tells where a buffer of the plan is.
    #[must_use]
    pub fn fill(mut self, address_of: impl Fn(usize) -> u64) -> Vec<u8> {
        for (at, buffer) in core::mem::take(&mut self.addresses) {
            if let Some(slot) = self.bytes.get_mut(at..at + POINTER_BYTES) {
                slot.copy_from_slice(&address_of(buffer).to_le_bytes());
            }
        }
        self.bytes
    }

    fn place(&mut self, parameter: &PlanParameter, entry: &TableEntry) -> Result<(), Refusal> {
        let (kind, bytes) = match parameter {
            PlanParameter::Buffer(_) => ("pointer", POINTER_BYTES),
            PlanParameter::Value { kind, bytes } => (*kind, bytes.len()),
        };
        if bytes != entry.bytes as usize {
            return Err(Refusal::invalid(wrong_length(kind, bytes, entry)));
        }
        let at = entry.offset as usize;
        match parameter {
            PlanParameter::Buffer(buffer) => self.addresses.push((at, *buffer)),
            PlanParameter::Value { bytes, .. } => {
                if let Some(slot) = self.bytes.get_mut(at..at + bytes.len()) {
                    slot.copy_from_slice(bytes);
                }
            }
        }
        Ok(())
    }
}

fn wrong_length(kind: &str, bytes: usize, entry: &TableEntry) -> String {
    alloc::format!(
        "kernel takes {} bytes at offset {}, got {bytes} ({kind})",
        entry.bytes,
        entry.offset
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn job(params: &str) -> JobDescriptor {
        let text = alloc::format!(
            r#"{{"job":"j","kernel":"k","grid":[1],"block":[1],"bytes_hash":"{}","timeout_ms":1,
            "inputs":["/bundles/k.ptx","/bundles/a","/bundles/b"],"outputs":["/worker/j/r","/worker/j/s"]{params}}}"#,
            "00".repeat(32)
        );
        JobDescriptor::parse(text.as_bytes()).unwrap()
    }

    fn staged(path: &PathName) -> Option<u64> {
        match path.as_str() {
            "/bundles/a" => Some(16),
            "/bundles/b" => Some(32),
            "/bundles/k.ptx" => Some(999),
            _ => None,
        }
    }

    fn path(text: &str) -> PathName {
        text.parse().unwrap()
    }

    fn table(entries: &[(u32, u32)]) -> Vec<TableEntry> {
        entries.iter().map(|&(offset, bytes)| TableEntry { offset, bytes }).collect()
    }

    /// Proves JOBD-8.
    #[test]
    fn parameters_are_laid_out_where_the_kernels_table_says() {
        let job = job(
            r#","params":[{"in":"/bundles/a"},{"u16":513},{"out":"/worker/j/r","bytes":8},{"in":"/bundles/a"},{"null":true},{"bytes_b64":"AQID"}]"#,
        );
        let plan = LaunchPlan::of(&job, Some(&path("/bundles/k.ptx")), staged).unwrap();
        assert_eq!(plan.buffers.len(), 2);
        assert_eq!(plan.buffer_bytes(), 24);
        let block = plan
            .lay_out("k", &table(&[(0, 8), (8, 2), (16, 8), (24, 8), (32, 8), (40, 3)]))
            .unwrap();
        let bytes = block.fill(|buffer| 0x100 * (buffer as u64 + 1));
        let mut wanted = alloc::vec![0; 43];
        wanted[0..8].copy_from_slice(&0x100_u64.to_le_bytes());
        wanted[8..10].copy_from_slice(&[1, 2]);
        wanted[16..24].copy_from_slice(&0x200_u64.to_le_bytes());
        wanted[24..32].copy_from_slice(&0x100_u64.to_le_bytes());
        wanted[40..43].copy_from_slice(&[1, 2, 3]);
        assert_eq!(bytes, wanted);
    }

    /// Proves JOBD-9.
    #[test]
    fn wrong_layout_is_refused_by_the_parameter_that_is_wrong() {
        let job = job(r#","params":[{"in":"/bundles/a"},{"i64":1}]"#);
        let plan = LaunchPlan::of(&job, None, staged).unwrap();
        let text = |entries: &[(u32, u32)]| plan.lay_out("vadd", &table(entries)).unwrap_err().text;
        assert_eq!(
            text(&[(0, 8), (24, 4)]),
            "params[1]: kernel takes 4 bytes at offset 24, got 8 (i64)"
        );
        assert_eq!(
            text(&[(0, 4), (8, 8)]),
            "params[0]: kernel takes 4 bytes at offset 0, got 8 (pointer)"
        );
        assert_eq!(text(&[(0, 8)]), "params: kernel vadd takes 1, got 2");
    }

    /// Proves JOBD-10.
    #[test]
    fn job_without_params_gets_pointers_to_data_inputs_then_outputs() {
        let plan = LaunchPlan::of(&job(""), Some(&path("/bundles/k.ptx")), staged).unwrap();
        let sizes: Vec<_> = plan.buffers.iter().map(|buffer| buffer.bytes).collect();
        assert_eq!(sizes, [16, 32, 32, 32]);
        assert_eq!(plan.parameters, (0..4).map(PlanParameter::Buffer).collect::<Vec<_>>());
        assert_eq!(plan.buffers[2].usage.output(), Some(&path("/worker/j/r")));
        assert_eq!(plan.buffers[0].usage.source(), Some(&path("/bundles/a")));
    }

    /// Proves JOBD-12.
    #[test]
    fn parameters_that_take_more_together_than_any_kernel_has_are_refused() {
        let value = alloc::format!(r#"{{"bytes_b64":"{}"}}"#, "AAAA".repeat(5460));
        let given = |count| {
            let job = job(&alloc::format!(
                r#","params":[{}]"#,
                alloc::vec![value.as_str(); count].join(",")
            ));
            LaunchPlan::of(&job, None, staged)
        };
        assert!(given(2).is_ok());
        assert_eq!(
            given(3).unwrap_err().text,
            "params: take 49140 bytes together, wanted at most 32764"
        );
    }

    #[test]
    fn output_size_that_nothing_tells_is_refused() {
        let mut job = job("");
        job.inputs.clear();
        let refusal = LaunchPlan::of(&job, None, staged).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "outputs[0]: size is not known without data inputs, wanted {\"path\":…,\"bytes\":…} or params"
        );
    }

    #[test]
    fn artefact_that_is_not_staged_and_buffer_of_two_sizes_are_refused() {
        let given = job(r#","params":[{"in":"/bundles/a"}]"#);
        let refusal = LaunchPlan::of(&given, None, |_| None).unwrap_err();
        assert_eq!(
            (refusal.errno, refusal.text.as_str()),
            (Errno::ENOENT, r#"params[0]: "/bundles/a" is not staged, write it first"#)
        );
        let given =
            job(r#","params":[{"out":"/worker/j/r","bytes":8},{"out":"/worker/j/r","bytes":9}]"#);
        let refusal = LaunchPlan::of(&given, None, staged).unwrap_err();
        assert_eq!(
            refusal.text,
            r#"params[1]: "/worker/j/r" was given before with another size or use, wanted the same"#
        );
    }
}
