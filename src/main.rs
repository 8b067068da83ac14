//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    vigia::cli::main(std::env::args_os().collect())
}
