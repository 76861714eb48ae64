//! A post as clients send and see it, and as its node's attributes.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Position, Root};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::words::tag_of;
use crate::app_settings::DefaultAudience;
use crate::methods::media::facts::Media;
use crate::methods::media::references::Attached;
use crate::methods::media::seen::{MEDIA, life_of, show_all};
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Text, Timestamp, Uuid};
use crate::visibility;

/// Most characters of a post.
pub const TEXT_CHARS_MAX: usize = 5_000;
/// Most media of a post.
pub const MEDIA_MAX: usize = 10;
/// Most people that a post mentions.
pub const MENTIONS_MAX: usize = 50;
/// Most tags of a post.
pub const TAGS_MAX: usize = 30;

/// Who may read a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// Everybody, signed in or not.
    #[default]
    Public,
    /// Those who follow the author.
    Followers,
    /// The author.
    OnlyMe,
}

impl From<DefaultAudience> for Audience {
    fn from(audience: DefaultAudience) -> Audience {
        match audience {
            DefaultAudience::Public => Audience::Public,
            DefaultAudience::Followers => Audience::Followers,
            DefaultAudience::OnlyMe => Audience::OnlyMe,
        }
    }
}

impl From<Audience> for visibility::Audience {
    fn from(audience: Audience) -> visibility::Audience {
        match audience {
            Audience::Public => visibility::Audience::Public,
            Audience::Followers => visibility::Audience::Followers,
            Audience::OnlyMe => visibility::Audience::OnlyMe,
        }
    }
}

/// A tag, folded to lower case, without the `#`: 1 to 64 letters, digits or underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Tag(#[schemars(length(min = 1, max = 64))] pub String);

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tag, D::Error> {
        let text = String::deserialize(from)?;
        tag_of(text.strip_prefix('#').unwrap_or(&text))
            .map(Tag)
            .ok_or_else(|| D::Error::custom("value: a tag has 1 to 64 letters, digits or underscores"))
    }
}

/// A web address that a post points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct WebAddress(#[schemars(length(max = 2048), url)] pub String);

impl<'de> Deserialize<'de> for WebAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<WebAddress, D::Error> {
        let text = String::deserialize(from)?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let good = text.len() <= 2_048
            && host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '?', '#', '@']))
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if good { Ok(WebAddress(text)) } else { Err(D::Error::custom("format: an http or https address")) }
    }
}

/// A place on Earth.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Degrees north, -90 to 90.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<1, 200>>,
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Fields {
            latitude: f64,
            longitude: f64,
            name: Option<Text<1, 200>>,
        }
        let Fields { latitude, longitude, name } = Fields::deserialize(from)?;
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return Err(D::Error::custom("range: latitude is -90 to 90, longitude -180 to 180"));
        }
        Ok(Place { latitude, longitude, name })
    }
}

/// What reactions a post has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Likes {
    /// All reactions together.
    pub count: u64,
    /// Reactions by kind; kinds without any are left out.
    pub kinds: BTreeMap<String, u64>,
    /// The kind of my own reaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mine: Option<String>,
}

impl Likes {
    /// Reads the counts' node.
    pub fn of(counts: Option<&Node>) -> Likes {
        let kinds: BTreeMap<String, u64> = counts
            .into_iter()
            .flat_map(|node| &node.attrs)
            .filter_map(|(kind, attr)| Some((kind.clone(), attr.json.as_ref()?.parse().ok()?)))
            .filter(|&(_, count)| count > 0)
            .collect();
        Likes { count: kinds.values().sum(), kinds, mine: None }
    }
}

/// A post.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Who wrote it.
    pub author: Uuid,
    /// What it says.
    pub text: String,
    /// Who may read it.
    pub audience: Audience,
    /// Profiles that it mentions.
    pub mentions: Vec<Uuid>,
    /// Its tags, folded to lower case.
    pub tags: Vec<Tag>,
    /// What it points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// The same as it is stored; from this, [`Post::media`] is made for whoever looks.
    #[serde(skip)]
    pub attached: Vec<Attached>,
    /// When it was published, by the server's clock.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Its revision. Reactions do not change it.
    pub rev: Rev,
    /// Its reactions; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likes: Option<Likes>,
    /// How many replies it has; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<u64>,
    /// A moderator took it down; only its author still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Why it was taken down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
}

