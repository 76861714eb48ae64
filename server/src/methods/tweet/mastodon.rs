//! Mastodon, and whatever speaks its client API: public accounts and tags, without signing in.
//!
//! <https://docs.joinmastodon.org/methods/accounts/>, `…/timelines/`, `…/api/rate-limits/`.

use std::time::Duration;

use gomer_core::time::Time;
use hyper::HeaderMap;
use serde::Deserialize;

use super::provider::{MESSAGES_MAX, Message, Provider, Useless, escaped, text};
use super::view::Subject;
use crate::feeds::date;
use crate::outside::Ask;

/// One server of many.
pub struct Mastodon {
    /// Its host.
    pub server: String,
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    content: String,
    #[serde(default)]
    spoiler_text: String,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    language: Option<String>,
    created_at: String,
    account: Author,
    #[serde(default)]
    media_attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
struct Author {
    acct: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    avatar: String,
}

#[derive(Deserialize)]
struct Attachment {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    preview_url: Option<String>,
}

impl Mastodon {
    fn ask(&self, path: &str) -> Ask {
        Ask::get(format!("https://{}/api/v1/{path}", self.server))
    }

    fn message(&self, status: Status) -> Option<Message> {
        if !matches!(status.visibility.as_str(), "public" | "unlisted" | "") {
            return None;
        }
        let hidden = status.sensitive || !status.spoiler_text.is_empty();
        let image = status.media_attachments.into_iter().find(|it| it.kind == "image" && !hidden);
        let handle = match status.account.acct.contains('@') {
            true => status.account.acct,
            false => format!("{}@{}", status.account.acct, self.server),
        };
        Some(Message {
            id: status.id,
            url: status.url.unwrap_or_default(),
            text: if status.spoiler_text.is_empty() { status.content } else { status.spoiler_text },
            html: true,
            handle,
            name: status.account.display_name,
            avatar: status.account.avatar,
            image: image.and_then(|it| it.preview_url).unwrap_or_default(),
            created: date::read(&status.created_at),
            language: status.language.unwrap_or_default(),
            sensitive: hidden,
        })
    }
}

impl Provider for Mastodon {
    fn look_up(&self, account: &str) -> Ask {
        self.ask(&format!("accounts/lookup?acct={}", escaped(account)))
    }

    fn found(&self, body: &[u8]) -> Result<String, Useless> {
        let account: Account = serde_json::from_slice(body).map_err(|_| "its account cannot be read")?;
        let plain = !account.id.is_empty() && account.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain && account.id.len() <= 64 { Ok(account.id) } else { Err("its account has no id") }
    }

    fn messages(&self, subject: &Subject, account: Option<&str>, after: Option<&str>) -> Ask {
        let mut path = match subject {
            Subject::Account(_) => format!(
                "accounts/{}/statuses?exclude_replies=true&exclude_reblogs=true&",
                escaped(account.unwrap_or_default())
            ),
            Subject::Tag(tag) | Subject::Query(tag) => format!("timelines/tag/{}?", escaped(tag)),
        };
        path += &format!("limit={MESSAGES_MAX}");
        if let Some(after) = after {
            // Those right after it, so that none is left out when many came; `since_id` would give the newest.
            path += &format!("&min_id={}", escaped(after));
        }
        self.ask(&path)
    }

    fn read(&self, body: &[u8]) -> Result<Vec<Message>, Useless> {
        let all: Vec<serde_json::Value> =
            serde_json::from_slice(body).map_err(|_| "its statuses cannot be read")?;
        let read =
            |value| serde_json::from_value::<Status>(value).ok().and_then(|status| self.message(status));
        Ok(all.into_iter().take(MESSAGES_MAX).filter_map(read).collect())
    }

    fn rest(&self, status: u16, headers: &HeaderMap, now: Time) -> Option<Duration> {
        let spent = status == 429 || text(headers, "x-ratelimit-remaining") == Some("0");
        let reset = text(headers, "x-ratelimit-reset").and_then(date::read);
        spent.then(|| reset.map_or(Duration::from_secs(300), |reset| reset.since(now)))
    }
}
