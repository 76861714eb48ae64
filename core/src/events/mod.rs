//! Events: what a write in one partition makes happen in others.
//!
//! * [`channel`]: what a leader holds in memory of its outgoing queues: what was sent, what was kept.
//!   The queues themselves are rows; applying them is [`crate::vnode::apply`]'s.
//!
//! Must never learn: what a step means.

pub mod channel;
