//! UNDRAIN: a GPU gets work again once a known kernel has given its known result, in an executor of its own.
//!
//! ```text
//! UNDRAIN ─▶ Testing ─ the result is right ─▶ healed, undrained
//!                └── wrong, failed, died, late ─▶ fault: "self-test failed: …", still drained
//! ```
//! The daemon itself touches no GPU for this. The executor belongs to no lease: the broker does not know of it.

use std::{
    fs::File,
    io::{Seek, Write},
    os::fd::AsFd,
};

use bridge_host_broker::{Command, ExecutorRef};
use bridge_host_gpu::BackendKind;
use ninedoor::AuditLine;
use ninedoor_abi::{Epoch, Errno, GpuId, LeaseId, MonoUs, Now, Refusal, StatusLine, ctl::Verb};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{Dispatcher, Wish};
use crate::{
    digest::sha256_of,
    executor::protocol::{Argument, Bind, Buffer, Finished, Format, Run, RunId},
    fleet::News,
};

const MODULE: &str = include_str!("self_test.ptx");
const KERNEL: &str = "cohesix_self_test";

/// Words that the kernel writes, by blocks of so many threads.
const WORDS: u32 = 64 * 1024;
const THREADS: u32 = 256;

/// Room for them, with what a driver adds.
const MEMORY_BYTES: u64 = 8 << 20;

/// From UNDRAIN to the result, with the start of an executor and its context.
const PATIENCE_MS: u64 = 30_000;

/// A test that is under way.
#[derive(Debug)]
pub(super) struct SelfTest {
    executor: ExecutorRef,
    /// The result's hash; none where nothing is computed.
    wanted: Option<String>,
    until: MonoUs,
}

/// Word `i` is `i * 1664525 + 1013904223`.
fn result() -> Vec<u8> {
    let word = |i: u32| i.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (0..WORDS).flat_map(|i| word(i).to_le_bytes()).collect()
}

fn order() -> Run {
    Run {
        run: RunId(0),
        module_sha256: sha256_of(MODULE.as_bytes()).hex(),
        format: Format::Ptx,
        kernel: KERNEL.to_owned(),
        grid: [WORDS / THREADS, 1, 1],
        block: [THREADS, 1, 1],
        shared_bytes: 0,
        buffers: vec![Buffer { bytes: u64::from(WORDS) * 4, initial: false, output: true }],
        arguments: vec![Argument::Buffer(0), Argument::Bytes(WORDS.to_le_bytes().to_vec())],
        printf: false,
    }
}

/// The module, and room for the result.
fn files() -> std::io::Result<[File; 2]> {
    let mut module = File::from(memfd_create("self-test", MemfdFlags::CLOEXEC)?);
    module.write_all(MODULE.as_bytes())?;
    module.rewind()?;
    let output = File::from(memfd_create("self-test-result", MemfdFlags::CLOEXEC)?);
    output.set_len(u64::from(WORDS) * 4)?;
    Ok([module, output])
}

impl Dispatcher {
    /// Begins the self-test of a GPU; it is undrained when that has passed.
    ///
    /// # Errors
    /// `EBUSY` while one is under way; `EIO` when no executor can be had.
    pub(super) fn undrain(&mut self, id: &GpuId, now: Now) -> Result<StatusLine, Refusal> {
        let gpu = self.gpu(id)?;
        if gpu.self_test.is_some() {
            return Err(Refusal::new(
                Errno::EBUSY,
                format!("gpu {id} is being tested, wait for its health in info"),
            ));
        }
        let computes = gpu.info.backend != BackendKind::Mock;
        let uuid = gpu.info.uuid.clone();
        self.self_tests += 1;
        // No lease has this number.
        let executor =
            ExecutorRef { gpu: id.clone(), lease: LeaseId(0), epoch: Epoch(self.self_tests) };
        let bind = Bind { uuid, memory_bytes: MEMORY_BYTES, streams: 1, printf_bytes: 0 };
        let [module, output] = files().map_err(|error| no_executor(id, &error))?;
        self.fleet
            .bind(&executor, &bind)
            .and_then(|()| self.fleet.run(&executor, order(), &[module.as_fd(), output.as_fd()]))
            .map_err(|error| no_executor(id, &error))?;
        let wanted = computes.then(|| sha256_of(&result()).hex());
        let until = now.mono_us.plus_ms(PATIENCE_MS);
        if let Some(gpu) = self.gpus.get_mut(id) {
            gpu.self_test = Some(SelfTest { executor, wanted, until });
        }
        self.settle(now);
        Ok(StatusLine::ok(Verb::Undrain).with("self_test", "running"))
    }

