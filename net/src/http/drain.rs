//! Shutting down without breaking promises: accept nothing more, finish what was begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::watch;

/// A handle by which the fronts of a process are told to drain, and which counts what is still open.
/// Clones are the same handle; several fronts may share one.
#[derive(Clone, Debug)]
pub struct Drain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    phase: watch::Sender<Phase>,
    /// The same, to look at often without a lock.
    glance: AtomicU8,
    connections: AtomicUsize,
    requests: AtomicUsize,
    streams: AtomicUsize,
}

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Serving.
    Open,
    /// Finishing what was begun.
    Draining,
    /// Dropping everything.
    Cut,
}

impl Drain {
    /// A handle that has not begun to drain.
    pub fn new() -> Drain {
        let (phase, _) = watch::channel(Phase::Open);
        let inner = Inner {
            phase,
            glance: AtomicU8::new(Phase::Open as u8),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        };
        Drain { inner: Arc::new(inner) }
    }

    /// Stops accepting, closes idle connections, ends event streams, and lets requests that were
    /// begun finish with `Connection: close`. Calling it again changes nothing.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// Drops all connections at once, whatever they are doing.
    pub fn cut(&self) {
        self.advance(Phase::Cut);
    }

    /// Whether [`begin`](Drain::begin) or [`cut`](Drain::cut) was called.
    pub fn begun(&self) -> bool {
        self.phase() != Phase::Open
    }

    /// Waits until the drain has begun.
    pub async fn until_begun(&self) {
        let mut phase = self.inner.phase.subscribe();
        // The sender is alive as long as `self` is.
        let _ = phase.wait_for(|phase| *phase != Phase::Open).await;
    }

    /// Connections that are open now, idle ones included.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::Relaxed)
    }

    /// Requests in flight: from their complete head until their response was handed to the socket.
    /// Event streams are not among them.
    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// Event streams that are open now.
    pub fn streams(&self) -> usize {
        self.inner.streams.load(Ordering::Relaxed)
    }

    pub(super) fn phase(&self) -> Phase {
        match self.inner.glance.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.inner.phase.subscribe()
    }

    pub(super) fn enter(&self, gauge: Gauge) -> Entered {
        self.cell(gauge).fetch_add(1, Ordering::Relaxed);
        Entered { drain: self.clone(), gauge }
    }

    fn advance(&self, to: Phase) {
        // Before the watch: whoever it wakes must not see the earlier phase here.
        self.inner.glance.fetch_max(to as u8, Ordering::Release);
        self.inner.phase.send_if_modified(|phase| {
            let moves = to > *phase;
            if moves {
                *phase = to;
            }
            moves
        });
    }

    fn cell(&self, gauge: Gauge) -> &AtomicUsize {
        match gauge {
            Gauge::Connections => &self.inner.connections,
            Gauge::Requests => &self.inner.requests,
            Gauge::Streams => &self.inner.streams,
        }
    }
}

impl Default for Drain {
    fn default() -> Drain {
        Drain::new()
    }
}

/// What is counted while it is open.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gauge {
    Connections,
    Requests,
    Streams,
}

/// One thing that is open; dropping it ends it.
#[derive(Debug)]
pub(super) struct Entered {
    drain: Drain,
    gauge: Gauge,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.drain.cell(self.gauge).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_only_goes_forward() {
        let drain = Drain::new();
        assert!(!drain.begun());
        drain.cut();
        drain.begin();
        assert_eq!((*drain.phases().borrow(), drain.phase()), (Phase::Cut, Phase::Cut));
        drain.clone().until_begun().await;
    }

    #[test]
    fn gauges_fall_when_dropped() {
        let drain = Drain::new();
        let one = drain.enter(Gauge::Requests);
        let two = drain.enter(Gauge::Requests);
        assert_eq!((drain.requests(), drain.connections()), (2, 0));
        drop((one, two));
        assert_eq!(drain.requests(), 0);
    }
}
