//! Saying the same thing now and then, instead of each time.

use std::sync::Mutex;
use std::time::Duration;

use gomer_core::time::Monotonic;

/// Counts what happens, and says how often at most once in a while.
pub(super) struct NowAndThen {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    said: Option<Monotonic>,
    since: u64,
}

impl NowAndThen {
    /// At most once in `every`.
    pub(super) fn new(every: Duration) -> NowAndThen {
        NowAndThen { every, state: Mutex::default() }
    }

    /// Takes note of one more. When it is time to say so: how many there were since it was said last.
    pub(super) fn note(&self, now: Monotonic) -> Option<u64> {
        let mut state = self.state.lock().expect("nothing panics under this lock");
        state.since += 1;
        if state.said.is_some_and(|said| now.since(said) < self.every) {
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_and_of_many_only_how_many() {
        let log = NowAndThen::new(Duration::from_secs(10));
        let at = |millis| Monotonic(Duration::from_millis(millis));
        assert_eq!(log.note(at(5)), Some(1));
        for millis in 6..1_006 {
            assert_eq!(log.note(at(millis)), None);
        }
        assert_eq!(log.note(at(10_004)), None);
        assert_eq!(log.note(at(10_005)), Some(1_002));
        assert_eq!(log.note(at(60_000)), Some(1));
    }
}
