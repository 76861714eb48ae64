//! Tracks and tweets as clients see them, and as attributes of nodes.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Root};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::provider::Message;
use crate::feeds::markup::plain;
use crate::methods::like::kind_of;
use crate::methods::news::view::Health;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{CREATED_AT, Likes, counts_id, json, read};
use crate::methods::reply::view::{reply_count, reply_count_id};
use crate::methods::source::item::{FOUND_AT, PUBLISHED_AT, Read, SOURCE, item_root};
use crate::methods::source::{Kind, source};
use crate::model::LIKES;
use crate::outside::place::{Place, Who};
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};

/// Nodes of a tweet's root: the tweet and its counts.
const TWEET_NODES_MAX: u32 = 8;
/// Most characters of a tweet: servers of Mastodon set their own bounds.
const TEXT_CHARS_MAX: usize = 5_000;
/// Most characters of a name.
const NAME_CHARS_MAX: usize = 100;

/// A service of short messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TweetService")]
pub enum Service {
    /// A server with Mastodon's API.
    Mastodon,
    /// X.
    X,
}

/// What is tracked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// What an account writes.
    Account(String),
    /// What carries a tag.
    Tag(String),
    /// What a search finds; only at X.
    Query(String),
}

/// The host of a server with Mastodon's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ServerName(#[schemars(length(min = 3, max = 253))] pub String);

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ServerName, D::Error> {
        let text = String::deserialize(from)?;
        // Nothing but a host: whatever else stands there would be read as something else.
        let bare = !text.contains(['/', '?', '#', '@', ':']);
        let bare = Place::parse(&format!("https://{text}/")).ok().filter(|_| bare);
        let name = bare.and_then(|place| match place.host() {
            Who::Name(name) if name.contains('.') => Some(name),
            _ => None,
        });
        name.map(ServerName)
            .ok_or_else(|| D::Error::custom("format: the name of a host, like mastodon.social"))
    }
}

/// An account's name, without an `@` in front: at Mastodon `name` or `name@server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct AccountName(#[schemars(length(min = 1, max = 200))] pub String);

impl<'de> Deserialize<'de> for AccountName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<AccountName, D::Error> {
        let text = String::deserialize(from)?;
        let name = text.strip_prefix('@').unwrap_or(&text);
        let fits = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        let good = name.len() <= 200 && name.split('@').count() <= 2 && name.split('@').all(fits);
        if good {
            Ok(AccountName(name.to_owned()))
        } else {
            Err(D::Error::custom("format: the name of an account"))
        }
    }
}

/// Something that is tracked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TweetTrack")]
pub struct Track {
    /// Its id, chosen by who added it.
    pub id: Uuid,
    /// Where.
    pub service: Service,
    /// At which server, of Mastodon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// This account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Or this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Or what this search finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// How reading it goes; for administrators of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

impl Track {
    /// A track that is to be made.
    pub fn new(id: Uuid, service: Service, server: Option<String>, subject: Subject, at: Timestamp) -> Track {
        let (mut account, mut tag, mut query) = (None, None, None);
        match subject {
            Subject::Account(name) => account = Some(name),
            Subject::Tag(name) => tag = Some(name),
            Subject::Query(text) => query = Some(text),
        }
        Track { id, service, server, account, tag, query, created_at: at, rev: Rev::Pending, health: None }
    }

    /// What is tracked.
    pub fn subject(&self) -> Option<Subject> {
        let account = self.account.clone().map(Subject::Account);
        account
            .or_else(|| self.tag.clone().map(Subject::Tag))
            .or_else(|| self.query.clone().map(Subject::Query))
    }

    /// Whether it is about the same.
    pub fn is_like(&self, other: &Track) -> bool {
        (self.service, &self.server, self.subject()) == (other.service, &other.server, other.subject())
    }

    /// Reads a track's node. One of which it is not known what it is about (a newer program wrote it) is none.
    pub fn read(id: Id, view: &NodeView) -> Option<Track> {
        let node = &view.node;
        let at = read(node, CREATED_AT).unwrap_or(Timestamp(node.created));
        let track = Track::new(Uuid(id), read(node, SERVICE)?, read(node, SERVER), read(node, SUBJECT)?, at);
        Some(Track { rev: view.rev, ..track })
    }

    /// The attributes of a new track's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs =
            vec![(SERVICE.to_owned(), json(&self.service)), (CREATED_AT.to_owned(), json(&self.created_at))];
        attrs.extend(self.subject().map(|subject| (SUBJECT.to_owned(), json(&subject))));
        attrs.extend(self.server.as_ref().map(|server| (SERVER.to_owned(), json(server))));
        attrs
    }
}

