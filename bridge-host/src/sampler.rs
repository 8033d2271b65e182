//! Reads every GPU's counters now and then, away from everything that must not wait.

use std::time::Duration;

use bridge_host_gpu::{GpuDiscovery, GpuError, GpuInfo, GpuSample};
use ninedoor_abi::GpuId;
use tokio::time::{MissedTickBehavior, interval};

use crate::bridge::BridgeHive;

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(1);

type Samples = Vec<(GpuId, Result<GpuSample, GpuError>)>;

/// Samples for ever. A driver that takes long makes samples rarer, nothing else.
pub(crate) async fn keep_sampling(
    hive: BridgeHive,
    mut discovery: Box<dyn GpuDiscovery>,
    gpus: Vec<(GpuId, GpuInfo)>,
) {
    let targets: Vec<(GpuId, String)> =
        gpus.into_iter().map(|(id, info)| (id, info.uuid)).collect();
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let asked = targets.clone();
        let sampling = tokio::task::spawn_blocking(move || {
            let samples = sample_all(&mut *discovery, &asked);
            (discovery, samples)
        });
        let Ok((back, samples)) = sampling.await else { return };
        discovery = back;
        put(&hive, samples);
    }
}

fn sample_all(discovery: &mut dyn GpuDiscovery, targets: &[(GpuId, String)]) -> Samples {
    targets.iter().map(|(id, uuid)| (id.clone(), discovery.sample(uuid))).collect()
}

fn put(hive: &BridgeHive, samples: Samples) {
    hive.with(|_, publisher, now| {
        for (id, sample) in samples {
            match sample {
                Ok(sample) => {
                    publisher.dispatcher.read_health(&id, sample.health.clone(), now);
                    publisher.dispatcher.put_sample(&id, sample, now);
                }
                Err(error) => {
                    publisher.dispatcher.cannot_read(&id, &error, now);
                    publisher.dispatcher.no_sample(&id);
                }
            }
        }
    });
}
