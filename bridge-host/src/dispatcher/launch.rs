//! A job that was accepted: what its launch needs, and what has become of its outputs.

use std::{fs::File, os::fd::AsFd};

use bridge_host_broker::{ExecutorRef, JobNumber};
use ninedoor_abi::{
    GpuId, JobDescriptor, JobId, Now, PathName, Refusal,
    job::{Extent, LaunchPlan, ModuleFormat, PlanParameter, Sha256},
    record::OutputRecord,
};

use super::Dispatcher;
use crate::{
    digest::sha256_of,
    executor::protocol::{Argument, Buffer, Finished, Format, Run, RunId},
    limits::PRINTF_BYTES_MAX,
    store::{Input, Output, Owner, Pending},
};

/// The output that holds what a kernel printed.
const STDOUT: &str = "stdout";

/// One accepted job.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) gpu: GpuId,
    pub(super) owner: Owner,
    pub(super) job: JobId,
    kernel: String,
    grid: Extent,
    block: Extent,
    shared_bytes: u32,
    pub(super) format: ModuleFormat,
    module: Sha256,
    plan: LaunchPlan,
    /// What each buffer of the plan begins as.
    sources: Vec<Option<Sha256>>,
    stdout: bool,
    /// Artefacts that must not go away before the job ends; the module is the first.
    held: Vec<Sha256>,
    /// What is to be stored of it besides, until it is.
    pub(super) kept: Option<Kept>,
    /// While it runs.
    pending: Option<Pending>,
}

/// What another life of the daemon needs to know of a job that this one has in other forms.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) descriptor: String,
    pub(super) static_shared_bytes: u32,
    pub(super) inputs: Vec<Input>,
}

impl Prepared {
    pub(super) fn new(
        gpu: GpuId,
        owner: Owner,
        job: JobDescriptor,
        format: ModuleFormat,
        plan: LaunchPlan,
        sources: Vec<Option<Sha256>>,
        held: Vec<Sha256>,
    ) -> Self {
        Self {
            gpu,
            owner,
            job: job.job,
            kernel: job.kernel,
            grid: job.grid,
            block: job.block,
            shared_bytes: job.shared_bytes,
            format,
            module: job.bytes_hash,
            plan,
            sources,
            stdout: job.stdout,
            held,
            kept: None,
            pending: None,
        }
    }

    /// Name and size of each output, in the order in which the executor gets their files.
    fn output_files(&self) -> Vec<(String, u64)> {
        let of_buffer = |buffer: &ninedoor_abi::job::PlanBuffer| {
            Some((buffer.usage.output()?.last()?.to_owned(), buffer.bytes))
        };
        let printed = self.stdout.then(|| (STDOUT.to_owned(), 0));
        self.plan.buffers.iter().filter_map(of_buffer).chain(printed).collect()
    }

    fn order(&self, number: JobNumber) -> Run {
        let extent = |size: Extent| [size.x, size.y, size.z];
        let buffers = self.plan.buffers.iter().zip(&self.sources).map(|(buffer, source)| Buffer {
            bytes: buffer.bytes,
            initial: source.is_some(),
            output: buffer.usage.output().is_some(),
        });
        let argument = |parameter: &PlanParameter| match parameter {
            PlanParameter::Buffer(index) => {
                Argument::Buffer(u16::try_from(*index).unwrap_or(u16::MAX))
            }
            PlanParameter::Value { bytes, .. } => Argument::Bytes(bytes.clone()),
        };
        Run {
            run: RunId(number.0),
            module_sha256: self.module.hex(),
            format: match self.format {
                ModuleFormat::Ptx => Format::Ptx,
                ModuleFormat::Cubin => Format::Cubin,
                ModuleFormat::Fatbin => Format::Fatbin,
            },
            kernel: self.kernel.clone(),
            grid: extent(self.grid),
            block: extent(self.block),
            shared_bytes: self.shared_bytes,
            buffers: buffers.collect(),
            arguments: self.plan.parameters.iter().map(argument).collect(),
            printf: self.stdout,
        }
    }
}