    /// What an executor without a lease said; gives back what is not about a self-test.
    pub(super) fn self_test_news(&mut self, news: News, now: Now) -> Option<News> {
        let (News::Ready(executor)
        | News::Finished(executor, _)
        | News::Failed(executor, _, _)
        | News::Died(executor, _)) = &news;
        if executor.lease != LeaseId(0) {
            return Some(news);
        }
        let executor = executor.clone();
        let Some(test) = self
            .gpus
            .get_mut(&executor.gpu)
            .and_then(|gpu| gpu.self_test.take_if(|test| test.executor == executor))
        else {
            return None; // it is over
        };
        let outcome = match news {
            News::Ready(_) => {
                // It goes on.
                if let Some(gpu) = self.gpus.get_mut(&executor.gpu) {
                    gpu.self_test = Some(test);
                }
                return None;
            }
            News::Finished(_, finished) => judge(&finished, test.wanted.as_deref()),
            News::Failed(_, _, failure) => Err(format!("{}: {}", failure.code, failure.detail)),
            News::Died(_, detail) => Err(format!("its executor {detail}")),
        };
        self.fleet.kill(&executor);
        self.conclude_self_test(&executor.gpu, outcome, now);
        None
    }

    /// Ends tests that take too long.
    pub(super) fn end_late_self_tests(&mut self, now: Now) {
        let late = |test: &mut SelfTest| test.until <= now.mono_us;
        let ended: Vec<SelfTest> =
            self.gpus.values_mut().filter_map(|gpu| gpu.self_test.take_if(late)).collect();
        for SelfTest { executor, .. } in ended {
            self.fleet.kill(&executor);
            let outcome = Err(format!("no result within {} s", PATIENCE_MS / 1000));
            self.conclude_self_test(&executor.gpu, outcome, now);
        }
    }

    /// When [`Self::end_late_self_tests`] has something to do.
    pub(super) fn self_tests_due(&self) -> Option<MonoUs> {
        self.gpus.values().filter_map(|gpu| Some(gpu.self_test.as_ref()?.until)).min()
    }

    fn conclude_self_test(&mut self, id: &GpuId, outcome: Result<(), String>, now: Now) {
        let line = AuditLine::by("self-test");
        let detail = format!("gpu={id}");
        match outcome {
            Ok(()) => {
                self.wishes.push_back(Wish::Audit(line.done("UNDRAIN", detail)));
                self.heal_gpu(id, now);
                if let Err(refusal) = self.broker.handle(Command::Undrain { gpu: id.clone() }, now)
                {
                    tracing::error!(gpu = %id, %refusal, "cannot undrain");
                }
                self.settle(now);
            }
            Err(why) => {
                self.wishes.push_back(Wish::Audit(line.failed(
                    "UNDRAIN",
                    "EIO",
                    why.clone(),
                    detail,
                )));
                self.fail_gpu_anew(id, format!("self-test failed: {why}"), now);
            }
        }
    }
}

fn judge(finished: &Finished, wanted: Option<&str>) -> Result<(), String> {
    let seen = finished.outputs_sha256.first().map_or("none", String::as_str);
    match wanted {
        Some(wanted) if wanted != seen => {
            Err(format!("its result has sha256:{seen}, wanted sha256:{wanted}"))
        }
        _ => Ok(()),
    }
}

fn no_executor(id: &GpuId, error: &std::io::Error) -> Refusal {
    Refusal::new(Errno::EIO, format!("gpu {id}: no executor for the self-test: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(sha256: &str) -> Finished {
        Finished {
            run: RunId(0),
            load_us: 0,
            h2d_us: 0,
            kernel_us: 0,
            d2h_us: 0,
            outputs_sha256: vec![sha256.to_owned()],
            printf_bytes: 0,
        }
    }

    #[test]
    fn a_wrong_result_names_both_hashes() {
        assert_eq!(judge(&finished("aa"), Some("aa")), Ok(()));
        assert_eq!(judge(&finished("anything"), None), Ok(()));
        assert_eq!(
            judge(&finished("aa"), Some("bb")),
            Err("its result has sha256:aa, wanted sha256:bb".to_owned())
        );
    }

    #[test]
    fn the_order_needs_a_file_for_the_module_and_one_for_the_result() {
        assert_eq!(order().files(), files().unwrap().len());
        assert_eq!(result().len() as u64, order().buffers[0].bytes);
    }
}
