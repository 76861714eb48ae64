//! ID tokens of OpenID Connect (Core 1.0 §2, §3.1.3.7): reading one, and deciding whether it is for this app, of this
//! provider, good now, and signed by one of the provider's keys.
//!
//! Only RS256 and ES256 are taken, and the key decides which: a token that says `none`, or names an algorithm that its
//! key is not for, is refused. Pure: keys and time are arguments.
//!
//! Must never learn: how keys are fetched.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::time::Time;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// Most characters of a token.
pub const TOKEN_CHARS_MAX: usize = 16 * 1024;
/// Most keys of a provider that are looked at.
pub const KEYS_MAX: usize = 50;
/// How far the provider's clock may be from ours.
const LEEWAY_S: u64 = 60;
/// Longest that a token may be good: a provider that gives out tokens for days is not meant for signing in.
const LIFE_MAX_S: u64 = 24 * 3_600;

/// Why a token is refused. For logs: whoever shows it is told that it is refused and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is no signed token, or says what must be understood and is not.
    Malformed,
    /// Its algorithm is none that is taken, or none of its key.
    Algorithm,
    /// None of the provider's keys that are known has its id.
    UnknownKey,
    /// Its signature is not that key's.
    Signature,
    /// Another issuer gave it out.
    Issuer,
    /// It was given out for another client.
    Audience,
    /// It has run out, or is good for too long, or is from the future.
    Time,
    /// It was not asked for with this nonce.
    Nonce,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Malformed => "it is not a signed token",
            Refused::Algorithm => "its algorithm is not taken",
            Refused::UnknownKey => "its key is not known",
            Refused::Signature => "its signature is wrong",
            Refused::Issuer => "its issuer is another one",
            Refused::Audience => "it is for another client",
            Refused::Time => "its time is over, or has not come",
            Refused::Nonce => "its nonce is another one",
        })
    }
}

/// A provider's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What it is.
    pub material: Material,
}

/// What a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// RSA: modulus and exponent, big-endian.
    Rsa(Vec<u8>, Vec<u8>),
    /// P-256: the point, uncompressed.
    P256(Vec<u8>),
}

/// Reads a JWK set (RFC 7517). Keys of other kinds, and those that are not for signing, are passed over.
pub fn keys(json: &[u8]) -> Option<Vec<Key>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Jwk {
        kty: String,
        kid: Option<String>,
        #[serde(rename = "use")]
        used: Option<String>,
        alg: Option<String>,
        n: Option<String>,
        e: Option<String>,
        crv: Option<String>,
        x: Option<String>,
        y: Option<String>,
    }
    let set: Set = serde_json::from_slice(json).ok()?;
    let read = |value: serde_json::Value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if jwk.used.as_deref().is_some_and(|used| used != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref(), jwk.alg.as_deref()) {
            ("RSA", None, None | Some("RS256")) => Material::Rsa(bytes(jwk.n)?, bytes(jwk.e)?),
            ("EC", Some("P-256"), None | Some("ES256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                Material::P256([&[4][..], &x, &y].concat())
            }
            _ => return None,
        };
        Some(Key { id: jwk.kid, material })
    };
    Some(set.keys.into_iter().filter_map(read).take(KEYS_MAX).collect())
}

/// What a token must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who gives it out.
    pub issuer: &'a str,
    /// To which of our clients.
    pub clients: &'a [String],
    /// With which nonce it was asked for, if with one.
    pub nonce: Option<&'a str>,
}

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The provider's name of them: never changes, and is never another's.
    pub id: String,
    /// An address, if the provider says that it is theirs.
    pub email: Option<String>,
}

/// A token that is read and not believed yet.
#[derive(Debug)]
pub struct Unproven<'a> {
    signed: &'a [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    claims: Claims,
    /// The id of its key.
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    azp: Option<String>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl<'a> Unproven<'a> {
    /// Reads a token.
    pub fn read(token: &'a str) -> Result<Unproven<'a>, Refused> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: Option<String>,
            crit: Option<serde_json::Value>,
        }
        if token.len() > TOKEN_CHARS_MAX {
            return Err(Refused::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed);
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| Refused::Malformed)?;
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            _ => return Err(Refused::Algorithm),
        };
        let claims = serde_json::from_slice(&bytes(claims)?).map_err(|_| Refused::Malformed)?;
        let (signed, signature) = (signed.as_bytes(), bytes(signature)?);
        Ok(Unproven { signed, signature, algorithm, claims, key: header.kid })
    }

    /// Whether it is signed by one of these keys, and is what is expected. The signature first: what is not the provider's
    /// tells nothing.
    pub fn prove(&self, keys: &[Key], expected: Expected<'_>, now: Time) -> Result<Subject, Refused> {
        let fits = |key: &&Key| match (&self.key, &key.id) {
            (Some(wanted), Some(id)) => wanted == id,
            // Without ids, any of the right kind may be it.
            _ => true,
        };
        let fitting: Vec<&Key> = keys.iter().filter(fits).collect();
        if fitting.is_empty() {
            return Err(Refused::UnknownKey);
        }
        let of_kind = |key: &&&Key| match (&key.material, self.algorithm) {
            (Material::Rsa(..), Algorithm::Rs256) | (Material::P256(_), Algorithm::Es256) => true,
            (Material::Rsa(..), Algorithm::Es256) | (Material::P256(_), Algorithm::Rs256) => false,
        };
        let of_kind: Vec<&&Key> = fitting.iter().filter(of_kind).collect();
        if of_kind.is_empty() {
            return Err(Refused::Algorithm);
        }
        if !of_kind.iter().any(|key| self.is_signed_by(&key.material)) {
            return Err(Refused::Signature);
        }
        self.check(expected, now)
    }

    fn is_signed_by(&self, material: &Material) -> bool {
        match material {
            Material::Rsa(n, e) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, self.signed, &self.signature)
                .is_ok(),
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(self.signed, &self.signature)
                .is_ok(),
        }
    }

    fn check(&self, expected: Expected<'_>, now: Time) -> Result<Subject, Refused> {
        let claims = &self.claims;
        if claims.iss != expected.issuer {
            return Err(Refused::Issuer);
        }
        let is_ours = |client: &String| expected.clients.contains(client);
        let for_us = match &claims.aud {
            Audience::One(client) => is_ours(client),
            // Given out for several: then to whom is said, and that must be us.
            Audience::Many(clients) => {
                clients.iter().any(is_ours) && (clients.len() == 1 || claims.azp.is_some())
            }
        };
        if !for_us || claims.azp.as_ref().is_some_and(|party| !is_ours(party)) {
            return Err(Refused::Audience);
        }
        let (now, leeway) = (now.as_millis() as f64 / 1_000.0, LEEWAY_S as f64);
        let good = claims.exp + leeway > now
            && claims.exp < now + (LIFE_MAX_S + LEEWAY_S) as f64
            && claims.iat.is_none_or(|at| at < now + leeway)
            && claims.nbf.is_none_or(|at| at < now + leeway);
        if !good {
            return Err(Refused::Time);
        }
        if claims.nonce.as_deref() != expected.nonce {
            return Err(Refused::Nonce);
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(Refused::Malformed);
        }
        let verified = match &claims.email_verified {
            Some(serde_json::Value::Bool(verified)) => *verified,
            // Apple says it as a text.
            Some(serde_json::Value::String(text)) => text == "true",
            _ => false,
        };
        let email = claims.email.clone().filter(|email| verified && email.len() <= 254);
        Ok(Subject { id: claims.sub.clone(), email })
    }
}

#[cfg(test)]
#[path = "id_token_test.rs"]
mod tests;
