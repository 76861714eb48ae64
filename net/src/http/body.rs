//! Bodies: requests' are read whole or piece by piece, within limits of size and time; responses' know when they
//! end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::drain::{Drain, Entered, Gauge};
use super::life::{Life, Millis};
use super::limits::Limits;
use super::live::LiveBody;
use super::service::{Body, Refusal};
use super::sized::SizedBody;
use super::timer::Alarm;

/// Who wakes the reader of a body when the client sends nothing.
#[derive(Debug)]
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
    let mut reading = Reading::new(limit, limits.body_timeout, limits, life, wakes);
    let mut got = Got::default();
    poll_fn(|cx| reading.poll_whole(&mut body, &mut got, share, cx)).await
}

/// A request's body that is read while the request is answered: one piece after another, as they come. At most the
/// limit in all, at least at the least rate, within [`Limits::upload_timeout`]. What is not read when it is dropped
/// is not read at all.
#[derive(Debug)]
pub struct BodyReader<'a> {
    body: Incoming,
    reading: Reading<'a>,
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(body: Incoming, limit: u64, limits: &'a Limits, life: &'a Life, wakes: Wakes) -> Self {
        let reading = Reading::new(limit, limits.upload_timeout, limits, life, wakes);
        BodyReader { body, reading }
    }

    /// How many bytes are announced at least.
    pub fn announced(&self) -> u64 {
        self.body.size_hint().lower()
    }

    /// The next piece; nothing at the end of the body. After a refusal there is nothing more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.body.is_end_stream() {
            return Ok(None);
        }
        poll_fn(|cx| self.reading.poll(&mut self.body, cx)).await
    }
}

#[derive(Debug)]
struct Reading<'a> {
    limit: u64,
    timeout: Duration,
    limits: &'a Limits,
    life: &'a Life,
    wakes: Wakes,
    /// Bytes that have come.
    bytes: u64,
    /// When the body was first waited for.
    started: Option<Millis>,
    alarm: Option<Alarm>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.started.is_some() {
            self.life.body_ended();
        }
    }
}

impl<'a> Reading<'a> {
    fn new(limit: u64, timeout: Duration, limits: &'a Limits, life: &'a Life, wakes: Wakes) -> Reading<'a> {
        Reading { limit, timeout, limits, life, wakes, bytes: 0, started: None, alarm: None }
    }

    fn poll_whole(
        &mut self,
        body: &mut Incoming,
        got: &mut Got,
        share: &mut Share<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Refusal>> {
        loop {
            match self.poll(body, cx) {
                Poll::Ready(Ok(Some(data))) => {
                    if !share.grow(data.len() as u64, self.limits.body_memory_max) {
                        return Poll::Ready(Err(Refusal::Busy));
                    }
                    got.push(data);
                    // Without this, a body that is all here would cost one more wake-up.
                    if body.is_end_stream() {
                        return Poll::Ready(Ok(got.take()));
                    }
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(got.take())),
                Poll::Ready(Err(refusal)) => return Poll::Ready(Err(refusal)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next piece.
    fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refusal>> {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers mean nothing here.
                    let Ok(data) = frame.into_data() else { continue };
                    self.bytes += data.len() as u64;
                    if self.bytes > self.limit {
                        return Poll::Ready(Err(Refusal::BodyTooLarge { limit: self.limit }));
                    }
                    return Poll::Ready(Ok(Some(data)));
                }
                Poll::Ready(Some(Err(_))) => {
                    // If the guard broke it off, it knows why.
                    return Poll::Ready(Err(self.life.take_refusal().unwrap_or(Refusal::BodyIncomplete)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
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
        let timeout = self.timeout.as_millis() as Millis;
        if waited >= timeout {
            return Err(Refusal::BodyTooSlow);
        }
        // The moment at which what has come will be too little.
        let rate = self.limits.body_rate_min.max(1);
        let enough_for = grace.max(self.bytes.saturating_mul(1000) / rate);
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
                let alarm = self
                    .alarm
                    .get_or_insert_with(|| Alarm::after(Duration::from_millis(due.saturating_sub(now))));
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
    Sized(Box<SizedBody>),
    Stream(Box<Stream>),
}

impl Outgoing {
    pub(super) fn new(body: Body, mut in_flight: InFlight, drain: &Drain) -> Outgoing {
        let content = match body {
            Body::Full(bytes) => Content::Full(bytes),
            Body::Sized(body) => Content::Sized(Box::new(body)),
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
    /// Of a body of known size that cannot be sent to its end; it breaks the connection off.
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.content {
            Content::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Sized(body) => body.poll(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Content::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Full(bytes) => bytes.is_empty(),
            Content::Sized(body) => body.left() == 0,
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Sized(body) => SizeHint::with_exact(body.left()),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// An event stream that ends when the process drains.
struct Stream {
    body: LiveBody,
    drain: Drain,
    begun: Pin<Box<dyn Future<Output = ()> + Send>>,
    listens: bool,
    ended: bool,
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // Listening once is enough: it is always the same task that polls.
        if !self.ended && (!self.listens || self.drain.begun()) {
            self.listens = true;
            if self.begun.as_mut().poll(cx).is_ready() {
                self.ended = true;
                self.body.end();
            }
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(|never| match never {})
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
