//! Several members that replicate to each other, without a runtime: see [`world`].

#![allow(dead_code, reason = "the random schedules come next")]

mod checks;
mod disk;
mod replication;
mod snapshots;
mod state;
mod world;
