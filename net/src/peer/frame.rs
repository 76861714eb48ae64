//! The bytes between members: a head of twenty bytes, then a body.
//!
//! ```text
//! length    u32   of the body, in bytes; at most 8 MiB, and 4 KiB before the handshake is done
//! checksum  u32   CRC-32 of the body
//! sequence  u64   1 for the first frame of a connection in this direction, then one more each time
//! guard     u32   CRC-32 of the 16 bytes before, begun with the connection's binding
//! body            one byte that says what it is, then its content
//! ```
//!
//! All numbers are little-endian. The head has a checksum of its own so that a damaged length is noticed at
//! once, and not when as many bytes have come. The *binding* is made from what the handshake agreed on
//! (protocol version, cluster, direction): a frame of another version or cluster, or one that was echoed,
//! has a wrong guard. With the sequence, a frame that was lost, doubled or moved is noticed too.
//!
//! Must never learn: what a message means, and where the bytes come from.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::handshake::{Hello, Refusal};
use super::identity::{ClusterId, Disk};

/// Longest body of a frame, in bytes.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest body before the handshake is done.
pub const HELLO_BYTES_MAX: usize = 4 << 10;
/// Length of the head.
pub const HEAD_BYTES: usize = 20;

/// What one member may send of its own kind: a message of the layer above, as our own types.
///
/// Each must take at least one byte when encoded, as every enum does.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// What may happen to it when there is no room.
    fn class(&self) -> Class;

    /// What is sent instead if it fits into no frame, so that nobody waits for it in vain. Nothing: it is dropped,
    /// or given back to the sender if it is reliable.
    fn instead(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// What may happen to a message that finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may be dropped: whoever sends it notices that no answer comes, as Raft does.
    Droppable,
    /// It is kept until the peer has taken it, or is given back to the sender at once.
    Reliable,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// The connection ended within a frame.
    Truncated,
    /// The head or the body is not what was sent, or is of another version, cluster or direction.
    Checksum,
    /// A frame was lost, doubled or moved.
    OutOfOrder {
        /// The sequence that is next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The body would be longer than allowed. Nothing was allocated for it.
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The body is whole and cannot be read: its sender is a program that we do not know.
    Malformed,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameFault::Truncated => f.write_str("the connection ended within a frame"),
            FrameFault::Checksum => {
                f.write_str("a frame's checksum is wrong: damaged, or of another cluster or version")
            }
            FrameFault::OutOfOrder { expected, found } => {
                write!(f, "frame {found} came where {expected} is next")
            }
            FrameFault::TooLarge { bytes, max } => {
                write!(f, "a frame of {bytes} bytes; at most {max} are taken")
            }
            FrameFault::Malformed => f.write_str("a frame that cannot be read"),
        }
    }
}

impl std::error::Error for FrameFault {}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The dialling side shows itself.
    Hello(Hello),
    /// The accepting side shows itself; the handshake is done.
    Welcome(Hello),
    /// The accepting side knows the other and will not talk to it.
    Refused(Refusal),
    /// A heartbeat, to be answered, with the sender's disk as it is now.
    Ping(u64, Disk),
    /// The answer to the heartbeat of that number.
    Pong(u64),
    /// Everything up to this frame of the other direction has been taken.
    Taken(u64),
    /// Nothing more will come: the sender is stopping in good order.
    Goodbye,
    /// Messages, not yet decoded; see [`messages`].
    Messages(Bytes),
}

#[derive(Serialize, Deserialize)]
struct PingFields {
    number: u64,
    disk: Disk,
}

impl Body {
    /// Its bytes: kind and content.
    pub fn encode(&self) -> Bytes {
        let (kind, content) = match self {
            Body::Hello(hello) => (1, packed(hello)),
            Body::Welcome(hello) => (2, packed(hello)),
            Body::Refused(refusal) => (3, packed(refusal)),
            Body::Ping(number, disk) => (4, packed(&PingFields { number: *number, disk: *disk })),
            Body::Pong(number) => (5, packed(number)),
            Body::Taken(sequence) => (6, packed(sequence)),
            Body::Goodbye => (7, Vec::new()),
            Body::Messages(bytes) => return bytes.clone(),
        };
        let mut body = Vec::with_capacity(content.len() + 1);
        body.push(kind);
        body.extend_from_slice(&content);
        body.into()
    }

