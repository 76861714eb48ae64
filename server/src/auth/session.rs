//! A session: what the link from a profile to a device holds, and which tokens are good by it.
//!
//! At each moment one pair of tokens is the current one. It is *fresh* until it is first used: while it is,
//! the refresh token that it replaced still gets it, so that a lost reply costs nothing. An older token that
//! was once good ends the session: either it or the one in use was stolen. Access tokens of earlier pairs
//! stay good until they run out, because a phone's calls overtake each other.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::tokens::{ACCESS_LIFE, AccessToken, Holder, REFRESH_LIFE, RefreshToken, SESSION_LIFE};
use crate::types::Uuid;

/// Most sessions of one profile; the one that was refreshed longest ago goes.
pub const SESSIONS_MAX: usize = 20;

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Proof {
    /// As a guest, without any.
    Guest,
    /// With a password.
    Password,
    /// With a one-time code.
    Code,
    /// With an account at an identity provider.
    Provider,
}

/// What the link's data holds, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The session's id, chosen by the client.
    pub id: Uuid,
    /// How many refreshes there were.
    pub generation: u32,
    current: Hash,
    /// Good as long as the current pair is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Hash>,
    /// Whether the current pair was never used.
    pub fresh: bool,
    seed: Hash,
    started: u64,
    issued: u64,
    /// How somebody signed in.
    pub proof: Proof,
}

/// What a refresh comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// The session as it is to be stored, and the next token.
    Next(Session, RefreshToken),
    /// The reply was lost: the same token again.
    Again(RefreshToken),
    /// A token that was once good: the session ends.
    Reused,
    /// No token of this session, or the session has run out.
    Refused,
}

impl Session {
    /// A new session, and its first token. `shown` is what the client proved itself with.
    pub fn begin(
        holder: Holder,
        seed: [u8; 32],
        shown: &[u8],
        secret: &[u8; 32],
        proof: Proof,
        now: Time,
    ) -> (Session, RefreshToken) {
        let token = RefreshToken::first(holder, &seed, shown, secret);
        let session = Session {
            id: Uuid(holder.family),
            generation: holder.generation,
            current: Hash(token.hash()),
            previous: None,
            fresh: true,
            seed: Hash(seed),
            started: now.as_millis(),
            issued: now.as_millis(),
            proof,
        };
        (session, token)
    }

    /// Reads a link's data. What cannot be read is no session.
    pub fn read(data: &str) -> Option<Session> {
        serde_json::from_str(data).ok()
    }

    /// The link's data.
    pub fn data(&self) -> String {
        serde_json::to_string(self).expect("a session is plain data, which JSON can hold")
    }

    /// The first token again, for whoever signs in again under the same session id because the reply was
    /// lost. Nothing if another proof was shown, or a token of the session was used since.
    pub fn first_again(&self, holder: Holder, shown: &[u8], secret: &[u8; 32]) -> Option<RefreshToken> {
        let holder = Holder { generation: self.generation, ..holder };
        let token = RefreshToken::first(holder, &self.seed.0, shown, secret);
        (self.fresh && self.previous.is_none() && token.hash() == self.current.0).then_some(token)
    }

    /// What to do about a refresh token whose signature is good.
    pub fn refresh(&self, shown: &RefreshToken, secret: &[u8; 32], now: Time) -> Refresh {
        if shown.holder.family != self.id.0 || self.has_ended(now) {
            return Refresh::Refused;
        }
        let hash = shown.hash();
        if hash == self.current.0 && shown.holder.generation == self.generation {
            let token = shown.next(secret);
            let next = Session {
                generation: token.holder.generation,
                current: Hash(token.hash()),
                previous: Some(Hash(hash)),
                fresh: true,
                issued: now.as_millis(),
                ..self.clone()
            };
            return Refresh::Next(next, token);
        }
        if self.fresh && self.previous == Some(Hash(hash)) {
            let token = shown.next(secret);
            debug_assert_eq!(
                token.hash(),
                self.current.0,
                "the current token was derived from the one before"
            );
            return Refresh::Again(token);
        }
        if shown.holder.generation < self.generation { Refresh::Reused } else { Refresh::Refused }
    }

