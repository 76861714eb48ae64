//! What the front counts, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

use super::service::Refusal;

/// Counters of one front since it was bound. They only grow.
#[derive(Debug, Default)]
pub struct Counts {
    cells: [AtomicU64; Count::ALL.len()],
}

impl Counts {
    /// How often it happened so far.
    pub fn of(&self, count: Count) -> u64 {
        self.cells[count as usize].load(Ordering::Relaxed)
    }

    /// All counters with their names, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Count::ALL.iter().map(|count| (count.name(), self.of(*count)))
    }

    pub(super) fn add(&self, count: Count) {
        self.cells[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Something the front counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Connections accepted, those over a cap included.
    Accepted,
    /// Connections turned away because there are too many.
    OverConnections,
    /// Connections turned away because their address has too many.
    OverAddress,
    /// Times accepting paused because the process or the system ran out of file descriptors.
    AcceptPaused,
    /// Connections closed because TLS was not agreed on.
    TlsFailed,
    /// Connections closed because a head did not come in time.
    HeadTimeout,
    /// Connections closed because nobody took the response.
    WriteTimeout,
    /// Requests that reached the service.
    Requests,
    /// Heads refused: too large, too many headers, address too long.
    HeadRefused,
    /// Requests refused as malformed.
    Malformed,
    /// Bodies refused: too large, too slow, incomplete, encoded.
    BodyRefused,
    /// Requests refused because too many are in flight.
    Busy,
    /// Requests refused because the process is shutting down.
    Draining,
    /// Panics of the service that were caught.
    Panics,
}

impl Count {
    /// Every counter, in the order of its declaration.
    pub const ALL: [Count; 14] = [
        Count::Accepted,
        Count::OverConnections,
        Count::OverAddress,
        Count::AcceptPaused,
        Count::TlsFailed,
        Count::HeadTimeout,
        Count::WriteTimeout,
        Count::Requests,
        Count::HeadRefused,
        Count::Malformed,
        Count::BodyRefused,
        Count::Busy,
        Count::Draining,
        Count::Panics,
    ];

    /// Its name in metrics, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Count::Accepted => "accepted",
            Count::OverConnections => "over_connections",
            Count::OverAddress => "over_address",
            Count::AcceptPaused => "accept_paused",
            Count::TlsFailed => "tls_failed",
            Count::HeadTimeout => "head_timeout",
            Count::WriteTimeout => "write_timeout",
            Count::Requests => "requests",
            Count::HeadRefused => "head_refused",
            Count::Malformed => "malformed",
            Count::BodyRefused => "body_refused",
            Count::Busy => "busy",
            Count::Draining => "draining",
            Count::Panics => "panics",
        }
    }

    pub(super) fn of(refusal: Refusal) -> Count {
        match refusal {
            Refusal::HeadTooLarge | Refusal::TooManyHeaders | Refusal::UriTooLong => Count::HeadRefused,
            Refusal::BadRequest(_) => Count::Malformed,
            Refusal::BodyTooLarge { .. }
            | Refusal::BodyTooSlow
            | Refusal::BodyIncomplete
            | Refusal::ContentEncoding => Count::BodyRefused,
            Refusal::Busy => Count::Busy,
            Refusal::Draining => Count::Draining,
            Refusal::Panicked => Count::Panics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_cell_and_name() {
        for (at, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, at);
        }
        let mut names: Vec<_> = Count::ALL.iter().map(|count| count.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Count::ALL.len());
    }
}