impl Dispatcher {
    /// Hands a job to its executor.
    ///
    /// # Errors
    /// In a sentence, for the job's record.
    pub(super) fn launch(
        &mut self,
        executor: &ExecutorRef,
        number: JobNumber,
    ) -> Result<(), String> {
        let Some(prepared) = self.jobs.get_mut(&number) else {
            return Err(format!("job {} was accepted and is not known", number.0));
        };
        let pending = self
            .outputs
            .begin(&prepared.job, &prepared.owner, &prepared.output_files())
            .map_err(|refusal| format!("outputs: {refusal}"))?;
        let stored = |digest: &Sha256| {
            self.artefacts.read(digest).map_err(|refusal| format!("inputs: {refusal}"))
        };
        let module = stored(&prepared.module)?;
        let sources = prepared
            .sources
            .iter()
            .map(|source| source.as_ref().map(stored).transpose())
            .collect::<Result<Vec<Option<File>>, String>>()?;

        let mut outputs = pending.files();
        let mut files = vec![module.as_fd()];
        for (buffer, source) in prepared.plan.buffers.iter().zip(&sources) {
            files.extend(source.as_ref().map(AsFd::as_fd));
            files.extend(buffer.usage.output().and_then(|_| outputs.next()).map(AsFd::as_fd));
        }
        files.extend(outputs.next().map(AsFd::as_fd));
        drop(outputs);
        let sent = self.fleet.run(executor, prepared.order(number), &files);
        prepared.pending = Some(pending);
        sent.map_err(|error| format!("executor: {error}"))
    }

    /// Shows the outputs of a job that its executor has finished.
    ///
    /// # Errors
    /// In a sentence, for the job's record.
    pub(super) fn publish_outputs(
        &mut self,
        finished: &Finished,
        now: Now,
    ) -> Result<Vec<OutputRecord>, String> {
        let number = JobNumber(finished.run.0);
        let Some(prepared) = self.jobs.get_mut(&number) else { return Ok(Vec::new()) };
        let Some(pending) = prepared.pending.take() else {
            return Err("the executor finished a job that it was not given".to_owned());
        };
        let names = prepared.output_files();
        let mut digests = finished.outputs_sha256.iter();
        let mut written = Vec::new();
        for ((name, bytes), file) in names.iter().zip(pending.files()) {
            let output = if prepared.stdout && name == STDOUT {
                printed(file)?
            } else {
                let digest = digests.next().and_then(|text| Sha256::of_hex(text).ok());
                Output {
                    bytes: *bytes,
                    digest: digest.ok_or("the executor gave no hash of an output")?,
                }
            };
            written.push(output);
        }
        let record = |((name, _), output): (&(String, u64), &Output)| {
            let path: PathName = format!("/worker/{}/{name}", prepared.job).parse().ok()?;
            Some(OutputRecord { path, bytes: output.bytes, sha256: output.digest })
        };
        let records = names.iter().zip(&written).filter_map(record).collect();
        self.outputs
            .publish(pending, &written, now.unix_ms)
            .map_err(|refusal: Refusal| format!("outputs: {refusal}"))?;
        Ok(records)
    }

    /// The job has ended, or was never accepted: what it held may go.
    pub(super) fn let_go(&mut self, prepared: Prepared) {
        for digest in &prepared.held {
            self.artefacts.release(digest);
        }
    }
}

/// What the kernel printed, bounded by the executor and looked at again here.
fn printed(mut file: &File) -> Result<Output, String> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.take(u64::from(PRINTF_BYTES_MAX)).read_to_end(&mut bytes))
        .map_err(|error| format!("read what the kernel printed: {error}"))?;
    Ok(Output { bytes: bytes.len() as u64, digest: sha256_of(&bytes) })
}
