//! Every bound of the front, with the contract's defaults.

use std::time::Duration;

use super::address::Cidr;

/// Bounds of the front. The defaults are the contract's.
///
/// Body sizes are not here: the service says them per request ([`super::Service::body_limit`]).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest request head (request line and headers, with line ends), in bytes. 256..=65,536.
    pub head_bytes_max: usize,
    /// Most headers of a request. 1..=1,000.
    pub headers_max: usize,
    /// Longest request target, in bytes. At most `head_bytes_max`.
    pub uri_bytes_max: usize,
    /// A head must be complete this long after the connection was accepted, or after its first byte
    /// on a connection that has served before. Otherwise the connection is closed.
    pub head_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// Within which a body must have come.
    pub body_timeout: Duration,
    /// The same for a body that is taken piece by piece. What has come by then is kept: uploads can be resumed.
    pub upload_timeout: Duration,
    /// Slowest average rate of a body after `body_grace`, in bytes per second.
    pub body_rate_min: u64,
    /// How long a body may be slower than `body_rate_min`.
    pub body_grace: Duration,
    /// A client that takes no byte of its response for this long is cut off.
    pub write_timeout: Duration,
    /// Most connections at once.
    pub connections_max: usize,
    /// Most connections from one address; loopback and trusted proxies are exempt.
    pub connections_per_address_max: usize,
    /// Most requests that are read and served at once in the whole process; more are `Busy`, but for
    /// [`super::Service::is_probe`].
    pub inflight_max: usize,
    /// Most bytes of request bodies that are held at once in the whole process; what would be more is
    /// `Busy`. At least the largest body that the service accepts.
    pub body_memory_max: u64,
    /// Most requests that are read and served at once on one connection; more wait.
    pub inflight_per_connection_max: usize,
    /// Most concurrent streams of an HTTP/2 connection.
    pub h2_streams_max: u32,
    /// Most reset HTTP/2 streams that wait to be noticed, before the connection is ended.
    pub h2_pending_resets_max: usize,
    /// How often an HTTP/2 peer is pinged; one that is silent for as long again is cut off.
    pub h2_ping_interval: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            uri_bytes_max: 4 * 1024,
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(120),
            body_rate_min: 1024,
            body_grace: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            connections_max: 20_000,
            connections_per_address_max: 200,
            inflight_max: 4_096,
            body_memory_max: 256 * 1024 * 1024,
            inflight_per_connection_max: 32,
            h2_streams_max: 100,
            h2_pending_resets_max: 20,
            h2_ping_interval: Duration::from_secs(20),
            trusted_proxies: Vec::new(),
        }
    }
}
