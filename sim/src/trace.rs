//! What was seen in a run: one line per effect in fixed columns, and a hash over all of them. Two runs of one
//! plan must have the same hash; otherwise something in the program draws on what is not the seed's.

use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The trace of one run. Cheap to clone; all clones are one trace.
#[derive(Clone)]
pub struct Trace {
    now: fn() -> Duration,
    keep: bool,
    inner: Arc<Mutex<Inner>>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, since the run began.
    pub at: Duration,
    /// Where: a member, a phone, or the run itself.
    pub lane: String,
    /// What kind of thing.
    pub kind: &'static str,
    /// What.
    pub what: String,
}

struct Inner {
    seen: Seen,
    lines: Vec<Line>,
    text: String,
}

/// What a trace comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Effects.
    pub events: u64,
    /// FNV-1a over time, place and event of each, in order.
    pub hash: u64,
}

impl Trace {
    /// An empty trace. `now`: the time since the run began. `keep`: whether lines are kept, or only their hash.
    pub fn new(now: fn() -> Duration, keep: bool) -> Trace {
        let seen = Seen { events: 0, hash: 0xcbf2_9ce4_8422_2325 };
        let inner = Inner { seen, lines: Vec::new(), text: String::new() };
        Trace { now, keep, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Something happened somewhere.
    pub fn note(&self, lane: &str, kind: &'static str, what: impl Display) {
        let at = (self.now)();
        let mut inner = self.inner.lock().expect(UNPOISONED);
        let Inner { seen, lines, text } = &mut *inner;
        text.clear();
        write!(text, "{what}").expect("a string takes everything");
        seen.events += 1;
        seen.add(&at.as_nanos().to_le_bytes());
        for part in [lane, kind, text] {
            seen.add(part.as_bytes());
            seen.add(&[0xff]);
        }
        if self.keep {
            lines.push(Line { at, lane: lane.to_owned(), kind, what: text.clone() });
        }
    }

    /// What it comes to so far.
    pub fn seen(&self) -> Seen {
        self.inner.lock().expect(UNPOISONED).seen
    }

    /// The lines that were kept.
    pub fn lines(&self) -> Vec<Line> {
        self.inner.lock().expect(UNPOISONED).lines.clone()
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (at, lane, kind) = (self.at.as_secs_f64(), &self.lane, self.kind);
        write!(f, "{at:>14.6}  {lane:<9}  {kind:<10}  {}", self.what)
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

    fn hash_of(lines: &[(&str, &'static str, &str)], now: fn() -> Duration) -> u64 {
        let trace = Trace::new(now, false);
        lines.iter().for_each(|(lane, kind, what)| trace.note(lane, kind, what));
        trace.seen().hash
    }

    #[test]
    fn the_hash_depends_on_time_place_event_and_order() {
        let (a, b) = (("p0", "send", "1"), ("p0", "send", "2"));
        let zero = || Duration::ZERO;
        let same = hash_of(&[a, b], zero);
        assert_eq!(hash_of(&[a, b], zero), same);
        assert_ne!(hash_of(&[b, a], zero), same);
        assert_ne!(hash_of(&[a, b, b], zero), same);
        assert_ne!(hash_of(&[("p0s", "end", "1"), b], zero), same);
        assert_ne!(hash_of(&[a, b], || Duration::from_nanos(1)), same);
    }

    #[test]
    fn lines_have_columns() {
        let trace = Trace::new(|| Duration::from_micros(1_500_000), true);
        trace.note("m0", "append", format_args!("{} entries", 3));
        let lines: Vec<String> = trace.lines().iter().map(Line::to_string).collect();
        assert_eq!(lines, ["      1.500000  m0         append      3 entries"]);
    }
}
