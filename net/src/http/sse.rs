//! Server-sent events: a bounded queue on one side, a response body on the other.
//!
//! The format is the HTML standard's `text/event-stream`. Whoever sends waits while the client is
//! slow; a comment goes out when nothing else did, so that dead connections are noticed.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::timer::{Alarm, now};

/// How often a comment is sent on a quiet stream.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is sent as a heartbeat: a comment, which clients ignore.
const COMMENT: &[u8] = b":\n\n";

/// One event. Line ends in `data` become several `data:` lines; in the other fields line ends and NUL
/// have no meaning and are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct SseEvent<'a> {
    /// The event's name; without one clients see `message`.
    pub event: Option<&'a str>,
    /// What the client sends back as `Last-Event-ID`.
    pub id: Option<&'a str>,
    /// The payload. An event without data is not delivered by clients; it only sets the id.
    pub data: Option<&'a str>,
}

impl SseEvent<'_> {
    /// The event as bytes, with its closing empty line.
    pub fn encode(&self) -> Bytes {
        let length = |field: Option<&str>| field.map_or(0, str::len);
        let mut out = BytesMut::with_capacity(length(self.event) + length(self.id) + length(self.data) + 32);
        if let Some(event) = self.event {
            put_field(&mut out, b"event: ", event);
        }
        if let Some(id) = self.id {
            put_field(&mut out, b"id: ", id);
        }
        if let Some(data) = self.data {
            put_lines(&mut out, data);
        }
        out.put_u8(b'\n');
        out.freeze()
    }
}

/// A stream's two ends. At most `queue` events wait (at least one); a comment is sent after
/// [`HEARTBEAT`] without an event.
pub fn channel(queue: usize) -> (SseSender, SseBody) {
    channel_with(queue, HEARTBEAT)
}

/// As [`channel`], with another heartbeat.
pub fn channel_with(queue: usize, heartbeat: Duration) -> (SseSender, SseBody) {
    let (tx, rx) = mpsc::channel(queue.max(1));
    (SseSender { tx }, SseBody { rx, heartbeat, alarm: None })
}

/// The sending end. When the last clone is dropped the stream ends, after what was queued.
#[derive(Clone, Debug)]
pub struct SseSender {
    tx: mpsc::Sender<Bytes>,
}

impl SseSender {
    /// Queues an event, and waits while the queue is full. `Err` when the client has gone away or the
    /// process drains: nothing more will be delivered.
    pub async fn send(&self, event: &SseEvent<'_>) -> Result<(), SseClosed> {
        self.tx.send(event.encode()).await.map_err(|_| SseClosed)
    }

    /// Queues an event if there is room; `Ok(false)` if there is none.
    pub fn try_send(&self, event: &SseEvent<'_>) -> Result<bool, SseClosed> {
        match self.tx.try_send(event.encode()) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SseClosed),
        }
    }

    /// Waits until the client has gone away. Whoever feeds a quiet stream waits for this too.
    pub async fn closed(&self) {
        self.tx.closed().await;
    }

    /// Whether the client has gone away.
    pub fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }
}

/// The other end of the stream is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseClosed;

impl fmt::Display for SseClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event stream is closed")
    }
}

impl std::error::Error for SseClosed {}

/// The body end, to be put into a [`super::Response`]. Its headers are the service's:
/// `Content-Type: text/event-stream` and `Cache-Control: no-store`.
pub struct SseBody {
    rx: mpsc::Receiver<Bytes>,
    heartbeat: Duration,
    /// Made at the first wait, so that a stream may be created outside of the runtime.
    alarm: Option<Alarm>,
}

impl SseBody {
    /// Accepts no more events; those that are queued are still delivered.
    pub(super) fn end(&mut self) {
        self.rx.close();
    }

    /// The next piece of the stream, heartbeats included; `None` at its end.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_bytes(cx)).await
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(event) = self.rx.poll_recv(cx) {
            // The comment is due that long after the last event, not by a fixed schedule.
            if let Some(alarm) = &mut self.alarm {
                alarm.set(now() + self.heartbeat);
            }
            return Poll::Ready(event);
        }
        let alarm = self.alarm.get_or_insert_with(|| Alarm::after(self.heartbeat));
        if alarm.poll(cx).is_pending() {
            return Poll::Pending;
        }
        alarm.set(now() + self.heartbeat);
        Poll::Ready(Some(Bytes::from_static(COMMENT)))
    }
}

impl hyper::body::Body for SseBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl fmt::Debug for SseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseBody").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

/// A field that must stay on one line.
fn put_field(out: &mut BytesMut, name: &[u8], value: &str) {
    out.put_slice(name);
    for piece in value.split(['\r', '\n', '\0']) {
        out.put_slice(piece.as_bytes());
    }
    out.put_u8(b'\n');
}

/// One `data:` line per line; CR LF, CR and LF all end one.
fn put_lines(out: &mut BytesMut, mut data: &str) {
    loop {
        out.put_slice(b"data: ");
        let Some(end) = data.find(['\r', '\n']) else {
            out.put_slice(data.as_bytes());
            out.put_u8(b'\n');
            return;
        };
        out.put_slice(&data.as_bytes()[..end]);
        out.put_u8(b'\n');
        let rest = &data[end..];
        data = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: SseEvent<'_>) -> String {
        String::from_utf8(event.encode().to_vec()).unwrap()
    }

    #[test]
    fn events_are_written_as_the_standard_says() {
        for (data, expected) in [
            ("{}", "data: {}\n\n"),
            ("", "data: \n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n"),
        ] {
            assert_eq!(text(SseEvent { data: Some(data), ..SseEvent::default() }), expected);
        }
    }

    #[test]
    fn a_field_cannot_smuggle_in_another() {
        let event = SseEvent { event: Some("a\ndata: x"), id: Some("7\r\n\r\n\0"), data: Some("\n\nid: 9") };
        assert_eq!(text(event), "event: adata: x\nid: 7\ndata: \ndata: \ndata: id: 9\n\n");
    }

    #[tokio::test]
    async fn a_quiet_stream_beats_and_ends_with_its_sender() {
        let (tx, mut body) = channel_with(1, Duration::from_millis(20));
        assert_eq!(body.next().await.unwrap(), COMMENT);
        assert_eq!(body.next().await.unwrap(), COMMENT);
        assert!(tx.try_send(&SseEvent { data: Some("x"), ..SseEvent::default() }).unwrap());
        assert!(!tx.try_send(&SseEvent::default()).unwrap(), "the queue holds one");
        drop(tx);
        assert_eq!(body.next().await.unwrap(), "data: x\n\n");
        assert_eq!(body.next().await, None);
    }

    #[tokio::test]
    async fn the_sender_learns_that_the_client_is_gone() {
        let (tx, body) = channel(4);
        assert!(!tx.is_closed());
        drop(body);
        tx.closed().await;
        assert_eq!(tx.send(&SseEvent::default()).await, Err(SseClosed));
        assert_eq!(tx.try_send(&SseEvent::default()), Err(SseClosed));
    }
}
