//! Rate limits: per app, subject and class, by the generic cell rate algorithm (ITU-T I.371, GCRA): one
//! number per bucket, no timers.
//!
//! Guarded paths (the front takes from these before a handler runs, but for sign-in per account):
//!
//! | class | subject | default |
//! |---|---|---|
//! | reads | caller, else address | 50/s, burst 200 |
//! | writes | caller, else address | 10/s, burst 50 |
//! | follows | caller | 60/min |
//! | sign-in | account, and address | 5/min and 20/min |
//! | mail | address | 3/h |
//! | sign-up | address | 10/h |
//!
//! Must never learn: HTTP, clocks. `now` is an argument.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::{AppId, Id};
use gomer_core::meta::state::App;
use gomer_core::time::Monotonic;

use crate::app_settings::{RateRule, Rates, SettingsCache};
use crate::registry::{Caller, Rate};

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A profile, on all its devices.
    Profile(Id),
    /// The app's own server and administrators.
    App,
    /// An address (of IPv6, its /64).
    Address(IpAddr),
    /// An account that somebody tries to sign in to.
    Account(Id),
}

impl Subject {
    /// Whose calls this caller's are.
    pub fn of(caller: &Caller, client: IpAddr) -> Subject {
        match caller {
            Caller::Anonymous => Subject::address(client),
            Caller::User { profile, .. } => Subject::Profile(*profile),
            Caller::Server { .. } | Caller::Admin | Caller::Operator => Subject::App,
        }
    }

    /// The address, as it is counted.
    pub fn address(client: IpAddr) -> Subject {
        Subject::Address(match client {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
            v4 => v4,
        })
    }
}

/// How many calls in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Its name in `RateLimit-Policy`.
    pub name: &'static str,
    /// Calls per window.
    pub quota: u64,
    /// The window, in seconds.
    pub window_s: u64,
    /// Calls that may come at once.
    pub burst: u64,
}

impl Policy {
    const fn new(name: &'static str, quota: u64, window_s: u64, burst: u64) -> Policy {
        Policy { name, quota, window_s, burst }
    }

    /// Nanoseconds per call.
    fn cost(&self) -> u64 {
        (self.window_s.saturating_mul(1_000_000_000) / self.quota.max(1)).max(1)
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This class is not limited here.
    Unlimited,
    /// It may go on.
    Allowed(State),
    /// It may not.
    Refused {
        /// The bucket.
        state: State,
        /// When one call will be allowed, in whole seconds, rounded up.
        retry_after_s: u64,
    },
}

/// A bucket after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Its policy.
    pub policy: Policy,
    /// Calls that could be made at once now.
    pub remaining: u64,
    /// Seconds until it is full again, rounded up.
    pub full_in_s: u64,
}

/// All buckets of a process. Bounded: the longest unused ones go first, and an unused bucket is a full one.
pub struct Limits {
    stripes: Vec<Mutex<Generations>>,
    stripe_max: usize,
    hasher: RandomState,
    settings: Arc<SettingsCache>,
}

type Bucket = (AppId, Subject, Rate);

/// Two generations of buckets, each with the time at which it will be full, in nanoseconds. When the young
/// one is full it becomes the old one, and what nobody used since the last time is forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<Bucket, u64>,
    old: HashMap<Bucket, u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new(Arc::default())
    }
}

impl Limits {
    /// Limits as apps' settings say, else the defaults.
    pub fn new(settings: Arc<SettingsCache>) -> Limits {
        Limits::bounded(settings, BUCKETS_MAX)
    }

    /// The same with at most about this many buckets.
    pub fn bounded(settings: Arc<SettingsCache>, buckets_max: usize) -> Limits {
        Limits {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            stripe_max: (buckets_max / STRIPES / 2).max(1),
            hasher: RandomState::new(),
            settings,
        }
    }

    /// Takes one call.
    pub fn take(&self, app: &App, subject: Subject, rate: Rate, now: Monotonic) -> Decision {
        let Some(policy) = self.policy(app, subject, rate) else { return Decision::Unlimited };
        let bucket = (app.id, subject, rate);
        let (cost, now) = (policy.cost(), nanos(now));
        let tolerance = cost.saturating_mul(policy.burst);
        let mut stripe = self.stripe(&bucket);
        let full_at = stripe.get(&bucket).unwrap_or(0).max(now);
        let next = full_at.saturating_add(cost);
        if next - now > tolerance {
            let wait = (next - now - tolerance).div_ceil(1_000_000_000);
            return Decision::Refused { state: state(policy, full_at - now), retry_after_s: wait.max(1) };
        }
        stripe.put(bucket, next, self.stripe_max);
        Decision::Allowed(state(policy, next - now))
    }

