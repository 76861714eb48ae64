//! Apple Push Notification service, by a provider's token: <https://developer.apple.com/documentation/usernotifications>.
//!
//! A token is good for an hour, and Apple refuses one that is renewed more than once in 20 minutes: it is made anew after
//! [`TOKEN_LIFE`], or when Apple says that it has expired.

use std::sync::Mutex;
use std::time::Duration;

use gomer_core::time::Time;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::EcKey;
use super::{Address, Message, Provider, Sending, Verdict, With};
use crate::outside::{Answered, Ask};

/// After that a token is made anew. Apple: no less than 20 and no more than 60 minutes.
const TOKEN_LIFE: Duration = Duration::from_secs(50 * 60);
/// Apple takes no more (4 KiB).
const BODY_BYTES_MAX: usize = 4_096;

/// The server of a device.
pub const fn host(sandbox: bool) -> &'static str {
    if sandbox { "https://api.sandbox.push.apple.com" } else { "https://api.push.apple.com" }
}

/// An app's account.
pub struct Apns {
    key_id: String,
    team_id: String,
    topic: String,
    key: EcKey,
    /// The token in use, and when it was made.
    token: Mutex<Option<(String, Time)>>,
}

/// What Apple says when it refuses.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    reason: String,
    /// Since when a device is gone, in milliseconds.
    timestamp: Option<u64>,
}

impl Apns {
    /// `topic` is the bundle's identifier.
    pub fn new(key_id: String, team_id: String, topic: String, key: EcKey) -> Apns {
        Apns { key_id, team_id, topic, key, token: Mutex::default() }
    }

    /// The token in use, or a new one if it is as old as that, or is the one that was refused.
    fn token(&self, now: Time, refused: Option<&str>) -> String {
        let mut held = self.token.lock().expect(UNPOISONED);
        if let Some((token, made)) = &*held
            && now.since(*made) < TOKEN_LIFE
            && refused != Some(token)
        {
            return token.clone();
        }
        let claims = json!({ "iss": self.team_id, "iat": now.as_millis() / 1_000 });
        let token = self.key.token(&json!({ "alg": "ES256", "kid": self.key_id }), &claims);
        *held = Some((token.clone(), now));
        token
    }

    fn ask(&self, device: &str, sandbox: bool, message: &Message, token: &str) -> Ask {
        let mut ask = Ask::post(format!("{}/3/device/{device}", host(sandbox)), body(message));
        let mut put = |name: &'static str, value: &str| put(&mut ask.headers, name, value);
        put("apns-id", &message.delivery.to_string());
        put("apns-topic", &self.topic);
        put("apns-collapse-id", &message.collapse());
        put("apns-expiration", &(message.expires.as_millis() / 1_000).to_string());
        let (kind, priority) = match &message.alert {
            Some(alert) => ("alert", if alert.urgent { "10" } else { "5" }),
            // Apple: a background push is never sent with 10.
            None => ("background", "5"),
        };
        put("apns-push-type", kind);
        put("apns-priority", priority);
        let mut bearer =
            HeaderValue::from_str(&format!("bearer {token}")).expect("a token is base64url and dots");
        bearer.set_sensitive(true);
        ask.headers.insert(AUTHORIZATION, bearer);
        ask
    }
}

impl Provider for Apns {
    fn send<'a>(&'a self, with: With<'a>, to: &'a Address, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let Address::Apns { token: device, sandbox } = to else { return super::web::other_service() };
            let mut refused: Option<String> = None;
            loop {
                let token = self.token(with.now, refused.as_deref());
                let answer = with.outside.ask(self.ask(device, *sandbox, message, &token)).await;
                match answer {
                    Ok(answer) if refused.is_none() && has_expired(&answer) => refused = Some(token),
                    Ok(answer) => return judge(&answer, with.now),
                    Err(why) => return Verdict::unanswered(&why),
                }
            }
        })
    }

    /// Asks for a device that cannot be: Apple looks at the token first.
    fn check<'a>(&'a self, with: With<'a>) -> Sending<'a> {
        Box::pin(async move {
            let message = Message {
                delivery: crate::types::Uuid(gomer_core::id::Id::NIL),
                alert: None,
                badge: 0,
                expires: with.now,
            };
            let token = self.token(with.now, None);
            let mut ask = self.ask(&"0".repeat(64), false, &message, &token);
            ask.headers.remove("apns-id");
            match with.outside.ask(ask).await {
                Ok(answer) => match judge(&answer, with.now) {
                    Verdict::Gone(..) => Verdict::Accepted(None),
                    Verdict::Accepted(_) => Verdict::Refused("answered-for-nobody".to_owned()),
                    other => other,
                },
                Err(why) => Verdict::unanswered(&why),
            }
        })
    }
}

/// Header names and values here are made of ASCII: a topic was checked when it was set.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// The payload. A text that does not fit is left away: the app fetches it.
fn body(message: &Message) -> Vec<u8> {
    let body = serde_json::to_vec(&payload(message)).expect("a payload is plain data, which JSON can hold");
    if body.len() <= BODY_BYTES_MAX {
        return body;
    }
    let mut short = message.clone();
    if let Some(alert) = &mut short.alert {
        alert.text = None;
    }
    serde_json::to_vec(&payload(&short)).expect("a payload is plain data, which JSON can hold")
}

fn payload(message: &Message) -> Value {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Shown<'a> {
        loc_key: &'a str,
        loc_args: &'a [String],
    }
    let aps = match &message.alert {
        Some(alert) => json!({
            "alert": Shown { loc_key: &alert.key, loc_args: &alert.args },
            "badge": message.badge,
            "sound": "default",
            "thread-id": alert.object,
            // So that an extension of the app may show more than the key's text.
            "mutable-content": 1,
        }),
        None => json!({ "content-available": 1, "badge": message.badge }),
    };
    json!({ "aps": aps, "gomer": message.data() })
}

fn refusal(answer: &Answered) -> Refusal {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn has_expired(answer: &Answered) -> bool {
    answer.status == 403 && refusal(answer).reason == "ExpiredProviderToken"
}

fn judge(answer: &Answered, now: Time) -> Verdict {
    if answer.status == 200 {
        let id = answer.headers.get("apns-id").and_then(|id| id.to_str().ok());
        return Verdict::Accepted(id.map(str::to_owned));
    }
    let Refusal { reason, timestamp } = refusal(answer);
    let reason = super::web::reason(answer.status, &reason);
    match answer.status {
        410 => Verdict::Gone(reason, timestamp.map(Time::from_millis)),
        400 if reason == "BadDeviceToken" => Verdict::Gone(reason, None),
        429 | 500 | 503 => Verdict::later(answer, now, reason),
        // The account is wrong, not the device: it is tried again, and everybody waits.
        403 => Verdict::Later { reason, after: Some(Duration::from_secs(600)), rest: true },
        _ => Verdict::Refused(reason),
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