/// Why and when content was taken down, as its author is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Post {
    /// Reads a post's node.
    pub fn read(id: Id, view: &NodeView) -> Post {
        Post::from_node(id, &view.node, view.rev)
    }

    /// Reads a post's node. What cannot be read (a newer program wrote it) is as if it were not set.
    pub fn from_node(id: Id, node: &Node, rev: Rev) -> Post {
        Post {
            id: Uuid(id),
            author: Uuid(node.author),
            text: read(node, TEXT).unwrap_or_default(),
            // What cannot be read is shown to nobody.
            audience: read(node, AUDIENCE).unwrap_or(Audience::OnlyMe),
            mentions: read(node, MENTIONS).unwrap_or_default(),
            tags: read(node, TAGS).unwrap_or_default(),
            link: read(node, LINK),
            place: read(node, PLACE),
            media: Vec::new(),
            attached: read(node, MEDIA).unwrap_or_default(),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            edited_at: read(node, EDITED_AT),
            rev,
            likes: None,
            replies: None,
            removed: node.flags.has(Flags::REMOVED),
            removal: read(node, REMOVAL),
        }
    }

    /// The attributes of a new post's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (TEXT.to_owned(), json(&self.text)),
            (AUDIENCE.to_owned(), json(&self.audience)),
            (MENTIONS.to_owned(), json(&self.mentions)),
            (TAGS.to_owned(), json(&self.tags)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.link.as_ref().map(|link| (LINK.to_owned(), json(link))));
        attrs.extend(self.place.as_ref().map(|place| (PLACE.to_owned(), json(place))));
        if !self.attached.is_empty() {
            attrs.push((MEDIA.to_owned(), json(&self.attached)));
        }
        attrs
    }

    /// With addresses of what it shows; its author has these marks.
    #[must_use]
    pub fn with_media(mut self, call: &Call, author: Flags) -> Post {
        self.media = show_all(call, &self.attached, life_of(self.audience, author));
        self
    }

    /// The same where the author was not looked at before.
    pub async fn shown(self, call: &Call) -> Result<Post, Stop> {
        if self.attached.is_empty() {
            return Ok(self);
        }
        let author = self.author.0;
        let profile = call.node(Root::profile(author), author).await?;
        Ok(self.with_media(call, profile.map_or(Flags::default(), |view| view.node.flags)))
    }

    /// A post that is about to be made.
    pub fn new(id: Id, author: Id, text: String, now: Time) -> Post {
        Post {
            id: Uuid(id),
            author: Uuid(author),
            text,
            audience: Audience::Public,
            mentions: Vec::new(),
            tags: Vec::new(),
            link: None,
            place: None,
            media: Vec::new(),
            attached: Vec::new(),
            created_at: Timestamp(now),
            edited_at: None,
            rev: Rev::Pending,
            likes: None,
            replies: None,
            removed: false,
            removal: None,
        }
    }
}

/// The audience that a post's node says; the author alone, if it cannot be read.
pub fn audience(node: &Node) -> Audience {
    read(node, AUDIENCE).unwrap_or(Audience::OnlyMe)
}

/// The id of the node that counts an object's reactions.
pub fn counts_id(object: Id) -> Id {
    Id::derived("counts", object.as_bytes())
}

/// An id that follows from an object and one of its revisions: what is made for it is made once.
pub fn derived(domain: &str, object: Id, rev: Position) -> Id {
    let mut name = object.as_bytes().to_vec();
    name.extend_from_slice(&rev.0.to_be_bytes());
    Id::derived(domain, &name)
}

/// An attribute's value.
pub fn read<T: serde::de::DeserializeOwned>(node: &Node, name: &str) -> Option<T> {
    serde_json::from_str(node.attr(name)?).ok()
}

