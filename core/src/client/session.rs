//! The pair of tokens, and when to exchange it.
//!
//! The access token lives 15 minutes. It is exchanged shortly before that, or when the server says 401,
//! once. The old refresh token stays good until the new pair is first used, so a lost reply is harmless:
//! the exchange is made again with the old one. A new pair is stored before it is used; else a crash in
//! between would leave the phone with a pair that the server has retired.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{SignIn, Turn};
use crate::id::Id;
use crate::time::{Monotonic, Now, Time};

/// How long an access token is good.
pub const ACCESS_LIFE: Duration = Duration::from_secs(15 * 60);

/// A pair that an exchange brings is good for at least this long. Its access token may be minutes old: after a
/// lost reply the server gives the same pair again. Its own bound is five minutes.
const ACCESS_SURE: Duration = Duration::from_secs(4 * 60);

/// How long before its end it is exchanged.
pub const REFRESH_AHEAD: Duration = Duration::from_secs(60);

/// A token. Shown as `***` wherever it is printed; stored as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Secret {
        Secret(token.into())
    }

    /// The token itself, to be sent and never printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A signed-in person, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Whose phone this is.
    pub profile: Id,
    /// Proves who asks.
    pub access: Secret,
    /// Buys the next pair.
    pub refresh: Secret,
    /// When the pair was got, by the phone's clock.
    pub since: Time,
    /// The server took neither: the person must sign in again.
    pub expired: bool,
}

/// Which pair a request was sent with. A 401 for an older pair says nothing about the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Generation(u64);

/// The session of the phone's one person.
#[derive(Debug, Default)]
pub struct Session {
    tokens: Option<Tokens>,
    generation: Generation,
    /// The present access token was refused.
    refused: bool,
    /// The present pair comes from an exchange at this moment, and has not been accepted by any call yet.
    unproven: Option<Monotonic>,
}

impl Session {
    /// The session as it was stored.
    pub(super) fn restore(tokens: Option<Tokens>) -> Session {
        Session { tokens, ..Session::default() }
    }

    /// Whose phone this is, also when the session has expired.
    pub fn profile(&self) -> Option<Id> {
        self.tokens.as_ref().map(|tokens| tokens.profile)
    }

