//! Push services of others, and how a message is handed to each: one trait over [`Outside`].
//!
//! Reading order: this file, then [`apns`], [`fcm`], [`web`]; [`keys`], [`encrypt`] and [`seal`] are what they stand on, and
//! [`lanes`] is what a process knows of them: which rest, and how much is under way.
//!
//! Must never learn: rows, and why somebody is told something. That is `methods/push`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use gomer_core::time::Time;
use hyper::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::outside::{Answered, Outside, Unanswered};
use crate::types::Uuid;

pub mod apns;
pub mod encrypt;
pub mod fcm;
pub mod keys;
pub mod lanes;
pub mod seal;
pub mod web;

/// A kind of push service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// Apple's.
    Apns,
    /// Google's: Firebase Cloud Messaging.
    Fcm,
    /// A browser's (RFC 8030), with the app's own key (RFC 8292).
    WebPush,
    /// Whichever distributor somebody chose: like a browser's, without the app's key.
    UnifiedPush,
}

/// Where a device is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "service")]
pub enum Address {
    /// At Apple's.
    #[serde(rename_all = "camelCase")]
    Apns {
        /// Hex digits, lower-case.
        token: String,
        /// Of a build that is not from the store.
        sandbox: bool,
    },
    /// At Google's.
    Fcm {
        /// Opaque.
        token: String,
    },
    /// At a browser's.
    WebPush {
        /// An `https` address.
        endpoint: String,
        /// Who may read.
        keys: ReaderKeys,
    },
    /// At a distributor's.
    UnifiedPush {
        /// An `https` address.
        endpoint: String,
        /// Who may read; without them a message is sent as it is.
        keys: Option<ReaderKeys>,
    },
}

/// Who may read a message, as a browser says it: base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderKeys {
    /// Its public key: an uncompressed point.
    pub p256dh: String,
    /// 16 bytes.
    pub auth: String,
}

impl Address {
    /// The kind of service.
    pub fn service(&self) -> Service {
        match self {
            Address::Apns { .. } => Service::Apns,
            Address::Fcm { .. } => Service::Fcm,
            Address::WebPush { .. } => Service::WebPush,
            Address::UnifiedPush { .. } => Service::UnifiedPush,
        }
    }

    /// What tells it from every other address of the app: its token or endpoint, without keys that may be renewed.
    pub fn token(&self) -> &str {
        match self {
            Address::Apns { token, .. } | Address::Fcm { token } => token,
            Address::WebPush { endpoint, .. } | Address::UnifiedPush { endpoint, .. } => endpoint,
        }
    }

    /// Which server is asked. One that does not answer is left alone for a while, and no other one is.
    pub fn server(&self) -> String {
        match self {
            Address::Apns { sandbox, .. } => apns::host(*sandbox).to_owned(),
            Address::Fcm { .. } => "fcm".to_owned(),
            Address::WebPush { endpoint, .. } | Address::UnifiedPush { endpoint, .. } => {
                web::origin(endpoint).unwrap_or_default().to_owned()
            }
        }
    }
}

/// What is to be on a screen, or that something is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names this delivery: what the device hands back when it was opened.
    pub delivery: Uuid,
    /// What is shown; nothing: the app is woken to sync.
    pub alert: Option<Alert>,
    /// What waits unread.
    pub badge: u32,
    /// After that it is of no use.
    pub expires: Time,
}

/// What is shown. The text is the app's own, in the language of the device, found by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The notification: what comes again under it replaces what is on the screen.
    pub notification: Uuid,
    /// Its kind, like `reply`.
    pub kind: &'static str,
    /// Key of the text, like `gomer.reply` or `gomer.like.many`.
    pub key: String,
    /// Arguments of the text.
    pub args: Vec<String>,
    /// What was written, if the app lets push services see it.
    pub text: Option<String>,
    /// What it is about, like `post:UUID`: things of one object stand together.
    pub object: String,
    /// What that belongs to.
    pub target: Option<String>,
    /// Whether somebody waits for an answer: it wakes a device that sleeps.
    pub urgent: bool,
}

/// Key of the collapse of silent messages: only the last one matters.
pub const WAKE: &str = "wake";

impl Message {
    /// Under which name it replaces an earlier one.
    pub fn collapse(&self) -> String {
        self.alert.as_ref().map_or_else(|| WAKE.to_owned(), |alert| alert.notification.to_string())
    }

