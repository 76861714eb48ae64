//! Responses: replies and problems with their headers.

use bytes::Bytes;
use gomer_core::id::Position;
use gomer_net::http::{Body, Response};
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

use crate::limits::{Decision, State};
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Payload, Rendered, Rev, Trace};

const GOMER_TRACE: HeaderName = HeaderName::from_static("gomer-trace");
const GOMER_POSITION: HeaderName = HeaderName::from_static("gomer-position");
const GOMER_REPLAYED: HeaderName = HeaderName::from_static("gomer-replayed");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=0, must-revalidate");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A handler's reply. `has_already` says that the client has this revision.
pub(super) fn reply(rendered: Rendered, trace: Trace, seen: Position, has_already: bool) -> Response {
    let Rendered { content, rev, position, cache, replayed } = rendered;
    let mut headers = HeaderMap::with_capacity(12);
    common(&mut headers, trace);
    headers.insert(CACHE_CONTROL, cache_value(cache));
    headers.insert(GOMER_POSITION, HeaderValue::from(position.unwrap_or(seen).0));
    if let Some(rev) = rev {
        headers.insert(ETAG, tag(rev));
    }
    if replayed {
        headers.insert(GOMER_REPLAYED, HeaderValue::from_static("true"));
    }
    if has_already {
        return Response { status: StatusCode::NOT_MODIFIED, headers, body: Body::Full(Bytes::new()) };
    }
    let (content_type, body) = match content {
        Payload::Json(json) => (JSON, Body::Full(json)),
        Payload::Other(content_type, bytes) => (HeaderValue::from_static(content_type), Body::Full(bytes)),
        Payload::Stream(stream) => (EVENT_STREAM, Body::Stream(stream)),
    };
    headers.insert(CONTENT_TYPE, content_type);
    Response { status: StatusCode::OK, headers, body }
}

/// A problem.
pub(super) fn problem(problem: &Problem, trace: Trace) -> Response {
    let mut headers = HeaderMap::with_capacity(8);
    common(&mut headers, trace);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(CONTENT_TYPE, PROBLEM);
    match problem.code {
        Code::RateLimited | Code::Busy | Code::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from(problem.retry_after_s.unwrap_or(1)));
        }
        Code::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    if let Some(rev) = problem.rev {
        headers.insert(ETAG, tag(rev));
    }
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response { status, headers, body: problem.render(&trace.to_string()).into() }
}

/// The bucket that a call was taken from, in the form of draft-ietf-httpapi-ratelimit-headers.
pub(super) fn limits(headers: &mut HeaderMap, decision: Decision) {
    let (Decision::Allowed(state) | Decision::Refused { state, .. }) = decision else { return };
    let State { policy, remaining, full_in_s } = state;
    let value = |text: String| HeaderValue::from_maybe_shared(Bytes::from(text));
    if let (Ok(limit), Ok(rule)) = (
        value(format!("\"{}\";r={remaining};t={full_in_s}", policy.name)),
        value(format!("\"{}\";q={};w={}", policy.name, policy.quota, policy.window_s)),
    ) {
        headers.insert(RATE_LIMIT, limit);
        headers.insert(RATE_LIMIT_POLICY, rule);
    }
}

fn common(headers: &mut HeaderMap, trace: Trace) {
    let trace = HeaderValue::from_maybe_shared(Bytes::from(trace.to_string()));
    headers.insert(GOMER_TRACE, trace.expect("hex digits may stand in a header"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
}

fn cache_value(cache: Cache) -> HeaderValue {
    match cache {
        Cache::Private => PRIVATE,
        Cache::Never => NO_STORE,
        Cache::Public(seconds) => {
            HeaderValue::from_maybe_shared(Bytes::from(format!("public, max-age={seconds}")))
                .expect("digits may stand in a header")
        }
    }
}

fn tag(rev: Rev) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(format!("\"{rev}\""))).expect("a revision is plain ASCII")
}
