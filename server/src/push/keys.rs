//! Keys of providers, and what is signed with them: JSON Web Tokens (RFC 7519) by ES256 and RS256.
//!
//! Nothing here is printed: a key's `Debug` says that it is one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::DecodePrivateKey as _;
use p256::{PublicKey, SecretKey};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Serialize;

/// Bytes of an uncompressed point on P-256: what browsers and providers call a public key.
pub const PUBLIC_BYTES: usize = 65;

/// A private key on P-256.
#[derive(Clone)]
pub struct EcKey(SecretKey);

impl fmt::Debug for EcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EcKey(***)")
    }
}

impl EcKey {
    /// From PKCS #8 in PEM, as Apple gives it out (`.p8`).
    pub fn from_pem(text: &str) -> Option<EcKey> {
        SecretKey::from_pkcs8_pem(text.trim()).ok().map(EcKey)
    }

    /// From its 32 bytes, as VAPID keys are written. Nothing if they are no key: zero, or beyond the curve's order.
    pub fn from_bytes(bytes: &[u8]) -> Option<EcKey> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        SecretKey::from_slice(bytes).ok().map(EcKey)
    }

    /// A new one, from random bytes. Of 2^32 drawings less than one is no key, and is drawn again.
    pub fn draw(mut random: impl FnMut() -> [u8; 32]) -> EcKey {
        loop {
            if let Some(key) = EcKey::from_bytes(&random()) {
                return key;
            }
        }
    }

    /// Its 32 bytes. A secret.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The public key that belongs to it, as an uncompressed point.
    pub fn public(&self) -> [u8; PUBLIC_BYTES] {
        let point = self.0.public_key().to_sec1_point(false);
        point.as_bytes().try_into().expect("an uncompressed point has 65 bytes")
    }

    /// What both sides agree on: the x coordinate of the common point (RFC 8291 §3.1).
    pub fn agree(&self, with: &PublicKey) -> [u8; 32] {
        let shared = p256::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), with.as_affine());
        (*shared.raw_secret_bytes()).into()
    }

    /// A token signed by ES256.
    pub fn token(&self, header: &impl Serialize, claims: &impl Serialize) -> String {
        let text = unsigned(header, claims);
        let signature: Signature = SigningKey::from(&self.0).sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// A private key of RSA.
pub struct RsaKey(RsaKeyPair);

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(***)")
    }
}

impl RsaKey {
    /// From PKCS #8 in PEM, as Google gives it out: 2,048 to 4,096 bits.
    pub fn from_pem(text: &str) -> Option<RsaKey> {
        let body = text.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
        let body = body.strip_suffix("-----END PRIVATE KEY-----")?;
        let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).ok()?).ok().map(RsaKey)
    }

    /// A token signed by RS256. Nothing if the machine gives no random bytes, which blind the calculation.
    pub fn token(&self, header: &impl Serialize, claims: &impl Serialize) -> Option<String> {
        let text = unsigned(header, claims);
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn unsigned(header: &impl Serialize, claims: &impl Serialize) -> String {
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let header = part(serde_json::to_vec(header).expect("a header is plain data, which JSON can hold"));
    let claims = part(serde_json::to_vec(claims).expect("claims are plain data, which JSON can hold"));
    format!("{header}.{claims}")
}

/// A public key, from an uncompressed point in base64url.
pub fn public_key(text: &str) -> Option<PublicKey> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    (bytes.len() == PUBLIC_BYTES).then(|| PublicKey::from_sec1_bytes(&bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;
    use serde_json::json;

    #[test]
    fn a_token_is_verified_with_the_public_key_and_no_other() {
        let key = EcKey::from_bytes(&[7; 32]).unwrap();
        let token = key.token(&json!({"alg": "ES256"}), &json!({"iss": "team"}));
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let verifies = |key: &EcKey| {
            let public = VerifyingKey::from_sec1_bytes(&key.public()).unwrap();
            public.verify(text.as_bytes(), &signature).is_ok()
        };
        assert!(verifies(&key));
        assert!(!verifies(&EcKey::from_bytes(&[8; 32]).unwrap()));
        assert_eq!(EcKey::from_bytes(&key.to_bytes()).unwrap().public(), key.public());
    }

    #[test]
    fn what_is_no_key_is_refused_and_none_is_printed() {
        for bad in [&[0; 32][..], &[0xff; 32], &[7; 31], &[7; 33], &[]] {
            assert!(EcKey::from_bytes(bad).is_none(), "{bad:?}");
        }
        let pem = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----");
        for bad in ["", "key", &pem(""), &pem("AAAA"), &pem("!"), "-----BEGIN PRIVATE KEY-----"] {
            assert!(EcKey::from_pem(bad).is_none() && RsaKey::from_pem(bad).is_none(), "{bad}");
        }
        for bad in ["", "AAAA", &URL_SAFE_NO_PAD.encode([4; 65]), &URL_SAFE_NO_PAD.encode([0; 65])] {
            assert!(public_key(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{:?}", EcKey::from_bytes(&[7; 32]).unwrap()), "EcKey(***)");
        let mut draws = [[0; 32], [7; 32]].into_iter();
        assert_eq!(EcKey::draw(|| draws.next().unwrap()).to_bytes(), [7; 32]);
    }
}