/// A value as an attribute's text.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("attributes are plain data, which JSON can hold")
}

/// Attribute: what it says.
pub const TEXT: &str = "text";
/// Attribute: who may read it.
pub const AUDIENCE: &str = "audience";
/// Attribute: ids of mentioned profiles.
pub const MENTIONS: &str = "mentions";
/// Attribute: folded tags.
pub const TAGS: &str = "tags";
/// Attribute: a web address.
pub const LINK: &str = "link";
/// Attribute: a place.
pub const PLACE: &str = "place";
/// Attribute: when it was published. An attribute and not the node's own time, so that the reply to the call
/// that made it says the same as every later one.
pub const CREATED_AT: &str = "createdAt";
/// Attribute: why a moderator took it down, while it is down.
pub const REMOVAL: &str = "removal";
/// Attribute: when it was last edited.
pub const EDITED_AT: &str = "editedAt";

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Section;
    use gomer_core::rows::node::{Attr, Stamp};

    fn node(attrs: Vec<(String, String)>) -> Node {
        let attr = |json| Attr { json: Some(json), stamp: Stamp::default() };
        Node {
            ty: crate::model::POST,
            section: Section::PUBLIC,
            author: Id::from_bytes([2; 16]),
            rev: Position(7),
            created: Time::ZERO,
            updated: Time::ZERO,
            flags: Flags::default(),
            attrs: attrs.into_iter().map(|(name, json)| (name, attr(json))).collect(),
        }
    }

    #[test]
    fn a_post_survives_its_attributes() {
        let mut post =
            Post::new(Id::from_bytes([1; 16]), Id::from_bytes([2; 16]), "Grüße \"#a\"".into(), Time::ZERO);
        post.audience = Audience::Followers;
        post.tags = vec![Tag("a".into())];
        post.link = Some("https://example.org/?a=b".into());
        post.place = serde_json::from_str(r#"{"latitude":47.5,"longitude":-8.25,"name":"Home"}"#).unwrap();
        assert!(post.place.is_some());
        let rev = Rev::At(Position(7), 1);
        assert_eq!(Post::from_node(post.id.0, &node(post.attrs()), rev), Post { rev, ..post });
    }

    #[test]
    fn what_cannot_be_read_is_shown_to_its_author_only() {
        assert_eq!(audience(&node(vec![("audience".into(), "\"neighbours\"".into())])), Audience::OnlyMe);
        assert_eq!(audience(&node(Vec::new())), Audience::OnlyMe);
    }

    #[test]
    fn counts_add_up_and_nothing_else_is_counted() {
        let counted =
            node(vec![("like".into(), "3".into()), ("wow".into(), "0".into()), ("x".into(), "\"\"".into())]);
        let likes = Likes::of(Some(&counted));
        assert_eq!((likes.count, likes.kinds.len()), (3, 1));
        assert_eq!(Likes::of(None).count, 0);
    }

    #[test]
    fn bad_tags_addresses_and_places_are_refused() {
        for good in ["\"Rust\"", "\"#über_1\""] {
            assert!(serde_json::from_str::<Tag>(good).is_ok(), "{good}");
        }
        for bad in ["\"\"", "\"#\"", "\"a b\"", "\"##a\"", "7"] {
            assert!(serde_json::from_str::<Tag>(bad).is_err(), "{bad}");
        }
        for bad in
            ["\"javascript:alert(1)\"", "\"https://\"", "\"https:///x\"", "\"http://a b\"", "\"ftp://a\""]
        {
            assert!(serde_json::from_str::<WebAddress>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<WebAddress>("\"https://example.org\"").is_ok());
        for bad in
            [r#"{"latitude":91,"longitude":0}"#, r#"{"latitude":0}"#, r#"{"latitude":0,"longitude":0,"x":1}"#]
        {
            assert!(serde_json::from_str::<Place>(bad).is_err(), "{bad}");
        }
    }
}
