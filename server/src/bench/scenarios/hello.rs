//! `hello`: the bare server measured like everything else. Its ratio to itself says how much the machine wavers.

use crate::bench::measure::{Hello, compared, greetings};
use crate::bench::report::Report;
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "hello",
    about: "The bare HTTP server that the others are compared with",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let hello = Hello::start(options.connections)?;
    let (report, _) = compared(options, "hello", &hello.target()?, greetings(options.connections), 1)?;
    Ok(vec![report])
}