/// A message that was tracked. Its texts are plain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tweet {
    /// Its id. With it, people like it and reply to it as to a post.
    pub id: Uuid,
    /// The track that found it.
    pub track: Uuid,
    /// What it says; if it is sensitive, what its author warns of.
    pub text: String,
    /// Its page at its service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The account that wrote it: at Mastodon `name@server`.
    pub handle: String,
    /// What the account calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account's picture, at a server of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// A picture of it, at a server of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its language (BCP 47), as its service says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Its author or its service says that not everybody may want to see it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// When it was written, as its service says; never later than it was found.
    pub published_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
    /// Reactions that were made here.
    pub likes: Likes,
    /// How many replies were made here.
    pub replies: u64,
}

/// A message as it was read, as it is kept; nothing if there is nothing to show.
pub fn kept(message: Message) -> Option<Read> {
    let text = if message.html { plain(&message.text, TEXT_CHARS_MAX) } else { message.text };
    let handle = plain(&message.handle, NAME_CHARS_MAX);
    let address = |text: &str| Place::parse(text).ok().map(|place| place.as_str().to_owned());
    let address = |text: &str| address(text).filter(|text| text.len() <= 2_048);
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let image = address(&message.image);
    if handle.is_empty() || message.id.is_empty() || (text.is_empty() && image.is_none()) {
        return None;
    }
    let language =
        message.language.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(16).collect();
    let attrs = vec![
        (TEXT.to_owned(), json(&text)),
        (LINK.to_owned(), json(&address(&message.url))),
        (HANDLE.to_owned(), json(&handle)),
        (NAME.to_owned(), json(&some(plain(&message.name, NAME_CHARS_MAX)))),
        (AVATAR.to_owned(), json(&address(&message.avatar))),
        (IMAGE.to_owned(), json(&image)),
        (LANGUAGE.to_owned(), json(&some(language))),
        (SENSITIVE.to_owned(), json(&message.sensitive)),
    ];
    Some(Read { key: message.id.chars().take(128).collect(), published: message.created, attrs })
}

/// These tweets as far as the caller may see them, in the order asked. Those of a track that is gone are gone.
pub async fn tweets(call: &Call, reader: &mut Reader, ids: &[Id]) -> Result<Vec<Tweet>, Stop> {
    let mut tracks: BTreeMap<Id, bool> = BTreeMap::new();
    let mut items = Vec::with_capacity(ids.len());
    for &id in ids {
        let nodes = call.nodes(item_root(id), TWEET_NODES_MAX).await?;
        let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view);
        let Some(view) = node(id).filter(|view| view.node.ty == Kind::Track.item_ty()) else { continue };
        let Some(Uuid(track)) = read(&view.node, SOURCE) else { continue };
        if let std::collections::btree_map::Entry::Vacant(unknown) = tracks.entry(track) {
            unknown.insert(source(call, Kind::Track, track).await?.is_some());
        }
        if !tracks[&track] || !reader.sees_common(&view.node).await? {
            continue;
        }
        let found = read(&view.node, FOUND_AT).unwrap_or(Timestamp(view.node.created));
        items.push(Tweet {
            id: Uuid(id),
            track: Uuid(track),
            text: read(&view.node, TEXT).unwrap_or_default(),
            link: read(&view.node, LINK),
            handle: read(&view.node, HANDLE).unwrap_or_default(),
            name: read(&view.node, NAME),
            avatar: read(&view.node, AVATAR),
            image: read(&view.node, IMAGE),
            language: read(&view.node, LANGUAGE),
            sensitive: read(&view.node, SENSITIVE).unwrap_or(false),
            published_at: read(&view.node, PUBLISHED_AT).unwrap_or(found),
            found_at: found,
            rev: view.rev,
            likes: Likes::of(node(counts_id(id)).map(|view| &view.node)),
            replies: reply_count(node(reply_count_id(id)).map(|view| &view.node)),
        });
    }
    if let Some(me) = call.maybe_me().filter(|_| !items.is_empty()) {
        let ids = items.iter().map(|item| item.id.0).collect();
        let links = call.links(Root::profile(me), LIKES, ids).await?;
        for (item, link) in items.iter_mut().zip(links) {
            item.likes.mine = link.map(|link| kind_of(&link.link.data));
        }
    }
    Ok(items)
}

/// Attribute of a track: where.
const SERVICE: &str = "service";
/// Attribute of a track: at which server.
const SERVER: &str = "server";
/// Attribute of a track: what is tracked.
const SUBJECT: &str = "subject";
/// Attribute of a tweet: what it says.
const TEXT: &str = "text";
/// Attribute of a tweet: its page.
const LINK: &str = "link";
/// Attribute of a tweet: the account.
const HANDLE: &str = "handle";
/// Attribute of a tweet: what the account calls itself.
const NAME: &str = "name";
/// Attribute of a tweet: the account's picture.
const AVATAR: &str = "avatar";
/// Attribute of a tweet: a picture.
const IMAGE: &str = "image";
/// Attribute of a tweet: its language.
const LANGUAGE: &str = "language";
/// Attribute of a tweet: whether it is hidden behind a warning.
const SENSITIVE: &str = "sensitive";
