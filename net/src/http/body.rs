//! Bodies: requests' are read whole, within limits of size and time; responses' know when they end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::drain::{Drain, Entered, Gauge};
use super::life::{Life, Millis};
use super::limits::Limits;
use super::service::{Body, Refusal};
use super::sse::SseBody;
use super::timer::Alarm;

/// Who wakes the reader of a body when the client sends nothing.
pub(super) enum Wakes {
    /// The connection's alarm: over HTTP/1 the reader is polled whenever the connection is.
    Connection,
    /// An alarm of its own.
    Own,
}

/// What the bodies of a process hold together.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: AtomicU64,
}

/// One body's share of it; given back when dropped.
pub(super) struct Share<'a> {
    held: &'a Held,
    bytes: u64,
}

impl Held {
    /// A share of nothing.
    pub(super) fn share(&self) -> Share<'_> {
        Share { held: self, bytes: 0 }
    }
}

impl Share<'_> {
    /// Takes more; `false` if all together would then hold more than `max`.
    fn grow(&mut self, bytes: u64, max: u64) -> bool {
        self.bytes += bytes;
        self.held.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= max
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.held.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// Reads a body to its end: at most `limit` bytes, within the limits of time and memory.
pub(super) async fn read(
    mut body: Incoming,
    limit: u64,
    limits: &Limits,
    life: &Life,
    wakes: Wakes,
    share: &mut Share<'_>,
) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // `Content-Length` is only an announcement, but one that is too large needs no reading.
    if body.size_hint().lower() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let mut reading =
        Reading { limit, limits, life, wakes, share, got: Got::default(), started: None, alarm: None };
    let result = poll_fn(|cx| reading.poll(&mut body, cx)).await;
    if reading.started.is_some() {
        life.body_ended();
    }
    result
}

struct Reading<'a, 'h> {
    limit: u64,
    limits: &'a Limits,
    life: &'a Life,
    wakes: Wakes,
    share: &'a mut Share<'h>,
    got: Got,
    /// When the body was first waited for.
    started: Option<Millis>,
    alarm: Option<Alarm>,
}

impl Reading<'_, '_> {
    fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Result<Bytes, Refusal>> {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers mean nothing here.
                    let Ok(data) = frame.into_data() else { continue };
                    if self.got.bytes() + data.len() as u64 > self.limit {
                        return Poll::Ready(Err(Refusal::BodyTooLarge { limit: self.limit }));
                    }
                    if !self.share.grow(data.len() as u64, self.limits.body_memory_max) {
                        return Poll::Ready(Err(Refusal::Busy));
                    }
                    self.got.push(data);
                    // Without this, a body that is all here would cost one more wake-up.
                    if body.is_end_stream() {
                        return Poll::Ready(Ok(self.got.take()));
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    // If the guard broke it off, it knows why.
                    return Poll::Ready(Err(self.life.take_refusal().unwrap_or(Refusal::BodyIncomplete)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(self.got.take())),
                Poll::Pending => {
                    let now = self.life.now();
                    match self.check(now) {
                        Ok(due) if self.wait(now, due, cx).is_pending() => return Poll::Pending,
                        Ok(_) => {}
                        Err(refusal) => return Poll::Ready(Err(refusal)),
                    }
                }
            }
        }
    }

    /// When the body is to be looked at again, unless it is too slow by now.
    fn check(&mut self, now: Millis) -> Result<Millis, Refusal> {
        let started = *self.started.get_or_insert(now);
        let waited = now - started;
        let grace = self.limits.body_grace.as_millis() as Millis;
        let timeout = self.limits.body_timeout.as_millis() as Millis;
        if waited >= timeout {
            return Err(Refusal::BodyTooSlow);
        }
        // The moment at which what has come will be too little.
        let rate = self.limits.body_rate_min.max(1);
        let enough_for = grace.max(self.got.bytes().saturating_mul(1000) / rate);
        if waited > enough_for {
            return Err(Refusal::BodyTooSlow);
        }
        Ok(started + timeout.min(enough_for + 1))
    }

    /// `Ready` if it is time to check again.
    fn wait(&mut self, now: Millis, due: Millis, cx: &mut Context<'_>) -> Poll<()> {
        match self.wakes {
            Wakes::Connection => {
                self.life.body_due(due);
                Poll::Pending
            }
            Wakes::Own => {
                let alarm = self.alarm.get_or_insert_with(|| {
                    Alarm::after(std::time::Duration::from_millis(due.saturating_sub(now)))
                });
                let rung = alarm.poll(cx);
                if rung.is_ready() {
                    alarm.set(self.life.instant(due));
                }
                rung
            }
        }
    }
}

/// What has come so far: nothing, one piece as it came, or a copy of several.
#[derive(Default)]
struct Got {
    first: Bytes,
    all: BytesMut,
}

impl Got {
    fn bytes(&self) -> u64 {
        (self.first.len() + self.all.len()) as u64
    }

    fn push(&mut self, data: Bytes) {
        if self.bytes() == 0 {
            self.first = data;
            return;
        }
        if !self.first.is_empty() {
            self.all.reserve(2 * (self.first.len() + data.len()));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&data);
    }

    fn take(&mut self) -> Bytes {
        if self.all.is_empty() { std::mem::take(&mut self.first) } else { self.all.split().freeze() }
    }
}

/// A response's body as hyper takes it. Dropped when the response is over.
pub(super) struct Outgoing {
    content: Content,
    _in_flight: InFlight,
}

enum Content {
    Full(Bytes),
    Stream(Box<Stream>),
}

impl Outgoing {
    pub(super) fn new(body: Body, mut in_flight: InFlight, drain: &Drain) -> Outgoing {
        let content = match body {
            Body::Full(bytes) => Content::Full(bytes),
            Body::Stream(body) => {
                in_flight.entered = drain.enter(Gauge::Streams);
                let handle = drain.clone();
                let begun = Box::pin(async move { handle.until_begun().await });
                Content::Stream(Box::new(Stream {
                    body,
                    drain: drain.clone(),
                    begun,
                    listens: false,
                    ended: false,
                }))
            }
        };
        Outgoing { content, _in_flight: in_flight }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// An event stream that ends when the process drains.
struct Stream {
    body: SseBody,
    drain: Drain,
    begun: Pin<Box<dyn Future<Output = ()> + Send>>,
    listens: bool,
    ended: bool,
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // Listening once is enough: it is always the same task that polls.
        if !self.ended && (!self.listens || self.drain.begun()) {
            self.listens = true;
            if self.begun.as_mut().poll(cx).is_ready() {
                self.ended = true;
                self.body.end();
            }
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

/// A request that is in flight, counted for its connection and for the process until it is dropped.
pub(super) struct InFlight {
    life: Arc<Life>,
    entered: Entered,
}

impl InFlight {
    pub(super) fn new(life: Arc<Life>, drain: &Drain) -> InFlight {
        life.request_begun();
        InFlight { life, entered: drain.enter(Gauge::Requests) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.life.request_ended();
    }
}
