//! The `gomer` binary.

use std::process::ExitCode;

mod program;

fn main() -> ExitCode {
    program::cli::main()
}
