//! The program `gpu-bridge-host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bridge_host::executor_main();
    bridge_host::cli::main()
}
