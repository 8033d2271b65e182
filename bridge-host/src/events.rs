//! Listens to the GPUs' driver, on a thread of its own: it may keep silent for ever, or not answer.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bridge_host_gpu::{GpuEvent, GpuEvents, Remedy};

use crate::bridge::BridgeHive;

/// How long one wait may take: the thread looks this often whether to end.
const WAIT_MS: u32 = 1_000;

/// After a wait that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Listens until `ends`. Nobody waits for the thread: a driver may hold it.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn keep_listening(
    hive: BridgeHive,
    events: Box<dyn GpuEvents>,
    ends: Arc<AtomicBool>,
) -> io::Result<()> {
    thread::Builder::new()
        .name("gpu-events".to_owned())
        .spawn(move || listen(&hive, events, &ends))
        .map(|_| ())
}

fn listen(hive: &BridgeHive, mut events: Box<dyn GpuEvents>, ends: &AtomicBool) {
    let mut well = true;
    while !ends.load(Ordering::Acquire) {
        match events.wait(WAIT_MS) {
            Ok(event) => {
                well = true;
                event.iter().for_each(|event| tell(hive, event));
            }
            Err(error) => {
                // Once, not every few seconds.
                if std::mem::take(&mut well) {
                    tell(
                        hive,
                        &GpuEvent {
                            uuid: None,
                            code: None,
                            what: error.to_string(),
                            remedy: Remedy::Log,
                        },
                    );
                }
                thread::park_timeout(PAUSE);
            }
        }
    }
}

fn tell(hive: &BridgeHive, event: &GpuEvent) {
    hive.with(|_, publisher, now| publisher.dispatcher.gpu_event(event, now));
}
