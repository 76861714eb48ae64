//! One kind of call: at most one at a time, with a growing, jittered wait after failures.

use std::time::Duration;

use super::action::RequestId;
use crate::rng::Rng;
use crate::time::Monotonic;

/// The wait after the first failure; doubled by each further one.
pub const WAIT_FIRST: Duration = Duration::from_secs(1);

/// The longest wait that the phone chooses itself. What the server asks for by `Retry-After` may be longer.
pub const WAIT_LONGEST: Duration = Duration::from_secs(120);

/// A lane for calls of one kind; `C` is what must be known when the reply comes.
#[derive(Debug)]
pub(super) struct Lane<C> {
    call: Option<(RequestId, C)>,
    failures: u32,
    /// Not before this, by the phone's own prudence.
    waits_until: Monotonic,
    /// Not before this, by the server's word.
    told_until: Monotonic,
}

impl<C> Lane<C> {
    pub fn new() -> Lane<C> {
        let start = Monotonic::default();
        Lane { call: None, failures: 0, waits_until: start, told_until: start }
    }

    /// When the next call may go; nothing while one is out.
    pub fn opens_at(&self) -> Option<Monotonic> {
        self.call.is_none().then(|| self.waits_until.max(self.told_until))
    }

    /// Whether a call may go now.
    pub fn is_open(&self, now: Monotonic) -> bool {
        self.opens_at().is_some_and(|at| at <= now)
    }

    /// Whether a call is out.
    pub fn is_busy(&self) -> bool {
        self.call.is_some()
    }

    /// A call goes out.
    pub fn start(&mut self, request: RequestId, call: C) {
        assert!(self.call.is_none(), "one call at a time");
        self.call = Some((request, call));
    }

    /// The call that this request was, if it is the one that is out. Replies to anything else are late
    /// or doubled and mean nothing.
    pub fn finish(&mut self, request: RequestId) -> Option<C> {
        self.call.take_if(|(out, _)| *out == request).map(|(_, call)| call)
    }

    /// Gives up the call that is out; its reply will be ignored.
    pub fn abandon(&mut self) -> Option<RequestId> {
        self.call.take().map(|(request, _)| request)
    }

    /// A call worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A call failed. Waits between half and the whole of 1, 2, 4 … 120 seconds; if the server named a
    /// time, that and up to a quarter more, so that those whom it told the same do not come at once.
    pub fn failed(&mut self, now: Monotonic, retry_after: Option<Duration>, rng: &mut Rng) {
        let whole = WAIT_FIRST.saturating_mul(1 << self.failures.min(10)).min(WAIT_LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.waits_until = now + whole / 2 + jitter(whole / 2, rng);
        if let Some(span) = retry_after {
            self.told_until = now + span.saturating_add(jitter(span / 4, rng));
        }
    }

    /// No call before `until`, though nothing failed.
    pub fn pause(&mut self, until: Monotonic) {
        self.waits_until = until;
    }

    /// Forgets its own prudence, because the network came back; the server's word stands.
    pub fn hurry(&mut self) {
        self.failures = 0;
        self.waits_until = Monotonic::default();
    }
}

fn jitter(most: Duration, rng: &mut Rng) -> Duration {
    let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(rng.below(millis + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn wait(lane: &Lane<()>, now: Monotonic) -> Duration {
        lane.opens_at().unwrap().since(now)
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_never_falls_below_its_half() {
        let mut lane: Lane<()> = Lane::new();
        let mut rng = Rng::new(3);
        for failure in 0..64 {
            lane.failed(at(10), None, &mut rng);
            let whole = Duration::from_secs(1 << failure.min(7)).min(WAIT_LONGEST);
            let wait = wait(&lane, at(10));
            assert!(whole / 2 <= wait && wait <= whole, "{failure}: {wait:?}");
        }
        lane.succeeded();
        lane.failed(at(10), None, &mut rng);
        assert!(wait(&lane, at(10)) <= WAIT_FIRST);
    }

    #[test]
    fn the_servers_word_is_kept_also_when_the_network_comes_back() {
        let mut lane: Lane<()> = Lane::new();
        lane.failed(at(10), Some(Duration::from_secs(60)), &mut Rng::new(3));
        lane.hurry();
        assert!(!lane.is_open(at(69)));
        assert!(lane.is_open(at(86)));
        lane.failed(at(90), None, &mut Rng::new(3));
        lane.hurry();
        assert!(lane.is_open(at(90)));
        lane.failed(at(90), Some(Duration::MAX), &mut Rng::new(3));
        assert!(!lane.is_open(at(1 << 40)), "an absurd wait is no overflow");
    }

    #[test]
    fn only_the_reply_to_the_call_that_is_out_counts() {
        let mut lane = Lane::new();
        lane.start(RequestId(1), "first");
        assert!(!lane.is_open(at(99)));
        assert_eq!(lane.finish(RequestId(2)), None);
        assert_eq!(lane.finish(RequestId(1)), Some("first"));
        assert_eq!(lane.finish(RequestId(1)), None, "delivered twice");
        lane.start(RequestId(3), "third");
        assert_eq!(lane.abandon(), Some(RequestId(3)));
        assert_eq!(lane.finish(RequestId(3)), None, "too late");
    }
}
