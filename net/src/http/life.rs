//! What one connection's tasks know of it together: is it idle, reading, hanging, refused?
//!
//! Nothing here waits. The connection keeps one alarm; whoever begins something with a deadline says
//! when the alarm must ring at the latest, and on its ring [`Life::due`] decides. So a request that
//! goes smoothly touches no timer.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::live::LiveBody;
use super::service::Refusal;
use super::timer::now;

/// Milliseconds since the front was bound, plus one, so that 0 can mean "not".
pub(super) type Millis = u64;

/// How long a connection rests before it is parked: so long that one in use never is, so short that
/// a wave of new connections finds the memory of the wave before.
const PARK: Millis = 20;

const NOT: Millis = 0;
const NEVER: Millis = u64::MAX;

/// The shared state of one connection. All relaxed: it is read for deadlines, not for order.
#[derive(Debug)]
pub(super) struct Life {
    epoch: Instant,
    timeouts: Timeouts,
    accepted: Millis,
    served: AtomicBool,
    in_flight: AtomicU32,
    quiet_since: AtomicU64,
    head_since: AtomicU64,
    blocked_since: AtomicU64,
    body_due: AtomicU64,
    wake_by: AtomicU64,
    refusal: Mutex<Option<Refusal>>,
    upgrade: Mutex<Option<Box<LiveBody>>>,
}

#[derive(Clone, Copy, Debug)]
struct Timeouts {
    park: Millis,
    head: Millis,
    idle: Millis,
    write: Millis,
}

/// What is due when the alarm rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before then.
    At(Millis),
    /// A head did not come in time.
    Head,
    /// Nothing was asked for a while, and what hyper keeps for the connection may be given back.
    Park,
    /// Nothing was asked for long enough.
    Idle,
    /// Nobody takes the response.
    Write,
}

impl Life {
    /// `accepted` by the clock of [`since`]; only some connections can be parked.
    pub(super) fn new(epoch: Instant, accepted: Millis, limits: &Limits, parks: bool) -> Life {
        Life {
            epoch,
            timeouts: Timeouts {
                park: if parks { PARK } else { NEVER / 4 },
                head: millis(limits.head_timeout),
                idle: millis(limits.idle_timeout),
                write: millis(limits.write_timeout),
            },
            accepted,
            served: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(NOT),
            head_since: AtomicU64::new(NOT),
            blocked_since: AtomicU64::new(NOT),
            body_due: AtomicU64::new(NOT),
            wake_by: AtomicU64::new(NEVER),
            refusal: Mutex::new(None),
            upgrade: Mutex::new(None),
        }
    }

    pub(super) fn now(&self) -> Millis {
        since(self.epoch)
    }

    pub(super) fn instant(&self, at: Millis) -> Instant {
        self.epoch + Duration::from_millis(at)
    }

    /// The latest moment at which the alarm must ring, if somebody said so since the last call.
    pub(super) fn take_wake_by(&self) -> Millis {
        match self.wake_by.load(Ordering::Relaxed) {
            NEVER => NEVER,
            _ => self.wake_by.swap(NEVER, Ordering::Relaxed),
        }
    }

    /// What the alarm's ring means at `now`, for a connection that is parked or not.
    pub(super) fn due(&self, now: Millis, parked: bool) -> Due {
        let blocked = self.blocked_since.load(Ordering::Relaxed);
        if blocked != NOT {
            // A response that is still being written is neither idle nor in flight.
            let deadline = blocked + self.timeouts.write;
            return if now >= deadline { Due::Write } else { Due::At(deadline) };
        }
        let next = now + self.timeouts.idle;
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            let body = self.body_due.load(Ordering::Relaxed);
            // A body that is due now is dealt with by its reader, who looks at every poll.
            return Due::At(if body > now { next.min(body) } else { next });
        }
        let quiet = self.quiet_since.load(Ordering::Relaxed);
        let head = self.head_since.load(Ordering::Relaxed);
        let (deadline, over) = match (self.served.load(Ordering::Relaxed), head) {
            (false, _) => (self.accepted + self.timeouts.head, Due::Head),
            (true, NOT) if !parked && self.timeouts.park < self.timeouts.idle => {
                (quiet + self.timeouts.park, Due::Park)
            }
            (true, NOT) => (quiet + self.timeouts.idle, Due::Idle),
            (true, head) => (head.max(quiet) + self.timeouts.head, Due::Head),
        };
        if now >= deadline { over } else { Due::At(next.min(deadline)) }
    }

    /// After this response the connection is a WebSocket, for these events.
    pub(super) fn upgrade(&self, body: LiveBody) {
        *self.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(body));
    }

    /// What [`Life::upgrade`] was told.
    pub(super) fn take_upgrade(&self) -> Option<Box<LiveBody>> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A request has its whole head.
    pub(super) fn request_begun(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A response was handed over as a whole, or given up.
    pub(super) fn request_ended(&self) {
        let now = self.now();
        self.quiet_since.store(now, Ordering::Relaxed);
        if self.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            let partial = self.head_since.load(Ordering::Relaxed) != NOT;
            self.wake_by(now + if partial { self.timeouts.head } else { self.timeouts.park });
        }
    }

    /// A part of a head has come.
    pub(super) fn head_begun(&self) {
        if self.head_since.load(Ordering::Relaxed) == NOT {
            let now = self.now();
            self.head_since.store(now, Ordering::Relaxed);
            self.wake_by(now + self.timeouts.head);
        }
    }

    /// The rest of that head has come.
    pub(super) fn head_complete(&self) {
        self.head_since.store(NOT, Ordering::Relaxed);
    }

    /// A write made progress, or could not.
    pub(super) fn written(&self, progress: bool) {
        let blocked = self.blocked_since.load(Ordering::Relaxed);
        if progress && blocked != NOT {
            self.quiet_since.store(self.now(), Ordering::Relaxed);
            self.blocked_since.store(NOT, Ordering::Relaxed);
        } else if !progress && blocked == NOT {
            let now = self.now();
            self.blocked_since.store(now, Ordering::Relaxed);
            self.wake_by(now + self.timeouts.write);
        }
    }

    /// The reader of the one body that is being read wants to be polled then.
    pub(super) fn body_due(&self, at: Millis) {
        self.body_due.store(at, Ordering::Relaxed);
        self.wake_by(at);
    }

    /// That body has ended.
    pub(super) fn body_ended(&self) {
        self.body_due.store(NOT, Ordering::Relaxed);
    }

    /// Keeps what the guard found, for the request that stands in.
    pub(super) fn refuse(&self, refusal: Refusal) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }

    /// Keeps why the guard broke a body off.
    pub(super) fn broken(&self, why: &'static str) {
        self.refuse(Refusal::BadRequest(why));
    }

    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn wake_by(&self, at: Millis) {
        self.wake_by.fetch_min(at, Ordering::Relaxed);
    }
}

