//! How members and clients talk: the HTTP front, the runtime that drives core, the cluster handle.

pub mod cluster;
pub mod edges;
pub mod http;
pub mod peer;
pub mod ring;
pub mod runtime;
pub mod watch;
