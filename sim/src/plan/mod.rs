//! The plan of a run: plain data, drawn entirely before the run begins, saved and read as JSON. Whoever takes
//! one thing out of it has the same run without that thing.
//!
//! Reading order: here (what a plan says), [`fault`] (what can go wrong), [`gomer_sim::workload`] (what people
//! do), [`draw`] (how it is drawn).

pub mod draw;
pub mod fault;

use gomer_core::ring::fixed::MEMBERS_MAX;
use serde::{Deserialize, Serialize};

pub use fault::{Effect, Fault, Link, Loss, What};
pub use gomer_sim::workload::{Act, Audience, Call, Operation};

/// All that a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// What every decision during the run is hashed from, and the schedule.
    pub seed: u64,
    /// How many there are of everything.
    pub config: Config,
    /// What goes wrong, in order of time.
    pub faults: Vec<Fault>,
    /// What people do, in order of time.
    pub operations: Vec<Operation>,
}

/// How many there are of everything. Small on purpose: what is few collides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Members of the cluster.
    pub members: u32,
    /// Partitions of the ring, a power of two.
    pub partitions: u16,
    /// Data shards of each member, beside the one of its metadata.
    pub shards: usize,
    /// Size of the memory table that starts a checkpoint: small, so that a run has many.
    pub checkpoint_bytes: usize,
    /// Inputs that may wait for one shard.
    pub queue: usize,
    /// Apps; people are spread over them.
    pub apps: u32,
    /// People, each with a phone.
    pub people: u32,
    /// How long the cluster is hurt, in milliseconds. Then all faults end.
    pub hurt_ms: u64,
    /// Whether the power is cut once when the hurting is over: nobody lives on with what only memory knows.
    pub cut_power: bool,
    /// What every packet takes, in microseconds: at least, at most.
    pub latency_us: (u64, u64),
    /// The deliberate bug that every member has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
}

impl Plan {
    /// Reads a saved plan.
    pub fn parse(text: &str) -> Result<Plan, String> {
        let plan: Plan = serde_json::from_str(text).map_err(|error| format!("not a plan: {error}"))?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan as it is saved.
    pub fn text(&self) -> String {
        let mut out = String::from("{\n");
        let line = |name: &str, value: String| format!("  \"{name}\": {value}");
        let list = |items: Vec<String>| match items.len() {
            0 => "[]".to_owned(),
            _ => format!("[\n    {}\n  ]", items.join(",\n    ")),
        };
        let mut fields = vec![line("seed", self.seed.to_string()), line("config", json(&self.config))];
        fields.push(line("faults", list(self.faults.iter().map(json).collect())));
        fields.push(line("operations", list(self.operations.iter().map(json).collect())));
        out.push_str(&fields.join(",\n"));
        out.push_str("\n}\n");
        out
    }

    /// What a plan must be for a run to make sense.
    fn check(&self) -> Result<(), String> {
        let config = &self.config;
        let wrong = |what: &str| Err(format!("the plan cannot be run: {what}"));
        if config.members == 0 || config.people == 0 || config.apps == 0 || config.shards == 0 {
            return wrong("it has no members, people, apps or shards");
        }
        if config.members as usize > MEMBERS_MAX {
            return wrong("a cluster has at most five members");
        }
        if !config.partitions.is_power_of_two() || config.partitions > 4_096 {
            return wrong("partitions are a power of two up to 4,096");
        }
        if config.latency_us.0 >= config.latency_us.1 {
            return wrong("the least latency is below the greatest");
        }
        if self.operations.iter().any(|op| op.person >= config.people) {
            return wrong("an operation is of a person whom there is not");
        }
        if self.faults.iter().any(|fault| !fault.what.is_within(config)) {
            return wrong("a fault is of a member or person that there is not");
        }
        Ok(())
    }
}

/// One line of JSON.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a plan is plain data")
}

#[cfg(test)]
mod tests {
    use super::draw::{self, Size};
    use super::*;

    #[test]
    fn what_is_saved_is_read_again() {
        for seed in 0..200 {
            let plan = draw::plan(seed, Size::Default, None);
            assert_eq!(Plan::parse(&plan.text()), Ok(plan));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let plan = draw::plan(1, Size::Small, Some(1));
        let with = |change: fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            Plan::parse(&plan.text())
        };
        assert!(with(|_| ()).is_ok());
        let wrong: [fn(&mut Plan); 9] = [
            |plan| plan.config.members = 0,
            |plan| plan.config.members = 6,
            |plan| plan.config.partitions = 12,
            |plan| plan.config.latency_us = (5, 5),
            |plan| plan.config.people = 0,
            |plan| plan.operations[0].person = 99,
            |plan| plan.faults.push(Fault { at_ms: 0, for_ms: 1, what: What::Pause { member: 1 } }),
            |plan| plan.faults.push(Fault { at_ms: 0, for_ms: 1, what: What::PeerCut { from: 0, to: 0 } }),
            |plan| plan.faults.push(Fault { at_ms: 0, for_ms: 1, what: What::PeerCut { from: 0, to: 1 } }),
        ];
        for change in wrong {
            assert!(with(change).is_err());
        }
        for text in ["", "{}", "[]", "{\"seed\":1}", "{\"seeds\":1}"] {
            assert!(Plan::parse(text).is_err(), "{text}");
        }
        let unknown = plan.text().replacen("\"seed\"", "\"sed\":1,\"seed\"", 1);
        assert!(Plan::parse(&unknown).unwrap_err().contains("sed"));
    }
}
