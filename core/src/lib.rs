//! What a Gomer member decides, as pure state machines.
//!
//! This crate has no clock, socket, disk, thread, OS randomness or async. `now` is an argument,
//! randomness is a seed, storage is two traits ([`store::LogStore`], [`store::StateStore`]), and
//! everything that must happen outside is a value that is returned. The very same code runs in
//! production and in the simulator.
//!
//! Reading order: [`id`], [`store`], [`rows`], [`vnode::command`], [`vnode`], [`shard`].
//! A left module never imports a right one:
//! `ascii id time rng fault mutant store` → `rows` → `graph streams ring meta` → `vnode` → `events` → `shard` → `client`.

pub mod ascii;
pub mod client;
pub mod events;
pub mod fault;
pub mod graph;
pub mod id;
pub mod meta;
pub mod mutant;
pub mod ring;
pub mod rng;
pub mod rows;
pub mod shard;
pub mod store;
pub mod streams;
pub mod time;
pub mod vnode;
