//! One request's life: from its complete head to its response.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{StatusCode, Version};
use tokio::sync::Semaphore;

use super::address;
use super::body::{self, BodyReader, InFlight, Outgoing, Wakes};
use super::counts::Count;
use super::front::Shared;
use super::io::REFUSED;
use super::life::Life;
use super::live::LiveFormat;
use super::service::{Body, Refusal, Request, Response, Service};
use super::websocket;

/// The service of one connection, as hyper calls it.
pub(super) struct Handler<S> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) life: Arc<Life>,
    pub(super) peer: IpAddr,
    /// How many of its requests are served at once; HTTP/1 needs none, it has one at a time.
    pub(super) permits: Option<Arc<Semaphore>>,
}

type Answer = hyper::Response<Outgoing>;

impl<S: Service> hyper::service::Service<hyper::Request<Incoming>> for Handler<S> {
    type Response = Answer;
    type Error = Infallible;
    // Boxed, because hyper keeps room for one of these on every idle connection.
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let in_flight = InFlight::new(Arc::clone(&self.life), &shared.drain);
        let life = Arc::clone(&self.life);
        let permits = self.permits.clone();
        let peer = self.peer;
        Box::pin(async move {
            let version = request.version();
            let mut accept = None;
            let result = guarded(answer(&shared, &life, peer, permits, request, &mut accept)).await;
            let response = match result {
                Ok(Ok(response)) => response,
                Ok(Err(refusal)) => refuse(&shared, refusal, version),
                Err(Panicked) => refuse(&shared, Refusal::Panicked, version),
            };
            Ok(render(response, accept, in_flight, &shared, &life, version))
        })
    }
}

/// Checks the head, reads the body, and asks the service. `accept`: the answer to a client that asks for a WebSocket.
async fn answer<S: Service>(
    shared: &Shared<S>,
    life: &Life,
    peer: IpAddr,
    permits: Option<Arc<Semaphore>>,
    request: hyper::Request<Incoming>,
    accept: &mut Option<HeaderValue>,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    if head.method.as_str() == REFUSED {
        return Err(life.take_refusal().unwrap_or(Refusal::BadRequest("a malformed request")));
    }
    let h2 = head.version == Version::HTTP_2;
    if h2 {
        check_h2(shared, &head)?;
    }
    if shared.drain.begun() {
        return Err(Refusal::Draining);
    }
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::ContentEncoding);
    }
    let _permit = match permits {
        // It is never closed.
        Some(permits) => permits.acquire_owned().await.ok(),
        None => None,
    };
    let _slot = if shared.service.is_probe(&head.method, head.uri.path()) {
        None
    } else {
        Some(Slot::take(&shared.inflight, shared.limits.inflight_max).ok_or(Refusal::Busy)?)
    };
    *accept = websocket::asked(&head)?;
    let path = head.uri.path();
    let limit = shared.service.body_limit(&head.method, path);
    let wakes = if h2 { Wakes::Own } else { Wakes::Connection };
    let streams = shared.service.streams(&head.method, path);
    let mut request = Request {
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        query: head.uri.query().map(str::to_owned),
        client: address::client(peer, &head.headers, &shared.limits.trusted_proxies),
        method: head.method,
        headers: head.headers,
        body: Bytes::new(),
        websocket: accept.is_some(),
    };
    if streams {
        shared.counts.add(Count::Requests);
        let body = BodyReader::new(body, limit, &shared.limits, life, wakes);
        return Ok(shared.service.stream(request, body).await);
    }
    // Held until the service has answered.
    let mut share = shared.bodies.share();
    request.body = body::read(body, limit, &shared.limits, life, wakes, &mut share).await?;
    shared.counts.add(Count::Requests);
    Ok(shared.service.call(request).await)
}

/// What the guard checks of an HTTP/1 head, as far as HTTP/2's framing leaves it open.
fn check_h2<S>(shared: &Shared<S>, head: &hyper::http::request::Parts) -> Result<(), Refusal> {
    if head.headers.len() > shared.limits.headers_max {
        return Err(Refusal::TooManyHeaders);
    }
    if head.uri.path_and_query().map_or(0, |target| target.as_str().len()) > shared.limits.uri_bytes_max {
        return Err(Refusal::UriTooLong);
    }
    if head.method == hyper::Method::CONNECT {
        return Err(Refusal::BadRequest("CONNECT is not served"));
    }
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    if lengths.next().is_some() && lengths.next().is_some() {
        return Err(Refusal::BadRequest("more than one Content-Length"));
    }
    Ok(())
}

/// Counts a refusal and has the service say it.
pub(super) fn refuse<S: Service>(shared: &Shared<S>, refusal: Refusal, version: Version) -> Response {
    shared.counts.add(Count::of(refusal));
    if refusal == Refusal::Panicked {
        tracing::error!("a request handler panicked");
    }
    let refused = catch_unwind(AssertUnwindSafe(|| shared.service.refuse(refusal)));
    let mut response =
        refused.unwrap_or_else(|_| Response::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"));
    // After a request whose end is in doubt, or will not be read, nothing more is read.
    let closes = match refusal {
        Refusal::HeadTooLarge
        | Refusal::TooManyHeaders
        | Refusal::UriTooLong
        | Refusal::BadRequest(_)
        | Refusal::BodyTooLarge { .. }
        | Refusal::BodyTooSlow
        | Refusal::BodyIncomplete
        | Refusal::Draining => true,
        Refusal::ContentEncoding | Refusal::Busy | Refusal::Panicked => false,
    };
    if closes && version != Version::HTTP_2 {
        response.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn render<S>(
    response: Response,
    accept: Option<HeaderValue>,
    in_flight: InFlight,
    shared: &Shared<S>,
    life: &Life,
    version: Version,
) -> Answer {
    let Response { status, mut headers, body } = response;
    let body = match (body, accept) {
        (Body::Stream(body), Some(accept)) if body.format() == LiveFormat::WebSocket => {
            life.upgrade(body);
            let nothing = Outgoing::new(Body::Full(Bytes::new()), in_flight, &shared.drain);
            return websocket::switching(headers, accept, nothing);
        }
        (body, _) => body,
    };
    // hyper would answer an informational status by breaking the connection.
    let (status, body) = if status.is_informational() {
        tracing::error!(status = status.as_u16(), "the service answered with an informational status");
        headers = HeaderMap::new();
        (StatusCode::INTERNAL_SERVER_ERROR, Body::Full(Bytes::new()))
    } else {
        (status, body)
    };
    let mut answer = hyper::Response::new(Outgoing::new(body, in_flight, &shared.drain));
    *answer.status_mut() = status;
    // Lengths follow from the body; a wrong one here would be a way to smuggle.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if version == Version::HTTP_2 {
        headers.remove(header::CONNECTION);
    }
    *answer.headers_mut() = headers;
    answer
}

/// The future panicked.
struct Panicked;

/// Runs a future, and stops at its first panic. What it had is dropped; nothing it shared is trusted
/// to be consistent but what uses locks or atomics, as everything shared here does.
async fn guarded<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// One of a bounded number, given back when dropped.
struct Slot<'a> {
    used: &'a AtomicUsize,
}

impl<'a> Slot<'a> {
    fn take(used: &'a AtomicUsize, max: usize) -> Option<Slot<'a>> {
        if used.fetch_add(1, Ordering::Relaxed) < max {
            return Some(Slot { used });
        }
        used.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.used.fetch_sub(1, Ordering::Relaxed);
    }
}
