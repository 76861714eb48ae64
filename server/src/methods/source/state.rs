//! How reading a source went, and when it is read again.

use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::rows::node::Node;
use gomer_core::time::Time;
use serde::{Deserialize, Serialize};

use crate::methods::post::view::{json, read};
use crate::types::Timestamp;

/// Soonest after a reading that found something.
const REST_MIN: Duration = Duration::from_secs(5 * 60);
/// After the first reading.
const REST_FIRST: Duration = Duration::from_secs(15 * 60);
/// Latest for a source where nothing happens.
const REST_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Latest for one that fails, or asks for it.
const REST_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text of a server that is remembered and sent back.
const VALIDATOR_BYTES_MAX: usize = 512;

/// What is remembered of a source between two readings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// When it is read next; nothing: at once.
    pub next_at: Option<Timestamp>,
    /// When it was read last, whatever came of it.
    pub read_at: Option<Timestamp>,
    /// How long it rests while all goes well, in seconds.
    pub rest_s: u64,
    /// Readings that failed since the last good one.
    pub failures: u32,
    /// Why the last reading failed.
    pub problem: Option<String>,
    /// `ETag` of the last good answer.
    pub etag: Option<String>,
    /// `Last-Modified` of the last good answer.
    pub modified: Option<String>,
    /// The server's own mark of what was read last.
    pub mark: Option<String>,
    /// What a track's account is called by its server.
    pub subject: Option<String>,
}

/// What came of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// So many items were new or changed.
    Found(usize),
    /// Nothing is new.
    Same,
    /// It failed: why, and how long the server asks to be left alone.
    Failed(String, Option<Duration>),
}

impl State {
    /// Reads a state's node. What cannot be read is as new: the source is read again.
    pub fn of(node: &Node) -> State {
        read(node, STATE).unwrap_or_default()
    }

    /// The attributes of its node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        vec![(STATE.to_owned(), json(self))]
    }

    /// Whether it is time to read.
    pub fn is_due(&self, now: Time) -> bool {
        self.next_at.is_none_or(|at| at.0 <= now)
    }

    /// Remembers what a server says to be shown again; too long is as if it were not said.
    pub fn validators(&mut self, etag: Option<&str>, modified: Option<&str>) {
        let kept =
            |text: Option<&str>| text.filter(|text| text.len() <= VALIDATOR_BYTES_MAX).map(str::to_owned);
        (self.etag, self.modified) = (kept(etag), kept(modified));
    }

    /// Plans the next reading. `asked` is how long the source wants to rest anyway; `draw` (any number that is the
    /// source's own) spreads sources that would otherwise all come at once.
    pub fn plan(&mut self, now: Time, outcome: &Outcome, asked: Option<Duration>, draw: u64) {
        let rest = Duration::from_secs(self.rest_s);
        let rest = match outcome {
            _ if self.rest_s == 0 => REST_FIRST,
            Outcome::Found(_) => rest / 2,
            Outcome::Same => rest + rest / 2,
            Outcome::Failed(..) => rest,
        };
        let rest = rest.clamp(REST_MIN, REST_MAX);
        self.rest_s = rest.as_secs();
        let wait = match outcome {
            Outcome::Failed(why, retry_after) => {
                self.failures = self.failures.saturating_add(1);
                self.problem = Some(why.chars().take(200).collect());
                let backed_off = REST_MIN * (1 << self.failures.min(10));
                backed_off.max(retry_after.unwrap_or_default())
            }
            Outcome::Found(_) | Outcome::Same => {
                (self.failures, self.problem) = (0, None);
                rest.max(asked.unwrap_or_default())
            }
        };
        let wait = wait.min(REST_LONGEST);
        let spread = wait / 100 * (draw % 10) as u32;
        self.read_at = Some(Timestamp(now));
        self.next_at = Some(Timestamp(now + wait + spread));
    }
}

/// The id of the node with a source's state.
pub fn state_id(source: Id) -> Id {
    Id::derived("source.state", source.as_bytes())
}

/// Attribute: all of the state. Nobody sees parts of it change.
const STATE: &str = "state";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_795_456_500_000);

    fn waits(state: &mut State, outcome: Outcome, asked: Option<Duration>) -> u64 {
        state.plan(NOW, &outcome, asked, 0);
        state.next_at.unwrap().0.since(NOW).as_secs()
    }

    #[test]
    fn what_changes_often_is_read_often_and_what_never_does_seldom() {
        let mut state = State::default();
        assert!(state.is_due(NOW));
        assert_eq!(waits(&mut state, Outcome::Found(10), None), 900);
        assert!(
            !state.is_due(NOW + Duration::from_secs(899)) && state.is_due(NOW + Duration::from_secs(900))
        );
        let found: Vec<u64> = (0..4).map(|_| waits(&mut state, Outcome::Found(1), None)).collect();
        assert_eq!(found, [450, 300, 300, 300]);
        let same: Vec<u64> = (0..12).map(|_| waits(&mut state, Outcome::Same, None)).collect();
        assert!(same.is_sorted() && same[0] == 450 && same[11] == 21_600, "{same:?}");
        assert_eq!(waits(&mut state, Outcome::Same, Some(Duration::from_secs(40_000))), 40_000);
        assert_eq!(waits(&mut state, Outcome::Same, Some(Duration::from_secs(400_000))), 86_400);
    }

    #[test]
    fn what_fails_is_left_alone_longer_each_time_and_as_long_as_it_asks() {
        let mut state = State::default();
        let failed = |retry_after: Option<u64>| {
            Outcome::Failed("down".repeat(100), retry_after.map(Duration::from_secs))
        };
        let waited: Vec<u64> = (0..12).map(|_| waits(&mut state, failed(None), None)).collect();
        assert_eq!(waited[..3], [600, 1_200, 2_400]);
        assert_eq!((waited[11], state.failures), (86_400, 12));
        assert_eq!(state.problem.as_deref().map(str::len), Some(200));
        assert_eq!(waits(&mut state, Outcome::Same, None), 1_350);
        assert_eq!((state.failures, state.problem.as_deref()), (0, None));
        assert_eq!(waits(&mut state, failed(Some(3_600)), None), 3_600);
        assert_eq!(waits(&mut state, failed(Some(u64::MAX / 1_000)), None), 86_400);
        state.failures = u32::MAX;
        assert_eq!(waits(&mut state, failed(None), None), 86_400);
    }

    #[test]
    fn sources_are_spread_and_long_marks_are_not_kept() {
        let mut state = State::default();
        state.plan(NOW, &Outcome::Same, None, 19);
        assert_eq!(state.next_at.unwrap().0.since(NOW), Duration::from_secs(900 + 81));
        state.validators(Some("\"x\""), Some(&"x".repeat(513)));
        assert_eq!((state.etag.as_deref(), state.modified), (Some("\"x\""), None));
    }
}
