//! A shard: the vnodes of a member that share a log file set, a state store and a thread, run in turns.
//!
//! A turn takes what waits, hands each input to its vnode, appends every new log entry with *one* sync,
//! applies what is committed in one state transaction, publishes it, and only then answers. That is
//! group commit by shape: there is no way to answer before the sync.
//!
//! Must never learn: who drives it.

pub mod input;

pub use input::{Effect, Input, Message, Ticket};
