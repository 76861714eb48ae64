//! HTTP/2 on the same port: requests, limits, and the floods it is known for, frame by frame.

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gomer_net::http::{Count, Limits, TaskExecutor};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use support::{Client, Started, quick, rest, start, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn h2(address: std::net::SocketAddr) -> hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TaskExecutor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(
    client: &mut hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>,
    request: hyper::http::request::Builder,
    body: &str,
) -> Result<(u16, String), hyper::Error> {
    let request = request.body(Full::new(bytes::Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    let response = client.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let front = start(Limits { inflight_per_connection_max: 4, ..Limits::default() }).await;
    let mut client = h2(front.address).await;
    let request = hyper::Request::get("http://h/a?b=c");
    assert_eq!(ask(&mut client, request, "").await.unwrap(), (200, "GET /a?b=c ".to_owned()));
    let request = hyper::Request::post("http://h/p");
    assert_eq!(ask(&mut client, request, "hello").await.unwrap(), (200, "POST /p hello".to_owned()));
    let request = hyper::Request::post("http://h/p");
    assert_eq!(ask(&mut client, request, &"x".repeat(2000)).await.unwrap().0, 413);
    let request = hyper::Request::post("http://h/p").header("content-encoding", "gzip");
    assert_eq!(ask(&mut client, request, "x").await.unwrap().0, 415);
    let mut request = hyper::Request::get("http://h/p");
    for n in 0..70 {
        request = request.header(format!("a{n}"), "b");
    }
    assert_eq!(ask(&mut client, request, "").await.unwrap().0, 431);
    let request = hyper::Request::get(format!("http://h/{}", "x".repeat(5000)));
    assert_eq!(ask(&mut client, request, "").await.unwrap().0, 414);
    assert_eq!(ask(&mut client, hyper::Request::get("http://h/panic"), "").await.unwrap().0, 500);
    // More requests than are served at once wait for their turn.
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { ask(&mut client, hyper::Request::get("http://h/wait"), "").await })
        })
        .collect();
    within(Duration::from_secs(2), "ten arrive", || front.drain.requests() == 10).await;
    within(Duration::from_secs(2), "four run", || {
        front.echo.running.load(std::sync::atomic::Ordering::SeqCst) == 4
    })
    .await;
    front.echo.gate.add_permits(10);
    for one in waiting {
        assert_eq!(one.await.unwrap().unwrap().0, 200);
    }
    drop(client);
    front.until_quiet().await;
}

#[tokio::test]
async fn http_2_slowness_is_bounded_too() {
    let front = start(quick()).await;
    // A preface, and nothing more.
    let mut stream = front.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    rest(&mut stream).await.expect("closed");
    // A client that has nothing to ask.
    let mut client = h2(front.address).await;
    assert_eq!(ask(&mut client, hyper::Request::get("http://h/a"), "").await.unwrap().0, 200);
    front.until_quiet().await;
    assert!(ask(&mut client, hyper::Request::get("http://h/a"), "").await.is_err());
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Frame types and flags, RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A head as HPACK: method by its index, scheme, a literal path, a literal authority.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![method, 0x86, 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'h']);
    block
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

async fn raw(front: &Started) -> Client {
    let mut stream = front.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Writes `bytes` again and again until the server closes; panics if it does not.
async fn flood(stream: Client, mut bytes: impl FnMut() -> Vec<u8>) {
    let begun = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut sink = [0; 4096];
    loop {
        assert!(begun.elapsed() < Duration::from_secs(10), "the flood is not stopped");
        let next = bytes();
        tokio::select! {
            biased;
            read = reader.read(&mut sink) => if read.unwrap_or(0) == 0 { return },
            written = writer.write_all(&next) => if written.is_err() { return },
        }
    }
}

#[tokio::test]
async fn rapid_resets_end_the_connection_and_leave_nothing() {
    let front = start(Limits::default()).await;
    let stream = raw(&front).await;
    let mut id = 1;
    flood(stream, || {
        let mut bytes = Vec::new();
        for _ in 0..50 {
            bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, id, &head(GET, "/wait")));
            bytes.extend(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
            id += 2;
        }
        bytes
    })
    .await;
    front.until_quiet().await;
    assert!(id < 100_000, "stopped after {id} streams");
    assert!(front.echo.calls.load(Ordering::SeqCst) <= 100);
    assert_eq!(front.drain.requests(), 0);
}

#[tokio::test]
async fn a_head_without_end_is_stopped() {
    let front = start(Limits::default()).await;
    let mut stream = raw(&front).await;
    stream.write_all(&frame(HEADERS, END_STREAM, 1, &head(GET, "/a"))).await.unwrap();
    // A literal header without indexing: "a: bbb…".
    let mut header = vec![0, 1, b'a', 100];
    header.extend([b'b'; 100]);
    let block = header.repeat(100);
    let mut sent = 0;
    flood(stream, || {
        sent += block.len();
        frame(CONTINUATION, 0, 1, &block)
    })
    .await;
    front.until_quiet().await;
    assert!(sent < 8 * 1024 * 1024, "{sent} bytes of one head were taken");
    assert_eq!(front.echo.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_not_served() {
    let front = start(Limits::default()).await;
    let mut client = h2(front.address).await;
    let mut request = hyper::Request::get("http://h/a");
    for n in 0..20 {
        request = request.header(format!("a{n}"), "b".repeat(1_000));
    }
    let answer = ask(&mut client, request, "").await;
    assert!(answer.is_err() || answer.as_ref().is_ok_and(|(status, _)| *status == 431), "{answer:?}");
    assert_eq!(front.echo.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_of_empty_pieces_is_too_slow() {
    let front = start(quick()).await;
    let mut stream = raw(&front).await;
    stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head(POST, "/p"))).await.unwrap();
    let begun = Instant::now();
    while front.counts.of(Count::BodyRefused) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(3), "an empty body is awaited for ever");
        if stream.write_all(&frame(DATA, 0, 1, &[])).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(stream);
    front.until_quiet().await;
    assert_eq!(front.counts.of(Count::Requests), 0);
}

#[tokio::test]
async fn draining_tells_the_client_and_finishes_its_requests() {
    let front = start(Limits::default()).await;
    let mut client = h2(front.address).await;
    let mut other = client.clone();
    let waiting =
        tokio::spawn(async move { ask(&mut other, hyper::Request::get("http://h/wait"), "").await });
    within(Duration::from_secs(2), "it runs", || front.drain.requests() == 1).await;
    let events = hyper::Request::get("http://h/events").body(Full::default()).unwrap();
    let mut events = client.send_request(events).await.unwrap().into_body();
    assert!(events.frame().await.is_some());
    front.drain.begin();
    while let Some(frame) = events.frame().await {
        frame.expect("the stream ends without an error");
    }
    front.echo.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().0, 200);
    tokio::time::timeout(Duration::from_secs(2), front.served).await.expect("serve returns").unwrap();
    assert!(ask(&mut client, hyper::Request::get("http://h/a"), "").await.is_err());
}
