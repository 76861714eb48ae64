//! Web Push (RFC 8030) as browsers have it, with the app's key (VAPID, RFC 8292), and UnifiedPush, where people choose
//! the service and no key is needed. The service cannot read what it carries (RFC 8291).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::time::Time;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::json;

use super::encrypt::{PLAIN_BYTES_MAX, Reader, encrypt};
use super::keys::{EcKey, public_key};
use super::{Address, Message, Provider, ReaderKeys, Sending, Verdict, With};
use crate::outside::{Answered, Ask};

/// How long a VAPID token is good; RFC 8292 §2 allows a day.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Most bytes of what is sent without encryption; distributors take as much.
const OPEN_BYTES_MAX: usize = 4_096;

/// The key by which browsers' services know an app.
pub struct Vapid {
    /// The key.
    pub key: EcKey,
    /// Whom a service may write to about it: `mailto:` or `https:`.
    pub subject: String,
}

/// Sends to browsers with a key, and to distributors without.
pub struct Web {
    vapid: Option<Vapid>,
}

impl Web {
    /// Without a key, browsers are not reached.
    pub fn new(vapid: Option<Vapid>) -> Web {
        Web { vapid }
    }

    fn ask(&self, with: With<'_>, to: &Address, message: &Message) -> Result<Ask, Verdict> {
        let (endpoint, keys, vapid) = match to {
            Address::WebPush { endpoint, keys } => {
                let vapid = self.vapid.as_ref();
                (endpoint, Some(keys), Some(vapid.ok_or_else(|| refused("no-credentials"))?))
            }
            Address::UnifiedPush { endpoint, keys } => (endpoint, keys.as_ref(), None),
            Address::Apns { .. } | Address::Fcm { .. } => return Err(other_service()),
        };
        let origin = origin(endpoint).ok_or_else(|| refused("address-malformed"))?;
        let plain = plain(message, if keys.is_some() { PLAIN_BYTES_MAX } else { OPEN_BYTES_MAX });
        let mut ask = match keys {
            Some(keys) => {
                let reader = keys.reader().ok_or_else(|| refused("keys-malformed"))?;
                let key = EcKey::draw(with.random);
                let salt = *(with.random)().first_chunk().expect("32 bytes are more than a salt's 16");
                let body = encrypt(&plain, &reader, &key, salt).ok_or_else(|| refused("too-large"))?;
                let mut ask = Ask::post(endpoint, body);
                ask.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
                ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                ask
            }
            None => {
                let mut ask = Ask::post(endpoint, plain);
                ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                ask
            }
        };
        let urgency = match &message.alert {
            Some(alert) if alert.urgent => "high",
            Some(_) => "normal",
            None => "low",
        };
        ask.headers.insert(HeaderName::from_static("ttl"), message.ttl_s(with.now).into());
        ask.headers.insert(HeaderName::from_static("urgency"), HeaderValue::from_static(urgency));
        if let Ok(topic) = HeaderValue::from_str(&topic(message)) {
            ask.headers.insert(HeaderName::from_static("topic"), topic);
        }
        if let Some(vapid) = vapid
            && let Ok(mut header) = HeaderValue::from_str(&vapid.header(origin, with.now))
        {
            header.set_sensitive(true);
            ask.headers.insert(AUTHORIZATION, header);
        }
        Ok(ask)
    }
}

impl Vapid {
    /// The public key as browsers take it (`applicationServerKey`).
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public())
    }

    fn header(&self, origin: &str, now: Time) -> String {
        let exp = (now + TOKEN_LIFE).as_millis() / 1_000;
        let claims = json!({ "aud": origin, "exp": exp, "sub": self.subject });
        let token = self.key.token(&json!({ "typ": "JWT", "alg": "ES256" }), &claims);
        format!("vapid t={token}, k={}", self.public())
    }
}

