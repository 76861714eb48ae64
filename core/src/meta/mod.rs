//! The metadata: apps with settings, keys, roles and types. One more replicated log of the same kind as
//! the partitions'; every member follows it by position.
//!
//! [`command`] is what it is told, [`state`] what a member keeps of it in memory, [`apply`] how the one
//! becomes the other by way of rows.
//!
//! Must never learn: HTTP, who is asking.

pub mod command;
pub mod state;