    /// What the app on the device gets, whichever service brings it.
    pub fn data(&self) -> Value {
        let mut data = json!({ "delivery": self.delivery, "badge": self.badge });
        if let Some(alert) = &self.alert {
            data["notification"] = json!(alert.notification);
            data["kind"] = json!(alert.kind);
            data["key"] = json!(alert.key);
            data["args"] = json!(alert.args);
            data["object"] = json!(alert.object);
            if let Some(target) = &alert.target {
                data["target"] = json!(target);
            }
            if let Some(text) = &alert.text {
                data["text"] = json!(text);
            }
        }
        data
    }

    /// Seconds for which it is of use.
    pub fn ttl_s(&self, now: Time) -> u64 {
        self.expires.since(now).as_secs()
    }
}

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes care of it; perhaps with its own name for it.
    Accepted(Option<String>),
    /// The address is no more: since when, if that is said.
    Gone(String, Option<Time>),
    /// Not now. `rest`: the service as a whole is to be left alone, not only this address.
    Later {
        /// Why.
        reason: String,
        /// Not before that, if it said so.
        after: Option<Duration>,
        /// Whether everybody is to wait.
        rest: bool,
    },
    /// Never: why.
    Refused(String),
}

impl Verdict {
    /// The reason when too much is under way here.
    pub const BUSY: &str = "busy";

    /// Nobody answered.
    pub fn unanswered(why: &Unanswered) -> Verdict {
        match why {
            // Our own limit: says nothing about the service.
            Unanswered::Busy => Verdict::Later { reason: Verdict::BUSY.to_owned(), after: None, rest: false },
            why if why.may_pass() => {
                Verdict::Later { reason: reason_of(why).to_owned(), after: None, rest: true }
            }
            why => Verdict::Refused(reason_of(why).to_owned()),
        }
    }

    /// The service is overloaded or broken, or asks for less.
    pub fn later(answer: &Answered, now: Time, reason: String) -> Verdict {
        let rest = answer.status != 429;
        Verdict::Later { reason, after: retry_after(&answer.headers, now), rest }
    }
}

/// A short name for a log; the long one may name addresses.
fn reason_of(why: &Unanswered) -> &'static str {
    match why {
        Unanswered::Malformed(_) => "address-malformed",
        Unanswered::Forbidden(_) => "address-forbidden",
        Unanswered::Unreachable(_) => "unreachable",
        Unanswered::TimedOut => "timed-out",
        Unanswered::TooLarge => "answer-too-large",
        Unanswered::TooManyRedirects => "redirected",
        Unanswered::Broken(_) => "broken",
        Unanswered::Busy => Verdict::BUSY,
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3); at most a day.
pub fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = headers.get(hyper::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            let at = Time::from_millis(u64::try_from(date.as_millisecond()).ok()?);
            at.since(now).as_secs()
        }
    };
    Some(Duration::from_secs(seconds.min(24 * 3_600)))
}

/// What a provider may use beside the world outside.
#[derive(Clone, Copy)]
pub struct With<'a> {
    /// Asks servers of others.
    pub outside: &'a dyn Outside,
    /// What time it is.
    pub now: Time,
    /// Random bytes fit for secrets.
    pub random: &'a (dyn Fn() -> [u8; 32] + Send + Sync),
}

/// The future of what a service said.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// One app's account at a push service.
pub trait Provider: Send + Sync {
    /// Hands over one message.
    fn send<'a>(&'a self, with: With<'a>, to: &'a Address, message: &'a Message) -> Sending<'a>;

    /// Asks whether the credentials are good, without anybody getting anything: [`Verdict::Accepted`] if they are.
    fn check<'a>(&'a self, with: With<'a>) -> Sending<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_when_in_both_ways_of_http() {
        let now: Time = "2026-11-26T08:00:00.000Z".parse().unwrap();
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(hyper::header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|span| span.as_secs())
        };
        for (text, seconds) in [
            ("120", Some(120)),
            ("Thu, 26 Nov 2026 08:02:00 GMT", Some(120)),
            ("Thu, 26 Nov 2026 07:00:00 GMT", Some(0)),
            ("99999999", Some(86_400)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(after(text), seconds, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_a_service_that_fails_is_left_alone() {
        let rests = |why| matches!(Verdict::unanswered(&why), Verdict::Later { rest: true, .. });
        assert!(rests(Unanswered::TimedOut) && rests(Unanswered::Unreachable("dns".into())));
        assert!(!rests(Unanswered::Busy));
        assert!(matches!(Verdict::unanswered(&Unanswered::Forbidden("loopback")), Verdict::Refused(_)));
    }
}
