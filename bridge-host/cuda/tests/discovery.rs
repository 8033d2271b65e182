//! What the daemon learns of a machine from NVML, on machines with a fake driver: each test runs again in a process on one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bridge_host_cuda::{NvmlDiscovery, NvmlEvents, XIDS};
use bridge_host_gpu::{
    BackendKind, EccErrors, ErrorKind, GpuDiscovery, GpuError, GpuEvent, GpuEvents, GpuInfo,
    Health, MemoryEnforcement, MigState, Peer, Remedy, Throttle,
};
use tests_fake_driver::{
    Device,
    Library::Nvml,
    Machine, Script, is_here,
    script::{DIRECTORY, Script as Same},
};

/// What the test of the machine itself needs: its script may change under the libraries.
fn rewrite(script: &Same) {
    let directory = std::path::PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    std::fs::write(directory.join("script.new"), script.to_text()).unwrap();
    std::fs::rename(directory.join("script.new"), directory.join("script")).unwrap();
}

fn tell(lines: &[(u64, u64, usize)]) {
    let directory = std::path::PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let text: String =
        lines.iter().map(|(kind, data, at)| format!("{kind} {data} {at}\n")).collect();
    std::fs::write(directory.join("events"), text).unwrap();
}

fn inventory() -> Result<Vec<GpuInfo>, GpuError> {
    NvmlDiscovery::new()?.inventory()
}

/// Runs `look` in a process on a machine with this script.
fn on(script: &Script, test: &str, look: impl FnOnce()) {
    if is_here() { look() } else { Machine::new(script).run_test(test) }
}

fn pair() -> Script {
    let device =
        |index| Device::fake(index).with("nvlinks", 4).with("memory_mb", 143_771).with("numa", 1);
    Script { devices: vec![device(0), device(1).with("ancestor", 77)], ..Script::default() }
}

/// Proves GPU-6.
#[test]
fn a_machine_is_told_whole() {
    on(&pair(), "a_machine_is_told_whole", || {
        let [first, second] = <[GpuInfo; 2]>::try_from(inventory().unwrap()).unwrap();
        assert_eq!(first.uuid, Device::fake(0).uuid);
        assert_eq!((first.name.as_str(), first.vendor.as_str()), ("Fake H200", "NVIDIA"));
        assert_eq!((first.backend, first.sm_count), (BackendKind::Nvidia, 132));
        assert_eq!((first.memory_mb, first.memory_reserved_mb), (143_771, 256));
        assert_eq!((first.compute_capability.major, first.compute_capability.minor), (9, 0));
        assert_eq!(
            (first.driver_version.as_str(), first.runtime_version.as_str()),
            ("580.159.03", "13.0")
        );
        assert_eq!(first.pci_bus_id.as_deref(), Some("00000000:01:00.0"));
        assert_eq!(first.memory_enforcement, MemoryEnforcement::Pool);
        assert_eq!(first.mig, Some(MigState { current: false, pending: false }));
        assert_eq!(first.topology.numa_node, Some(1));
        let peer = Peer { uuid: second.uuid, ancestor: Some("switches".to_owned()), links: 4 };
        assert_eq!(first.topology.peers, [peer]);
    });
}

/// Proves GPU-5.
#[test]
fn a_topology_level_of_the_future_stays_a_number() {
    on(&pair(), "a_topology_level_of_the_future_stays_a_number", || {
        let second = &inventory().unwrap()[1];
        assert_eq!(second.topology.peers[0].ancestor.as_deref(), Some("77"));
    });
}

/// Proves GPU-6.
#[test]
fn a_driver_without_bounded_pools_leaves_memory_to_the_counting() {
    let old = Script { cuda: 12_010, driver: "530.30.02".to_owned(), ..Script::default() };
    on(&old, "a_driver_without_bounded_pools_leaves_memory_to_the_counting", || {
        assert_eq!(inventory().unwrap()[0].memory_enforcement, MemoryEnforcement::Accounting);
    });
}

