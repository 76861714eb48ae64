//! The replica of one partition on one member: a Raft group's member and its state machine.
//!
//! Reading order: [`command`] (what it is told), [`query`] (what it is asked), [`apply`] (what a command
//! does to rows), [`read`], [`delta`] (what changed in a root) and [`changes`] (in the whole partition, with the
//! [`journal`]), [`group`] (Raft) with what replicas say to each other ([`peer`]), what of the log is in memory,
//! leases, and [`snapshot`] for who is too far behind for the log.
//!
//! Must never learn: threads, sockets, other partitions' rows.

pub mod apply;
mod bytes;
pub mod changes;
pub mod command;
pub mod delta;
pub mod group;
pub mod journal;
mod lease;
pub mod peer;
pub mod query;
pub mod read;
pub mod snapshot;
mod tail;
