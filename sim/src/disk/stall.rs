//! What takes long: a shard whose disk is slow begins its turns late, and one whose disk is stuck not at all.
//! A turn itself takes no time in the simulator, so the wait for the sync stands before it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Disk;

/// What makes a disk slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    mean_us: u64,
    stuck_until: Option<Duration>,
}

impl State {
    pub(super) fn heal(&mut self) {
        *self = State::default();
    }
}

impl Disk {
    /// Each turn takes about so long from now on.
    pub fn set_slow(&self, mean_us: u64) {
        self.lock().stalls.mean_us = mean_us;
    }

    /// Nothing comes back until then, in the time of the run.
    pub fn stick_until(&self, until: Duration) {
        self.lock().stalls.stuck_until = Some(until);
    }

    /// How long a turn that begins now takes.
    fn stall(&self, now: Duration) -> Option<Duration> {
        let state = self.lock().stalls;
        let slow = match state.mean_us {
            0 => Duration::ZERO,
            mean => Duration::from_micros(self.chance.around("slow", mean)),
        };
        let stuck = state.stuck_until.map_or(Duration::ZERO, |until| until.saturating_sub(now));
        let stall = slow.max(stuck);
        if stall.is_zero() {
            return None;
        }
        self.marks.hit("disk slow");
        Some(stall)
    }
}

/// A shard's loop that waits for its disk.
pub struct Stalls<S> {
    run: Pin<Box<dyn Future<Output = ()> + Send>>,
    disk: Disk,
    now: fn() -> Duration,
    sleep: fn(Duration) -> S,
    waiting: Option<Pin<Box<S>>>,
}

impl<S: Future<Output = ()>> Stalls<S> {
    /// `run` on this disk.
    pub fn new(
        run: Pin<Box<dyn Future<Output = ()> + Send>>,
        disk: Disk,
        now: fn() -> Duration,
        sleep: fn(Duration) -> S,
    ) -> Stalls<S> {
        Stalls { run, disk, now, sleep, waiting: None }
    }
}

impl<S: Future<Output = ()>> Future for Stalls<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let stall = this.disk.stall((this.now)());
            this.waiting = stall.map(|stall| Box::pin((this.sleep)(stall)));
        }
        if let Some(waiting) = &mut this.waiting {
            if waiting.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.waiting = None;
        }
        this.run.as_mut().poll(cx)
    }
}
