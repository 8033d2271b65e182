//! `cohsh`: the operator's shell. All it does is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The embedded hive re-executes this program as its executors; for those, this is the whole program.
    bridge_host::executor_main();
    let cli = cohsh::args::Cli::parse();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => ExitCode::from(runtime.block_on(cohsh::program::run(cli))),
        Err(error) => {
            eprintln!("cohsh: start the runtime: {error}");
            ExitCode::from(2)
        }
    }
}
