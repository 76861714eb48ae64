//! What the server asks of others over HTTP: feeds, previews, hooks, push services, identity providers. All of it leaves
//! through one [`Outside`], so that there is one guard against being sent to where nobody outside may go.
//!
//! An edge: real servers have a [`Client`], tests and the simulator a [`Scripted`] one.
//!
//! Reading order: [`place`] (what an address is), [`guard`] (where nobody may go), [`resolve`], `body`, [`client`].
//!
//! Must never learn: what is asked for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

#[cfg(not(madsim))]
mod body;
#[cfg(not(madsim))]
pub mod client;
pub mod guard;
pub mod place;
#[cfg(not(madsim))]
pub mod resolve;
mod scripted;

#[cfg(not(madsim))]
pub use client::Client;
pub use guard::Guard;
pub use scripted::Scripted;

/// One request to a server of somebody else.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What is done there.
    pub method: Method,
    /// Where: an absolute address, `https` or `http`. Who chose it need not be trusted.
    pub url: String,
    /// Headers beside those that HTTP itself needs.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// What is spent on it at most.
    pub bounds: Bounds,
}

/// What one request costs at most. Everything else about an answer is refused before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the answer's body, counted after it was decompressed.
    pub bytes_max: usize,
    /// From the first look-up of a name to the last byte, redirects included.
    pub time_max: Duration,
    /// Redirects that are followed; each goes through the guard again. With 0, a redirect is an answer like others.
    pub redirects_max: u8,
}

impl Ask {
    /// Reads an address, following up to five redirects: at most 1 MiB in 10 s unless the caller changes it.
    pub fn get(url: impl Into<String>) -> Ask {
        let bounds = Bounds { bytes_max: 1024 * 1024, time_max: Duration::from_secs(10), redirects_max: 5 };
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Ask { method: Method::GET, url: url.into(), headers, body, bounds }
    }

    /// Sends a body to an address, which may not redirect: at most 64 KiB of answer in 10 s unless the caller changes it.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Ask {
        let bounds = Bounds { bytes_max: 64 * 1024, time_max: Duration::from_secs(10), redirects_max: 0 };
        let headers = HeaderMap::new();
        Ask { method: Method::POST, url: url.into(), headers, body: body.into(), bounds }
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Where it came from, after redirects.
    pub url: String,
    /// The status of HTTP.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed, whole.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The address is none, or of a kind that is never asked: why.
    Malformed(&'static str),
    /// The guard does not let anybody go there: why. Another try gets the same.
    Forbidden(&'static str),
    /// The name is not known, nobody listens, or TLS failed: why.
    Unreachable(String),
    /// The time was over.
    TimedOut,
    /// The answer has more bytes than was allowed.
    TooLarge,
    /// More redirects than was allowed.
    TooManyRedirects,
    /// What came back was not HTTP, or ended early.
    Broken(String),
    /// Too many requests are under way already.
    Busy,
}

impl Unanswered {
    /// Whether the same request may get an answer later.
    pub fn may_pass(&self) -> bool {
        match self {
            Unanswered::Malformed(_)
            | Unanswered::Forbidden(_)
            | Unanswered::TooLarge
            | Unanswered::TooManyRedirects => false,
            Unanswered::Unreachable(_) | Unanswered::TimedOut | Unanswered::Broken(_) | Unanswered::Busy => {
                true
            }
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Malformed(why) => write!(f, "the address cannot be used: {why}"),
            Unanswered::Forbidden(why) => write!(f, "the address is not allowed: {why}"),
            Unanswered::Unreachable(why) => write!(f, "the server cannot be reached: {why}"),
            Unanswered::TimedOut => f.write_str("the server did not answer in time"),
            Unanswered::TooLarge => f.write_str("the answer is too large"),
            Unanswered::TooManyRedirects => f.write_str("the server redirects too often"),
            Unanswered::Broken(why) => write!(f, "the server does not speak HTTP: {why}"),
            Unanswered::Busy => f.write_str("too many requests are under way already"),
        }
    }
}

impl std::error::Error for Unanswered {}

/// The future of an answer.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answered, Unanswered>> + Send + 'a>>;

/// Asks servers of others.
pub trait Outside: Send + Sync + 'static {
    /// Sends one request and waits for its whole answer, within its bounds.
    fn ask(&self, ask: Ask) -> Answering<'_>;
}