/// Proves GPU-7.
#[test]
fn a_sample_has_what_the_gpu_tells() {
    on(&Script::default(), "a_sample_has_what_the_gpu_tells", || {
        let mut discovery = NvmlDiscovery::new().unwrap();
        let sample = discovery.sample(&Device::fake(0).uuid).unwrap();
        let ratios = [
            sample.utilization_ratio,
            sample.memory_utilization_ratio,
            sample.encoder_utilization_ratio,
            sample.decoder_utilization_ratio,
        ];
        assert_eq!(ratios, [Some(0.35), Some(0.2), Some(0.0), Some(0.0)]);
        let mib = |bytes: Option<u64>| bytes.map(|bytes| bytes >> 20);
        assert_eq!(mib(sample.memory_used_bytes), Some(300));
        assert_eq!(mib(sample.memory_free_bytes), Some(4096 - 256 - 300));
        assert_eq!(mib(sample.memory_reserved_bytes), Some(256));
        assert_eq!(
            (sample.temperature_celsius, sample.memory_temperature_celsius),
            (Some(41.0), Some(47.0))
        );
        assert_eq!((sample.power_watts, sample.energy_millijoules), (Some(120.5), Some(987_654)));
        assert_eq!((sample.sm_clock_mhz, sample.memory_clock_mhz), (Some(1980), Some(3201)));
        assert_eq!((sample.pcie_replays, sample.throttle), (Some(0), Some(Throttle(1))));
        assert_eq!(sample.ecc, Some(EccErrors::default()));
        assert_eq!(sample.health, Some(Health::Ok));
        assert!(sample.processes.is_empty());
    });
}

/// Every value that a device may not have.
const OPTIONAL: [&str; 13] = [
    "gpu_util",
    "encoder_util",
    "decoder_util",
    "used_mb",
    "temperature",
    "memory_temperature",
    "power_mw",
    "energy_mj",
    "sm_clock",
    "memory_clock",
    "pcie_replays",
    "ecc_corrected",
    "throttle",
];

/// Proves GPU-7.
#[test]
fn a_figure_that_is_not_supported_is_left_out_and_the_others_are_told() {
    on(
        &Script::default(),
        "a_figure_that_is_not_supported_is_left_out_and_the_others_are_told",
        || {
            let mut discovery = NvmlDiscovery::new().unwrap();
            let uuid = Device::fake(0).uuid;
            let whole = discovery.sample(&uuid).unwrap();
            for key in OPTIONAL {
                rewrite(&Script {
                    devices: vec![Device::fake(0).with(key, None)],
                    ..Script::default()
                });
                let sample = discovery.sample(&uuid).unwrap();
                assert_ne!(sample, whole, "{key} makes no difference");
            }
            let nothing =
                OPTIONAL.into_iter().fold(Device::fake(0), |device, key| device.with(key, None));
            rewrite(&Script {
                devices: vec![nothing.with("recovery", None).with("ecc_uncorrected", None)],
                ..Script::default()
            });
            let sample = discovery.sample(&uuid).unwrap();
            let known =
                bridge_host_gpu::GpuSample { health: Some(Health::Ok), ..Default::default() };
            assert_eq!(sample, known);
        },
    );
}

/// The functions that a sample is made of.
const COUNTERS: [&str; 12] = [
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetEncoderUtilization",
    "nvmlDeviceGetDecoderUtilization",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetPcieReplayCounter",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetComputeRunningProcesses_v3",
];

/// Proves GPU-5, GPU-7.
#[test]
fn no_samples_no_permission_and_codes_of_the_future_cost_one_figure() {
    on(
        &Script::default(),
        "no_samples_no_permission_and_codes_of_the_future_cost_one_figure",
        || {
            let mut discovery = NvmlDiscovery::new().unwrap();
            let uuid = Device::fake(0).uuid;
            for function in COUNTERS {
                for code in [3, 4, 6, 4711] {
                    rewrite(&Script::default().fail(function, 0, code));
                    let sample = discovery.sample(&uuid);
                    let sample =
                        sample.unwrap_or_else(|error| panic!("{function} {code}: {error}"));
                    assert_eq!(sample.health, Some(Health::Ok), "{function} {code}");
                }
            }
        },
    );
}

/// Proves GPU-5.
#[test]
fn a_lost_gpu_is_said_to_be_lost_and_the_other_is_still_sampled() {
    on(&pair(), "a_lost_gpu_is_said_to_be_lost_and_the_other_is_still_sampled", || {
        let mut discovery = NvmlDiscovery::new().unwrap();
        let mut script = pair();
        script.devices[0] = Device::fake(0).with("lost", 1);
        rewrite(&script);
        let error = discovery.sample(&Device::fake(0).uuid).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoGpu, "{error}");
        assert!(error.to_string().contains("fell off the bus"), "{error}");
        assert!(discovery.sample(&Device::fake(1).uuid).is_ok());
    });
}

