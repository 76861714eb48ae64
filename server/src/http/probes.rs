//! What load balancers and Prometheus ask.

use std::sync::Arc;

use gomer_net::http::{Body, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::host::Host;
use crate::metrics;

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<&'static str>,
}

/// The process lives.
pub(super) fn health() -> Response {
    text(StatusCode::OK, "application/json", b"{\"alive\":true}".to_vec())
}

/// Whether requests should come here.
pub(super) fn ready(host: &Host) -> Response {
    let reasons = host.reasons();
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_vec(&Ready { ready, reasons }).expect("plain data, which JSON can hold");
    let response = text(status, "application/json", body);
    if ready { response } else { response.with(RETRY_AFTER, HeaderValue::from_static("1")) }
}

/// All counters.
pub(super) fn metrics(host: &Arc<Host>) -> Response {
    text(StatusCode::OK, metrics::CONTENT_TYPE, metrics::render(host).into_bytes())
}

fn text(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    Response::new(status, Body::from(body))
        .with(CONTENT_TYPE, HeaderValue::from_static(content_type))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
