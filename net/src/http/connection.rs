//! One connection's life: sniff the protocol, serve, and end politely or in time.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{Semaphore, watch};

use super::counts::Count;
use super::drain::Phase;
use super::front::Shared;
use super::guard::{Guard, HeadLimits};
use super::handler::Handler;
use super::io::GuardedIo;
use super::life::{Due, Life, Millis, since};
use super::limits::Limits;
use super::service::Service;
use super::timer::{Alarm, TaskExecutor, TaskTimer};
use super::websocket;

/// What an HTTP/2 client with prior knowledge begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is read before the protocol is known.
const FIRST_BYTES: usize = 4096;

/// Largest piece of a body that is buffered at once, in either direction.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What a client may still send after it was refused, before its answer is risked.
const LINGER_BYTES_MAX: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_millis(1000);

/// HTTP/2 connections that drain, or were told to go away, are cut off after this.
const GOODBYE_TIME: Duration = Duration::from_secs(5);

/// Serves one connection until it ends.
pub(super) async fn serve<S, T>(shared: Arc<Shared<S>>, mut io: T, peer: IpAddr)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let accepted = since(shared.epoch);
    let mut alarm = Alarm::after(shared.limits.head_timeout);
    let first = {
        let draining = pin!(reached(shared.drain.phases(), Phase::Draining));
        match sniff(&mut io, &mut alarm, draining).await {
            Sniffed::Bytes(first) => first,
            Sniffed::TooSlow => return shared.counts.add(Count::HeadTimeout),
            Sniffed::Gone => return,
        }
    };
    let h2 = first.starts_with(PREFACE);
    let life = Arc::new(Life::new(shared.epoch, accepted, &shared.limits, !h2));
    let driver = Driver { shared: Arc::clone(&shared), life: Arc::clone(&life), alarm, rings: 0 };
    let permits = None;
    let handler = Handler { shared: Arc::clone(&shared), life: Arc::clone(&life), peer, permits };
    if h2 {
        // HTTP/2 is the rarer one, and its state the larger: it must not make room in every task.
        Box::pin(serve_h2(driver, GuardedIo::new(io, life, None, first), handler)).await;
    } else {
        let limits = HeadLimits {
            bytes_max: shared.limits.head_bytes_max,
            headers_max: shared.limits.headers_max,
            uri_bytes_max: shared.limits.uri_bytes_max,
        };
        let guard = Guard::new(limits);
        serve_h1(driver, GuardedIo::new(io, life, Some(guard), first), handler).await;
    }
}

async fn serve_h1<S, T>(mut driver: Driver<S>, mut io: GuardedIo<T>, mut handler: Handler<S>)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        // On the heap, so that it takes no room while the connection rests.
        let connection = builder_h1(&driver.shared.limits).serve_connection(TokioIo::new(io), handler);
        let mut http = Box::new(H1(connection));
        let end = driver.run(&mut *http).await;
        if end == End::Cut {
            return;
        }
        let http1::Parts { io: hyper_io, read_buf, service, .. } = http.0.into_parts();
        (io, handler) = (hyper_io.into_inner(), service);
        if let Some(body) = driver.life.take_upgrade() {
            // Who speaks before it was answered does not speak this protocol.
            if read_buf.is_empty() && !io.leaves_unread() {
                let Shared { drain, counts, limits, .. } = &*driver.shared;
                Box::pin(websocket::serve(io.into_inner(), *body, drain, counts, limits.write_timeout)).await;
            }
            return;
        }
        // In doubt a connection is not kept: what hyper knew of a body is gone with it.
        if end == End::Park && !io.leaves_unread() {
            // hyper keeps two buffers of 8 KiB per connection. One that rests needs none of them.
            io.put_back(&read_buf);
            drop(read_buf);
            if driver.park(&mut io).await {
                continue;
            }
            return;
        }
        if io.leaves_unread() {
            // Rare, and its future has a buffer.
            Box::pin(linger(io.into_inner())).await;
        }
        return;
    }
}

fn builder_h1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The guard has counted already; hyper must only not be stricter than it. Its own maximum is 100,
    // and quicker than any other.
    if limits.headers_max > 100 {
        builder.max_headers(limits.headers_max);
    }
    builder
        .max_buf_size(BUFFER_BYTES_MAX.max(2 * limits.head_bytes_max))
        // The driver's alarm covers all deadlines with one timer.
        .header_read_timeout(None);
    builder
}

