//! What can be measured, one scenario per file.

mod batch;
mod engine;
mod fanout;
mod graph;
mod graph_in_process;
mod hello;
mod hot;
mod idle;
mod like;
mod recovery;
mod search;
mod sync;

use super::Scenario;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    hello::SCENARIO,
    graph::SCENARIO,
    sync::SCENARIO,
    fanout::SCENARIO,
    engine::SCENARIO,
    batch::SCENARIO,
    like::SCENARIO,
    hot::SCENARIO,
    idle::SCENARIO,
    recovery::SCENARIO,
    search::SCENARIO,
];