    /// How a bucket is, without taking from it. Nothing where this class is not limited.
    pub fn look(&self, app: &App, subject: Subject, rate: Rate, now: Monotonic) -> Option<State> {
        let policy = self.policy(app, subject, rate)?;
        let bucket = (app.id, subject, rate);
        let debt = self.stripe(&bucket).get(&bucket).unwrap_or(0).saturating_sub(nanos(now));
        Some(state(policy, debt))
    }

    /// How many buckets are kept.
    pub fn len(&self) -> usize {
        self.stripes
            .iter()
            .map(|stripe| {
                let stripe = stripe.lock().expect(UNPOISONED);
                stripe.young.len() + stripe.old.len()
            })
            .sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What holds for one person, address or account in an app, by class; nothing if calls are not limited there.
    pub fn policies(&self, app: &App) -> Vec<(&'static str, Policy)> {
        let person = Subject::Profile(Id::NIL);
        let classes = [
            ("read", person, Rate::Read),
            ("write", person, Rate::Write),
            ("follow", person, Rate::Follow),
            ("login", Subject::Account(Id::NIL), Rate::Login),
            ("mail", Subject::Address(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)), Rate::Mail),
            ("signUp", Subject::Address(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)), Rate::SignUp),
        ];
        let of = |(name, subject, rate)| Some((name, self.policy(app, subject, rate)?));
        classes.into_iter().filter_map(of).collect()
    }

    fn policy(&self, app: &App, subject: Subject, rate: Rate) -> Option<Policy> {
        // The app's own server knows its keys; a mistake of its is seen in the metrics, not refused.
        if rate == Rate::Free || subject == Subject::App {
            return None;
        }
        let rates = self.settings.of(app).rates;
        if rates.enabled.0 {
            default_policy(subject, rate).map(|policy| own(policy, rate, &rates))
        } else {
            None
        }
    }

    fn stripe(&self, bucket: &Bucket) -> std::sync::MutexGuard<'_, Generations> {
        let at = self.hasher.hash_one(bucket) as usize % STRIPES;
        self.stripes[at].lock().expect(UNPOISONED)
    }
}

impl Generations {
    fn get(&self, bucket: &Bucket) -> Option<u64> {
        self.young.get(bucket).or_else(|| self.old.get(bucket)).copied()
    }

    fn put(&mut self, bucket: Bucket, full_at: u64, max: usize) {
        if self.young.len() >= max && !self.young.contains_key(&bucket) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(bucket, full_at);
    }
}

/// What holds unless the app says otherwise.
fn default_policy(subject: Subject, rate: Rate) -> Option<Policy> {
    Some(match (rate, subject) {
        (Rate::Read, _) => Policy::new("reads", 50, 1, 200),
        (Rate::Write, _) => Policy::new("writes", 10, 1, 50),
        (Rate::Follow, _) => Policy::new("follows", 60, 60, 60),
        (Rate::Login, Subject::Account(_)) => Policy::new("sign-in", 5, 60, 5),
        (Rate::Login, _) => Policy::new("sign-in-address", 20, 60, 20),
        (Rate::Mail, _) => Policy::new("mail", 3, 3600, 3),
        (Rate::SignUp, _) => Policy::new("sign-up", 10, 3600, 10),
        (Rate::Free, _) => return None,
    })
}

/// The policy with the app's own numbers.
fn own(policy: Policy, rate: Rate, rates: &Rates) -> Policy {
    let rule = match rate {
        Rate::Read => rates.read,
        Rate::Write => rates.write,
        Rate::Login => rates.login,
        Rate::Mail => rates.mail,
        Rate::SignUp => rates.sign_up,
        Rate::Follow => rates.follow,
        Rate::Free => None,
    };
    let Some(RateRule { count, window_s }) = rule else { return policy };
    let (quota, window_s) = (u64::from(count.max(1)), u64::from(window_s.max(1)));
    // A rule over a longer time may be used up at once; one per second is allowed its usual burst.
    let burst = if window_s == 1 { quota * (policy.burst / policy.quota).max(1) } else { quota };
    Policy { quota, window_s, burst, ..policy }
}

fn state(policy: Policy, debt: u64) -> State {
    let cost = policy.cost();
    State {
        policy,
        remaining: (cost.saturating_mul(policy.burst)).saturating_sub(debt) / cost,
        full_in_s: debt.div_ceil(1_000_000_000),
    }
}

/// Nanoseconds since the process's start; the zero of a bucket that was never used lies before it.
fn nanos(now: Monotonic) -> u64 {
    now.0.saturating_add(Duration::from_nanos(1)).as_nanos().min(u128::from(u64::MAX)) as u64
}

