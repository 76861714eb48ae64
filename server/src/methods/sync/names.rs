//! Names of types, streams, sections and roots on the wire. Clients store them: never change one.

use std::borrow::Cow;

use gomer_core::id::{Id, LinkType, NodeType, Root, RootKind, Section, StreamId};
use gomer_core::meta::state::App;
use serde::Serializer;

use crate::model;

/// Names of Gomer's own node types.
const NODES: &[(NodeType, &str)] = &[
    (model::PROFILE, "profile"),
    (model::POST, "post"),
    (model::DEVICE, "device"),
    (model::CREDENTIAL, "credential"),
    (model::SETTINGS, "settings"),
    (model::GRANT, "grant"),
    (model::CODE, "code"),
    (model::MUTE, "mute"),
    (model::COUNTS, "counts"),
    (model::CHAT, "chat"),
    (model::REPLY, "reply"),
    (model::REPLY_COUNT, "replyCount"),
    (model::NOTIFICATION_PREFERENCES, "notificationPreferences"),
    (model::MEDIA, "media"),
    (model::PHOTO, "photo"),
    (model::ALBUM, "album"),
    (model::NOTE, "note"),
    (model::NOTE_BESIDE, "noteBeside"),
    (model::CHECKIN, "checkin"),
    (model::PLACE, "place"),
    (model::SHARE, "share"),
    (model::SHORT_LINK, "shortLink"),
    (model::NEWS_FEED, "newsFeed"),
    (model::TWEET_TRACK, "tweetTrack"),
    (model::SOURCE_STATE, "sourceState"),
    (model::NEWS_ITEM, "newsItem"),
    (model::TWEET, "tweet"),
];

/// Names of Gomer's own link types.
const LINKS: &[(LinkType, &str)] = &[
    (model::FOLLOWS, "follows"),
    (model::FOLLOWED_BY, "followedBy"),
    (model::REQUESTED, "requested"),
    (model::REQUESTED_BY, "requestedBy"),
    (model::BLOCKS, "blocks"),
    (model::BLOCKED_BY, "blockedBy"),
    (model::MUTES, "mutes"),
    (model::LIKES, "likes"),
    (model::LIKED_BY, "likedBy"),
    (model::SESSION, "session"),
    (model::LAST_BLOCK, "lastBlock"),
    (model::LAST_BLOCKED_BY, "lastBlockedBy"),
    (model::CHAT_MEMBER, "chatMember"),
    (model::CHAT_STAFF, "chatStaff"),
    (model::CHAT_READ, "chatRead"),
    (model::CHATS, "chats"),
    (model::HIDDEN_MESSAGES, "hiddenMessages"),
    (model::READ_NOTIFICATIONS, "readNotifications"),
    (model::MEDIA_USED_BY, "mediaUsedBy"),
    (model::BLOB_OBJECT, "blobObject"),
    (model::BLOB_USED_BY, "blobUsedBy"),
    (model::LITTER, "litter"),
    (model::SHOWS, "shows"),
    (model::SHOWN_IN, "shownIn"),
    (model::HOLDS, "holds"),
    (model::HELD_BY, "heldBy"),
    (model::NOTES, "notes"),
    (model::PLACES_HERE, "placesHere"),
    (model::SOURCES, "sources"),
    (model::GONE_SOURCES, "goneSources"),
];

/// Names of streams.
const STREAMS: &[(StreamId, &str)] = &[
    (model::HOME, "home"),
    (model::PUBLISHED, "published"),
    (model::FEED, "feed"),
    (model::TAG, "tag"),
    (model::REVISIONS, "revision"),
    (model::MESSAGES, "message"),
    (model::PHOTOS, "photos"),
    (model::ALBUMS, "albums"),
    (model::REPLIES, "replies"),
    (model::NOTIFICATIONS, "notification"),
    (model::NOTIFICATIONS_READ, "notificationsRead"),
    (model::CHECKED_IN, "checkedIn"),
    (model::CHECKINS_HERE, "checkinsHere"),
    (model::SHARES, "shares"),
    (model::SHARES_HERE, "sharesHere"),
    (model::SOURCE_ITEMS, "sourceItems"),
    (model::ALL_SOURCE_ITEMS, "allSourceItems"),
];

/// The type of the counts of link lists; a count's id is the name of its list's type.
pub const COUNT: &str = "count";

