//! What the front gives to, and takes from, the program behind it.

use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};

use super::body::BodyReader;
use super::live::LiveBody;
use super::sized::SizedBody;

/// A request whose head was checked and whose body was read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method. `CONNECT` never gets here.
    pub method: Method,
    /// The path as it was sent, percent-encoding included; starts with `/`, or is `*`.
    pub path: String,
    /// What follows the `?`, undecoded; `None` without one.
    pub query: Option<String>,
    /// The headers, as many as [`super::Limits::headers_max`].
    pub headers: HeaderMap,
    /// The whole body, at most [`Service::body_limit`] bytes.
    pub body: Bytes,
    /// Who asks: the peer, or what a trusted proxy says in `X-Forwarded-For`.
    pub client: IpAddr,
    /// Whether the client asks to go on by WebSocket. A [`Body::Stream`] of that format says yes; any other response
    /// is sent as ever.
    pub websocket: bool,
}

/// What a [`Service`] answers.
#[derive(Debug)]
pub struct Response {
    /// The status; an informational one (1xx) is a bug and becomes a 500.
    pub status: StatusCode,
    /// The headers. `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` are the front's.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without headers.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Response {
        Response { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// The same response with one more header; an earlier one of that name is replaced.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Response {
        self.headers.insert(name, value);
        self
    }
}

/// The body of a [`Response`].
#[derive(Debug)]
pub enum Body {
    /// Known as a whole.
    Full(Bytes),
    /// Of a known size, sent piece by piece.
    Sized(SizedBody),
    /// Events as they happen, until the sender, the client or a drain ends them. Those of a WebSocket answer only a
    /// request that asks for one, with the status 200, which becomes a 101.
    Stream(LiveBody),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Full(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Full(bytes.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::Full(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body::Full(Bytes::from_static(text.as_bytes()))
    }
}

impl From<SizedBody> for Body {
    fn from(body: SizedBody) -> Body {
        Body::Sized(body)
    }
}

impl From<LiveBody> for Body {
    fn from(stream: LiveBody) -> Body {
        Body::Stream(stream)
    }
}

/// Why the front refuses a request by itself, without the service having seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Request line and headers exceed [`super::Limits::head_bytes_max`]: 431.
    HeadTooLarge,
    /// More than [`super::Limits::headers_max`] headers: 431.
    TooManyHeaders,
    /// The address exceeds [`super::Limits::uri_bytes_max`]: 414.
    UriTooLong,
    /// Not HTTP as it should be, with the reason in English: 400. The connection is closed.
    BadRequest(&'static str),
    /// The body exceeds what [`Service::body_limit`] said: 413. The rest is not read.
    BodyTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The body came slower than [`super::Limits::body_rate_min`], or not within
    /// [`super::Limits::body_timeout`]: 408.
    BodyTooSlow,
    /// The body ended before its announced length: 400. Seldom seen by anybody.
    BodyIncomplete,
    /// The request has a `Content-Encoding`, and none is supported: 415.
    ContentEncoding,
    /// [`super::Limits::inflight_max`] requests, or the most connections, are being served: 503.
    Busy,
    /// The process is shutting down: 503.
    Draining,
    /// The service panicked while it handled this request: 500.
    Panicked,
}

/// The program behind the front. One value serves all connections at once.
pub trait Service: Send + Sync + 'static {
    /// Largest body accepted for this head, in bytes; asked before any of it is read.
    fn body_limit(&self, method: &Method, path: &str) -> u64;

    /// Whether a request with this head is answered at once and whatever the load: it takes no place among those of
    /// [`super::Limits::inflight_max`]. For what asks whether the process lives.
    fn is_probe(&self, _method: &Method, _path: &str) -> bool {
        false
    }

    /// Whether a request with this head is answered by [`Service::stream`].
    fn streams(&self, _method: &Method, _path: &str) -> bool {
        false
    }

    /// Answers one request whose body is read meanwhile, piece by piece, so that it need not fit into memory. The
    /// request's own body is empty.
    fn stream(&self, request: Request, _body: BodyReader<'_>) -> impl Future<Output = Response> + Send {
        self.call(request)
    }

    /// Answers one request. Dropped unfinished when the client goes away. A panic is caught, counted
    /// and answered with [`Refusal::Panicked`].
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// What is said when the front refuses by itself. Must be quick, and must not wait.
    fn refuse(&self, refusal: Refusal) -> Response;
}
