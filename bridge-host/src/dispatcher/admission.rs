//! From the bytes written to `job` to a job that the broker has accepted.
//!
//! Everything that can be known to be wrong is refused here, at the write, by the name of the field; nothing is launched and nothing
//! is kept.
//!
//! ```text
//! bytes ─parse─▶ JobDescriptor ─module by hash─▶ ModuleFacts ─plan─▶ LaunchPlan ─table─▶ Prepared ─Submit─▶ accepted
//!    ▲                              │ not known yet
//!    └── once more, from the start ─┴─▶ a reader ─▶ known
//! ```

use std::{io, sync::Arc};

use bridge_host_broker::{Answer, Caller as By, Command, JobRequest};
use bridge_host_gpu::KernelSignature;
use ninedoor::Caller;
use ninedoor_abi::{
    Errno, GpuId, JobDescriptor, Now, PathName, Refusal, Role, StatusLine,
    ctl::Verb,
    job::{Extent, LaunchPlan, Sha256, TableEntry},
};

use super::{
    Dispatcher,
    control::by,
    launch::{Kept, Prepared},
    modules::{MODULE_BYTES_MAX, ModuleFacts},
    readers::{Readers, Reading, Source},
};
use crate::{
    digest::sha256_of,
    store::{Artefact, Input, Owner},
};

/// Where a job's module is.
enum ModuleAt {
    /// In the descriptor.
    Inline(Vec<u8>),
    /// Among the inputs.
    Staged(PathName, Artefact),
}

/// What became of one record.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// It was accepted or refused.
    Answered(StatusLine),
    /// This module has to be read first: the same record is to be submitted again when it was.
    Unread(Sha256),
}

