//! What waits to be sent to one peer. Bounded, each class by itself:
//!
//! - *Droppable* messages are dropped when there is no connection, or when their share is full. What is already
//!   in the queue stays: it is older, and dropping from the middle gains Raft nothing.
//! - *Reliable* messages are kept until the peer has taken them, over any number of connections; after a break
//!   those of which nobody knows are sent again, before what is newer. When their share is full they are given
//!   back to the sender. They wait in memory: what must survive this process is on its sender's disk.
//!
//! A call's messages share a frame. If one of them is reliable, the frame is, and counts in that share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::Notify;

use super::counts::{PeerCount, PeerCounts};
use super::frame::{Class, Message, MessagesBody};

/// Bounds of one class of messages to one peer.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Most frames that wait.
    pub frames: usize,
    /// Most bytes that wait. One call may go beyond it when nothing else waits.
    pub bytes: usize,
}

/// Why messages were not taken. Droppable ones among them are gone; they never come back.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken<T> {
    /// There is no room for these reliable ones: wait for some, and give them again.
    Busy(Vec<T>),
    /// This reliable one does not fit into any frame, so that no waiting helps. None was taken.
    TooLarge,
    /// The links are stopping, or there is no link to that peer.
    Closed,
}

#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    counts: Arc<PeerCounts>,
    droppable: Share,
    reliable: Share,
    /// Something can be sent. One connection listens.
    pub(super) filled: Notify,
    /// There may be room. Any number of senders listen.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Parcel>,
    /// Sent, reliable and not known to be taken, by sequence on the present connection.
    sent: VecDeque<(u64, Parcel)>,
    droppable: Load,
    reliable: Load,
    connected: bool,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Parcel {
    body: Bytes,
    messages: u32,
    reliable: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Load {
    frames: usize,
    bytes: usize,
}

impl Load {
    fn has_room(&self, more: Load, share: Share) -> bool {
        let fits = self.frames + more.frames <= share.frames && self.bytes + more.bytes <= share.bytes;
        fits || self.frames == 0
    }

    fn add(&mut self, parcel: &Parcel) {
        self.frames += 1;
        self.bytes += parcel.body.len();
    }

    fn sub(&mut self, parcel: &Parcel) {
        self.frames -= 1;
        self.bytes -= parcel.body.len();
    }
}

impl Outbox {
    pub(super) fn new(droppable: Share, reliable: Share, counts: Arc<PeerCounts>) -> Outbox {
        let (state, filled, room) = (Mutex::default(), Notify::new(), Notify::new());
        Outbox { state, counts, droppable, reliable, filled, room }
    }

    /// Puts the messages of one call into a frame, or drops them, or gives them back. Never waits.
    pub(super) fn offer<T: Message>(&self, mut messages: Vec<T>) -> Result<(), NotTaken<T>> {
        let connected = {
            let state = self.lock();
            if state.closed {
                return Err(NotTaken::Closed);
            }
            state.connected
        };
        if !connected {
            let before = messages.len();
            messages.retain(|message| message.class() == Class::Reliable);
            self.counts.add(PeerCount::DroppedDown, (before - messages.len()) as u64);
        }
        let parcels = pack(&messages, &self.counts).ok_or(NotTaken::TooLarge)?;
        let mut more = Load::default();
        parcels.iter().filter(|parcel| parcel.reliable).for_each(|parcel| more.add(parcel));
        let mut state = self.lock();
        if more.frames > 0 && !state.reliable.has_room(more, self.reliable) {
            drop(state);
            let before = messages.len();
            messages.retain(|message| message.class() == Class::Reliable);
            self.counts.add(PeerCount::DroppedFull, (before - messages.len()) as u64);
            self.counts.add(PeerCount::Busy, 1);
            return Err(NotTaken::Busy(messages));
        }
        for parcel in parcels {
            let one = Load { frames: 1, bytes: parcel.body.len() };
            if parcel.reliable {
                state.reliable.add(&parcel);
            } else if state.connected && state.droppable.has_room(one, self.droppable) {
                state.droppable.add(&parcel);
            } else {
                let why = if state.connected { PeerCount::DroppedFull } else { PeerCount::DroppedDown };
                self.counts.add(why, parcel.messages.into());
                continue;
            }
            self.counts.add(PeerCount::Messages, parcel.messages.into());
            state.waiting.push_back(parcel);
        }
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Like [`offer`](Outbox::offer), and waits for room for what is reliable.
    pub(super) async fn offer_all<T: Message>(&self, mut messages: Vec<T>) -> Result<(), NotTaken<T>> {
        loop {
            // Listening begins before looking: room made in between is not missed.
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            match self.offer(messages) {
                Err(NotTaken::Busy(kept)) => messages = kept,
                other => return other,
            }
            room.await;
        }
    }

    /// The next frame's body, which will have this sequence.
    pub(super) fn take(&self, sequence: u64) -> Option<Bytes> {
        let mut state = self.lock();
        let parcel = state.waiting.pop_front()?;
        let body = parcel.body.clone();
        if parcel.reliable {
            state.sent.push_back((sequence, parcel));
        } else {
            state.droppable.sub(&parcel);
        }
        Some(body)
    }

    /// The peer has taken everything up to this sequence.
    pub(super) fn taken(&self, upto: u64) {
        let mut state = self.lock();
        while state.sent.front().is_some_and(|(sequence, _)| *sequence <= upto) {
            let (_, parcel) = state.sent.pop_front().expect("it was looked at");
            state.reliable.sub(&parcel);
        }
        drop(state);
        self.room.notify_waiters();
        // A drain may wait for this.
        self.filled.notify_one();
    }

    /// A connection begins.
    pub(super) fn connected(&self) {
        self.lock().connected = true;
    }

    /// The connection has ended: what is reliable and not taken is sent again, what is droppable goes.
    pub(super) fn disconnected(&self) {
        let mut state = self.lock();
        state.connected = false;
        let mut dropped = 0;
        let mut kept = VecDeque::new();
        let sent = std::mem::take(&mut state.sent);
        self.counts.add(PeerCount::Resent, sent.len() as u64);
        kept.extend(sent.into_iter().map(|(_, parcel)| parcel));
        for parcel in std::mem::take(&mut state.waiting) {
            if parcel.reliable {
                kept.push_back(parcel);
            } else {
                state.droppable.sub(&parcel);
                dropped += u64::from(parcel.messages);
            }
        }
        state.waiting = kept;
        self.counts.add(PeerCount::DroppedDown, dropped);
    }

    /// Takes nothing more, and lets go of who waits for room.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_waiters();
        self.filled.notify_one();
    }

    /// Whether nothing waits and everything reliable was taken.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.sent.is_empty()
    }

    /// Frames and bytes that wait or are not known to be taken.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.droppable.frames + state.reliable.frames, state.droppable.bytes + state.reliable.bytes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

/// One frame if they fit into one, else as few as keep their order. What fits into none is told by what stands
/// for it, if anything does. Nothing if one that may not be dropped is left.
fn pack<T: Message>(messages: &[T], counts: &PeerCounts) -> Option<Vec<Parcel>> {
    let mut parcels = Vec::new();
    let mut body = MessagesBody::new();
    let seal = |body: MessagesBody, parcels: &mut Vec<Parcel>| {
        let (messages, reliable) = body.counts();
        if messages > 0 {
            parcels.push(Parcel { body: body.finish(), messages, reliable: reliable > 0 });
        }
    };
    for message in messages {
        if body.add(message) {
            continue;
        }
        seal(std::mem::take(&mut body), &mut parcels);
        if !body.add(message) && !message.instead().is_some_and(|short| body.add(&short)) {
            if message.class() == Class::Reliable {
                return None;
            }
            counts.add(PeerCount::DroppedFull, 1);
        }
    }
    seal(body, &mut parcels);
    Some(parcels)
}

#[cfg(test)]
#[path = "outbox_test.rs"]
mod tests;
