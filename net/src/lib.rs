//! How members and clients talk: the HTTP front, the runtime that drives core, the cluster handle.

mod asks;
mod beats;
pub mod between;
pub mod cluster;
mod driver;
pub mod edges;
mod exchange;
pub mod handoff;
pub mod http;
pub mod peer;
mod peers;
pub mod ring;
mod routes;
pub mod routing;
pub mod runtime;
pub mod status;
pub mod watch;
