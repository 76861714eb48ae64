//! Calls from web pages: off unless the app lists the page's origin (Fetch standard, §3.2).

use gomer_core::meta::state::App;
use gomer_net::http::{Body, Request, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue,
    ORIGIN, VARY,
};
use hyper::{HeaderMap, Method, StatusCode};

use crate::host::Host;

/// The request's origin, if its pages may call this app.
pub(super) fn origin(host: &Host, app: &App, request: &Request) -> Option<HeaderValue> {
    let origin = request.headers.get(ORIGIN)?;
    let settings = host.settings.of(app);
    settings.cors.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Whether this asks for leave before the call itself.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Leave to call.
pub(super) fn preflight(origin: HeaderValue) -> Response {
    leave(
        origin,
        "GET, POST",
        "Authorization, Content-Type, Gomer-Key, Gomer-Position, Idempotency-Key, If-Match, If-None-Match, \
         Last-Event-ID, traceparent",
    )
}

/// Leave to send and fetch files.
pub(super) fn media_preflight(origin: HeaderValue) -> Response {
    leave(
        origin,
        "GET, HEAD, PUT",
        "Content-Type, If-None-Match, If-Range, Range, Upload-Offset, traceparent",
    )
}

fn leave(origin: HeaderValue, verbs: &'static str, headers: &'static str) -> Response {
    let mut response = Response {
        status: StatusCode::NO_CONTENT,
        headers: HeaderMap::new(),
        body: Body::Full(Default::default()),
    };
    allow(&mut response.headers, origin);
    response.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(verbs));
    response.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(headers));
    response.headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets the page read the response.
pub(super) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Accept-Ranges, Content-Range, ETag, Gomer-Position, Gomer-Replayed, Gomer-Trace, RateLimit, \
             RateLimit-Policy, Retry-After, Upload-Length, Upload-Offset",
        ),
    );
}