/// Proves GPU-8.
#[test]
fn a_hot_gpu_pauses_with_the_third_sample_and_goes_on_when_it_has_cooled() {
    on(
        &Script::default(),
        "a_hot_gpu_pauses_with_the_third_sample_and_goes_on_when_it_has_cooled",
        || {
            let mut discovery = NvmlDiscovery::new().unwrap();
            let uuid = Device::fake(0).uuid;
            let mut health = |throttle: u64, temperature: u64| {
                let device =
                    Device::fake(0).with("throttle", throttle).with("temperature", temperature);
                rewrite(&Script { devices: vec![device], ..Script::default() });
                discovery.sample(&uuid).unwrap().health.unwrap()
            };
            assert_eq!([health(0x40, 93), health(0x48, 94)], [Health::Ok, Health::Ok]);
            let Health::Paused(why) = health(0x48, 95) else { panic!("it is not paused") };
            assert!(why.contains("too hot at 95 C"), "{why}");
            assert_eq!(health(0x1, 70), Health::Ok);
            let power = [health(0x80, 60), health(0x80, 60), health(0x80, 60)];
            assert!(power[2].detail().unwrap().contains("power brake"), "{power:?}");
            assert_eq!(health(0x20, 88).state(), "degraded");
        },
    );
}

/// Proves GPU-3.
#[test]
fn a_recovery_that_the_driver_wants_makes_the_gpu_unusable() {
    on(&Script::default(), "a_recovery_that_the_driver_wants_makes_the_gpu_unusable", || {
        let mut discovery = NvmlDiscovery::new().unwrap();
        for (action, word) in [
            (1, "reset it"),
            (2, "start the machine again"),
            (3, "look at it"),
            (4, "reset it"),
            (9, "look at it"),
        ] {
            rewrite(&Script {
                devices: vec![Device::fake(0).with("recovery", action)],
                ..Script::default()
            });
            let health = discovery.sample(&Device::fake(0).uuid).unwrap().health.unwrap();
            assert_eq!(health.state(), "unusable");
            assert!(health.detail().unwrap().contains(word), "{action}: {health:?}");
        }
    });
}

fn next(events: &mut NvmlEvents) -> GpuEvent {
    events.wait(60_000).unwrap().expect("it was told")
}

/// Proves GPU-3.
#[test]
fn every_xid_of_the_table_asks_for_what_its_row_says() {
    on(&Script::default(), "every_xid_of_the_table_asks_for_what_its_row_says", || {
        let mut events = NvmlEvents::subscribe().unwrap().expect("the driver tells");
        let mut rows: Vec<(u64, Remedy)> = Vec::new();
        for row in XIDS.iter().filter(|row| row.driver_min <= 580) {
            let fresh = row.xids.clone().filter(|xid| rows.iter().all(|(known, _)| known != xid));
            rows.extend(fresh.map(|xid| (xid, row.remedy)).collect::<Vec<_>>());
        }
        // Every bucket is there, and one number that no table has.
        assert!(Remedy::ALL.iter().all(|remedy| rows.iter().any(|(_, asked)| asked == remedy)));
        rows.push((4711, Remedy::Inspect));
        tell(&rows.iter().map(|(xid, _)| (8, *xid, 0)).collect::<Vec<_>>());
        for (xid, remedy) in rows {
            let event = next(&mut events);
            assert_eq!((event.code, event.remedy), (Some(xid), remedy), "{event:?}");
            assert_eq!(event.uuid, Some(Device::fake(0).uuid));
            assert!(event.what.starts_with(&format!("xid {xid}; to do: ")), "{}", event.what);
        }
    });
}

/// Proves GPU-3.
#[test]
fn xid_109_is_milder_on_a_driver_before_570() {
    let old = Script { driver: "550.54.15".to_owned(), cuda: 12_040, ..Script::default() };
    on(&old, "xid_109_is_milder_on_a_driver_before_570", || {
        let mut events = NvmlEvents::subscribe().unwrap().expect("the driver tells");
        tell(&[(8, 109, 0)]);
        assert_eq!(next(&mut events).remedy, Remedy::EndExecutor);
    });
}

/// Proves GPU-3.
#[test]
fn what_the_driver_wants_stands_before_the_table() {
    on(&Script::default(), "what_the_driver_wants_stands_before_the_table", || {
        let mut events = NvmlEvents::subscribe().unwrap().expect("the driver tells");
        rewrite(&Script {
            devices: vec![Device::fake(0).with("recovery", 2)],
            ..Script::default()
        });
        tell(&[(8, 13, 0), (0x8000, 0, 0)]);
        for start in [
            "xid 13; the driver wants: start the machine again",
            "the driver changed what it wants done; the driver wants: start",
        ] {
            let event = next(&mut events);
            assert_eq!(event.remedy, Remedy::Reboot);
            assert!(event.what.starts_with(start), "{}", event.what);
        }
    });
}