/// Why a job is not accepted, now.
enum Halt {
    Refused(Refusal),
    Unread(Sha256),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Dispatcher {
    /// One record written to `job`.
    pub(crate) fn submit(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        record: &[u8],
        now: Now,
    ) -> Submitted {
        let job = self.check_store().and_then(|()| JobDescriptor::parse(record));
        let admitted =
            job.map_err(Halt::from).and_then(|job| self.admit(gpu, caller, job, record, now));
        let outcome = match admitted {
            Ok(status) => Ok(status),
            Err(Halt::Refused(refusal)) => Err(refusal),
            Err(Halt::Unread(digest)) => return Submitted::Unread(digest),
        };
        Submitted::Answered(self.conclude(gpu, caller, Verb::Job, outcome, now))
    }

    /// Starts the threads that read modules. `tell` is to bring what they say to [`Self::module_read`].
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub(crate) fn start_readers(
        &self,
        tell: impl Fn(Reading) + Send + Sync + 'static,
    ) -> io::Result<Readers> {
        self.modules.start(tell)
    }

    /// A module was read. Whoever waits for it is to submit again.
    pub(crate) fn module_read(&mut self, reading: Reading) -> Sha256 {
        let digest = reading.digest;
        self.modules.told(reading);
        digest
    }

    /// Everybody who waited for this module has submitted again.
    pub(crate) fn module_used(&mut self, digest: &Sha256) {
        self.modules.forget_unread(digest);
    }

    /// One of those who wait for this module does not any more.
    pub(crate) fn module_unwanted(&mut self, digest: &Sha256) {
        self.modules.forget(digest);
    }

    fn admit(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        job: JobDescriptor,
        record: &[u8],
        now: Now,
    ) -> Result<StatusLine, Halt> {
        if self.draining {
            let text = "this bridge is shutting down and takes no more jobs";
            return Err(Refusal::new(Errno::EBUSY, text).into());
        }
        let worker = caller.role.is_worker().then(|| caller.subject.clone()).flatten();
        let owner = worker.map_or(Owner::Shared, Owner::Subject);
        if self.outputs.is_anothers(&owner, &job.job) {
            let text = format!(
                "job: {} is the name of another worker's job with outputs kept, take another",
                job.job
            );
            return Err(Refusal::new(Errno::EEXIST, text).into());
        }
        let module = self.find_module(&owner, &job)?;
        let facts = self.module_facts(&owner, &job.bytes_hash, &module)?;
        check_format(&job, &facts)?;
        let kernel = facts.kernel(&job.kernel)?.cloned();
        let module_path = match &module {
            ModuleAt::Staged(path, _) => Some(path),
            ModuleAt::Inline(_) => None,
        };
        let inputs = self.inputs(&owner, &job);
        let bytes_of = |path: &PathName| inputs.iter().find(|input| input.path == *path);
        let plan = LaunchPlan::of(&job, module_path, |path| Some(bytes_of(path)?.bytes))?;
        every_output_is_written(&job, &plan)?;
        if let Some(kernel) = &kernel {
            check_kernel(&job, &plan, kernel)?;
        }
        let static_shared_bytes = kernel.map_or(0, |kernel| kernel.static_shared_bytes);
        let request = JobRequest::of(&job, plan.buffer_bytes(), static_shared_bytes);
        let descriptor = without_payload(record, &job)?;
        let mut prepared = self.prepare(gpu, &owner, job, &facts, module, plan)?;
        prepared.kept = Some(Kept { descriptor, static_shared_bytes, inputs });
        Ok(self.hand_over(caller, request, prepared, now)?)
    }

    /// Asks the broker; what was prepared is let go of when it refuses.
    fn hand_over(
        &mut self,
        caller: &Caller,
        request: JobRequest,
        prepared: Prepared,
        now: Now,
    ) -> Result<StatusLine, Refusal> {
        let name = request.job.clone();
        let command = Command::Submit { by: by(caller), gpu: prepared.gpu.clone(), request };
        let (number, lease, pos) = match self.broker.handle(command, now) {
            Ok(Answer::Accepted { job, lease, pos }) => (job, lease, pos),
            Ok(other) => {
                self.let_go(prepared);
                return Err(Refusal::new(
                    Errno::EIO,
                    format!("the broker answered {other:?} to a job"),
                ));
            }
            Err(refusal) => {
                self.let_go(prepared);
                return Err(refusal);
            }
        };
        let gpu = prepared.gpu.clone();
        self.jobs.insert(number, prepared);
        self.settle(now);
        if let Err(refusal) = self.check_stored() {
            let by = By { role: Role::Queen, subject: None, ticket: None };
            let cancel = Command::Cancel { by, gpu, job: name };
            if let Err(refusal) = self.broker.handle(cancel, now) {
                tracing::error!(%refusal, "a job that could not be stored cannot be cancelled");
            }
            self.settle(now);
            return Err(refusal);
        }
        Ok(StatusLine::ok(Verb::Job).with("job", name).with("lease", lease).with("pos", pos))
    }

    fn find_module(&self, owner: &Owner, job: &JobDescriptor) -> Result<ModuleAt, Refusal> {
        if let Some(payload) = &job.payload {
            let seen = sha256_of(payload);
            if seen != job.bytes_hash {
                let text =
                    format!("bytes_hash: payload_b64 has {seen}, the job says {}", job.bytes_hash);
                return Err(Refusal::invalid(text));
            }
            return Ok(ModuleAt::Inline(payload.clone()));
        }
        let mut module = None;
        for (index, path) in job.inputs.iter().enumerate() {
            let artefact = self.staged(owner, path).ok_or_else(|| {
                Refusal::new(
                    Errno::ENOENT,
                    format!("inputs[{index}]: {path} is not staged, write it first"),
                )
            })?;
            if artefact.digest == job.bytes_hash && module.is_none() {
                module = Some(ModuleAt::Staged(path.clone(), artefact));
            }
        }
        module.ok_or_else(|| {
            let count = job.inputs.len();
            Refusal::invalid(format!(
                "bytes_hash: none of {count} inputs has {}, and there is no payload_b64",
                job.bytes_hash
            ))
        })
    }

    fn module_facts(
        &mut self,
        owner: &Owner,
        digest: &Sha256,
        module: &ModuleAt,
    ) -> Result<Arc<ModuleFacts>, Halt> {
        if let Some(facts) = self.modules.facts(digest) {
            return Ok(facts?);
        }
        let source = match module {
            ModuleAt::Inline(bytes) => Source::Bytes(bytes.clone()),
            ModuleAt::Staged(path, artefact) if artefact.bytes > MODULE_BYTES_MAX => {
                let text = format!(
                    "{path} has {} bytes, a module at most {MODULE_BYTES_MAX}",
                    artefact.bytes
                );
                return Err(Refusal::new(Errno::EFBIG, text).into());
            }
            ModuleAt::Staged(..) => Source::File(self.artefacts.path(digest)),
        };
        self.modules.want(*digest, owner, source)?;
        Err(Halt::Unread(*digest))
    }

    /// What the descriptor's inputs are at this moment.
    fn inputs(&self, owner: &Owner, job: &JobDescriptor) -> Vec<Input> {
        let input = |path: &PathName| {
            let Artefact { digest, bytes } = self.staged(owner, path)?;
            Some(Input { path: path.clone(), digest, bytes })
        };
        job.inputs.iter().filter_map(input).collect()
    }

    fn staged(&self, owner: &Owner, path: &PathName) -> Option<Artefact> {
        self.artefacts.find(owner, path.last()?)
    }

    /// Takes hold of everything that the job needs, so that nothing of it can go away before it ends.
    fn prepare(
        &mut self,
        gpu: &GpuId,
        owner: &Owner,
        job: JobDescriptor,
        facts: &ModuleFacts,
        module: ModuleAt,
        plan: LaunchPlan,
    ) -> Result<Prepared, Refusal> {
        let sources: Vec<Option<Sha256>> = plan
            .buffers
            .iter()
            .map(|buffer| Some(self.staged(owner, buffer.usage.source()?)?.digest))
            .collect();
        let mut held = Vec::new();
        match module {
            ModuleAt::Inline(bytes) => held.push(self.artefacts.keep(&bytes)?),
            ModuleAt::Staged(_, artefact) => {
                self.artefacts.hold(&artefact.digest)?;
                held.push(artefact.digest);
            }
        }
        for digest in sources.iter().flatten() {
            self.artefacts.hold(digest)?;
            held.push(*digest);
        }
        let (gpu, owner) = (gpu.clone(), owner.clone());
        Ok(Prepared::new(gpu, owner, job, facts.format, plan, sources, held))
    }
}

/// The descriptor as it is stored: a module within it is among the artefacts by then, under its hash.
fn without_payload(record: &[u8], job: &JobDescriptor) -> Result<String, Refusal> {
    let garbled = |error: &dyn std::fmt::Display| Refusal::invalid(format!("descriptor: {error}"));
    if job.payload.is_none() {
        return String::from_utf8(record.to_vec()).map_err(|error| garbled(&error));
    }
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(record).map_err(|error| garbled(&error))?;
    fields.remove("payload_b64");
    serde_json::to_string(&fields).map_err(|error| garbled(&error))
}

fn check_format(job: &JobDescriptor, facts: &ModuleFacts) -> Result<(), Refusal> {
    match job.format {
        Some(said) if said != facts.format => Err(Refusal::invalid(format!(
            "format: the job says {said:?}, the module is {:?}",
            facts.format
        ))),
        _ => Ok(()),
    }
}

/// An output that no parameter writes would never come to be.
fn every_output_is_written(job: &JobDescriptor, plan: &LaunchPlan) -> Result<(), Refusal> {
    let is_written =
        |path: &PathName| plan.buffers.iter().any(|buffer| buffer.usage.output() == Some(path));
    match job.outputs.iter().position(|path| !is_written(path)) {
        None => Ok(()),
        Some(index) => {
            let text = format!("outputs[{index}]: no parameter writes {}", job.outputs[index]);
            Err(Refusal::invalid(text))
        }
    }
}

/// What the module's own table says against the descriptor.
fn check_kernel(
    job: &JobDescriptor,
    plan: &LaunchPlan,
    kernel: &KernelSignature,
) -> Result<(), Refusal> {
    let table: Vec<_> = kernel
        .parameters
        .iter()
        .map(|slot| TableEntry { offset: slot.offset, bytes: slot.bytes })
        .collect();
    plan.lay_out(&job.kernel, &table)?;
    let Extent { x, y, z } = job.block;
    let threads = u64::from(x).saturating_mul(y.into()).saturating_mul(z.into());
    if let Some(most) = kernel.block_threads_max
        && threads > u64::from(most)
    {
        return Err(Refusal::invalid(format!(
            "block: kernel was compiled for at most {most} threads, got {threads}"
        )));
    }
    if let Some(wanted) = kernel.block_required
        && (wanted.x, wanted.y, wanted.z) != (x, y, z)
    {
        let text = format!(
            "block: kernel was compiled for [{},{},{}] alone, got [{x},{y},{z}]",
            wanted.x, wanted.y, wanted.z
        );
        return Err(Refusal::invalid(text));
    }
    Ok(())
}
