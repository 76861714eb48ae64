//! Links between members over real sockets: TLS, strangers, breaks, slowness, stopping.

mod kit;
mod links;
mod strangers;
mod tls;