/// Locks are split by this many.
const STRIPES: usize = 64;
/// About 100 bytes each.
const BUCKETS_MAX: usize = 512 * 1024;
const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::nowhere;
    use gomer_core::id::Position;

    fn app() -> App {
        App { id: AppId(1), ..nowhere() }
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    fn person(name: &str) -> Subject {
        Subject::Profile(Id::derived("test", name.as_bytes()))
    }

    fn address(text: &str) -> Subject {
        Subject::address(text.parse().unwrap())
    }

    fn allowed(limits: &Limits, app: &App, subject: Subject, rate: Rate, now: Monotonic) -> bool {
        !matches!(limits.take(app, subject, rate, now), Decision::Refused { .. })
    }

    #[test]
    fn each_class_refuses_after_its_burst_and_refills_at_its_pace() {
        let account = Subject::Account(Id::derived("test", b"ann"));
        for (guarded, rate, subject, burst, refill_ms) in [
            ("post.get and all queries", Rate::Read, person("ann"), 200, 20),
            ("post.create and all procedures", Rate::Write, person("ann"), 50, 100),
            ("follow.create", Rate::Follow, person("ann"), 60, 1_000),
            ("auth.createSession, one account", Rate::Login, account, 5, 12_000),
            ("auth.createSession, one address", Rate::Login, address("192.0.2.1"), 20, 3_000),
            ("auth.requestCode", Rate::Mail, address("192.0.2.1"), 3, 1_200_000),
            ("auth.createAccount", Rate::SignUp, address("192.0.2.1"), 10, 360_000),
        ] {
            let (limits, app) = (Limits::default(), app());
            for n in 0..burst {
                assert!(allowed(&limits, &app, subject, rate, at(0)), "{guarded}: call {n}");
            }
            let Decision::Refused { state, retry_after_s } = limits.take(&app, subject, rate, at(0)) else {
                panic!("{guarded} is not guarded");
            };
            assert_eq!(state.remaining, 0, "{guarded}");
            assert_eq!(retry_after_s, u64::max(1, refill_ms / 1_000), "{guarded}");
            assert!(!allowed(&limits, &app, subject, rate, at(refill_ms - 1)), "{guarded}");
            assert!(allowed(&limits, &app, subject, rate, at(refill_ms)), "{guarded}");
        }
    }

    #[test]
    fn one_subject_does_not_use_up_another_ones() {
        let (limits, one, two) = (Limits::default(), app(), App { id: AppId(2), ..app() });
        while allowed(&limits, &one, person("ann"), Rate::Write, at(0)) {}
        assert!(allowed(&limits, &one, person("bob"), Rate::Write, at(0)));
        assert!(allowed(&limits, &two, person("ann"), Rate::Write, at(0)));
        assert!(allowed(&limits, &one, person("ann"), Rate::Read, at(0)));
    }

    #[test]
    fn addresses_of_one_network_are_one_subject() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }

    #[test]
    fn settings_change_quotas_and_switch_limits_off() {
        let limits = Limits::default();
        let with = |rev, text: &str| App { settings: text.to_owned(), settings_rev: Position(rev), ..app() };
        let narrow = with(1, r#"{"rates":{"write":{"count":1,"windowS":1}}}"#);
        let first = limits.look(&narrow, person("ann"), Rate::Write, at(0)).unwrap();
        assert_eq!((first.policy.quota, first.policy.burst), (1, 5));
        let off = with(2, r#"{"rates":{"enabled":false}}"#);
        assert_eq!(limits.take(&off, person("ann"), Rate::Write, at(0)), Decision::Unlimited);
        assert!(limits.look(&off, person("ann"), Rate::Login, at(0)).is_none());
    }

    #[test]
    fn the_number_of_buckets_is_bounded_and_the_busy_ones_stay() {
        let (limits, app) = (Limits::bounded(Arc::default(), 64 * 2 * 8), app());
        while allowed(&limits, &app, person("ann"), Rate::Write, at(0)) {}
        for n in 0..100_000u32 {
            limits.take(&app, Subject::Address(std::net::Ipv4Addr::from_bits(n).into()), Rate::Read, at(1));
        }
        assert!(limits.len() <= 64 * 2 * 8 + 64, "{}", limits.len());
    }

    #[test]
    fn a_refused_call_costs_nothing() {
        let (limits, app) = (Limits::default(), app());
        while allowed(&limits, &app, person("ann"), Rate::Write, at(0)) {}
        for _ in 0..1_000 {
            assert!(!allowed(&limits, &app, person("ann"), Rate::Write, at(1)));
        }
        assert!(allowed(&limits, &app, person("ann"), Rate::Write, at(100)));
    }
}