/// Proves GPU-5.
#[test]
fn other_events_silence_and_a_broken_wait_are_told_as_they_are() {
    on(&Script::default(), "other_events_silence_and_a_broken_wait_are_told_as_they_are", || {
        let mut events = NvmlEvents::subscribe().unwrap().expect("the driver tells");
        assert_eq!(events.wait(0).unwrap(), None);
        tell(&[(2, 0, 0), (1 << 40, 5, 0)]);
        assert_eq!(next(&mut events).remedy, Remedy::DrainAndReset);
        let strange = next(&mut events);
        assert_eq!(strange.remedy, Remedy::Log);
        assert!(strange.what.starts_with("event 0x10000000000 with data 5"), "{}", strange.what);
        for code in [15, 999, 4711] {
            rewrite(&Script::default().fail("nvmlEventSetWait_v2", 0, code));
            let error = events.wait(0).unwrap_err();
            assert_eq!(error.code, Some(code));
            assert!(error.to_string().contains("every GPU is suspect"), "{error}");
        }
    });
}

/// Proves GPU-4.
#[test]
fn a_machine_without_nvml_is_told_what_was_looked_for_and_where() {
    if is_here() {
        let error = NvmlDiscovery::new().map(|_| ()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDriver);
        let text = error.to_string();
        assert!(
            text.starts_with(
                "load NVML: libnvidia-ml.so.1 is not on this machine; looked in LD_LIBRARY_PATH ("
            ),
            "{text}"
        );
        return;
    }
    let empty = Machine::with(&Script::default(), &[]);
    empty.run_test("a_machine_without_nvml_is_told_what_was_looked_for_and_where");
}

/// What no inventory is without.
const NEEDED: [&str; 10] = [
    "nvmlInit_v2",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetName",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetCudaComputeCapability",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlEventSetWait_v2",
];

/// Proves GPU-4.
#[test]
fn a_function_that_nvml_lacks_is_named() {
    if is_here() {
        let missing = std::fs::read_to_string(
            std::path::Path::new(&std::env::var_os(DIRECTORY).unwrap()).join("missing"),
        )
        .unwrap();
        let outcome = if missing == "nvmlEventSetWait_v2" {
            NvmlEvents::subscribe().unwrap().unwrap().wait(0).map(|_| ())
        } else {
            inventory().map(|_| ())
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDriver, "{error}");
        assert!(
            error.to_string().contains(&missing) && error.to_string().contains("update the driver"),
            "{error}"
        );
        return;
    }
    for function in NEEDED {
        let machine = Machine::new(&Script::default()).without(Nvml, function);
        std::fs::write(machine.path().join("missing"), function).unwrap();
        machine.run_test("a_function_that_nvml_lacks_is_named");
    }
}

/// Proves GPU-4, GPU-7.
#[test]
fn functions_of_newer_drivers_are_not_missed() {
    if is_here() {
        let gpu = &inventory().unwrap()[0];
        assert_eq!((gpu.mig, gpu.topology.numa_node), (None, None));
        let sample = NvmlDiscovery::new().unwrap().sample(&Device::fake(0).uuid).unwrap();
        assert_eq!((sample.energy_millijoules, sample.memory_temperature_celsius), (None, None));
        assert_eq!(sample.power_watts, Some(120.5));
        return;
    }
    let newer = [
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetNumaNodeId",
        "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetFieldValues",
        "nvmlDeviceGetNumGpuCores",
        "nvmlDeviceGetNvLinkState",
        "nvmlDeviceGetTopologyCommonAncestor",
    ];
    let machine = newer.iter().fold(Machine::new(&Script::default()), |machine, function| {
        machine.without(Nvml, function)
    });
    machine.run_test("functions_of_newer_drivers_are_not_missed");
}

/// Proves GPU-4.
#[test]
fn a_driver_that_is_not_well_says_what_to_do() {
    on(&Script::default(), "a_driver_that_is_not_well_says_what_to_do", || {
        for (code, word) in [(9, "kernel module is not loaded"), (18, "reboot"), (4711, "4711")] {
            rewrite(&Script::default().fail("nvmlInit_v2", 0, code));
            let error = NvmlDiscovery::new().map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(word), "{code}: {error}");
        }
    });
}