/// Whether this is the name of one of Gomer's own types: an app cannot declare it.
pub fn is_own(name: &str) -> bool {
    let nodes = NODES.iter().map(|(_, own)| own);
    let links = LINKS.iter().map(|(_, own)| own);
    let streams = STREAMS.iter().map(|(_, own)| own);
    nodes.chain(links).chain(streams).chain([&COUNT]).any(|own| *own == name)
}

/// Name of a node type.
pub fn node(app: &App, ty: NodeType) -> Cow<'static, str> {
    own(NODES, ty).unwrap_or_else(|| declared(app, ty.0))
}

/// Name of a link type.
pub fn link(app: &App, ty: LinkType) -> Cow<'static, str> {
    own(LINKS, ty).unwrap_or_else(|| declared(app, ty.0))
}

/// Name of a stream, which is the type of its entries.
pub fn stream(stream: StreamId) -> Cow<'static, str> {
    own(STREAMS, stream).unwrap_or_else(|| Cow::Owned(format!("stream-{}", stream.0)))
}

/// Name of a section that leaves the server.
pub fn section(section: Section) -> &'static str {
    match section {
        Section::PRIVATE => "private",
        Section::PUBLIC => "public",
        Section::INVERSE => "inverse",
        _ => "other",
    }
}

/// A root as text: `post:UUID`.
pub fn root(root: Root) -> String {
    let (kind, id) = (kind(root.kind), root.id.text());
    let mut text = String::with_capacity(kind.len() + 1 + id.as_str().len());
    text.push_str(kind);
    text.push(':');
    text.push_str(id.as_str());
    text
}

/// A root in a reply, as [`root`] has it.
pub fn write_root<S: Serializer>(of: &Root, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&root(*of))
}

/// The kinds of roots that may be followed, as a pattern has them.
pub const FOLLOWED: &str = "profile|post|reply|chat|checkin|place|share|node";

/// Reads a root that may be followed, of one of the kinds [`FOLLOWED`].
pub fn parse_root(text: &str) -> Option<Root> {
    let (kind, id) = text.split_once(':')?;
    let kind = match kind {
        "profile" => RootKind::Profile,
        "post" => RootKind::Post,
        "node" => RootKind::Node,
        "chat" => RootKind::Chat,
        "reply" => RootKind::Reply,
        "checkin" => RootKind::CheckIn,
        "place" => RootKind::Place,
        "share" => RootKind::Share,
        _ => return None,
    };
    Some(Root::new(kind, id.parse::<Id>().ok()?))
}

fn kind(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Profile => "profile",
        RootKind::Post => "post",
        RootKind::Name => "name",
        RootKind::Node => "node",
        RootKind::Tag => "tag",
        RootKind::Feed => "feed",
        RootKind::Misc => "misc",
        RootKind::Chat => "chat",
        RootKind::Reply => "reply",
        RootKind::Media => "media",
        RootKind::Blob => "blob",
        RootKind::Photo => "photo",
        RootKind::Album => "album",
        RootKind::CheckIn => "checkin",
        RootKind::Place => "place",
        RootKind::Index => "index",
        RootKind::Share => "share",
        RootKind::ShortLink => "link",
        RootKind::Source => "source",
    }
}

fn own<T: PartialEq + Copy>(names: &[(T, &'static str)], wanted: T) -> Option<Cow<'static, str>> {
    names.iter().find(|(number, _)| *number == wanted).map(|(_, name)| Cow::Borrowed(*name))
}

/// Types are never undeclared; a number without a name is from a newer program.
fn declared(app: &App, number: u16) -> Cow<'static, str> {
    let name = app.types.iter().find(|(_, decl)| decl.number == number).map(|(name, _)| name.clone());
    Cow::Owned(name.unwrap_or_else(|| format!("type-{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_stands_for_two_things() {
        let names: Vec<&str> = NODES
            .iter()
            .map(|(_, name)| *name)
            .chain(LINKS.iter().map(|(_, name)| *name))
            .chain(STREAMS.iter().map(|(_, name)| *name))
            .chain([COUNT])
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.into_iter().all(is_own), "an app could declare it");
    }

    #[test]
    fn only_what_may_be_followed_is_read() {
        let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
        assert_eq!(parse_root(&format!("post:{id}")).map(root), Some(format!("post:{id}")));
        for bad in [
            format!("name:{id}"),
            format!("feed:{id}"),
            id.to_owned(),
            "post:".to_owned(),
            format!("Post:{id}"),
        ] {
            assert_eq!(parse_root(&bad), None, "{bad}");
        }
    }
}
