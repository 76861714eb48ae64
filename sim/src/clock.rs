//! The edges that the simulator gives to who takes part: time and randomness.

use std::sync::Mutex;
use std::time::Duration;

use gomer_core::rng::Rng;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_net::edges::{Clock, Entropy};
use madsim::time::TimeHandle;

/// When every run begins: 2026-11-23T00:00:00Z.
const START: Time = Time::from_millis(1_795_392_000_000);

/// The time since the run began.
pub fn elapsed() -> Duration {
    TimeHandle::current().elapsed()
}

/// Both clocks, as of the simulator's time.
pub fn now() -> Now {
    let elapsed = elapsed();
    Now { mono: Monotonic(elapsed), wall: START + elapsed }
}

/// The simulator's time as a member's clock.
pub struct SimClock;

impl Clock for SimClock {
    fn now(&self) -> Now {
        now()
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
