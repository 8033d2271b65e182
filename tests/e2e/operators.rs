//! What an operator does besides jobs: find out what is wrong, carry a hive to another address.

use tests_support::hive::Hive;
use tests_support::program::command;
use tests_support::running::Running;
use tests_support::said::Said;

/// Proves SH-17.
#[test]
fn doctor_examines_everything_from_here_to_the_gpu() {
    let hive = Hive::start();
    let well = hive.says(&["doctor", "-o", "csv"]).well();
    well.in_order(&[
        "connect,ok,",
        "attach,ok,as queen",
        "boot,ok,",
        "bundles,ok,",
        "gpu,ok,GPU-0",
    ]);

    let said = Said::by(hive.shell_without_ticket().arg("doctor")).with_code(3);
    assert!(said.out.contains("BAD"), "{said}");
    assert!(said.out.contains("ninedoor ticket mint"), "{said}");
}

/// Proves SH-18.
#[test]
fn a_proxy_carries_a_hive_to_another_address() {
    let hive = Hive::start();
    let mut proxy = command("cohsh");
    proxy.args(["proxy", "--listen", "tcp://127.0.0.1:0", "--to", hive.ninedoor.uri()]);
    let proxy = Running::start(&mut proxy, 1);
    let mut shell = command("cohsh");
    shell.args(["--connect", proxy.uri(), "--ticket", &hive.ticket(), "ls", "/gpu"]);
    assert_eq!(Said::by(&mut shell).well().out, "GPU-0/\n");
}
