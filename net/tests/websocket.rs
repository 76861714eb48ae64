//! Events over a WebSocket, with real sockets: what comes, what is refused, and how it ends.

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use gomer_net::http::{Count, Limits};
use support::{Started, quick, rest, start, until, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

type Socket = WebSocketStream<TcpStream>;

async fn open(front: &Started, path: &str) -> Socket {
    let stream = TcpStream::connect(front.address).await.unwrap();
    let address = format!("ws://{}{path}", front.address);
    let (socket, response) = tokio_tungstenite::client_async(address, stream).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(!response.headers().contains_key("content-length"), "{:?}", response.headers());
    socket
}

async fn next(socket: &mut Socket) -> Message {
    let within = Duration::from_secs(5);
    tokio::time::timeout(within, socket.next()).await.expect("something comes").expect("it goes on").unwrap()
}

/// How the server ends it.
async fn end(socket: &mut Socket) -> CloseCode {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.expect("it says why").code;
        }
    }
}

#[tokio::test]
async fn events_come_as_messages_then_pings_and_it_outlives_idleness() {
    let front = start(quick()).await;
    let mut socket = open(&front, "/events").await;
    for n in 0..3 {
        let text = format!(r#"{{"event":"change","id":"c","data":{{"n":{n}}}}}"#);
        assert_eq!(next(&mut socket).await, Message::text(text));
    }
    // Longer than any time-out of `quick`; reading answers the pings.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        assert!(matches!(next(&mut socket).await, Message::Ping(_)));
    }
    assert_eq!((front.drain.streams(), front.drain.requests()), (1, 0));
    socket.send(Message::Ping("x".into())).await.unwrap();
    while next(&mut socket).await != Message::Pong("x".into()) {}
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    front.until_quiet().await;
    assert_eq!((front.drain.streams(), front.drain.connections()), (0, 0));
}

#[tokio::test]
async fn whatever_else_a_client_says_ends_it_with_a_reason() {
    let front = start(Limits::default()).await;
    for (said, code) in [
        (Message::text("{}"), CloseCode::Unsupported),
        (Message::binary(vec![1, 2, 3]), CloseCode::Unsupported),
        (Message::text("x".repeat(100_000)), CloseCode::Size),
    ] {
        let mut socket = open(&front, "/events").await;
        socket.send(said).await.unwrap();
        assert_eq!(end(&mut socket).await, code);
    }
    // Bytes that are no frame.
    let mut socket = open(&front, "/events").await;
    socket.get_mut().write_all(&[0xff; 64]).await.unwrap();
    loop {
        match tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("it ends") {
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            Some(Ok(_)) => {}
        }
    }
    drop(socket);
    // A client that is gone without a word.
    drop(open(&front, "/events").await);
    front.until_quiet().await;
}

#[tokio::test]
async fn the_end_of_the_events_and_a_drain_are_said() {
    let front = start(Limits::default()).await;
    let mut socket = open(&front, "/ends").await;
    assert_eq!(next(&mut socket).await, Message::text(r#"{"data":{}}"#));
    assert_eq!(end(&mut socket).await, CloseCode::Normal);
    let mut socket = open(&front, "/events").await;
    let mut deaf = open(&front, "/events").await;
    next(&mut deaf).await;
    front.drain.begin();
    assert_eq!(end(&mut socket).await, CloseCode::Away);
    while socket.next().await.is_some() {}
    // `deaf` does not answer; it is not waited for.
    tokio::time::timeout(Duration::from_secs(4), front.served).await.expect("serve returns").unwrap();
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_and_one_that_does_not_answer_too() {
    let front = start(quick()).await;
    let slow = open(&front, "/flood").await;
    within(Duration::from_secs(5), "it is cut off", || front.counts.of(Count::WriteTimeout) == 1).await;
    assert!(front.echo.sent.load(Ordering::SeqCst) > 0);
    drop(slow);
    // Nothing is read, so no ping is answered: at the third it is over.
    let mut silent = open(&front, "/events").await;
    front.until_quiet().await;
    let mut pings = 0;
    loop {
        match socket_next(&mut silent).await {
            Some(Ok(Message::Ping(_))) => pings += 1,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    assert_eq!(pings, 2);
}

async fn socket_next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("it ends")
}

const ASKS: &str = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn who_asks_where_there_are_no_events_is_answered_as_ever() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    stream.write_all(format!("GET /plain HTTP/1.1\r\n{ASKS}\r\n").as_bytes()).await.unwrap();
    let text = until(&mut stream, "GET /plain ").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    // And the connection serves on.
    stream.write_all(b"GET /again HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    until(&mut stream, "GET /again ").await;
    // A POST has no such thing.
    stream.write_all(format!("POST /events HTTP/1.1\r\n{ASKS}\r\n").as_bytes()).await.unwrap();
    let text = until(&mut stream, "event: change").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
}

#[tokio::test]
async fn a_wrong_handshake_is_refused_and_who_speaks_too_early_is_not_heard() {
    let front = start(Limits::default()).await;
    let wrong = ASKS.replace("Version: 13", "Version: 7");
    let text = front.exchange(format!("GET /events HTTP/1.1\r\n{wrong}\r\n").as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("version other than 13"), "{text}");
    // A frame before the answer, or a second request: either way no events go out to it.
    for early in [&[0x81u8, 0x80, 0, 0, 0, 0][..], b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut stream = front.connect().await;
        let mut bytes = format!("GET /events HTTP/1.1\r\n{ASKS}\r\n").into_bytes();
        bytes.extend_from_slice(early);
        stream.write_all(&bytes).await.unwrap();
        let text = rest(&mut stream).await.unwrap_or_default();
        assert!(!text.contains("GET /next"), "{text}");
        assert!(!text.contains(r#""event""#), "{text}");
    }
    front.until_quiet().await;
}