    /// Whether an access token whose signature and time are good is one of this session.
    pub fn allows(&self, token: &AccessToken, now: Time) -> bool {
        token.holder.family == self.id.0 && token.holder.generation <= self.generation && !self.has_ended(now)
    }

    /// The session as it is to be stored, if this is the first use of its current pair.
    pub fn used(&self, token: &AccessToken) -> Option<Session> {
        let first = self.fresh && token.holder.generation == self.generation;
        first.then(|| Session { fresh: false, previous: None, ..self.clone() })
    }

    /// The access token that goes with the current refresh token: the same while most of its time is left.
    pub fn access(&self, holder: Holder, now: Time) -> AccessToken {
        let issued = Time::from_millis(self.issued);
        let from = if now.since(issued) < ACCESS_LIFE - ACCESS_LEFT_MIN { issued } else { now };
        let holder = Holder { generation: self.generation, family: self.id.0, ..holder };
        AccessToken { holder, expires: from + ACCESS_LIFE }
    }

    /// Until when it lasts if it is not refreshed.
    pub fn ends(&self) -> Time {
        (Time::from_millis(self.issued) + REFRESH_LIFE).min(Time::from_millis(self.started) + SESSION_LIFE)
    }

    /// When it began.
    pub fn started(&self) -> Time {
        Time::from_millis(self.started)
    }

    /// When tokens were last given out.
    pub fn refreshed(&self) -> Time {
        Time::from_millis(self.issued)
    }

    /// Whether it has run out.
    pub fn has_ended(&self, now: Time) -> bool {
        self.ends() <= now
    }
}

/// 32 bytes, as base64url in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hash([u8; 32]);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Hash).ok_or_else(|| de::Error::custom("not 32 bytes in base64url"))
    }
}