/// The time now, as a connection counts it.
pub(super) fn since(epoch: Instant) -> Millis {
    millis(now().saturating_duration_since(epoch)) + 1
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER / 4).min(NEVER / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> Life {
        let limits = Limits {
            head_timeout: Duration::from_millis(500),
            idle_timeout: Duration::from_millis(6_000),
            write_timeout: Duration::from_millis(3_000),
            ..Limits::default()
        };
        Life::new(now(), 100, &limits, false)
    }

    #[test]
    fn a_connection_that_rests_is_parked_once() {
        let life = Life::new(now(), 100, &Limits::default(), true);
        assert_eq!(life.due(200, false), Due::At(5_100), "not before it has served");
        life.request_begun();
        assert_eq!(life.due(2_000, false), Due::At(62_000));
        life.request_ended();
        assert!(life.take_wake_by() <= life.now() + PARK);
        life.quiet_since.store(3_000, Ordering::Relaxed);
        assert_eq!(life.due(3_010, false), Due::At(3_020));
        assert_eq!(life.due(3_020, false), Due::Park);
        assert_eq!(life.due(3_100, true), Due::At(63_000));
        life.head_begun();
        assert!(matches!(life.due(3_100, false), Due::At(_)), "half a head is no rest");
    }

    #[test]
    fn a_connection_that_never_asks_is_closed_after_the_head_timeout() {
        let life = life();
        assert_eq!(life.due(599, false), Due::At(600));
        life.head_since.store(590, Ordering::Relaxed);
        assert_eq!(life.due(600, false), Due::Head, "a late first byte gains nothing");
    }

    #[test]
    fn a_request_in_flight_is_never_due() {
        let life = life();
        life.request_begun();
        assert_eq!(life.due(1_000_000, false), Due::At(1_006_000));
        life.body_due(1_000_010);
        assert_eq!(life.due(1_000_000, false), Due::At(1_000_010));
        assert_eq!(life.take_wake_by(), 1_000_010);
        assert_eq!(life.take_wake_by(), NEVER);
    }

    #[test]
    fn between_requests_rest_and_a_slow_head_have_their_own_limits() {
        let life = life();
        life.request_begun();
        life.request_ended();
        life.quiet_since.store(1_000, Ordering::Relaxed);
        assert_eq!(life.due(6_999, false), Due::At(7_000));
        assert_eq!(life.due(7_000, false), Due::Idle);
        life.head_since.store(900, Ordering::Relaxed);
        assert_eq!(life.due(1_499, false), Due::At(1_500), "counted from the end of the request before");
        assert_eq!(life.due(1_500, false), Due::Head);
    }

    #[test]
    fn a_reader_that_hangs_is_cut_off_even_in_flight() {
        let life = life();
        life.request_begun();
        life.written(false);
        life.blocked_since.store(1_000, Ordering::Relaxed);
        assert_eq!(life.due(3_999, false), Due::At(4_000));
        assert_eq!(life.due(4_000, false), Due::Write);
        life.written(true);
        assert!(matches!(life.due(4_000, false), Due::At(_)));
    }

    #[test]
    fn a_response_that_is_slowly_written_is_not_idle() {
        let life = life();
        life.request_begun();
        life.request_ended();
        life.blocked_since.store(6_500, Ordering::Relaxed);
        life.quiet_since.store(1_000, Ordering::Relaxed);
        assert_eq!(life.due(7_000, false), Due::At(9_500));
        life.written(true);
        assert_ne!(life.due(1_000, false), Due::Idle);
        assert!(life.quiet_since.load(Ordering::Relaxed) < 1_000, "counted from the last write");
    }
}
