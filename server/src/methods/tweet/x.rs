//! X, by its API v2 and an app's own token: accounts, tags and searches of the last seven days.
//!
//! <https://docs.x.com/x-api/posts/>, `…/users/`, `…/fundamentals/rate-limits`.

use std::collections::BTreeMap;
use std::time::Duration;

use gomer_core::time::Time;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;

use super::provider::{MESSAGES_MAX, Message, Provider, Useless, escaped, text};
use super::view::Subject;
use crate::feeds::date;
use crate::outside::Ask;

/// X with a token.
pub struct X {
    /// The token of an app there.
    pub token: String,
}

/// What is asked for of each message.
const FIELDS: &str = "tweet.fields=created_at,lang,possibly_sensitive&expansions=author_id,attachments.media_keys\
    &user.fields=name,username,profile_image_url&media.fields=type,url,preview_image_url";

#[derive(Deserialize)]
struct Found {
    data: Account,
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Vec<serde_json::Value>,
    #[serde(default)]
    includes: Includes,
    #[serde(default)]
    meta: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
struct Includes {
    #[serde(default)]
    users: Vec<serde_json::Value>,
    #[serde(default)]
    media: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    profile_image_url: String,
}

#[derive(Deserialize)]
struct Media {
    media_key: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    preview_image_url: Option<String>,
}

#[derive(Deserialize)]
struct Post {
    id: String,
    text: String,
    author_id: String,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    possibly_sensitive: bool,
    #[serde(default)]
    attachments: Attachments,
}

#[derive(Deserialize, Default)]
struct Attachments {
    #[serde(default)]
    media_keys: Vec<String>,
}

impl X {
    fn ask(&self, path: &str) -> Ask {
        let mut ask = Ask::get(format!("https://api.x.com/2/{path}"));
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", self.token)) {
            value.set_sensitive(true);
            ask.headers.insert(AUTHORIZATION, value);
        }
        ask
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Provider for X {
    fn look_up(&self, account: &str) -> Ask {
        self.ask(&format!("users/by/username/{}", escaped(account)))
    }

    fn found(&self, body: &[u8]) -> Result<String, Useless> {
        let found: Found = serde_json::from_slice(body).map_err(|_| "its account cannot be read")?;
        if is_number(&found.data.id) { Ok(found.data.id) } else { Err("its account has no id") }
    }

    fn messages(&self, subject: &Subject, account: Option<&str>, after: Option<&str>) -> Ask {
        let search = |query: String| format!("tweets/search/recent?query={}&", escaped(&query));
        let mut path = match subject {
            Subject::Account(_) => {
                format!("users/{}/tweets?exclude=retweets,replies&", escaped(account.unwrap_or_default()))
            }
            Subject::Tag(tag) => search(format!("#{tag} -is:retweet")),
            Subject::Query(query) => search(query.clone()),
        };
        path += &format!("max_results={MESSAGES_MAX}&{FIELDS}");
        if let Some(after) = after {
            path += &format!("&since_id={}", escaped(after));
        }
        self.ask(&path)
    }

    fn read(&self, body: &[u8]) -> Result<Vec<Message>, Useless> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| "its posts cannot be read")?;
        if answer.data.is_empty() && answer.meta.is_none() {
            return Err("its posts cannot be read");
        }
        let users =
            answer.includes.users.into_iter().filter_map(|user| serde_json::from_value::<User>(user).ok());
        let users: BTreeMap<String, User> = users.map(|user| (user.id.clone(), user)).collect();
        let media =
            answer.includes.media.into_iter().filter_map(|it| serde_json::from_value::<Media>(it).ok());
        let media: BTreeMap<String, Media> = media.map(|it| (it.media_key.clone(), it)).collect();
        let read = |value| {
            let post: Post = serde_json::from_value(value).ok()?;
            // Without its author it cannot be shown as X asks for.
            let user = users.get(&post.author_id).filter(|_| is_number(&post.id))?;
            let image = post.attachments.media_keys.iter().find_map(|key| {
                let media = media.get(key)?;
                media.url.clone().or_else(|| media.preview_image_url.clone())
            });
            Some(Message {
                url: format!("https://x.com/{}/status/{}", escaped(&user.username), post.id),
                id: post.id,
                text: post.text,
                // Its texts are plain, with three entities.
                html: true,
                handle: user.username.clone(),
                name: user.name.clone(),
                avatar: user.profile_image_url.clone(),
                image: image.filter(|_| !post.possibly_sensitive).unwrap_or_default(),
                created: date::read(&post.created_at),
                language: post.lang,
                sensitive: post.possibly_sensitive,
            })
        };
        Ok(answer.data.into_iter().take(MESSAGES_MAX).filter_map(read).collect())
    }

    fn rest(&self, status: u16, headers: &HeaderMap, now: Time) -> Option<Duration> {
        let spent = status == 429 || text(headers, "x-rate-limit-remaining") == Some("0");
        let reset = text(headers, "x-rate-limit-reset").and_then(|reset| reset.parse::<u64>().ok());
        let until = reset.map(|reset| Time::from_millis(reset.saturating_mul(1_000)).since(now));
        spent.then(|| until.unwrap_or(Duration::from_secs(15 * 60)))
    }
}
