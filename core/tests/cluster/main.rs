//! Several members that replicate to each other, without a runtime: see [`world`].

#![allow(dead_code, reason = "the random schedules come next")]

mod changes;
mod checks;
mod digests;
mod disk;
mod lead;
mod replication;
mod snapshots;
mod state;
mod world;