impl ReaderKeys {
    /// The keys themselves; nothing if they are none.
    pub fn reader(&self) -> Option<Reader> {
        let auth = URL_SAFE_NO_PAD.decode(self.auth.trim_end_matches('=')).ok()?;
        Some(Reader { public: public_key(&self.p256dh)?, auth: auth.try_into().ok()? })
    }
}

impl Provider for Web {
    fn send<'a>(&'a self, with: With<'a>, to: &'a Address, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let ask = match self.ask(with, to, message) {
                Ok(ask) => ask,
                Err(verdict) => return verdict,
            };
            match with.outside.ask(ask).await {
                Ok(answer) => judge(&answer, with.now),
                Err(why) => Verdict::unanswered(&why),
            }
        })
    }

    /// There is nobody to ask: each browser has a service of its own. That there is a key was checked when it was set.
    fn check<'a>(&'a self, _: With<'a>) -> Sending<'a> {
        let verdict = match self.vapid {
            Some(_) => Verdict::Accepted(None),
            None => refused("no-credentials"),
        };
        Box::pin(std::future::ready(verdict))
    }
}

/// At most 32 characters of base64url (RFC 8030 §5.4).
fn topic(message: &Message) -> String {
    match &message.alert {
        Some(alert) => URL_SAFE_NO_PAD.encode(alert.notification.0.as_bytes()),
        None => super::WAKE.to_owned(),
    }
}

/// The data as JSON. A text that does not fit is left away: the app fetches it.
fn plain(message: &Message, bytes_max: usize) -> Vec<u8> {
    let bytes = message.data().to_string().into_bytes();
    if bytes.len() <= bytes_max {
        return bytes;
    }
    let mut short = message.clone();
    if let Some(alert) = &mut short.alert {
        alert.text = None;
    }
    short.data().to_string().into_bytes()
}

/// `https://host[:port]` of an address; nothing if it is no such address.
pub fn origin(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_prefix("https://")?;
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b':' | b'[' | b']');
    let good = end > 0 && host.as_bytes()[..end].iter().all(|&c| plain(c));
    good.then(|| &endpoint[.."https://".len() + end])
}

/// What a service says, if it is a word; else the number of its status. It is stored and shown: no more than a word.
pub(super) fn reason(status: u16, said: &str) -> String {
    let word = (1..=64).contains(&said.len()) && said.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if word { said.to_owned() } else { format!("status-{status}") }
}

/// An address of another service than its provider's: a bug, which costs that delivery.
pub(super) fn other_service() -> Verdict {
    refused("other-service")
}

fn refused(reason: &str) -> Verdict {
    Verdict::Refused(reason.to_owned())
}

fn judge(answer: &Answered, now: Time) -> Verdict {
    let reason = reason(answer.status, "");
    match answer.status {
        200..=202 | 204 => {
            let location = answer.headers.get(hyper::header::LOCATION).and_then(|it| it.to_str().ok());
            Verdict::Accepted(location.filter(|it| it.len() <= 512).map(str::to_owned))
        }
        404 | 410 => Verdict::Gone(reason, None),
        408 | 429 | 500.. => Verdict::later(answer, now, reason),
        _ => Verdict::Refused(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_the_front_of_an_https_address() {
        for (endpoint, expected) in [
            ("https://push.example/a/b", Some("https://push.example")),
            ("https://push.example:8443?x", Some("https://push.example:8443")),
            ("https://[2001:db8::1]/", Some("https://[2001:db8::1]")),
            ("https://push.example", Some("https://push.example")),
            ("http://push.example/", None),
            ("https:///a", None),
            ("https://user@push.example/", None),
            ("https://push.example\r\nX: y/", None),
            ("", None),
        ] {
            assert_eq!(origin(endpoint), expected, "{endpoint}");
        }
    }

    #[test]
    fn what_a_service_says_is_a_word_or_its_number() {
        assert_eq!(reason(400, "BadDeviceToken"), "BadDeviceToken");
        for said in ["", "two words", "<b>", &"x".repeat(65)] {
            assert_eq!(reason(400, said), "status-400", "{said}");
        }
    }
}
