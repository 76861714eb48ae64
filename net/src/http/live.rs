//! Events as they happen: a bounded queue on one side, a response on the other.
//!
//! They go out as server-sent events (the HTML standard's `text/event-stream`) or as messages of a WebSocket
//! (RFC 6455). Whoever sends waits while the client is slow: what waits for one client is bounded in number and in
//! bytes. A heartbeat goes out when nothing else did, so that dead connections are noticed.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::Frame;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

use super::timer::{Alarm, now};

/// How often a heartbeat is sent on a quiet stream.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Most bytes that wait for one client. An event that is larger waits alone.
pub const QUEUE_BYTES_MAX: u32 = 48 * 1024;

/// The heartbeat among server-sent events: a comment, which clients ignore.
const COMMENT: &[u8] = b":\n\n";

/// How events go over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveFormat {
    /// As the body of a response of type `text/event-stream`.
    #[default]
    ServerSent,
    /// Each as a text message of a WebSocket: `{"event":…,"id":…,"data":…}`.
    WebSocket,
}

/// One event. Line ends in `data` become several `data:` lines; in the other fields line ends and NUL
/// have no meaning and are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveEvent<'a> {
    /// The event's name; without one clients see `message`.
    pub event: Option<&'a str>,
    /// What the client sends back as `Last-Event-ID`.
    pub id: Option<&'a str>,
    /// The payload: JSON, for those that go over a WebSocket. An event without data is not delivered by clients of
    /// server-sent events; it only sets the id.
    pub data: Option<&'a str>,
}

/// An event as a message of a WebSocket.
#[derive(serde::Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

impl LiveEvent<'_> {
    /// The event as bytes, in this format. Always UTF-8.
    pub fn encode(&self, format: LiveFormat) -> Bytes {
        match format {
            LiveFormat::ServerSent => self.server_sent(),
            LiveFormat::WebSocket => self.message(),
        }
    }

    /// As a message's text.
    fn message(&self) -> Bytes {
        let data = self.data.map(|data| serde_json::from_str(data).expect("what is sent live is JSON"));
        let message = Message { event: self.event, id: self.id, data };
        serde_json::to_vec(&message).expect("text and JSON are JSON").into()
    }

    /// With its closing empty line.
    fn server_sent(&self) -> Bytes {
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

/// A stream's two ends. At most `queue` events wait (at least one), with [`QUEUE_BYTES_MAX`] bytes; a heartbeat is
/// sent after [`HEARTBEAT`] without an event.
pub fn channel(queue: usize, format: LiveFormat) -> (LiveSender, LiveBody) {
    channel_with(queue, format, HEARTBEAT)
}

/// As [`channel`], with another heartbeat.
pub fn channel_with(queue: usize, format: LiveFormat, heartbeat: Duration) -> (LiveSender, LiveBody) {
    let (tx, rx) = mpsc::channel(queue.max(1));
    let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX as usize));
    (LiveSender { tx, room, format }, LiveBody { rx, format, heartbeat, alarm: None })
}

/// An event that waits, with the room that it takes.
type Waiting = (Bytes, OwnedSemaphorePermit);

/// The sending end. When the last clone is dropped the stream ends, after what was queued.
#[derive(Clone, Debug)]
pub struct LiveSender {
    tx: mpsc::Sender<Waiting>,
    /// Bytes that may still be queued.
    room: Arc<Semaphore>,
    format: LiveFormat,
}

impl LiveSender {
    /// Queues an event, and waits while the queue is full. `Err` when the client has gone away or the
    /// process drains: nothing more will be delivered.
    pub async fn send(&self, event: &LiveEvent<'_>) -> Result<(), LiveClosed> {
        let bytes = event.encode(self.format);
        let room = Arc::clone(&self.room).acquire_many_owned(takes(&bytes));
        // In a fixed order, for the simulator's sake.
        let room = tokio::select! {
            biased;
            () = self.tx.closed() => return Err(LiveClosed),
            room = room => room.map_err(|_| LiveClosed)?,
        };
        self.tx.send((bytes, room)).await.map_err(|_| LiveClosed)
    }

    /// Queues an event if there is room; `Ok(false)` if there is none.
    pub fn try_send(&self, event: &LiveEvent<'_>) -> Result<bool, LiveClosed> {
        if self.tx.is_closed() {
            return Err(LiveClosed);
        }
        let bytes = event.encode(self.format);
        let room = match Arc::clone(&self.room).try_acquire_many_owned(takes(&bytes)) {
            Ok(room) => room,
            Err(TryAcquireError::NoPermits) => return Ok(false),
            Err(TryAcquireError::Closed) => return Err(LiveClosed),
        };
        match self.tx.try_send((bytes, room)) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(LiveClosed),
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
pub struct LiveClosed;

impl fmt::Display for LiveClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event stream is closed")
    }
}

impl std::error::Error for LiveClosed {}

/// How much of the queue's room an event takes; all of it, if it is larger.
fn takes(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len()).map_or(QUEUE_BYTES_MAX, |bytes| bytes.min(QUEUE_BYTES_MAX))
}

/// The body end, to be put into a [`super::Response`]. Its headers are the service's:
/// `Content-Type: text/event-stream` and `Cache-Control: no-store`, where it is for server-sent events.
pub struct LiveBody {
    rx: mpsc::Receiver<Waiting>,
    format: LiveFormat,
    heartbeat: Duration,
    /// Made at the first wait, so that a stream may be created outside of the runtime.
    alarm: Option<Alarm>,
}