    /// Whether the person must sign in again.
    pub fn is_expired(&self) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| tokens.expired)
    }

    /// The tokens to work with, and their generation; nothing if somebody must sign in first.
    pub(super) fn tokens(&self) -> Option<(&Tokens, Generation)> {
        self.tokens.as_ref().filter(|tokens| !tokens.expired).map(|tokens| (tokens, self.generation))
    }

    /// How long until the pair is to be exchanged; zero if it is time. If the clock was set back this
    /// comes late, which costs one 401.
    pub(super) fn refresh_in(&self, now: Time) -> Option<Duration> {
        let (tokens, _) = self.tokens()?;
        if self.refused {
            return Some(Duration::ZERO);
        }
        Some((ACCESS_LIFE - REFRESH_AHEAD).saturating_sub(now.since(tokens.since)))
    }

    /// Somebody signed in. Whether it is the person to whom the cache and the queue belong.
    pub(super) fn sign_in(
        &mut self,
        now: Time,
        profile: Id,
        access: Secret,
        refresh: Secret,
        turn: &mut Turn,
    ) -> bool {
        let same_person = self.profile().is_none_or(|known| known == profile);
        if same_person {
            self.set(Tokens { profile, access, refresh, since: now, expired: false }, turn);
            self.unproven = None;
        }
        same_person
    }

    /// The exchange succeeded.
    pub(super) fn renew(&mut self, now: Now, access: Secret, refresh: Secret, turn: &mut Turn) {
        if let Some(Tokens { profile, .. }) = self.tokens {
            self.set(Tokens { profile, access, refresh, since: now.wall, expired: false }, turn);
            self.unproven = Some(now.mono);
        }
    }

    /// A call with this pair was accepted.
    pub(super) fn accepted(&mut self, generation: Generation) {
        if generation == self.generation {
            self.unproven = None;
        }
    }

    /// A call with this pair was answered 401. A pair that is refused straight after the exchange that
    /// brought it will not get better by another exchange. One that was kept, unused, until it ran out will:
    /// its refresh token is good.
    pub(super) fn refused(&mut self, now: Now, generation: Generation, turn: &mut Turn) {
        if generation != self.generation {
            return;
        }
        if self.unproven.is_some_and(|since| self.age(now, since) < ACCESS_SURE) {
            self.expire(turn);
        } else {
            self.refused = true;
        }
    }

    /// How long ago the pair was got: one of the two clocks may have stood still or been set back.
    fn age(&self, now: Now, since: Monotonic) -> Duration {
        let by_wall = self.tokens.as_ref().map_or(Duration::ZERO, |tokens| now.wall.since(tokens.since));
        now.mono.since(since).max(by_wall)
    }

    /// The server does not take the refresh token either.
    pub(super) fn expire(&mut self, turn: &mut Turn) {
        if let Some(tokens) = self.tokens.clone() {
            self.set(Tokens { expired: true, ..tokens }, turn);
            turn.sign_in(SignIn::Expired);
        }
    }

    fn set(&mut self, tokens: Tokens, turn: &mut Turn) {
        turn.commit.session = Some(tokens.clone());
        self.tokens = Some(tokens);
        self.generation = Generation(self.generation.0 + 1);
        self.refused = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Id = Id::from_bytes([1; 16]);
    const START: Time = Time::from_millis(1_000_000);

    /// So long after the start.
    fn after(span: Duration) -> Now {
        Now { mono: Monotonic(span), wall: START + span }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn signed_in() -> Session {
        let mut session = Session::default();
        let (access, refresh) = (Secret::new("access-0"), Secret::new("refresh-0"));
        assert!(session.sign_in(START, ANN, access, refresh, &mut Turn::default()));
        session
    }

    fn renew(session: &mut Session) {
        session.renew(
            after(Duration::ZERO),
            Secret::new("access-1"),
            Secret::new("refresh-1"),
            &mut Turn::default(),
        );
    }

    fn present(session: &Session) -> Generation {
        session.tokens().unwrap().1
    }

    #[test]
    fn the_pair_is_exchanged_a_minute_before_its_end() {
        let session = signed_in();
        assert_eq!(session.refresh_in(START), Some(Duration::from_secs(14 * 60)));
        assert_eq!(session.refresh_in(START + Duration::from_secs(14 * 60)), Some(Duration::ZERO));
        assert_eq!(session.refresh_in(Time::ZERO), Some(Duration::from_secs(14 * 60)), "the clock went back");
        assert_eq!(Session::default().refresh_in(START), None);
    }

    #[test]
    fn one_401_asks_for_an_exchange_and_a_second_one_for_the_person() {
        let mut session = signed_in();
        let mut turn = Turn::default();
        session.refused(after(SECOND), present(&session), &mut turn);
        assert_eq!(session.refresh_in(START), Some(Duration::ZERO));
        renew(&mut session);
        assert_ne!(session.refresh_in(START), Some(Duration::ZERO));
        assert!(!session.is_expired());
        session.refused(after(SECOND), present(&session), &mut turn);
        assert!(session.is_expired());
        assert_eq!(session.refresh_in(START), None);
    }

    #[test]
    fn a_401_for_an_older_pair_means_nothing_and_a_proven_pair_may_be_exchanged_again() {
        let mut session = signed_in();
        let older = present(&session);
        renew(&mut session);
        session.refused(after(SECOND), older, &mut Turn::default());
        assert_ne!(session.refresh_in(START), Some(Duration::ZERO));
        session.accepted(present(&session));
        session.refused(after(SECOND), present(&session), &mut Turn::default());
        assert!(!session.is_expired());
        assert_eq!(session.refresh_in(START), Some(Duration::ZERO));
    }

    /// After a lost reply the server gives the same pair again, with what is left of its time. A phone that was
    /// then offline until it ran out took the 401 for the end of the session and signed its person out.
    #[test]
    fn a_pair_that_ran_out_unused_is_exchanged_and_signs_nobody_out() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        // The second: the wall clock was set back meanwhile. The third: the phone slept, and its other clock with it.
        for now in [
            after(minutes(6)),
            Now { mono: Monotonic(minutes(6)), wall: Time::ZERO },
            Now { mono: Monotonic(SECOND), wall: START + minutes(6) },
        ] {
            let mut session = signed_in();
            renew(&mut session);
            session.refused(now, present(&session), &mut Turn::default());
            assert!(!session.is_expired(), "{now:?}");
            assert_eq!(session.refresh_in(now.wall), Some(Duration::ZERO), "exchanged at once");
        }
    }

    #[test]
    fn another_person_is_turned_away_and_tokens_are_not_printed() {
        let mut session = signed_in();
        let bob = Id::from_bytes([2; 16]);
        let pair = || Secret::new("of-bob");
        assert!(!session.sign_in(START, bob, pair(), pair(), &mut Turn::default()));
        assert_eq!(session.profile(), Some(ANN));
        assert!(!format!("{session:?}").contains("access-0"));
    }
}
