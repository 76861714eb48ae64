//! Several members that replicate to each other, without a runtime: see [`world`].

mod changes;
mod checks;
mod digests;
mod disk;
mod lead;
mod replication;
mod rest;
mod schedules;
mod snapshots;
mod state;
mod world;
