//! What readings say of a GPU's health: too hot or short of power (it pauses), errors of its memory, what the driver wants done.
//!
//! ```text
//! hardware slows it down in 3 samples in a row ─▶ Paused ─▶ (one sample without) ─▶ Ok
//! ```

use std::collections::BTreeMap;

use bridge_host_gpu::{GpuSample, Health, Remedy, Throttle};

/// Samples in a row that the hardware must slow a GPU down before nothing new is begun on it: one alone may be a spike.
const SLOW_SAMPLES: u32 = 3;

// Bits of NVML's clock event reasons.
const HARDWARE_SLOWDOWN: u64 = 0x8;
const SOFTWARE_THERMAL: u64 = 0x20;
const HARDWARE_THERMAL: u64 = 0x40;
const POWER_BRAKE: u64 = 0x80;

/// How long each GPU has been slowed down.
#[derive(Debug, Default)]
pub(crate) struct Slowdowns(BTreeMap<String, u32>);

impl Slowdowns {
    /// What this sample, after those before it, says of the GPU.
    pub(crate) fn judge(
        &mut self,
        uuid: &str,
        sample: &GpuSample,
        wanted: Option<Remedy>,
    ) -> Health {
        let bits = sample.throttle.map_or(0, |Throttle(bits)| bits);
        let held = self.0.entry(uuid.to_owned()).or_default();
        let slowed = bits & (HARDWARE_SLOWDOWN | HARDWARE_THERMAL | POWER_BRAKE) != 0;
        *held = if slowed { held.saturating_add(1) } else { 0 };
        if let Some(remedy) = wanted {
            return Health::Unusable(format!("the driver wants it: {}", in_words(remedy)));
        }
        if *held >= SLOW_SAMPLES {
            return Health::Paused(slowdown(bits, sample.temperature_celsius));
        }
        match sample.ecc {
            Some(ecc) if ecc.uncorrected > 0 => Health::Degraded(format!(
                "{} uncorrected memory errors since the driver was loaded; see nvidia-smi -q -d ECC",
                ecc.uncorrected
            )),
            _ if bits & SOFTWARE_THERMAL != 0 => {
                Health::Degraded("the driver holds its clocks down: it is hot".to_owned())
            }
            _ => Health::Ok,
        }
    }
}

/// What a remedy asks of people.
pub(crate) const fn in_words(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Log => "nothing",
        Remedy::EndExecutor => "its executor ends",
        Remedy::DrainAndReset => "reset it, with nvidia-smi --gpu-reset, then UNDRAIN",
        Remedy::Inspect => "look at it, with nvidia-smi -q, then UNDRAIN",
        Remedy::Reboot => "start the machine again",
    }
}

fn slowdown(bits: u64, celsius: Option<f32>) -> String {
    let cause = if bits & HARDWARE_THERMAL != 0 {
        "it is too hot"
    } else if bits & POWER_BRAKE != 0 {
        "power brake: its supply cannot give enough"
    } else {
        "it is too hot, or its supply cannot give enough"
    };
    let at = celsius.map_or_else(String::new, |celsius| format!(" at {celsius} C"));
    format!("the hardware slows it down, {cause}{at}; work goes on when that ends")
}

#[cfg(test)]
mod tests {
    use bridge_host_gpu::EccErrors;

    use super::*;

    fn throttled(bits: u64) -> GpuSample {
        GpuSample {
            throttle: Some(Throttle(bits)),
            temperature_celsius: Some(93.0),
            ..GpuSample::default()
        }
    }

    #[test]
    fn the_third_hot_sample_in_a_row_pauses_and_the_first_cool_one_ends_that() {
        let mut slowdowns = Slowdowns::default();
        let mut judge = |bits| slowdowns.judge("GPU-a", &throttled(bits), None);
        assert_eq!(judge(0x40), Health::Ok);
        assert_eq!(judge(0x40), Health::Ok);
        assert_eq!(
            judge(0x40),
            Health::Paused(
                "the hardware slows it down, it is too hot at 93 C; work goes on when that ends"
                    .to_owned()
            )
        );
        assert_eq!(judge(0x1), Health::Ok);
        assert_eq!(judge(0x80), Health::Ok);
    }

    #[test]
    fn a_gpu_is_not_paused_for_another_one() {
        let mut slowdowns = Slowdowns::default();
        for _ in 0..2 {
            slowdowns.judge("GPU-a", &throttled(0x80), None);
            slowdowns.judge("GPU-b", &throttled(0x1), None);
        }
        assert_eq!(slowdowns.judge("GPU-b", &throttled(0x80), None), Health::Ok);
        assert!(matches!(slowdowns.judge("GPU-a", &throttled(0x80), None), Health::Paused(_)));
    }

    #[test]
    fn what_the_driver_wants_counts_more_than_anything() {
        let health = Slowdowns::default().judge("GPU-a", &throttled(0x40), Some(Remedy::Reboot));
        assert_eq!(
            health,
            Health::Unusable("the driver wants it: start the machine again".to_owned())
        );
    }

    #[test]
    fn lost_data_is_to_be_looked_at() {
        let ecc = Some(EccErrors { corrected: 9, uncorrected: 2 });
        let sample = GpuSample { ecc, ..GpuSample::default() };
        let Health::Degraded(why) = Slowdowns::default().judge("GPU-a", &sample, None) else {
            panic!("it is degraded");
        };
        assert!(why.starts_with("2 uncorrected memory errors"), "{why}");
    }
}
