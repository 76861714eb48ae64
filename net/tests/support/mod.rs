//! A front with a small service behind it, and a client that sends raw bytes.
#![allow(dead_code)] // Each test file uses its part.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gomer_net::http::{
    Body, BodyReader, Counts, Drain, Front, Limits, LiveEvent, LiveFormat, Refusal, Request, Response,
    Service, live, sized,
};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Answers by path; see `call`.
#[derive(Debug)]
pub struct Echo {
    pub calls: AtomicUsize,
    /// `/wait` answers when somebody adds a permit.
    pub gate: Semaphore,
    /// Handlers that were begun and neither finished nor dropped.
    pub running: Arc<AtomicUsize>,
    /// Events that `/flood` could queue.
    pub sent: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service for Echo {
    fn body_limit(&self, _: &Method, path: &str) -> u64 {
        if path == "/big" || path == "/store" { 8 * 1024 * 1024 } else { 1024 }
    }

    fn is_probe(&self, _: &Method, path: &str) -> bool {
        path == "/probe"
    }

    fn streams(&self, _: &Method, path: &str) -> bool {
        path.starts_with("/store")
    }

    /// Tells how many pieces came, of how many bytes, or why there are no more.
    async fn stream(&self, request: Request, mut body: BodyReader<'_>) -> Response {
        assert!(request.body.is_empty());
        let (mut pieces, mut bytes) = (0, 0);
        loop {
            match body.next().await {
                Ok(Some(piece)) => (pieces, bytes) = (pieces + 1, bytes + piece.len()),
                Ok(None) => {
                    return Response::new(
                        StatusCode::OK,
                        format!("{bytes} bytes, more than one: {}", pieces > 1),
                    );
                }
                Err(refusal) => {
                    let Response { status, .. } = self.refuse(refusal);
                    return Response::new(status, format!("{bytes} bytes, then {refusal:?}"));
                }
            }
        }
    }

    async fn call(&self, request: Request) -> Response {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.running));
        let format = if request.websocket { LiveFormat::WebSocket } else { LiveFormat::ServerSent };
        match request.path.as_str() {
            "/panic" => panic!("on purpose"),
            "/wait" => self.gate.acquire().await.unwrap().forget(),
            "/client" => return Response::new(StatusCode::OK, request.client.to_string()),
            "/length" | "/big" => return Response::new(StatusCode::OK, request.body.len().to_string()),
            "/wide" => return Response::new(StatusCode::OK, vec![b'x'; 32 * 1024 * 1024]),
            // All of what is announced, or less.
            "/file" | "/short" => {
                let (tx, body) = sized::channel(300_000);
                let pieces = if request.path == "/file" { 3 } else { 2 };
                tokio::spawn(async move {
                    let _running = running;
                    for _ in 0..pieces {
                        if !tx.send(vec![b'f'; 100_000].into()).await {
                            return;
                        }
                    }
                });
                return Response::new(StatusCode::OK, body);
            }
            "/ends" => {
                let (tx, body) = live::channel(4, format);
                tokio::spawn(async move {
                    let event = LiveEvent { data: Some("{}"), ..LiveEvent::default() };
                    tx.send(&event).await.unwrap();
                });
                return Response::new(StatusCode::OK, body);
            }
            "/events" => {
                let (tx, body) = live::channel_with(2, format, Duration::from_millis(100));
                tokio::spawn(async move {
                    let _running = running;
                    for n in 0..3 {
                        let data = format!("{{\"n\":{n}}}");
                        let event = LiveEvent { event: Some("change"), id: Some("c"), data: Some(&data) };
                        tx.send(&event).await.unwrap();
                    }
                    tx.closed().await;
                });
                return Response::new(StatusCode::OK, body);
            }
            "/flood" => {
                let (tx, body) = live::channel(4, format);
                let sent = Arc::clone(&self.sent);
                tokio::spawn(async move {
                    let _running = running;
                    let data = format!("\"{}\"", "y".repeat(1000));
                    while tx.send(&LiveEvent { data: Some(&data), ..LiveEvent::default() }).await.is_ok() {
                        sent.fetch_add(1, Ordering::SeqCst);
                    }
                });
                return Response::new(StatusCode::OK, body);
            }
            _ => {}
        }
        let mut text = format!("{} {}", request.method, request.path);
        if let Some(query) = &request.query {
            text.push('?');
            text.push_str(query);
        }
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(&request.body));
        Response::new(StatusCode::OK, text)
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let status = match refusal {
            Refusal::HeadTooLarge | Refusal::TooManyHeaders => 431,
            Refusal::UriTooLong => 414,
            Refusal::BadRequest(_) | Refusal::BodyIncomplete => 400,
            Refusal::BodyTooLarge { .. } => 413,
            Refusal::BodyTooSlow => 408,
            Refusal::ContentEncoding => 415,
            Refusal::Busy | Refusal::Draining => 503,
            Refusal::Panicked => 500,
        };
        Response::new(StatusCode::from_u16(status).unwrap(), Body::from(format!("refused: {refusal:?}")))
    }
}

/// A running front.
pub struct Started {
    pub address: SocketAddr,
    pub echo: Arc<Echo>,
    pub drain: Drain,
    pub counts: Arc<Counts>,
    pub served: tokio::task::JoinHandle<()>,
}

/// Limits that make slowness testable.
pub fn quick() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        body_timeout: Duration::from_millis(900),
        body_grace: Duration::from_millis(200),
        write_timeout: Duration::from_millis(500),
        ..Limits::default()
    }
}

pub async fn start(limits: Limits) -> Started {
    let front = Front::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let echo = Arc::new(Echo {
        calls: AtomicUsize::new(0),
        gate: Semaphore::new(0),
        running: Arc::default(),
        sent: Arc::default(),
    });
    let (address, counts, drain) = (front.local_addr(), front.counts(), Drain::new());
    let served = tokio::spawn(front.serve(Arc::clone(&echo), drain.clone()));
    Started { address, echo, drain, counts, served }
}

impl Started {
    pub async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client(stream)
    }

    /// Sends bytes and reads until the server closes, at most three seconds.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await.expect("the server closes")
    }

    /// Waits until nothing that the service began is left.
    pub async fn until_quiet(&self) {
        within(Duration::from_secs(5), "handlers and connections end", || {
            self.echo.running.load(Ordering::SeqCst) == 0 && self.drain.connections() == 0
        })
        .await;
    }
}

/// A socket that sends what is written at once. In the simulator nothing leaves before it is flushed.
pub struct Client(pub TcpStream);

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Client {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.0).poll_write(cx, bytes))?;
        let _ = Pin::new(&mut self.0).poll_flush(cx)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Polls until something holds.
pub async fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything until the end of the stream; `None` if it does not end within three seconds.
pub async fn rest(stream: &mut Client) -> Option<String> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut bytes)).await;
    // A reset after the answer is an end too.
    read.ok().map(|_| String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads until `needle` was seen, and gives what came so far.
pub async fn until(stream: &mut Client, needle: &str) -> String {
    let mut bytes = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        loop {
            let count = stream.read(&mut piece).await.unwrap();
            assert!(count > 0, "closed before {needle:?}: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
            if String::from_utf8_lossy(&bytes).contains(needle) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(3), read).await.unwrap_or_else(|_| panic!("no {needle:?}"));
    String::from_utf8(bytes).unwrap()
}

/// How many responses are in it.
pub fn responses(text: &str) -> usize {
    ["2", "4", "5"].iter().map(|class| text.matches(&format!("HTTP/1.1 {class}")).count()).sum()
}