/// A token given out again has at least this much time left.
const ACCESS_LEFT_MIN: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::{AppId, Id};
    use gomer_core::rng::Rng;

    const SECRET: [u8; 32] = [7; 32];
    const NOW: Time = Time::from_millis(1_795_456_500_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn holder() -> Holder {
        let mut rng = Rng::new(1);
        let mut id = || Id::mint(NOW, &mut rng);
        Holder { app: AppId(3), profile: id(), device: id(), family: id(), generation: 0 }
    }

    fn begin() -> (Session, RefreshToken) {
        Session::begin(holder(), [1; 32], b"password", &SECRET, Proof::Password, NOW)
    }

    fn next(session: &Session, shown: &RefreshToken, now: Time) -> (Session, RefreshToken) {
        match session.refresh(shown, &SECRET, now) {
            Refresh::Next(session, token) => (session, token),
            other => panic!("{other:?}"),
        }
    }

    fn use_access(session: &Session, now: Time) -> Session {
        let token = session.access(holder(), now);
        assert!(session.allows(&token, now));
        session.used(&token).expect("the pair was fresh")
    }

    #[test]
    fn a_session_survives_its_data() {
        let (session, token) = begin();
        let (session, _) = next(&session, &token, NOW + MINUTE);
        assert_eq!(Session::read(&session.data()), Some(session));
        for bad in ["", "{}", "null", "{\"id\":7}"] {
            assert_eq!(Session::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_stored_holds_no_token() {
        let (session, token) = begin();
        let data = session.data();
        assert!(!data.contains(&token.seal(&SECRET)[78..120]), "the proof part of the token");
    }

    #[test]
    fn a_lost_reply_is_given_again_until_the_new_pair_is_used() {
        let (session, old) = begin();
        let (session, new) = next(&session, &old, NOW);
        assert_eq!(session.refresh(&old, &SECRET, NOW + MINUTE), Refresh::Again(new.clone()));
        assert_eq!(session.refresh(&old, &SECRET, NOW + 9 * MINUTE), Refresh::Again(new.clone()));
        // Its first use, by the access token.
        let used = use_access(&session, NOW + MINUTE);
        assert_eq!(used.refresh(&old, &SECRET, NOW + MINUTE), Refresh::Reused);
        // Its first use, by the refresh token.
        let (newer, _) = next(&session, &new, NOW + MINUTE);
        assert_eq!(newer.refresh(&old, &SECRET, NOW + MINUTE), Refresh::Reused);
    }

    #[test]
    fn the_old_token_is_good_while_the_new_pair_was_never_used_however_long() {
        let (session, old) = begin();
        let (session, new) = next(&session, &old, NOW);
        let late = NOW + REFRESH_LIFE - MINUTE;
        assert_eq!(session.refresh(&old, &SECRET, late), Refresh::Again(new));
        assert_eq!(session.refresh(&old, &SECRET, NOW + REFRESH_LIFE), Refresh::Refused, "it has run out");
    }

    #[test]
    fn the_second_to_last_token_ends_the_session_even_if_the_last_pair_is_fresh() {
        let (session, first) = begin();
        let (session, second) = next(&session, &first, NOW);
        let (session, _) = next(&session, &second, NOW);
        assert_eq!(session.refresh(&first, &SECRET, NOW), Refresh::Reused);
    }

    #[test]
    fn tokens_of_another_session_or_of_the_future_end_nothing() {
        let (session, token) = begin();
        let other = Holder { family: holder().device, ..holder() };
        let (_, foreign) = Session::begin(other, [1; 32], b"password", &SECRET, Proof::Password, NOW);
        assert_eq!(session.refresh(&foreign, &SECRET, NOW), Refresh::Refused);
        let (later, newer) = next(&session, &token, NOW);
        assert_eq!(session.refresh(&newer, &SECRET, NOW), Refresh::Refused, "from a future that was undone");
        assert!(!session.allows(&later.access(holder(), NOW), NOW));
    }

    #[test]
    fn only_the_first_use_of_the_current_pair_is_to_be_stored() {
        let (session, refresh) = begin();
        let early = session.access(holder(), NOW);
        let used = use_access(&session, NOW);
        assert_eq!(used.used(&early), None);
        let (session, _) = next(&used, &refresh, NOW + MINUTE);
        assert_eq!(session.used(&early), None, "a token of the pair before is no use of this one");
        assert!(session.allows(&early, NOW + MINUTE), "calls under way stay good");
    }

    #[test]
    fn the_access_token_is_the_same_again_while_it_has_time_left() {
        let (session, _) = begin();
        assert_eq!(session.access(holder(), NOW), session.access(holder(), NOW + 9 * MINUTE));
        let later = session.access(holder(), NOW + 12 * MINUTE);
        assert_eq!(later.expires, NOW + 27 * MINUTE);
    }

    #[test]
    fn the_first_token_is_given_again_for_the_same_proof_only() {
        let (session, token) = begin();
        assert_eq!(session.first_again(holder(), b"password", &SECRET), Some(token.clone()));
        assert_eq!(session.first_again(holder(), b"guess", &SECRET), None);
        let used = use_access(&session, NOW);
        assert_eq!(used.first_again(holder(), b"password", &SECRET), None, "it is in use");
        let (refreshed, _) = next(&session, &token, NOW);
        assert_eq!(refreshed.first_again(holder(), b"password", &SECRET), None, "it was replaced");
    }

    #[test]
    fn refreshing_does_not_make_a_session_last_for_ever() {
        let (mut session, mut token) = begin();
        let mut now = NOW;
        for _ in 0..6 {
            now = now + (REFRESH_LIFE - MINUTE);
            (session, token) = next(&session, &token, now);
        }
        assert_eq!(session.ends(), NOW + SESSION_LIFE);
        assert_eq!(session.refresh(&token, &SECRET, NOW + SESSION_LIFE), Refresh::Refused);
        let access = session.access(holder(), NOW + SESSION_LIFE);
        assert!(!session.allows(&access, NOW + SESSION_LIFE));
    }
}
