//! An identity provider with keys of its own: it signs ID tokens as providers do, and wrong ones as nobody should.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// A provider.
pub struct Provider {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
}

impl Default for Provider {
    fn default() -> Provider {
        Provider::new()
    }
}

impl Provider {
    /// One with an RSA key, always the same, which protects nothing; and a new P-256 key.
    pub fn new() -> Provider {
        let text: String = include_str!("../keys/rsa-2048.pkcs1.b64").split_whitespace().collect();
        let rsa = RsaKeyPair::from_der(&STANDARD.decode(text).unwrap()).unwrap();
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p256 =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Provider { rsa, p256 }
    }

    /// Its JWK set.
    pub fn keys(&self) -> Value {
        let rsa: PublicKeyComponents<Vec<u8>> = self.rsa.public_key().into();
        let point = self.p256.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [
            { "kty": "oct", "kid": "odd", "k": "AA" },
            { "kty": "RSA", "kid": "encrypts", "use": "enc", "n": text(&rsa.n), "e": text(&rsa.e) },
            { "kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": text(&rsa.n), "e": text(&rsa.e) },
            { "kty": "EC", "kid": "p256", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) },
        ] })
    }

    /// A token signed with that algorithm, `RS256` or `ES256`, whose header says what it is told to.
    pub fn sign_as(&self, algorithm: &str, header: &Value, claims: &Value) -> String {
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(header), text(claims));
        let random = SystemRandom::new();
        let signature = match algorithm {
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            _ => self.p256.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token as it should be.
    pub fn sign(&self, algorithm: &str, claims: &Value) -> String {
        let key = if algorithm == "RS256" { "rsa" } else { "p256" };
        self.sign_as(algorithm, &json!({ "alg": algorithm, "kid": key, "typ": "JWT" }), claims)
    }
}
