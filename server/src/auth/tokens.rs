//! What a client holds to prove who it is: access tokens and refresh tokens.
//!
//! Both are bytes under an HMAC-SHA-256 with the app's secret, as base64url without padding; clients
//! treat them as opaque. An access token is believed by its signature and the session it names. A
//! refresh token also holds 256 bits that must hash to what the session keeps; they are derived from the
//! token before it and the app's secret, so that whoever presents the old one again, because the reply
//! was lost, is given the same new one. The signature tells a token that was once good from a made-up
//! one: only the former can end a session.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::id::{AppId, Id};
use gomer_core::time::Time;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How long an access token is good.
pub const ACCESS_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a refresh token is good after it was given out.
pub const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long a session lasts at most, however often it is refreshed.
pub const SESSION_LIFE: Duration = Duration::from_secs(180 * 24 * 3_600);

/// Which session of whom a token speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The tenant.
    pub app: AppId,
    /// The profile.
    pub profile: Id,
    /// The device it was given to.
    pub device: Id,
    /// The session: all tokens that descend from one sign-in.
    pub family: Id,
    /// How many refreshes lie before it.
    pub generation: u32,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Not a token of this app, or changed on the way.
    Forged,
    /// It was good until a moment that has passed.
    Expired,
}

/// Proof of a session for a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessToken {
    /// Whose.
    pub holder: Holder,
    /// Good until then.
    pub expires: Time,
}

impl AccessToken {
    /// Its text: 131 characters.
    pub fn seal(&self, secret: &[u8; 32]) -> String {
        let mut body = self.holder.bytes(ACCESS);
        body.extend_from_slice(&self.expires.as_millis().to_be_bytes());
        signed(body, secret)
    }

    /// Reads a text. A token of another app, or one that differs in a single bit, is [`TokenFault::Forged`].
    pub fn open(text: &str, app: AppId, secret: &[u8; 32], now: Time) -> Result<AccessToken, TokenFault> {
        let body = verified(text, secret)?;
        let (holder, rest) = Holder::read(&body, ACCESS, app)?;
        let millis = rest.try_into().map_err(|_| TokenFault::Forged)?;
        let token = AccessToken { holder, expires: Time::from_millis(u64::from_be_bytes(millis)) };
        if token.expires <= now { Err(TokenFault::Expired) } else { Ok(token) }
    }
}

/// What is exchanged for the next pair, once.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose.
    pub holder: Holder,
    proof: [u8; 32],
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({:?}, ***)", self.holder)
    }
}

impl RefreshToken {
    /// The first one of a session. It follows from the session's seed and from what the client showed to
    /// sign in, so that a repeated sign-in gets the same one, and what is stored does not suffice to make it
    /// (but for a guest, who has nothing to show but the session's id).
    pub fn first(holder: Holder, seed: &[u8; 32], shown: &[u8], secret: &[u8; 32]) -> RefreshToken {
        let mut mac = keyed(secret, b"gomer first refresh token");
        mac.update(&holder.bytes(REFRESH));
        mac.update(seed);
        mac.update(shown);
        RefreshToken { holder, proof: mac.finalize().into_bytes().into() }
    }

    /// The one that replaces this one: always the same.
    pub fn next(&self, secret: &[u8; 32]) -> RefreshToken {
        let holder = Holder { generation: self.holder.generation.saturating_add(1), ..self.holder };
        let mut mac = keyed(secret, b"gomer next refresh token");
        mac.update(&holder.bytes(REFRESH));
        mac.update(&self.proof);
        RefreshToken { holder, proof: mac.finalize().into_bytes().into() }
    }

    /// What the session keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.proof).into()
    }

    /// Its text: 163 characters.
    pub fn seal(&self, secret: &[u8; 32]) -> String {
        let mut body = self.holder.bytes(REFRESH);
        body.extend_from_slice(&self.proof);
        signed(body, secret)
    }

    /// Reads a text. Whether it is still good, only the session can say.
    pub fn open(text: &str, app: AppId, secret: &[u8; 32]) -> Result<RefreshToken, TokenFault> {
        let body = verified(text, secret)?;
        let (holder, rest) = Holder::read(&body, REFRESH, app)?;
        let proof = rest.try_into().map_err(|_| TokenFault::Forged)?;
        Ok(RefreshToken { holder, proof })
    }
}

impl Holder {
    fn bytes(&self, kind: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&self.app.0.to_be_bytes());
        for id in [self.profile, self.device, self.family] {
            bytes.extend_from_slice(id.as_bytes());
        }
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    /// Reads what [`Holder::bytes`] wrote, and what follows it.
    fn read(body: &[u8], kind: u8, app: AppId) -> Result<(Holder, &[u8]), TokenFault> {
        let (head, rest) = body.split_first_chunk::<HEAD>().ok_or(TokenFault::Forged)?;
        let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let id = |at: usize| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&head[at..at + 16]);
            Id::from_bytes(bytes)
        };
        if head[..2] != [VERSION, kind] || number(2) != app.0 {
            return Err(TokenFault::Forged);
        }
        let holder = Holder { app, profile: id(6), device: id(22), family: id(38), generation: number(54) };
        Ok((holder, rest))
    }
}

fn signed(mut body: Vec<u8>, secret: &[u8; 32]) -> String {
    let mut mac = keyed(secret, SIGNED);
    mac.update(&body);
    body.extend_from_slice(&mac.finalize().into_bytes());
    URL_SAFE_NO_PAD.encode(body)
}

