//! Waiting for what happens elsewhere, without sleeping longer than needed and never for ever.

use std::time::{Duration, Instant};

/// Longest that [`wait_for`] waits: what takes longer on a busy machine is broken, not slow.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer. Panics after [`PATIENCE`], naming `what` did not come.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {} s for {what}", PATIENCE.as_secs());
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The same for a condition.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}