async fn serve_h2<S, T>(mut driver: Driver<S>, io: GuardedIo<T>, mut handler: Handler<S>)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &driver.shared.limits;
    handler.permits = Some(Arc::new(Semaphore::new(limits.inflight_per_connection_max)));
    let mut builder = http2::Builder::new(TaskExecutor);
    builder
        .timer(TaskTimer)
        .max_concurrent_streams(limits.h2_streams_max)
        .max_pending_accept_reset_streams(limits.h2_pending_resets_max)
        .max_local_error_reset_streams(limits.h2_pending_resets_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buf_size(BUFFER_BYTES_MAX)
        .keep_alive_interval(limits.h2_ping_interval)
        .keep_alive_timeout(limits.h2_ping_interval);
    let mut http = H2(Box::pin(builder.serve_connection(TokioIo::new(io), handler)));
    driver.run(&mut http).await;
}

/// A hyper connection, of either protocol.
trait Http {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Begins to end it: what is in flight finishes.
    fn wind_down(&mut self);
}

struct H1<T, S: Service>(http1::Connection<TokioIo<GuardedIo<T>>, Handler<S>>);

impl<T, S> Http for H1<T, S>
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Errors are the client's: it went away, or it was answered with what it did.
        self.0.poll_without_shutdown(cx).map(drop)
    }

    fn wind_down(&mut self) {
        Pin::new(&mut self.0).graceful_shutdown();
    }
}

type H2Connection<T, S> = http2::Connection<TokioIo<GuardedIo<T>>, Handler<S>, TaskExecutor>;

struct H2<T, S>(Pin<Box<H2Connection<T, S>>>)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static;

impl<T, S> Http for H2<T, S>
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx).map(drop)
    }

    fn wind_down(&mut self) {
        self.0.as_mut().graceful_shutdown();
    }
}

/// Polls a connection together with its deadlines and the drain.
struct Driver<S> {
    shared: Arc<Shared<S>>,
    life: Arc<Life>,
    alarm: Alarm,
    /// When the alarm rings next.
    rings: Millis,
}

impl<S: Service> Driver<S> {
    /// Runs until the connection ends, is cut off, or may be parked.
    async fn run(&mut self, http: &mut impl Http) -> End {
        self.rearm(false);
        let draining = pin!(reached(self.shared.drain.phases(), Phase::Draining));
        match self.run_until(http, draining, Phase::Draining).await {
            End::Phase => http.wind_down(),
            end => return end,
        }
        let cut = pin!(reached(self.shared.drain.phases(), Phase::Cut));
        match self.run_until(http, cut, Phase::Cut).await {
            End::Ended => End::Ended,
            // When the process drains, no connection is kept.
            End::Phase | End::Park | End::Cut => End::Cut,
        }
    }