    /// Reads a body whose checksum is right.
    pub fn decode(bytes: Bytes) -> Result<Body, FrameFault> {
        let (&kind, content) = bytes.split_first().ok_or(FrameFault::Malformed)?;
        Ok(match kind {
            // A later version may show more of itself behind what this one knows.
            1 => Body::Hello(head(content)?),
            2 => Body::Welcome(head(content)?),
            3 => Body::Refused(head(content)?),
            4 => {
                let PingFields { number, disk } = whole(content)?;
                Body::Ping(number, disk)
            }
            5 => Body::Pong(whole(content)?),
            6 => Body::Taken(whole(content)?),
            7 if content.is_empty() => Body::Goodbye,
            MESSAGES | MESSAGES_WITH_RECEIPT => Body::Messages(bytes),
            _ => return Err(FrameFault::Malformed),
        })
    }
}

/// The kind of a body of messages that nobody waits to hear of.
const MESSAGES: u8 = 8;
/// The kind of a body of messages whose sender wants to know when they are taken.
const MESSAGES_WITH_RECEIPT: u8 = 9;
/// Kind and number of messages.
const MESSAGES_HEAD: usize = 5;

/// The body that carries these messages: kind, their number, then one after another in postcard.
#[derive(Debug)]
pub struct MessagesBody {
    bytes: Vec<u8>,
    /// How many it has.
    count: u32,
    /// How many of them are [`Class::Reliable`]. One makes the whole frame so.
    reliable: u32,
}

impl Default for MessagesBody {
    fn default() -> MessagesBody {
        MessagesBody::new()
    }
}

impl MessagesBody {
    /// No message yet.
    pub fn new() -> MessagesBody {
        MessagesBody { bytes: vec![MESSAGES, 0, 0, 0, 0], count: 0, reliable: 0 }
    }

    /// How many messages it has, and how many of them are reliable.
    pub fn counts(&self) -> (u32, u32) {
        (self.count, self.reliable)
    }

    /// Adds one. `false` if the body would be too long; then it is as before.
    pub fn add<T: Message>(&mut self, message: &T) -> bool {
        let before = self.bytes.len();
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(message, bytes).expect("a message is plain data");
        assert!(self.bytes.len() > before, "a message takes at least a byte");
        if self.bytes.len() > BODY_BYTES_MAX {
            self.bytes.truncate(before);
            return false;
        }
        self.count += 1;
        if message.class() == Class::Reliable {
            self.reliable += 1;
            self.bytes[0] = MESSAGES_WITH_RECEIPT;
        }
        true
    }

    /// The body's bytes.
    pub fn finish(mut self) -> Bytes {
        self.bytes[1..MESSAGES_HEAD].copy_from_slice(&self.count.to_le_bytes());
        self.bytes.into()
    }
}

/// Whether the sender of this body of messages wants to know when they are taken.
pub fn wants_receipt(body: &[u8]) -> bool {
    body.first() == Some(&MESSAGES_WITH_RECEIPT)
}

/// The messages in the body of a [`Body::Messages`], in order.
pub fn messages<T: Message>(body: &[u8]) -> Result<Vec<T>, FrameFault> {
    let (head, mut rest) = body.split_at_checked(MESSAGES_HEAD).ok_or(FrameFault::Malformed)?;
    let count = u32::from_le_bytes(head[1..].try_into().expect("four bytes")) as usize;
    // Each takes a byte at least, so this bounds the memory too.
    if !matches!(head[0], MESSAGES | MESSAGES_WITH_RECEIPT) || count > rest.len() {
        return Err(FrameFault::Malformed);
    }
    let mut found = Vec::with_capacity(count.min(1_024));
    for _ in 0..count {
        let (message, left) = postcard::take_from_bytes(rest).map_err(|_| FrameFault::Malformed)?;
        found.push(message);
        rest = left;
    }
    if rest.is_empty() { Ok(found) } else { Err(FrameFault::Malformed) }
}

/// What a connection's frames are bound to, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding(u32);

/// From whom to whom frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the side that dialled.
    Out = 1,
    /// From the side that accepted.
    Back = 2,
}

impl Binding {
    /// Before the handshake is done: only the direction is known.
    pub fn unknown(direction: Direction) -> Binding {
        Binding(crc32fast::hash(&[direction as u8]))
    }

