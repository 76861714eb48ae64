//! What the links count, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of what is exchanged with one peer. They only grow.
#[derive(Debug, Default)]
pub struct PeerCounts {
    cells: [AtomicU64; PeerCount::ALL.len()],
    round_trip_us: AtomicU64,
}

/// Something that is counted per peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerCount {
    /// Bytes written to it, heads of frames included, TLS not.
    BytesSent,
    /// Bytes read from it.
    BytesReceived,
    /// Frames written to it.
    FramesSent,
    /// Frames read from it.
    FramesReceived,
    /// Messages handed over for it and put into a frame.
    Messages,
    /// Messages dropped because there was no room for them.
    DroppedFull,
    /// Messages dropped because there was no connection.
    DroppedDown,
    /// Times that reliable messages were given back because there was no room.
    Busy,
    /// Frames sent again on a new connection because nobody knew whether they had come.
    Resent,
    /// Times that a connection to it was made.
    Connects,
    /// Times that a connection to it could not be made.
    ConnectFailures,
}

impl PeerCount {
    /// Every counter, in the order of its declaration.
    pub const ALL: [PeerCount; 11] = [
        PeerCount::BytesSent,
        PeerCount::BytesReceived,
        PeerCount::FramesSent,
        PeerCount::FramesReceived,
        PeerCount::Messages,
        PeerCount::DroppedFull,
        PeerCount::DroppedDown,
        PeerCount::Busy,
        PeerCount::Resent,
        PeerCount::Connects,
        PeerCount::ConnectFailures,
    ];

    /// Its name in metrics, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            PeerCount::BytesSent => "bytes_sent",
            PeerCount::BytesReceived => "bytes_received",
            PeerCount::FramesSent => "frames_sent",
            PeerCount::FramesReceived => "frames_received",
            PeerCount::Messages => "messages",
            PeerCount::DroppedFull => "dropped_full",
            PeerCount::DroppedDown => "dropped_down",
            PeerCount::Busy => "busy",
            PeerCount::Resent => "resent",
            PeerCount::Connects => "connects",
            PeerCount::ConnectFailures => "connect_failures",
        }
    }
}

impl PeerCounts {
    /// How often it happened so far.
    pub fn of(&self, count: PeerCount) -> u64 {
        self.cells[count as usize].load(Ordering::Relaxed)
    }

    /// All counters with their names, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        PeerCount::ALL.iter().map(|count| (count.name(), self.of(*count)))
    }

    /// How long the last heartbeat's answer took; nothing before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        match self.round_trip_us.load(Ordering::Relaxed) {
            0 => None,
            us => Some(Duration::from_micros(us)),
        }
    }

    pub(super) fn add(&self, count: PeerCount, by: u64) {
        self.cells[count as usize].fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn took(&self, round_trip: Duration) {
        self.round_trip_us.store((round_trip.as_micros() as u64).max(1), Ordering::Relaxed);
    }
}

/// Counters of the listener for peers. They only grow.
#[derive(Debug, Default)]
pub struct ListenerCounts {
    cells: [AtomicU64; ListenerCount::ALL.len()],
}

/// Something that the listener counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerCount {
    /// Connections accepted.
    Accepted,
    /// Connections closed at once because too many handshakes are going on.
    OverHandshakes,
    /// Handshakes that took too long.
    HandshakeTimeout,
    /// Strangers: no TLS, no certificate of this cluster, bytes that are no frames.
    Strangers,
    /// Members of the cluster that were refused, and told why.
    Refused,
    /// Connections that took the place of an older one of the same member.
    Replaced,
}

impl ListenerCount {
    /// Every counter, in the order of its declaration.
    pub const ALL: [ListenerCount; 6] = [
        ListenerCount::Accepted,
        ListenerCount::OverHandshakes,
        ListenerCount::HandshakeTimeout,
        ListenerCount::Strangers,
        ListenerCount::Refused,
        ListenerCount::Replaced,
    ];

    /// Its name in metrics, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            ListenerCount::Accepted => "accepted",
            ListenerCount::OverHandshakes => "over_handshakes",
            ListenerCount::HandshakeTimeout => "handshake_timeout",
            ListenerCount::Strangers => "strangers",
            ListenerCount::Refused => "refused",
            ListenerCount::Replaced => "replaced",
        }
    }
}

impl ListenerCounts {
    /// How often it happened so far.
    pub fn of(&self, count: ListenerCount) -> u64 {
        self.cells[count as usize].load(Ordering::Relaxed)
    }

    /// All counters with their names, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ListenerCount::ALL.iter().map(|count| (count.name(), self.of(*count)))
    }

    pub(super) fn add(&self, count: ListenerCount) {
        self.cells[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_cell_and_name() {
        assert!(PeerCount::ALL.iter().enumerate().all(|(at, count)| *count as usize == at));
        assert!(ListenerCount::ALL.iter().enumerate().all(|(at, count)| *count as usize == at));
        let mut names: Vec<_> = PeerCounts::default().all().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PeerCount::ALL.len());
    }
}
