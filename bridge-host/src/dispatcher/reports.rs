//! What executors report, told to the broker.

use std::sync::Arc;

use bridge_host_broker::{Event, ExecutorRef, JobNumber, JobOutcome};
use ninedoor_abi::{Now, record::JobCode};

use super::Dispatcher;
use crate::{
    executor::protocol::{Failure, Finished, Report},
    fleet::{Departure, ExecutorId, ExitNote, Leash, News},
};

impl Dispatcher {
    /// An executor runs now.
    pub(crate) fn executor_born(&mut self, id: ExecutorId, leash: Arc<Leash>) {
        self.fleet.born(id, leash);
    }

    /// An executor said something.
    pub(crate) fn executor_reported(&mut self, id: ExecutorId, report: Report, now: Now) {
        if let Some(news) = self.fleet.reported(id, report) {
            self.take_news(news, now);
        }
    }

    /// An executor is gone.
    pub(crate) fn executor_exited(&mut self, id: ExecutorId, note: &ExitNote, now: Now) {
        if let Some(news) = self.fleet.exited(id, note, now.mono_us) {
            self.take_news(news, now);
        }
        self.settle(now);
    }

    /// The GPU of an executor that is gone was looked at: the next job gets it, unless something is wrong with it.
    pub(crate) fn gpu_inspected(
        &mut self,
        departure: Departure,
        finding: Option<String>,
        now: Now,
    ) {
        let Departure { executor, detail, .. } = departure;
        if let Some(why) = finding {
            tracing::error!(gpu = %executor.gpu, why, "a GPU did not outlive its executor");
            self.fail_gpu(&executor.gpu, why, now);
        }
        self.take_news(News::Died(executor, detail), now);
    }

    fn take_news(&mut self, news: News, now: Now) {
        let Some(news) = self.self_test_news(news, now) else { return };
        let event = match news {
            News::Ready(executor) => Event::Ready(executor),
            News::Died(executor, detail) => Event::Died { executor, detail },
            News::Finished(executor, finished) => self.finished(executor, &finished, now),
            News::Failed(executor, run, failure) => {
                Event::Finished { executor, job: JobNumber(run.0), outcome: failed(failure) }
            }
        };
        self.observe(event, now);
        self.settle(now);
    }

    fn finished(&mut self, executor: ExecutorRef, finished: &Finished, now: Now) -> Event {
        let job = JobNumber(finished.run.0);
        // Not its job, or one that was told to stop: nothing of it is shown, and the broker says how it ended.
        let published = match self.broker.awaits(&executor, job) {
            true => self.publish_outputs(finished, now),
            false => Ok(Vec::new()),
        };
        let outcome = match published {
            Ok(outputs) => JobOutcome::Ok {
                h2d_us: finished.h2d_us,
                kernel_us: finished.kernel_us,
                d2h_us: finished.d2h_us,
                outputs,
            },
            Err(detail) => JobOutcome::Err { code: JobCode::Lost, detail, sticky: false },
        };
        Event::Finished { executor, job, outcome }
    }
}

/// A code that we do not know is a failure of the device.
fn failed(failure: Failure) -> JobOutcome {
    let code = JobCode::of_word(&failure.code).unwrap_or(JobCode::Device);
    JobOutcome::Err { code, detail: failure.detail, sticky: failure.sticky }
}
