//! The social graph: nodes, and typed links with counted lists, kept newest first.
//!
//! The operations are TAO's (Bronson et al., USENIX ATC 2013): object get, multi-get, put, delete;
//! association add, delete, change-type, get, range, time-range, count. Usable alone over any
//! [`StateStore`](crate::store::StateStore): see `core/examples/graph.rs`. An inverse link is a write at
//! the other root; carrying it there is the caller's business.
//!
//! Must never learn: logs, replicas, what a type means.

pub mod link;
pub mod node;

pub use link::LinkWindow;
