//! Event streams and draining, over real sockets.

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gomer_net::http::{Count, Limits};
use support::{quick, rest, start, until, within};
use tokio::io::AsyncWriteExt;

const EVENTS: &[u8] = b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn a_stream_brings_events_then_heartbeats_and_outlives_idleness() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    stream.write_all(EVENTS).await.unwrap();
    let text = until(&mut stream, "{\"n\":2}\n\n").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("transfer-encoding: chunked"), "{text}");
    assert!(text.contains("event: change\nid: c\ndata: {\"n\":0}\n\n"), "{text}");
    // Longer than any time-out of `quick`.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        until(&mut stream, ":\n\n").await;
    }
    assert_eq!((front.drain.streams(), front.drain.requests()), (1, 0));
    drop(stream);
    front.until_quiet().await;
    assert_eq!(front.drain.streams(), 0);
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back_and_is_cut_off_in_the_end() {
    let front = start(Limits { write_timeout: Duration::from_secs(2), ..Limits::default() }).await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let sent = || front.echo.sent.load(Ordering::SeqCst);
    // It stops when the buffers of both kernels are full.
    let mut before = usize::MAX;
    let begun = Instant::now();
    while before != sent() {
        assert!(begun.elapsed() < Duration::from_secs(5), "the sender never waits");
        before = sent();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(before > 0);
    // Reading lets it go on.
    let mut read = 0;
    while read < 64 {
        let text = until(&mut stream, "data: ").await;
        read += text.len() / 1_000;
    }
    within(Duration::from_secs(2), "it goes on, or is cut off", || {
        sent() > before || front.counts.of(Count::WriteTimeout) > 0
    })
    .await;
    front.until_quiet().await;
    assert_eq!(front.counts.of(Count::WriteTimeout), 1);
}

#[tokio::test]
async fn draining_closes_what_rests_finishes_what_runs_and_refuses_what_is_new() {
    let front = start(Limits::default()).await;
    let mut idle = front.connect().await;
    idle.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    until(&mut idle, "GET /a ").await;
    let mut silent = front.connect().await;
    let mut half = front.connect().await;
    half.write_all(b"GET /half HTTP/1.1\r\nHo").await.unwrap();
    let mut running = front.connect().await;
    running
        .write_all(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut reading = front.connect().await;
    reading.write_all(b"POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
    let mut events = front.connect().await;
    events.write_all(EVENTS).await.unwrap();
    until(&mut events, "{\"n\":2}\n\n").await;
    within(Duration::from_secs(2), "all are open", || front.drain.connections() == 6).await;
    within(Duration::from_secs(2), "two run", || front.drain.requests() == 2).await;

    front.drain.begin();
    front.drain.begin();
    assert_eq!(rest(&mut idle).await.unwrap(), "");
    assert_eq!(rest(&mut silent).await.unwrap(), "");
    assert_eq!(rest(&mut half).await.unwrap(), "");
    assert!(rest(&mut events).await.unwrap().ends_with("0\r\n\r\n"), "the stream ends as a whole");
    assert!(tokio::net::TcpStream::connect(front.address).await.is_err(), "nobody listens");
    assert!(!front.served.is_finished());
    front.echo.gate.add_permits(1);
    let text = rest(&mut running).await.unwrap();
    assert!(text.contains("connection: close\r\n") && text.ends_with("GET /wait "), "{text}");
    reading.write_all(b"cd").await.unwrap();
    assert!(rest(&mut reading).await.unwrap().ends_with("POST /late abcd"));
    tokio::time::timeout(Duration::from_secs(2), front.served).await.expect("serve returns").unwrap();
    assert_eq!((front.drain.connections(), front.drain.requests(), front.drain.streams()), (0, 0, 0));
}

#[tokio::test]
async fn cutting_drops_what_does_not_end() {
    let front = start(Limits::default()).await;
    let mut running = front.connect().await;
    running.write_all(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    within(Duration::from_secs(2), "it runs", || front.drain.requests() == 1).await;
    front.drain.begin();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!front.served.is_finished());
    front.drain.cut();
    assert_eq!(rest(&mut running).await.unwrap(), "");
    tokio::time::timeout(Duration::from_secs(2), front.served).await.expect("serve returns").unwrap();
    assert_eq!(front.echo.running.load(Ordering::SeqCst), 0);
}
