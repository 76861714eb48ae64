//! What was seen in a run: one line per effect, and a hash over all of them. Two runs of one seed must have
//! the same hash; otherwise something in the program draws on what is not the seed's.

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The trace of one run. Cheap to clone; all clones are one trace.
#[derive(Clone)]
pub struct Trace {
    now: fn() -> Duration,
    print: bool,
    seen: Arc<Mutex<Seen>>,
}

/// What a trace comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Effects.
    pub events: u64,
    /// FNV-1a over time, node and event of each, in order.
    pub hash: u64,
}

impl Trace {
    /// An empty trace. `now`: the time since the run began. `print`: each line as it comes.
    pub fn new(now: fn() -> Duration, print: bool) -> Trace {
        let empty = Seen { events: 0, hash: 0xcbf2_9ce4_8422_2325 };
        Trace { now, print, seen: Arc::new(Mutex::new(empty)) }
    }

    /// Something happened at a node.
    pub fn note(&self, node: &str, kind: &str, what: impl Display) {
        let now = (self.now)();
        let what = what.to_string();
        let mut seen = self.seen.lock().expect(UNPOISONED);
        seen.events += 1;
        seen.add(&now.as_nanos().to_le_bytes());
        for part in [node, kind, &what] {
            seen.add(part.as_bytes());
            seen.add(&[0xff]);
        }
        if self.print {
            println!("{:>14.6}  {node:<9}  {kind:<8}  {what}", now.as_secs_f64());
        }
    }

    /// What it comes to so far.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().expect(UNPOISONED)
    }
}

impl Seen {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(lines: &[(&str, &str, &str)], now: fn() -> Duration) -> u64 {
        let trace = Trace::new(now, false);
        lines.iter().for_each(|(node, kind, what)| trace.note(node, kind, what));
        trace.seen().hash
    }

    #[test]
    fn the_hash_depends_on_time_node_event_and_order() {
        let (a, b) = (("ada", "send", "1"), ("ada", "send", "2"));
        let zero = || Duration::ZERO;
        let same = hash_of(&[a, b], zero);
        assert_eq!(hash_of(&[a, b], zero), same);
        assert_ne!(hash_of(&[b, a], zero), same);
        assert_ne!(hash_of(&[a, b, b], zero), same);
        assert_ne!(hash_of(&[("adas", "end", "1"), b], zero), same);
        assert_ne!(hash_of(&[a, b], || Duration::from_nanos(1)), same);
    }
}
