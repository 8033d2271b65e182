//! The ninedoor program: the namespace server on Linux. The words are read in the library.

fn main() -> std::process::ExitCode {
    ninedoor_host::program::main()
}
