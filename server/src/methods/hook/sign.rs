//! Signatures as [Standard Webhooks](https://www.standardwebhooks.com) has them: HMAC-SHA-256 over
//! `id.timestamp.body`, so that nobody else can make a delivery up or play an old one again under a new id.
//!
//! A hook's secret is not stored. It follows from the app's own secret and the hook's id.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gomer_core::id::Id;
use gomer_core::meta::state::App;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use sha2::Sha256;

/// What a hook's deliveries are signed with.
pub struct Secret([u8; 32]);

impl Secret {
    /// The secret of a hook of this app.
    pub fn of(app: &App, hook: Id) -> Secret {
        let mut mac = hmac(&app.secret);
        mac.update(b"gomer hook");
        mac.update(hook.as_bytes());
        Secret(mac.finalize().into_bytes().into())
    }

    /// As it is shown, once.
    pub fn text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The headers of a delivery; `timestamp` in seconds since 1970.
    pub fn headers(&self, id: &str, timestamp: u64, body: &[u8]) -> HeaderMap {
        let mut mac = hmac(&self.0);
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let value =
            |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are plain ASCII");
        HeaderMap::from_iter([
            (HeaderName::from_static("content-type"), HeaderValue::from_static("application/json")),
            (HeaderName::from_static("webhook-id"), value(id)),
            (HeaderName::from_static("webhook-timestamp"), value(&timestamp.to_string())),
            (HeaderName::from_static("webhook-signature"), value(&signature)),
        ])
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::nowhere;

    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        // https://github.com/standard-webhooks/standard-webhooks, the libraries' shared test.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut mac = hmac(&key);
        mac.update(b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}");
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_app_and_hook_has_a_secret_of_its_own_and_a_signature_covers_all_three() {
        let app = |secret| App { secret: [secret; 32], ..nowhere() };
        let (one, two) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        let texts =
            [Secret::of(&app(1), one), Secret::of(&app(2), one), Secret::of(&app(1), two)].map(|s| s.text());
        assert!(texts.iter().all(|text| text.starts_with("whsec_") && text.len() == 50));
        assert!(texts[0] != texts[1] && texts[0] != texts[2]);
        let secret = Secret::of(&app(1), one);
        let signature = |id, at, body: &[u8]| secret.headers(id, at, body)["webhook-signature"].clone();
        let first = signature("a", 1, b"x");
        assert_eq!(first, signature("a", 1, b"x"));
        for other in [signature("b", 1, b"x"), signature("a", 2, b"x"), signature("a", 1, b"y")] {
            assert_ne!(first, other);
        }
    }
}
