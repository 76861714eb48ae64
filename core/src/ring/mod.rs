//! Which partition a root lives in, and which members hold it.
//!
//! [`partition`] is the hash, [`member`] what is known of a member, [`table`] who holds what, [`claim`] who should,
//! [`plan`] what it takes to get there. [`fixed`] is the ring of a cluster whose members never change.
//!
//! Must never learn: what is stored in a partition, how a replica moves, who is reachable.

pub mod claim;
pub mod fixed;
pub mod member;
pub mod partition;
pub mod plan;
pub mod table;
