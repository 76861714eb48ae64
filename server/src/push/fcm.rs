//! Firebase Cloud Messaging, HTTP v1: <https://firebase.google.com/docs/cloud-messaging/send/v1-api>.
//!
//! A service account signs an assertion, which Google exchanges for an access token (RFC 7523) that is good for an hour.

use std::time::Duration;

use gomer_core::time::Time;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::keys::RsaKey;
use super::{Address, Message, Provider, Sending, Verdict, With};
use crate::outside::{Answered, Ask};

/// Where assertions are exchanged. The account's own word for it is not taken: it is said by whoever sets it.
pub const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Where messages go.
pub const SEND_URL: &str = "https://fcm.googleapis.com/v1/projects";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// What is left of an access token's time when a new one is fetched.
const LEFT_MIN: Duration = Duration::from_secs(120);

/// An app's account.
pub struct Fcm {
    project: String,
    email: String,
    key_id: String,
    key: RsaKey,
    /// The access token, and until when it is good. Whoever fetches one holds the lock: the others wait for it.
    access: Mutex<Option<(String, Time)>>,
}

#[derive(Deserialize)]
struct Access {
    access_token: String,
    expires_in: u64,
}

impl Fcm {
    /// From what a service account's file says.
    pub fn new(project: String, email: String, key_id: String, key: RsaKey) -> Fcm {
        Fcm { project, email, key_id, key, access: Mutex::default() }
    }

    /// The access token, fetched anew if it runs out or is the one that was refused.
    async fn access(&self, with: With<'_>, refused: Option<&str>) -> Result<String, Verdict> {
        let mut held = self.access.lock().await;
        if let Some((token, until)) = &*held
            && with.now + LEFT_MIN < *until
            && refused != Some(token)
        {
            return Ok(token.clone());
        }
        *held = None;
        let now_s = with.now.as_millis() / 1_000;
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": TOKEN_URL, "iat": now_s, "exp": now_s + 3_600,
        });
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let signed = self.key.token(&header, &claims);
        let assertion = signed.ok_or_else(|| Verdict::Refused("key-cannot-sign".to_owned()))?;
        let form =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        let mut ask = Ask::post(TOKEN_URL, form);
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answer = with.outside.ask(ask).await.map_err(|why| Verdict::unanswered(&why))?;
        match (answer.status, serde_json::from_slice::<Access>(&answer.body)) {
            (200, Ok(access)) => {
                let until = with.now + Duration::from_secs(access.expires_in.min(24 * 3_600));
                *held = Some((access.access_token.clone(), until));
                Ok(access.access_token)
            }
            (200, Err(_)) => Err(broken("token-unreadable")),
            (429 | 500.., _) => Err(Verdict::later(&answer, with.now, format!("token-{}", answer.status))),
            // The account is wrong: everybody waits for its owner.
            (status, _) => Err(Verdict::Later {
                reason: format!("token-{status}"),
                after: Some(Duration::from_secs(600)),
                rest: true,
            }),
        }
    }

    async fn post(&self, with: With<'_>, body: Vec<u8>) -> Verdict {
        let mut refused: Option<String> = None;
        loop {
            let access = match self.access(with, refused.as_deref()).await {
                Ok(access) => access,
                Err(verdict) => return verdict,
            };
            let mut ask = Ask::post(format!("{SEND_URL}/{}/messages:send", self.project), body.clone());
            ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {access}")) else {
                return broken("token-unreadable");
            };
            bearer.set_sensitive(true);
            ask.headers.insert(AUTHORIZATION, bearer);
            match with.outside.ask(ask).await {
                Ok(answer) if answer.status == 401 && refused.is_none() => refused = Some(access),
                Ok(answer) => return judge(&answer, with.now),
                Err(why) => return Verdict::unanswered(&why),
            }
        }
    }
}

impl Provider for Fcm {
    fn send<'a>(&'a self, with: With<'a>, to: &'a Address, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let Address::Fcm { token } = to else { return super::web::other_service() };
            let body = json!({ "message": body(token, message, with.now) });
            let body = serde_json::to_vec(&body).expect("a message is plain data, which JSON can hold");
            self.post(with, body).await
        })
    }

    /// A message that is only validated, to a device that cannot be: Google looks at the account first.
    fn check<'a>(&'a self, with: With<'a>) -> Sending<'a> {
        Box::pin(async move {
            let body = json!({ "validate_only": true, "message": { "token": "nobody", "data": {} } });
            let body = serde_json::to_vec(&body).expect("a message is plain data, which JSON can hold");
            match self.post(with, body).await {
                Verdict::Gone(..) => Verdict::Accepted(None),
                Verdict::Refused(reason) if reason == "INVALID_ARGUMENT" => Verdict::Accepted(None),
                other => other,
            }
        })
    }
}

/// The message. What the app reads itself is in `data`, in which all values are texts.
fn body(token: &str, message: &Message, now: Time) -> Value {
    let mut data = Map::new();
    if let Value::Object(fields) = message.data() {
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            data.insert(name, Value::String(text));
        }
    }
    let urgent = message.alert.as_ref().is_some_and(|alert| alert.urgent);
    let mut android = json!({
        "collapse_key": message.collapse(),
        "priority": if urgent { "HIGH" } else { "NORMAL" },
        "ttl": format!("{}s", message.ttl_s(now)),
    });
    if let Some(alert) = &message.alert {
        android["notification"] = json!({
            "body_loc_key": alert.key,
            "body_loc_args": alert.args,
            // What has the same tag replaces what is on the screen.
            "tag": alert.notification,
            "notification_count": message.badge,
        });
    }
    json!({ "token": token, "data": data, "android": android })
}

/// What Google says when it refuses: the code of FCM itself, if there is one, else that of the status.
fn code(answer: &Answered) -> String {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let details = json["error"]["details"].as_array().into_iter().flatten();
    let own = details.filter_map(|detail| detail["errorCode"].as_str()).next();
    own.or(json["error"]["status"].as_str()).unwrap_or_default().to_owned()
}

fn judge(answer: &Answered, now: Time) -> Verdict {
    if answer.status == 200 {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Verdict::Accepted(json["name"].as_str().map(str::to_owned));
    }
    let reason = super::web::reason(answer.status, &code(answer));
    match (answer.status, reason.as_str()) {
        (_, "UNREGISTERED") => Verdict::Gone(reason, None),
        (429 | 500.., _) => match Verdict::later(answer, now, reason) {
            // Google: without a header, wait a minute.
            Verdict::Later { reason, after: None, rest } => {
                Verdict::Later { reason, after: Some(Duration::from_secs(60)), rest }
            }
            other => other,
        },
        // The device's app was built for another sender.
        (403, "SENDER_ID_MISMATCH") => Verdict::Refused(reason),
        (401 | 403, _) => Verdict::Later { reason, after: Some(Duration::from_secs(600)), rest: true },
        _ => Verdict::Refused(reason),
    }
}

fn broken(reason: &str) -> Verdict {
    Verdict::Later { reason: reason.to_owned(), after: None, rest: true }
}