    /// What the handshake agreed on.
    pub fn agreed(version: u16, cluster: ClusterId, direction: Direction) -> Binding {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&[direction as u8]);
        sum.update(&version.to_le_bytes());
        sum.update(cluster.0.as_bytes());
        Binding(sum.finalize())
    }

    fn guard(self, head: &[u8]) -> u32 {
        let mut sum = crc32fast::Hasher::new_with_initial(self.0);
        sum.update(head);
        sum.finalize()
    }
}

/// Makes heads: one for each direction of a connection.
#[derive(Debug)]
pub struct Writer {
    binding: Binding,
    sequence: u64,
}

impl Writer {
    /// Nothing was sent yet.
    pub fn new(binding: Binding) -> Writer {
        Writer { binding, sequence: 0 }
    }

    /// The next frames are bound to this.
    pub fn bind(&mut self, binding: Binding) {
        self.binding = binding;
    }

    /// Sequence of the last frame.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The head of the next frame.
    pub fn head(&mut self, body: &[u8]) -> [u8; HEAD_BYTES] {
        assert!(!body.is_empty() && body.len() <= BODY_BYTES_MAX, "a body has 1 byte to 8 MiB");
        self.sequence += 1;
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
        head[4..8].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        let guard = self.binding.guard(&head[..16]);
        head[16..].copy_from_slice(&guard.to_le_bytes());
        head
    }

    /// A whole frame, head and body.
    pub fn frame(&mut self, body: &Body) -> Vec<u8> {
        let body = body.encode();
        let mut frame = self.head(&body).to_vec();
        frame.extend_from_slice(&body);
        frame
    }
}

/// Takes frames from bytes as they come.
#[derive(Debug)]
pub struct Reader {
    binding: Binding,
    sequence: u64,
    max: usize,
    /// The head that was read, while its body is coming.
    head: Option<Head>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    checksum: u32,
}

impl Reader {
    /// Nothing was read yet; bodies of at most `max` bytes are taken.
    pub fn new(binding: Binding, max: usize) -> Reader {
        Reader { binding, sequence: 0, max, head: None }
    }

    /// The next frames are bound to this, and may be that long.
    pub fn bind(&mut self, binding: Binding, max: usize) {
        (self.binding, self.max) = (binding, max);
    }

    /// Sequence of the last frame that was taken.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the connection may end here, with this many bytes not taken.
    pub fn between_frames(&self, bytes: &BytesMut) -> bool {
        self.head.is_none() && bytes.is_empty()
    }

    /// How many bytes are missing at least, beyond those in `bytes`, before a frame can be taken.
    pub fn missing(&self, bytes: &BytesMut) -> usize {
        self.head.map_or(HEAD_BYTES, |head| head.length).saturating_sub(bytes.len())
    }

    /// The next frame's body, if it is there. What was taken is gone from `bytes`.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Result<Option<Body>, FrameFault> {
        let head = match self.head {
            Some(head) => head,
            None if bytes.len() < HEAD_BYTES => return Ok(None),
            None => {
                let head = self.open(&bytes[..HEAD_BYTES])?;
                bytes.advance(HEAD_BYTES);
                *self.head.insert(head)
            }
        };
        if bytes.len() < head.length {
            return Ok(None);
        }
        let body = bytes.split_to(head.length).freeze();
        self.head = None;
        if crc32fast::hash(&body) != head.checksum {
            return Err(FrameFault::Checksum);
        }
        Body::decode(body).map(Some)
    }

    /// Judges a head. Its sequence counts as come.
    fn open(&mut self, bytes: &[u8]) -> Result<Head, FrameFault> {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if self.binding.guard(&bytes[..16]) != word(16) {
            return Err(FrameFault::Checksum);
        }
        let length = word(0) as usize;
        if length > self.max {
            return Err(FrameFault::TooLarge { bytes: length, max: self.max });
        }
        let (expected, found) =
            (self.sequence + 1, u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes")));
        if expected != found {
            return Err(FrameFault::OutOfOrder { expected, found });
        }
        self.sequence = found;
        Ok(Head { length, checksum: word(4) })
    }
}

fn packed<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data, which postcard can hold")
}

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameFault> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameFault::Malformed),
    }
}

fn head<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameFault> {
    postcard::take_from_bytes(bytes).map(|(value, _)| value).map_err(|_| FrameFault::Malformed)
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;
