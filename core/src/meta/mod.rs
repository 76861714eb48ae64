//! The metadata: apps with settings, keys, roles and types, and who belongs to the cluster. One more
//! replicated log of the same kind as the partitions'; every member follows it by position.
//!
//! [`command`] is what it is told, [`state`] what a member keeps of it in memory, [`apply`] how a command
//! changes the [`rows`], [`load`] how the rows become the state, all of it or what changed since.
//! [`members`] is who belongs to the cluster and who holds what.
//!
//! Must never learn: HTTP, who is asking.

pub mod apply;
pub mod command;
pub mod config;
pub mod load;
pub mod members;
pub mod rows;
pub mod state;

#[cfg(test)]
mod apply_test;
#[cfg(test)]
mod members_rows_test;
