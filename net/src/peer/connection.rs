//! One connection between two members: the handshake, then reading and writing until it ends.
//!
//! Both directions are one task. Heartbeats go both ways, each side at its own pace: a connection ends when
//! nothing at all has come for `idle`, when a heartbeat is not answered for `stall` (the other side reads no
//! more), or when no byte can be written for `stall`.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};

use super::counts::{PeerCount, PeerCounts};
use super::frame::{
    BODY_BYTES_MAX, Binding, Body, Direction, FrameFault, HEAD_BYTES, HELLO_BYTES_MAX, Message, Reader,
    Writer, messages, wants_receipt,
};
use super::handshake::{Agreed, HandshakeFault, Hello, Refusal, judge_hello, judge_welcome};
use super::identity::{Admit, ClusterId, Disk, MemberId};
use super::links::Upward;
use super::outbox::Outbox;
use crate::http::now;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From the first byte, or from dialling, until the handshake is done.
    pub handshake: Duration,
    /// How often each side shows that it lives.
    pub heartbeat: Duration,
    /// A connection on which nothing came for so long has ended. Several heartbeats.
    pub idle: Duration,
    /// A peer that takes nothing for so long, though it lives, is given up and dialled again.
    pub stall: Duration,
    /// Shortest and longest pause between two attempts to connect; doubled each time, drawn from its upper half.
    pub backoff: (Duration, Duration),
}

impl Default for Timing {
    /// Heartbeats fit an election time-out of a second.
    fn default() -> Timing {
        Timing {
            handshake: Duration::from_secs(3),
            heartbeat: Duration::from_millis(250),
            idle: Duration::from_secs(1),
            stall: Duration::from_secs(10),
            backoff: (Duration::from_millis(50), Duration::from_secs(3)),
        }
    }
}

/// Why a connection has ended.
#[derive(Debug)]
pub enum End {
    /// The peer closed it without a word: it died, or the way to it broke.
    Closed,
    /// The peer is stopping in good order.
    Goodbye,
    /// Nothing came for too long.
    Idle,
    /// The peer takes nothing.
    Stalled,
    /// The socket, or TLS on it.
    Io(io::Error),
    /// Bytes that are no frames, or frames that do not belong here.
    Frame(FrameFault),
    /// The peer's disk is superseded.
    Superseded,
    /// The peer refuses us from now on.
    Refused(Refusal),
    /// A newer connection of the same member took its place.
    Replaced,
    /// We are stopping.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed => f.write_str("the peer closed it"),
            End::Goodbye => f.write_str("the peer is stopping"),
            End::Idle => f.write_str("nothing came for too long"),
            End::Stalled => f.write_str("the peer takes nothing"),
            End::Io(error) => fmt::Display::fmt(error, f),
            End::Frame(fault) => fmt::Display::fmt(fault, f),
            End::Superseded => f.write_str("the peer's disk was wiped, rolled back or cloned"),
            End::Refused(refusal) => write!(f, "the peer refuses us: {refusal}"),
            End::Replaced => f.write_str("a newer connection took its place"),
            End::Stopped => f.write_str("this member is stopping"),
        }
    }
}

/// How far the member is in stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    No,
    /// Send what waits, say goodbye.
    Drain,
    /// Drop everything.
    Cut,
}

/// A connection's frames, in both directions.
pub(super) struct Frames {
    reader: Reader,
    writer: Writer,
    buffer: BytesMut,
}

impl Frames {
    /// Before the handshake. `ours` is the direction in which this side writes.
    fn new(ours: Direction, theirs: Direction) -> Frames {
        Frames {
            reader: Reader::new(Binding::unknown(theirs), HELLO_BYTES_MAX),
            writer: Writer::new(Binding::unknown(ours)),
            buffer: BytesMut::new(),
        }
    }

    fn bind(&mut self, version: u16, cluster: ClusterId, ours: Direction, theirs: Direction) {
        self.writer.bind(Binding::agreed(version, cluster, ours));
        self.reader.bind(Binding::agreed(version, cluster, theirs), BODY_BYTES_MAX);
    }
}

/// Dials: shows `ours`, judges the answer.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    ours: &Hello,
    proven: impl Fn(&S, MemberId) -> bool,
    admit: &Admit,
) -> Result<(Agreed, Frames), HandshakeFault> {
    let mut frames = Frames::new(Direction::Out, Direction::Back);
    say(stream, &mut frames, &Body::Hello(ours.clone())).await?;
    let agreed = match hear(stream, &mut frames).await? {
        Body::Welcome(theirs) => judge_welcome(ours, theirs, |member| proven(stream, member), admit)?,
        Body::Refused(refusal) => return Err(HandshakeFault::Refused(refusal)),
        _ => return Err(HandshakeFault::Unexpected),
    };
    frames.bind(agreed.version, ours.cluster, Direction::Out, Direction::Back);
    Ok((agreed, frames))
}

