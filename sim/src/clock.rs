//! The edges that the simulator gives to who takes part: a clock for each, and randomness.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::rng::Rng;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_net::edges::{Clock, Entropy};
use madsim::time::TimeHandle;

use crate::marks::Marks;

/// When every run begins: 2026-11-23T00:00:00Z.
const START: Time = Time::from_millis(1_795_392_000_000);

/// The time since the run began.
pub fn elapsed() -> Duration {
    TimeHandle::current().elapsed()
}

/// A clock of its own for whoever has one. Cheap to clone; all clones are one clock. Ahead of the run's time, or
/// behind it, and fast or slow; its monotonic part never goes back.
#[derive(Debug, Clone, Default)]
pub struct SimClock {
    hands: Arc<Mutex<Hands>>,
    marks: Option<Marks>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Hands {
    /// How far the wall clock is off.
    millis: i64,
    ppm: i32,
    /// What drift has come to before it was set last, and when that was, in nanoseconds.
    drifted: i64,
    since: Duration,
    /// Whether it was seen that somebody was told the wrong time, or the wrong length of a time.
    told: (bool, bool),
}

impl Hands {
    fn drift(&self, elapsed: Duration) -> i64 {
        let nanos = i128::from(elapsed.saturating_sub(self.since).as_nanos() as u64);
        self.drifted + (nanos * i128::from(self.ppm) / 1_000_000) as i64
    }

    fn now(&self, elapsed: Duration) -> Now {
        let mono = (elapsed.as_nanos() as i64 + self.drift(elapsed)).max(0) as u64;
        let mono = Duration::from_nanos(mono);
        let off = Duration::from_millis(self.millis.unsigned_abs());
        let right = START + mono; // The wall clock drifts as the other does.
        let wall = if self.millis < 0 { right - off } else { right + off };
        Now { mono: Monotonic(mono), wall }
    }
}

impl SimClock {
    /// A clock that is right, and says when somebody was misled by it.
    pub fn marked(marks: Marks) -> SimClock {
        SimClock { marks: Some(marks), ..SimClock::default() }
    }

    /// Both clocks now.
    pub fn read(&self) -> Now {
        let mut hands = self.hands.lock().expect(UNPOISONED);
        let elapsed = elapsed();
        if let Some(marks) = &self.marks {
            if !hands.told.0 && hands.millis.abs() >= MISLED.as_millis() as i64 {
                hands.told.0 = true;
                marks.hit("time told by a clock that is off");
            }
            if !hands.told.1 && hands.drift(elapsed).unsigned_abs() >= DRIFTED.as_nanos() as u64 {
                hands.told.1 = true;
                marks.hit("time told by a clock that drifts");
            }
        }
        hands.now(elapsed)
    }

    /// Moves the wall clock.
    pub fn step(&self, millis: i64) {
        let mut hands = self.hands.lock().expect(UNPOISONED);
        hands.millis += millis;
        hands.told.0 = false;
    }

    /// Lets both clocks run fast or slow from now on.
    pub fn drift(&self, ppm: i32) {
        let mut hands = self.hands.lock().expect(UNPOISONED);
        let elapsed = elapsed();
        *hands = Hands { drifted: hands.drift(elapsed), since: elapsed, ppm, ..*hands };
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        self.read()
    }
}

/// Secrets from a seed.
pub struct SimEntropy(Mutex<Rng>);

impl SimEntropy {
    /// Randomness that is wholly determined by `seed`.
    pub fn new(seed: u64) -> SimEntropy {
        SimEntropy(Mutex::new(Rng::new(seed)))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.0.lock().expect("nothing panics under this lock");
        bytes.fill_with(|| rng.next_u64() as u8);
    }
}

/// How far a clock is off before it misleads: longer than what is written at once takes.
const MISLED: Duration = Duration::from_millis(100);
/// How much drift has come to before it does.
const DRIFTED: Duration = Duration::from_millis(1);

const UNPOISONED: &str = "nothing panics under this lock";
