//! `gpu-bridge-host --mock --list`: what a namespace server installs, without any GPU.

use tests_support::program::command;
use tests_support::said::Said;

/// Proves EX-6.
#[test]
fn the_mock_inventory_is_one_document_and_the_same_every_time() {
    let list = || Said::by(command("gpu-bridge-host").args(["--mock", "--list"])).well();
    let first = list();
    assert!(first.err.is_empty(), "{first}");
    let _: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    for fact in ["GPU-0", "GPU-1", "Mock 4090", "24576", "Mock 4060", "8192"] {
        assert!(first.out.contains(fact), "{fact} is missing\n{first}");
    }
    for _ in 0..3 {
        assert_eq!(list().out, first.out);
    }
}
