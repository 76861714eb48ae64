//! Events over a WebSocket (RFC 6455): the handshake, and the pump from the queue to the client.
//!
//! It is one way. Clients answer pings and say that they go; whatever else they have to say, they say by calls, whose
//! limits, retries and errors are known. Frames are a library's affair.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connection::reached;
use super::counts::{Count, Counts};
use super::drain::{Drain, Gauge, Phase};
use super::live::LiveBody;
use super::service::Refusal;

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// Most bytes of a message of the client: it has nothing to say that is longer.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What is read at once. Little, as it is kept for every client.
const READ_BYTES: usize = 1024;

/// Heartbeats that may go unanswered.
const UNANSWERED_MAX: u32 = 2;

/// How long the client's own word is waited for after ours that this is the end.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// What [`ACCEPT`] must say, if the client asks to go on by WebSocket (RFC 6455, 4.2.1).
pub(super) fn asked(head: &hyper::http::request::Parts) -> Result<Option<HeaderValue>, Refusal> {
    let headers = &head.headers;
    let asks = head.version == Version::HTTP_11
        && head.method == Method::GET
        && names(headers, &header::UPGRADE, "websocket")
        && names(headers, &header::CONNECTION, "upgrade");
    if !asks {
        return Ok(None);
    }
    if headers.get(VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::BadRequest("a WebSocket of a version other than 13"));
    }
    let mut keys = headers.get_all(KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Refusal::BadRequest("not one Sec-WebSocket-Key"));
    };
    // Sixteen bytes in base64.
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.as_bytes() {
        [digits @ .., b'=', b'='] if digits.len() == 22 && digits.iter().all(is_base64) => {}
        _ => return Err(Refusal::BadRequest("a malformed Sec-WebSocket-Key")),
    }
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    Ok(Some(accept.expect("base64 may stand in a header")))
}

/// Whether one of the comma-separated words of these headers is this one.
fn names(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// The answer with which HTTP ends, without what belongs to a body.
pub(super) fn switching<B>(mut headers: HeaderMap, accept: HeaderValue, empty: B) -> hyper::Response<B> {
    for name in
        [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CACHE_CONTROL]
    {
        headers.remove(name);
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(ACCEPT, accept);
    let mut answer = hyper::Response::new(empty);
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = headers;
    answer
}

/// Sends what is queued until the queue, the client or a drain ends it. A client that takes nothing for `patience`, or
/// does not answer two heartbeats, is cut off.
pub(super) async fn serve<T>(io: T, body: LiveBody, drain: &Drain, counts: &Counts, patience: Duration)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let _entered = drain.enter(Gauge::Streams);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        // Each event goes out as it comes.
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let mut pump = Pump { socket, body, counts, patience, unanswered: 0 };
    if let Some((code, reason)) = pump.run(drain.until_begun()).await {
        // In a fixed order, for the simulator's sake.
        tokio::select! {
            biased;
            () = reached(drain.phases(), Phase::Cut) => {}
            () = pump.close(code, reason) => {}
        }
    }
}

struct Pump<'a, T> {
    socket: WebSocketStream<T>,
    body: LiveBody,
    counts: &'a Counts,
    patience: Duration,
    unanswered: u32,
}

type Goodbye = (CloseCode, &'static str);

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pump<'_, T> {
    /// Runs to the end, and gives what is to be said of it; `None` if there is nobody to say it to.
    async fn run(&mut self, drained: impl Future<Output = ()>) -> Option<Goodbye> {
        let mut drained = std::pin::pin!(drained);
        let mut draining = false;
        loop {
            let said = tokio::select! {
                biased;
                () = &mut drained, if !draining => {
                    draining = true;
                    self.body.end();
                    continue;
                }
                said = self.socket.next() => said,
                event = self.body.next() => {
                    match event {
                        Some(event) => self.send(event).await?,
                        None if draining => return Some((CloseCode::Away, "the server stops: come back")),
                        None => return Some((CloseCode::Normal, "come back with the last id")),
                    }
                    continue;
                }
            };
            self.unanswered = 0;
            match said? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                // The library answers it; all that is left is to hear the end.
                Ok(Message::Close(_)) => return self.socket.next().await.and(None),
                Ok(Message::Text(_) | Message::Binary(_) | Message::Frame(_)) => {
                    return Some((CloseCode::Unsupported, "nothing is taken here: call methods"));
                }
                Err(Error::Capacity(_)) => return Some((CloseCode::Size, "too long a message")),
                Err(_) => return None,
            }
        }
    }

    /// Sends an event, or a ping as the heartbeat. `None` if the client does not take it.
    async fn send(&mut self, event: Bytes) -> Option<()> {
        let message = if event.is_empty() {
            self.unanswered += 1;
            if self.unanswered > UNANSWERED_MAX {
                return None;
            }
            Message::Ping(Bytes::new())
        } else {
            Message::Text(Utf8Bytes::try_from(event).expect("events are UTF-8"))
        };
        match tokio::time::timeout(self.patience, self.socket.send(message)).await {
            Ok(sent) => sent.ok(),
            Err(_) => {
                self.counts.add(Count::WriteTimeout);
                None
            }
        }
    }

    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let goodbye = async {
            if self.socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // Who does not say goodbye in time is not waited for.
        let _ = tokio::time::timeout(GOODBYE_TIME, goodbye).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(headers: &[(&str, &str)]) -> Result<Option<HeaderValue>, Refusal> {
        let mut request = hyper::Request::get("/v1/demo/realtime.subscribe");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked(&request.body(()).unwrap().into_parts().0)
    }

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_answer_is_the_one_of_the_rfc() {
        // RFC 6455, 1.3.
        assert_eq!(ask(&GOOD).unwrap().unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn who_does_not_ask_is_not_switched_and_who_asks_wrongly_is_refused() {
        assert_eq!(ask(&[]), Ok(None));
        assert_eq!(ask(&GOOD[1..]), Ok(None), "nothing asks the connection to change");
        assert_eq!(ask(&[GOOD[0], ("upgrade", "h2c"), GOOD[2], GOOD[3]]), Ok(None));
        let refused = |version: &str, keys: &[&str]| {
            let mut headers = vec![GOOD[0], GOOD[1], ("sec-websocket-version", version)];
            headers.extend(keys.iter().map(|key| ("sec-websocket-key", *key)));
            matches!(ask(&headers), Err(Refusal::BadRequest(_)))
        };
        assert!(refused("8", &[GOOD[3].1]));
        assert!(refused("13", &[]));
        assert!(refused("13", &[GOOD[3].1, GOOD[3].1]));
        for key in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25jZQQ=="] {
            assert!(refused("13", &[key]), "{key}");
        }
    }
}
