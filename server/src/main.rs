//! The `gomer` binary.

use std::process::ExitCode;

mod bench;
mod program;

/// Chosen here and not in the library, so that whoever embeds the library chooses for themselves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    program::cli::main()
}