/// The body of a signed text. The signature is compared in constant time. The decoder is strict, so that
/// no two texts are the same token.
fn verified(text: &str, secret: &[u8; 32]) -> Result<Vec<u8>, TokenFault> {
    if text.len() > TEXT_MAX {
        return Err(TokenFault::Forged);
    }
    let mut body = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Forged)?;
    let at = body.len().checked_sub(MAC).ok_or(TokenFault::Forged)?;
    let signature = body.split_off(at);
    let mut mac = keyed(secret, SIGNED);
    mac.update(&body);
    mac.verify_slice(&signature).map_err(|_| TokenFault::Forged)?;
    Ok(body)
}

/// An HMAC for one purpose: what is signed for one is worth nothing for another.
pub(super) fn keyed(secret: &[u8; 32], purpose: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&[purpose.len() as u8]);
    mac.update(purpose);
    mac
}

const VERSION: u8 = 1;
const ACCESS: u8 = b'a';
const REFRESH: u8 = b'r';
const SIGNED: &[u8] = b"gomer token";
/// Version, kind, app, three ids, generation.
const HEAD: usize = 2 + 4 + 3 * 16 + 4;
const MAC: usize = 32;
/// Longer texts are not looked at.
const TEXT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::rng::Rng;
    use proptest::prelude::*;

    const SECRET: [u8; 32] = [7; 32];
    const OTHER: [u8; 32] = [8; 32];
    const NOW: Time = Time::from_millis(1_795_456_500_000);

    fn holder() -> Holder {
        let mut rng = Rng::new(1);
        let mut id = || Id::mint(NOW, &mut rng);
        Holder { app: AppId(3), profile: id(), device: id(), family: id(), generation: 4 }
    }

    fn access() -> AccessToken {
        AccessToken { holder: holder(), expires: NOW + ACCESS_LIFE }
    }

    fn refresh() -> RefreshToken {
        RefreshToken::first(holder(), &[1; 32], b"shown", &SECRET)
    }

    #[test]
    fn tokens_survive_their_texts() {
        let text = access().seal(&SECRET);
        assert_eq!(text.len(), 131);
        assert_eq!(AccessToken::open(&text, AppId(3), &SECRET, NOW), Ok(access()));
        let text = refresh().seal(&SECRET);
        assert_eq!(text.len(), 163);
        assert_eq!(RefreshToken::open(&text, AppId(3), &SECRET), Ok(refresh()));
    }

    #[test]
    fn an_access_token_ends_at_its_moment() {
        let text = access().seal(&SECRET);
        let last = NOW + ACCESS_LIFE - Duration::from_millis(1);
        assert!(AccessToken::open(&text, AppId(3), &SECRET, last).is_ok());
        let over = AccessToken::open(&text, AppId(3), &SECRET, NOW + ACCESS_LIFE);
        assert_eq!(over, Err(TokenFault::Expired));
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        for text in [access().seal(&SECRET), refresh().seal(&SECRET)] {
            let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let bad = URL_SAFE_NO_PAD.encode(bad);
                assert_eq!(AccessToken::open(&bad, AppId(3), &SECRET, NOW), Err(TokenFault::Forged), "{bit}");
                assert_eq!(RefreshToken::open(&bad, AppId(3), &SECRET), Err(TokenFault::Forged), "{bit}");
            }
        }
    }

    #[test]
    fn no_flipped_bit_of_the_text_is_accepted() {
        for text in [access().seal(&SECRET), refresh().seal(&SECRET)] {
            for bit in 0..text.len() * 8 {
                let mut bad = text.clone().into_bytes();
                bad[bit / 8] ^= 1 << (bit % 8);
                let Ok(bad) = String::from_utf8(bad) else { continue };
                assert!(AccessToken::open(&bad, AppId(3), &SECRET, NOW).is_err(), "{bad}");
                assert!(RefreshToken::open(&bad, AppId(3), &SECRET).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn a_token_is_worth_nothing_elsewhere() {
        let (a, r) = (access().seal(&SECRET), refresh().seal(&SECRET));
        let forged = Some(TokenFault::Forged);
        assert_eq!(AccessToken::open(&a, AppId(3), &OTHER, NOW).err(), forged, "another app's secret");
        assert_eq!(AccessToken::open(&a, AppId(4), &SECRET, NOW).err(), forged, "another app");
        assert_eq!(AccessToken::open(&r, AppId(3), &SECRET, NOW).err(), forged, "the other kind");
        assert_eq!(RefreshToken::open(&a, AppId(3), &SECRET).err(), forged, "the other kind");
        assert_eq!(RefreshToken::open(&r, AppId(4), &SECRET).err(), forged, "another app");
        let mut longer = access().holder.bytes(ACCESS);
        longer.extend_from_slice(&[0xff; 9]);
        let longer = signed(longer, &SECRET);
        assert_eq!(AccessToken::open(&longer, AppId(3), &SECRET, NOW).err(), forged, "another shape");
    }

    #[test]
    fn the_next_token_is_always_the_same_and_no_other() {
        let first = refresh();
        let next = first.next(&SECRET);
        assert_eq!(next, first.next(&SECRET));
        assert_eq!(next.holder.generation, 5);
        assert_ne!(next.hash(), first.hash());
        assert_ne!(next, first.next(&OTHER), "only this app can derive it");
        assert_ne!(first, RefreshToken::first(holder(), &[2; 32], b"shown", &SECRET), "by the seed");
        assert_ne!(first, RefreshToken::first(holder(), &[1; 32], b"other", &SECRET), "by what was shown");
    }

    #[test]
    fn a_printed_token_tells_nothing() {
        let printed = format!("{:?}", RefreshToken { holder: holder(), proof: [0xab; 32] });
        assert!(printed.contains("***") && !printed.contains("171, 171"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text in "[-_A-Za-z0-9=+/.é ]{0,300}") {
            prop_assert!(AccessToken::open(&text, AppId(3), &SECRET, NOW).is_err());
            prop_assert!(RefreshToken::open(&text, AppId(3), &SECRET).is_err());
        }
    }
}