/// Accepts: judges what the other side shows, and only then says something. `ours` gets whom it talks to.
pub(super) async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut ours: Hello,
    proven: impl Fn(&S, MemberId) -> bool,
    admit: &Admit,
) -> Result<(Agreed, Frames), HandshakeFault> {
    let mut frames = Frames::new(Direction::Back, Direction::Out);
    let Body::Hello(theirs) = hear(stream, &mut frames).await? else {
        return Err(HandshakeFault::Unexpected);
    };
    ours.to = theirs.member;
    match judge_hello(&ours, theirs, |member| proven(stream, member), admit) {
        Ok(agreed) => {
            let cluster = ours.cluster;
            say(stream, &mut frames, &Body::Welcome(ours)).await?;
            frames.bind(agreed.version, cluster, Direction::Back, Direction::Out);
            Ok((agreed, frames))
        }
        Err(HandshakeFault::Refuse(refusal)) => {
            say(stream, &mut frames, &Body::Refused(refusal)).await?;
            Err(HandshakeFault::Refuse(refusal))
        }
        Err(fault) => Err(fault),
    }
}

async fn say<S: AsyncWrite + Unpin>(
    stream: &mut S,
    frames: &mut Frames,
    body: &Body,
) -> Result<(), HandshakeFault> {
    stream.write_all(&frames.writer.frame(body)).await.map_err(HandshakeFault::Io)?;
    stream.flush().await.map_err(HandshakeFault::Io)
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut S, frames: &mut Frames) -> Result<Body, HandshakeFault> {
    match next(stream, &mut frames.reader, &mut frames.buffer, None, None).await {
        Ok(body) => Ok(body),
        Err(End::Frame(fault)) => Err(HandshakeFault::Frame(fault)),
        Err(End::Io(error)) => Err(HandshakeFault::Io(error)),
        Err(_) => Err(HandshakeFault::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// The next frame's body. Memory grows with the bytes that have come, not with the length that was claimed.
async fn next<R: AsyncRead + Unpin>(
    io: &mut R,
    reader: &mut Reader,
    buffer: &mut BytesMut,
    idle: Option<Duration>,
    counts: Option<&PeerCounts>,
) -> Result<Body, End> {
    loop {
        if let Some(body) = reader.take(buffer).map_err(End::Frame)? {
            if let Some(counts) = counts {
                counts.add(PeerCount::FramesReceived, 1);
            }
            return Ok(body);
        }
        if buffer.is_empty() && buffer.capacity() > PIECE_BYTES {
            *buffer = BytesMut::new();
        }
        buffer.reserve(reader.missing(buffer).clamp(LEAST_BYTES, PIECE_BYTES));
        let read = io.read_buf(buffer);
        let count = match idle {
            Some(idle) => tokio::time::timeout(idle, read).await.map_err(|_| End::Idle)?,
            None => read.await,
        };
        match count {
            Ok(0) if reader.between_frames(buffer) => return Err(End::Closed),
            Ok(0) => return Err(End::Frame(FrameFault::Truncated)),
            Ok(count) => {
                if let Some(counts) = counts {
                    counts.add(PeerCount::BytesReceived, count as u64);
                }
            }
            Err(error) if is_break(&error) => return Err(End::Closed),
            Err(error) => return Err(End::Io(error)),
        }
    }
}

/// Whether the other side is gone, as the system tells it.
fn is_break(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What a connection works with, once the handshake is done.
pub(super) struct Work<'a, U> {
    pub(super) peer: MemberId,
    pub(super) timing: Timing,
    pub(super) counts: &'a PeerCounts,
    /// Our disk as it is now.
    pub(super) disk: &'a (dyn Fn() -> Disk + Send + Sync),
    /// Whether this member takes its turns.
    pub(super) turns: &'a (dyn Fn() -> bool + Send + Sync),
    pub(super) admit: &'a Admit,
    pub(super) role: Role<'a, U>,
    pub(super) stop: watch::Receiver<Stop>,
    /// Called once, when the first heartbeat was answered.
    pub(super) lives: &'a (dyn Fn() + Send + Sync),
}

/// Which side this is.
pub(super) enum Role<'a, U> {
    /// It dialled, and sends what is in the outbox. The other side's beats are handed on.
    Sends(&'a Outbox, &'a U),
    /// It accepted, and hands on what comes.
    Takes(&'a U),
}

impl<U> Work<'_, U> {
    /// Runs the connection until it ends.
    pub(super) async fn run<T, S>(mut self, stream: S, frames: Frames) -> End
    where
        T: Message,
        U: Upward<T>,
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (read, write) = tokio::io::split(stream);
        let Frames { reader, writer, buffer } = frames;
        let pulse = Pulse::default();
        let mut stop = self.stop.clone();
        let mut cut = std::pin::pin!(async move {
            // The sender is dropped with the links; then this is cut, too.
            let _ = stop.wait_for(|stop| *stop == Stop::Cut).await;
        });
        let mut stop = std::mem::replace(&mut self.stop, watch::channel(Stop::No).1);
        let reading = self.read(read, reader, buffer, &pulse);
        let writing = self.write(write, writer, &pulse, &mut stop);
        let end = tokio::select! {
            biased;
            () = &mut cut => End::Stopped,
            end = reading => end,
            end = writing => end,
        };
        if pulse.lock().goodbye_said { End::Stopped } else { end }
    }

    async fn read<T, R>(&self, mut io: R, mut reader: Reader, mut buffer: BytesMut, pulse: &Pulse) -> End
    where
        T: Message,
        U: Upward<T>,
        R: AsyncRead + Unpin,
    {
        loop {
            let idle = Some(self.timing.idle);
            let body = match next(&mut io, &mut reader, &mut buffer, idle, Some(self.counts)).await {
                Ok(body) => body,
                Err(end) => return end,
            };
            match (body, &self.role) {
                (Body::Ping(number, disk), _) => {
                    if (self.admit)(self.peer, disk).is_err() {
                        pulse.set(|due| due.refuse = true);
                        // The writer tells the peer why, and ends.
                        pending::<()>().await;
                    }
                    pulse.set(|due| due.pong = Some(number));
                    if let Role::Sends(_, upward) = &self.role {
                        upward.heard(self.peer);
                    }
                }
                (Body::Pong(number), _) => {
                    if let Some((round_trip, first)) = pulse.answered(number) {
                        self.counts.took(round_trip);
                        if first {
                            (self.lives)();
                        }
                    }
                }
                (Body::Taken(upto), Role::Sends(outbox, _)) => outbox.taken(upto),
                (Body::Messages(bytes), Role::Takes(upward)) => {
                    let messages = match messages(&bytes) {
                        Ok(messages) => messages,
                        Err(fault) => return End::Frame(fault),
                    };
                    upward.received(self.peer, messages).await;
                    if wants_receipt(&bytes) {
                        let sequence = reader.sequence();
                        pulse.set(|due| due.taken = Some(sequence));
                    }
                }
                (Body::Goodbye, _) => return End::Goodbye,
                (Body::Refused(refusal), _) => return End::Refused(refusal),
                (Body::Taken(_), Role::Takes(_))
                | (Body::Messages(_), Role::Sends(..))
                | (Body::Hello(_) | Body::Welcome(_), _) => return End::Frame(FrameFault::Malformed),
            }
        }
    }

    async fn write<W: AsyncWrite + Unpin>(
        &self,
        mut io: W,
        mut writer: Writer,
        pulse: &Pulse,
        stop: &mut watch::Receiver<Stop>,
    ) -> End {
        let mut beat = now();
        loop {
            if pulse.stalled(self.timing.stall) {
                return End::Stalled;
            }
            let draining = *stop.borrow() != Stop::No;
            let (body, last) = match self.due(&mut beat, pulse, draining, &writer) {
                Some(due) => due,
                None => {
                    self.wait(beat, pulse, draining, stop).await;
                    continue;
                }
            };
            if let Err(end) = self.put(&mut io, &writer.head(&body), &body).await {
                return end;
            }
            match last {
                None => {}
                Some(end) => {
                    // Closing while the peer still writes would reset the connection, and the last word with it.
                    tokio::time::sleep(LINGER).await;
                    return end;
                }
            }
        }
    }

    /// What is to be written now, and how the connection ends after it, if it does.
    fn due(
        &self,
        beat: &mut Instant,
        pulse: &Pulse,
        draining: bool,
        writer: &Writer,
    ) -> Option<(bytes::Bytes, Option<End>)> {
        let at = now();
        let mut due = pulse.lock();
        if due.refuse {
            return Some((Body::Refused(Refusal::Superseded).encode(), Some(End::Superseded)));
        }
        if at >= *beat {
            *beat = at + self.timing.heartbeat;
            if self.beats() {
                due.pings += 1;
                let number = due.pings;
                due.unanswered.get_or_insert((number, at));
                drop(due);
                return Some((Body::Ping(number, (self.disk)()).encode(), None));
            }
        }
        if let Some(number) = due.pong.take() {
            return Some((Body::Pong(number).encode(), None));
        }
        if let Some(upto) = due.taken.take() {
            return Some((Body::Taken(upto).encode(), None));
        }
        let empty = match &self.role {
            Role::Sends(outbox, _) => match outbox.take(writer.sequence() + 1) {
                Some(body) => return Some((body, None)),
                None => outbox.is_empty(),
            },
            Role::Takes(_) => true,
        };
        (draining && empty).then(|| {
            due.goodbye_said = true;
            (Body::Goodbye.encode(), Some(End::Stopped))
        })
    }

    /// Who dialled always beats, so that the connection stays. Who accepted beats only while it takes its turns:
    /// that is what the beats of this side say.
    fn beats(&self) -> bool {
        matches!(self.role, Role::Sends(..)) || (self.turns)()
    }

    async fn wait(&self, beat: Instant, pulse: &Pulse, draining: bool, stop: &mut watch::Receiver<Stop>) {
        let filled = async {
            match &self.role {
                Role::Sends(outbox, _) => outbox.filled.notified().await,
                Role::Takes(_) => pending().await,
            }
        };
        let stopping = async {
            if draining || stop.wait_for(|stop| *stop != Stop::No).await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = pulse.wake.notified() => {}
            () = filled => {}
            () = stopping => {}
            () = tokio::time::sleep(beat.saturating_duration_since(now())) => {}
        }
    }

    /// Writes a whole frame and flushes it. Only a peer that takes no byte at all for long is given up.
    async fn put<W: AsyncWrite + Unpin>(
        &self,
        io: &mut W,
        head: &[u8; HEAD_BYTES],
        body: &[u8],
    ) -> Result<(), End> {
        let small = body.len() + HEAD_BYTES <= PIECE_BYTES;
        if small {
            // One piece: one record of TLS, one packet.
            let mut frame = Vec::with_capacity(HEAD_BYTES + body.len());
            frame.extend_from_slice(head);
            frame.extend_from_slice(body);
            self.in_time(io.write_all(&frame)).await?;
        } else {
            self.in_time(io.write_all(head)).await?;
            for piece in body.chunks(PIECE_BYTES) {
                self.in_time(io.write_all(piece)).await?;
            }
        }
        self.in_time(io.flush()).await?;
        self.counts.add(PeerCount::FramesSent, 1);
        self.counts.add(PeerCount::BytesSent, (HEAD_BYTES + body.len()) as u64);
        Ok(())
    }

    async fn in_time(&self, write: impl Future<Output = io::Result<()>>) -> Result<(), End> {
        match tokio::time::timeout(self.timing.stall, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_break(&error) => Err(End::Closed),
            Ok(Err(error)) => Err(End::Io(error)),
            Err(_) => Err(End::Stalled),
        }
    }
}

/// What the reading half tells the writing half.
#[derive(Default)]
struct Pulse {
    due: Mutex<Due>,
    wake: Notify,
}

#[derive(Default)]
struct Due {
    /// A heartbeat to answer.
    pong: Option<u64>,
    /// What was taken and not yet told.
    taken: Option<u64>,
    /// The peer's disk is superseded: tell it, and end.
    refuse: bool,
    goodbye_said: bool,
    /// Heartbeats sent.
    pings: u64,
    /// The oldest heartbeat that is not answered, and when it was sent.
    unanswered: Option<(u64, Instant)>,
    answered: bool,
}

impl Pulse {
    fn lock(&self) -> std::sync::MutexGuard<'_, Due> {
        self.due.lock().expect("nothing panics under this lock")
    }

    fn set(&self, change: impl FnOnce(&mut Due)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    /// An answer came: how long it took, and whether it was the first.
    fn answered(&self, number: u64) -> Option<(Duration, bool)> {
        let mut due = self.lock();
        let (oldest, sent) = due.unanswered?;
        // Answers are coalesced: one to a later heartbeat answers the earlier ones.
        if number < oldest || number > due.pings {
            return None;
        }
        due.unanswered = None;
        let first = !std::mem::replace(&mut due.answered, true);
        Some((now().saturating_duration_since(sent), first))
    }

    fn stalled(&self, stall: Duration) -> bool {
        let due = self.lock();
        due.unanswered.is_some_and(|(_, sent)| now().saturating_duration_since(sent) > stall)
    }
}

/// Most that is read or written at once.
const PIECE_BYTES: usize = 64 << 10;
/// Least room for reading; what an idle connection holds.
const LEAST_BYTES: usize = 1 << 10;
/// How long after the last word the peer may take to close.
const LINGER: Duration = Duration::from_millis(250);