impl LiveBody {
    /// How its events are written.
    pub fn format(&self) -> LiveFormat {
        self.format
    }

    /// Accepts no more events; those that are queued are still delivered.
    pub(super) fn end(&mut self) {
        self.rx.close();
    }

    /// The next event or heartbeat; `None` at the end. A heartbeat has no bytes where it is not one of the format's
    /// own.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_bytes(cx)).await
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(event) = self.rx.poll_recv(cx) {
            // The comment is due that long after the last event, not by a fixed schedule.
            if let Some(alarm) = &mut self.alarm {
                alarm.set(now() + self.heartbeat);
            }
            return Poll::Ready(event.map(|(bytes, _)| bytes));
        }
        let alarm = self.alarm.get_or_insert_with(|| Alarm::after(self.heartbeat));
        if alarm.poll(cx).is_pending() {
            return Poll::Pending;
        }
        alarm.set(now() + self.heartbeat);
        Poll::Ready(Some(match self.format {
            LiveFormat::ServerSent => Bytes::from_static(COMMENT),
            LiveFormat::WebSocket => Bytes::new(),
        }))
    }
}

impl hyper::body::Body for LiveBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl fmt::Debug for LiveBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBody").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
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

    fn text(event: LiveEvent<'_>) -> String {
        String::from_utf8(event.encode(LiveFormat::ServerSent).to_vec()).unwrap()
    }

    #[test]
    fn events_are_written_as_the_standard_says() {
        for (data, expected) in [
            ("{}", "data: {}\n\n"),
            ("", "data: \n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n"),
        ] {
            assert_eq!(text(LiveEvent { data: Some(data), ..LiveEvent::default() }), expected);
        }
    }

    #[test]
    fn a_field_cannot_smuggle_in_another() {
        let event = LiveEvent { event: Some("a\ndata: x"), id: Some("7\r\n\r\n\0"), data: Some("\n\nid: 9") };
        assert_eq!(text(event), "event: adata: x\nid: 7\ndata: \ndata: \ndata: id: 9\n\n");
    }

    #[tokio::test]
    async fn a_quiet_stream_beats_and_ends_with_its_sender() {
        let (tx, mut body) = channel_with(1, LiveFormat::ServerSent, Duration::from_millis(20));
        assert_eq!(body.next().await.unwrap(), COMMENT);
        assert_eq!(body.next().await.unwrap(), COMMENT);
        assert!(tx.try_send(&LiveEvent { data: Some("x"), ..LiveEvent::default() }).unwrap());
        assert!(!tx.try_send(&LiveEvent::default()).unwrap(), "the queue holds one");
        drop(tx);
        assert_eq!(body.next().await.unwrap(), "data: x\n\n");
        assert_eq!(body.next().await, None);
    }

    #[tokio::test]
    async fn the_sender_learns_that_the_client_is_gone() {
        let (tx, body) = channel(4, LiveFormat::ServerSent);
        assert!(!tx.is_closed());
        drop(body);
        tx.closed().await;
        assert_eq!(tx.send(&LiveEvent::default()).await, Err(LiveClosed));
        assert_eq!(tx.try_send(&LiveEvent::default()), Err(LiveClosed));
    }

    #[test]
    fn a_message_is_json_that_holds_the_data_as_it_is() {
        let event = LiveEvent { event: Some("change"), id: Some("a\"b"), data: Some(r#"{"text":"x\ny"}"#) };
        let message = String::from_utf8(event.encode(LiveFormat::WebSocket).to_vec()).unwrap();
        assert_eq!(message, r#"{"event":"change","id":"a\"b","data":{"text":"x\ny"}}"#);
        let quiet = LiveEvent { id: Some("7"), ..LiveEvent::default() };
        assert_eq!(quiet.encode(LiveFormat::WebSocket), r#"{"id":"7"}"#);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_one_that_is_larger_waits_alone() {
        let (tx, mut body) = channel(1_000, LiveFormat::ServerSent);
        let piece = "x".repeat(QUEUE_BYTES_MAX as usize / 4);
        let event = LiveEvent { data: Some(&piece), ..LiveEvent::default() };
        let mut sent = 0;
        while tx.try_send(&event).unwrap() {
            sent += 1;
        }
        assert_eq!(sent, 3, "with what is around it, four are more than a queue holds");
        let huge = "x".repeat(2 * QUEUE_BYTES_MAX as usize);
        let waiting = tx.clone();
        let send = tokio::spawn(async move {
            waiting.send(&LiveEvent { data: Some(&huge), ..LiveEvent::default() }).await
        });
        for _ in 0..3 {
            assert!(body.next().await.unwrap().len() < QUEUE_BYTES_MAX as usize);
        }
        assert!(body.next().await.unwrap().len() > QUEUE_BYTES_MAX as usize);
        send.await.unwrap().unwrap();
        // A client that goes away frees whoever waits for room.
        assert!(
            tx.try_send(&LiveEvent { data: Some(&"y".repeat(64 * 1024)), ..LiveEvent::default() }).unwrap()
        );
        let waiting = tx.clone();
        let send = tokio::spawn(async move {
            waiting.send(&LiveEvent { data: Some("z"), ..LiveEvent::default() }).await
        });
        tokio::task::yield_now().await;
        drop(body);
        assert_eq!(send.await.unwrap(), Err(LiveClosed));
    }
}
