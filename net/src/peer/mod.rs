//! How members talk to each other: frames on TCP, secured by TLS with certificates of the cluster's own authority.
//!
//! Each member dials each other one. A connection carries messages from the side that dialled; the other side
//! answers heartbeats and tells what it has taken. So there are two connections between two members, and each
//! has one writer of messages, one order, and one outbox.
//!
//! Reading order: [`identity`] (who is who), [`frame`] and [`handshake`] (bytes and rules, pure), [`outbox`] (what
//! waits), [`connection`] (one connection, once the handshake is done), [`link`] (dialling), [`listener`] (accepting),
//! [`links`] (all of it). What is at the edge: [`secure`], [`tls`], [`authority`].
//!
//! Must never learn: what a message means, and who is a member of the cluster.

mod connection;
pub mod counts;
pub mod frame;
pub mod handshake;
pub mod identity;
mod link;
mod links;
mod listener;
mod outbox;
mod secure;

#[cfg(not(madsim))]
pub mod authority;
#[cfg(not(madsim))]
pub mod tls;

pub use connection::{End, Timing};
pub use links::{HandshakeLimits, LinkEvent, Links, LinksConfig, Upward};
pub use outbox::{NotTaken, Share};
pub use secure::{Plain, Secure};
