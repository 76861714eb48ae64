//! What can be measured, one scenario per file.

mod graph;
mod hello;
mod sync;

use super::Scenario;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[hello::SCENARIO, graph::SCENARIO, sync::SCENARIO];