    async fn run_until(
        &mut self,
        http: &mut impl Http,
        mut reached: Pin<&mut impl Future<Output = ()>>,
        phase: Phase,
    ) -> End {
        let mut listens = false;
        let mut goodbye = false;
        poll_fn(move |cx| {
            loop {
                if http.poll(cx).is_ready() {
                    return Poll::Ready(End::Ended);
                }
                // Listening once is enough, and polling a watch takes a lock that all share.
                if !listens || self.shared.drain.phase() >= phase {
                    listens = true;
                    if reached.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(End::Phase);
                    }
                }
                let wake_by = self.life.take_wake_by();
                if wake_by < self.rings {
                    self.ring_at(wake_by);
                }
                ready!(self.alarm.poll(cx));
                match self.life.due(self.life.now(), false) {
                    Due::At(at) => self.ring_at(at),
                    Due::Park => return Poll::Ready(End::Park),
                    Due::Idle if !goodbye => {
                        // An idle HTTP/1 connection ends at once; an HTTP/2 one says so first.
                        goodbye = true;
                        http.wind_down();
                        self.ring_at(self.life.now() + GOODBYE_TIME.as_millis() as Millis);
                    }
                    over => return Poll::Ready(self.over(over)),
                }
            }
        })
        .await
    }

    /// Waits, with nothing but the socket, for the first bytes of the next request. `false` if none
    /// will come.
    async fn park<T: AsyncRead + Unpin>(&mut self, io: &mut GuardedIo<T>) -> bool {
        self.rearm(true);
        let mut draining = pin!(reached(self.shared.drain.phases(), Phase::Draining));
        let mut listens = false;
        poll_fn(move |cx| {
            loop {
                if let Poll::Ready(more) = io.poll_more(cx) {
                    return Poll::Ready(more.unwrap_or(false));
                }
                if !listens || self.shared.drain.begun() {
                    listens = true;
                    if draining.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(false);
                    }
                }
                ready!(self.alarm.poll(cx));
                match self.life.due(self.life.now(), true) {
                    Due::At(at) => self.ring_at(at),
                    over => {
                        self.over(over);
                        return Poll::Ready(false);
                    }
                }
            }
        })
        .await
    }

    fn over(&self, due: Due) -> End {
        match due {
            Due::Head => self.shared.counts.add(Count::HeadTimeout),
            Due::Write => self.shared.counts.add(Count::WriteTimeout),
            Due::Idle | Due::Park | Due::At(_) => {}
        }
        End::Cut
    }

    fn rearm(&mut self, parked: bool) {
        if let Due::At(at) = self.life.due(self.life.now(), parked) {
            self.ring_at(at);
        }
    }

    fn ring_at(&mut self, at: Millis) {
        self.rings = at;
        self.alarm.set(self.life.instant(at));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// hyper has ended it.
    Ended,
    /// It must only be dropped.
    Cut,
    /// It rests.
    Park,
    /// The drain went on.
    Phase,
}

enum Sniffed {
    Bytes(Vec<u8>),
    TooSlow,
    Gone,
}

/// Reads until it is clear whether the client speaks HTTP/2.
async fn sniff<T: AsyncRead + Unpin>(
    io: &mut T,
    alarm: &mut Alarm,
    mut draining: Pin<&mut impl Future<Output = ()>>,
) -> Sniffed {
    let mut first = Vec::new();
    poll_fn(move |cx| {
        loop {
            match poll_piece(io, cx, &mut first) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Sniffed::Gone),
                Poll::Ready(Ok(_)) => {
                    let undecided = first.len() < PREFACE.len() && PREFACE.starts_with(&first);
                    if !undecided {
                        return Poll::Ready(Sniffed::Bytes(std::mem::take(&mut first)));
                    }
                }
                Poll::Pending => break,
            }
        }
        if alarm.poll(cx).is_ready() {
            return Poll::Ready(Sniffed::TooSlow);
        }
        draining.as_mut().poll(cx).map(|()| Sniffed::Gone)
    })
    .await
}

/// Reads once, behind `bytes`. The buffer is on the stack, so that an idle task does not keep it.
fn poll_piece<T: AsyncRead + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
    bytes: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let mut piece = [0; FIRST_BYTES];
    let mut piece = ReadBuf::new(&mut piece);
    ready!(Pin::new(io).poll_read(cx, &mut piece))?;
    bytes.extend_from_slice(piece.filled());
    Poll::Ready(Ok(piece.filled().len()))
}

/// Lets a client that was refused read why. Closing a socket that has unread bytes resets it, and the
/// reset may overtake the answer; so the write side is closed first, and what still comes is
/// discarded, within bounds.
pub(super) async fn linger<T: AsyncRead + AsyncWrite + Unpin>(mut io: T) {
    let mut alarm = Alarm::after(LINGER_TIME);
    if io.shutdown().await.is_err() {
        return;
    }
    let mut discarded = 0;
    let mut bytes = Vec::new();
    poll_fn(move |cx| {
        while discarded < LINGER_BYTES_MAX {
            match poll_piece(&mut io, cx, &mut bytes) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(count)) => discarded += count,
                Poll::Pending => return alarm.poll(cx),
            }
            bytes.clear();
        }
        Poll::Ready(())
    })
    .await;
}

/// Waits until the drain is that far.
pub(super) async fn reached(mut phases: watch::Receiver<Phase>, phase: Phase) {
    // The sender lives in the drain handle, which the connection holds.
    let _ = phases.wait_for(|now| *now >= phase).await;
}
