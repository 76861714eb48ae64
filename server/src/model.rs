//! Numbers of the product's own types. They are part of stored keys: never change or reuse one.

use gomer_core::id::{Id, LinkType, NodeType, StreamId};

/// A profile; in its own root, with the root's id.
pub const PROFILE: NodeType = NodeType(1);
/// A post; in its own root, with the root's id.
pub const POST: NodeType = NodeType(2);
/// A device; in the profile's root.
pub const DEVICE: NodeType = NodeType(3);
/// How a profile signs in; in its root, never synced. See [`credential_id`].
pub const CREDENTIAL: NodeType = NodeType(4);
/// A profile's settings; in its root.
pub const SETTINGS: NodeType = NodeType(5);
/// A role that was granted; in the profile's root. See [`grant_id`].
pub const GRANT: NodeType = NodeType(6);
/// A one-time code; in the root of the address it was sent to, never synced.
pub const CODE: NodeType = NodeType(7);
/// Not used: what a profile mutes is a link. See [`MUTES`].
pub const MUTE: NodeType = NodeType(8);
/// Reaction counts of an object; in the object's root.
pub const COUNTS: NodeType = NodeType(9);
/// A chat; in its own root, with the root's id.
pub const CHAT: NodeType = NodeType(20);
/// A report; in the root of the app's moderation, never synced.
pub const REPORT: NodeType = NodeType(40);
/// All that was reported of one thing; in the root of the app's moderation, never synced.
pub const CASE: NodeType = NodeType(41);
/// The end of the chain of decisions; in the root of the app's moderation, never synced.
pub const LOG_HEAD: NodeType = NodeType(42);
/// The last ban of a profile; in its root, never synced.
pub const BAN: NodeType = NodeType(43);
/// An upload and what became of it; in its own root, with the root's id, never synced.
pub const MEDIA: NodeType = NodeType(60);
/// A photo; in its own root, with the root's id.
pub const PHOTO: NodeType = NodeType(61);
/// An album; in its own root, with the root's id.
pub const ALBUM: NodeType = NodeType(62);
/// A reply; in its own root, with the root's id.
pub const REPLY: NodeType = NodeType(21);
/// How many replies a post or a reply has; in its root.
pub const REPLY_COUNT: NodeType = NodeType(22);
/// Which kinds of notifications a profile wants; in its root.
pub const NOTIFICATION_PREFERENCES: NodeType = NodeType(23);
/// A note; in its author's root.
pub const NOTE: NodeType = NodeType(80);
/// Texts that are kept beside a note's own; in its author's root.
pub const NOTE_BESIDE: NodeType = NodeType(81);
/// A check-in; in its own root, with the root's id.
pub const CHECKIN: NodeType = NodeType(82);
/// A place; in its own root, with the root's id.
pub const PLACE: NodeType = NodeType(83);
/// A share; in its own root, with the root's id.
pub const SHARE: NodeType = NodeType(84);
/// How much an app used, on one day or in all; in a root of the app, never synced.
pub const USAGE: NodeType = NodeType(100);
/// Under which claim a profile holds an account at an identity provider; in its root, never synced.
pub const PROVIDER_LINK: NodeType = NodeType(101);
/// A short link; in a root of its own, never synced.
pub const SHORT_LINK: NodeType = NodeType(85);
/// An app's accounts at push services, sealed; in a root of the app's own, never synced.
pub const PUSH_CREDENTIALS: NodeType = NodeType(130);
/// Up to where a profile's notifications were looked at for push; in its root, never synced.
pub const PUSH_STATE: NodeType = NodeType(131);
/// A feed that an app tracks; in its own root, with the root's id.
pub const NEWS_FEED: NodeType = NodeType(140);
/// Tweets that an app tracks; in its own root, with the root's id.
pub const TWEET_TRACK: NodeType = NodeType(141);
/// How reading a feed or a track goes; in its root, never synced.
pub const SOURCE_STATE: NodeType = NodeType(142);
/// An item of a feed; in a root of its own, of the kind of posts, with the root's id.
pub const NEWS_ITEM: NodeType = NodeType(143);
/// A tweet that was tracked; in a root of its own, of the kind of posts, with the root's id.
pub const TWEET: NodeType = NodeType(144);

/// Me to whom I follow.
pub const FOLLOWS: LinkType = LinkType(1);
/// The inverse, in the other's root.
pub const FOLLOWED_BY: LinkType = LinkType(2);
/// Me to whom I asked to follow.
pub const REQUESTED: LinkType = LinkType(3);
/// The inverse, in the other's root.
pub const REQUESTED_BY: LinkType = LinkType(4);
/// Me to whom I block.
pub const BLOCKS: LinkType = LinkType(5);
/// The inverse, in the other's root, never synced.
pub const BLOCKED_BY: LinkType = LinkType(6);
/// Me to what I mute: a profile, a thread, or an id that follows from a word.
pub const MUTES: LinkType = LinkType(7);
/// Me to what I like.
pub const LIKES: LinkType = LinkType(8);
/// The inverse, in the object's root.
pub const LIKED_BY: LinkType = LinkType(9);
/// A profile's session on a device; never synced.
pub const SESSION: LinkType = LinkType(10);
/// Me to whom I blocked last: which block it was, also when it is lifted. Never synced.
pub const LAST_BLOCK: LinkType = LinkType(11);
/// Me to who blocked me: the last block that I heard of. Never synced.
pub const LAST_BLOCKED_BY: LinkType = LinkType(12);
/// A chat to its members; in the chat's root.
pub const CHAT_MEMBER: LinkType = LinkType(20);
/// A chat to its owners and moderators; in the chat's root. The data says which.
pub const CHAT_STAFF: LinkType = LinkType(21);
/// A chat to its members, with how far each has read; in the chat's root.
pub const CHAT_READ: LinkType = LinkType(22);
/// Me to the chats in my list, with how far I have read and what I cleared.
pub const CHATS: LinkType = LinkType(23);
/// Me to messages that I deleted for myself.
pub const HIDDEN_MESSAGES: LinkType = LinkType(24);
/// The app's moderation to its open cases, the oldest first; never synced, like all of that root.
pub const QUEUE_BY_AGE: LinkType = LinkType(40);
/// The same, those that most people reported first.
pub const QUEUE_BY_WEIGHT: LinkType = LinkType(41);
/// The app's moderation to what it banned.
pub const BANS: LinkType = LinkType(42);
/// The app's moderation to who reported what; the data says in which round.
pub const REPORTED: LinkType = LinkType(43);
/// The app's moderation to devices and addresses that it banned.
pub const BARRED: LinkType = LinkType(44);
/// A media to what shows it; never synced.
pub const MEDIA_USED_BY: LinkType = LinkType(60);
/// A blob's root to its one object; never synced.
pub const BLOB_OBJECT: LinkType = LinkType(61);
/// A blob's root to the media that stand on it; never synced.
pub const BLOB_USED_BY: LinkType = LinkType(62);
/// What may have lost its last reference, for the sweep; never synced.
pub const LITTER: LinkType = LinkType(63);
/// A photo to who is on it.
pub const SHOWS: LinkType = LinkType(64);
/// The inverse, in the person's root.
pub const SHOWN_IN: LinkType = LinkType(65);
/// An album to its photos.
pub const HOLDS: LinkType = LinkType(66);
/// The inverse, in the photo's root.
pub const HELD_BY: LinkType = LinkType(67);
/// Me to notifications that I read one by one.
pub const READ_NOTIFICATIONS: LinkType = LinkType(25);
/// Me to my notes, the one changed last first; never synced.
pub const NOTES: LinkType = LinkType(80);
/// An app's erasures that are to be done, to whom they are about; in a root of the app, never synced.
pub const ERASURES: LinkType = LinkType(100);
/// The same that are done.
pub const ERASED: LinkType = LinkType(101);
/// Ids of erasures; the data says whom each is about.
pub const ERASURE_IDS: LinkType = LinkType(102);
/// An app's exports, to whom they are for; in a root of the app, never synced.
pub const EXPORTS: LinkType = LinkType(104);
/// Me to accounts of mine at identity providers; never synced.
pub const PROVIDER_LINKS: LinkType = LinkType(105);
/// Me to what I made that no other list of mine names; never synced.
pub const MADE: LinkType = LinkType(103);
/// A list of places to those in it; in the root of what they have in common, never synced.
pub const PLACES_HERE: LinkType = LinkType(81);
/// Me to where my devices are reached by push, each under a claim of its own; never synced.
pub const PUSH_TARGETS: LinkType = LinkType(130);
/// A push token's root to whose it is; never synced.
pub const PUSH_HELD: LinkType = LinkType(131);
/// Says that my profile waits to be looked at for push; never synced.
pub const PUSH_BELL: LinkType = LinkType(132);
/// Profiles to look at for push, by when; in roots of the app's own, never synced.
pub const PUSH_DUE: LinkType = LinkType(133);
/// Pushes that wait to be sent to my devices; never synced.
pub const PUSH_QUEUE: LinkType = LinkType(134);
/// What became of pushes to my devices; never synced.
pub const PUSH_LOG: LinkType = LinkType(135);
/// A list of an app's feeds or tracks to those in it; in a root of its own, never synced.
pub const SOURCES: LinkType = LinkType(140);
/// The same list to feeds and tracks that were deleted, as long as there are items of theirs.
pub const GONE_SOURCES: LinkType = LinkType(141);

/// The home timeline, in the follower's root.
pub const HOME: StreamId = StreamId(1);
/// What a profile published, in its root.
pub const PUBLISHED: StreamId = StreamId(2);
/// The app's public feed, in feed roots.
pub const FEED: StreamId = StreamId(3);
/// Posts that carry a tag, in the tag's root.
pub const TAG: StreamId = StreamId(4);
/// What a post said before its edits, in the post's root.
pub const REVISIONS: StreamId = StreamId(5);
/// What was said in a chat, in the chat's root.
pub const MESSAGES: StreamId = StreamId(20);
/// What moderators decided, each with the hash of the one before, in the root of the app's moderation.
pub const DECISIONS: StreamId = StreamId(40);
/// Photos that a profile published, in its root.
pub const PHOTOS: StreamId = StreamId(60);
/// Albums that a profile made, in its root.
pub const ALBUMS: StreamId = StreamId(61);
/// Replies to a post or a reply, in its root.
pub const REPLIES: StreamId = StreamId(21);
/// What somebody is told of, in their root; its mark is how far they have seen it.
pub const NOTIFICATIONS: StreamId = StreamId(22);
/// Has a mark and no entries: up to where somebody has read what they are told of.
pub const NOTIFICATIONS_READ: StreamId = StreamId(23);
/// Where a profile checked in, in its root; never synced.
pub const CHECKED_IN: StreamId = StreamId(80);
/// Who checked in at a place, in the place's root; never synced.
pub const CHECKINS_HERE: StreamId = StreamId(81);
/// What a profile shared, in its root; never synced.
pub const SHARES: StreamId = StreamId(82);
/// Shares of an object, in the object's root; never synced.
pub const SHARES_HERE: StreamId = StreamId(83);
/// Items of a feed or a track, in its root; the extra text tells whether one was changed.
pub const SOURCE_ITEMS: StreamId = StreamId(140);
/// Items of all feeds or all tracks of an app, in the root of their list; never synced.
pub const ALL_SOURCE_ITEMS: StreamId = StreamId(141);

/// What was done with rights that are not one's own person's; in a root of the app, never synced.
pub const AUDIT: StreamId = StreamId(100);

/// Who joined the app, in its directory's root.
pub const DIRECTORY: StreamId = StreamId(5);

/// The verb of an entry in the directory.
pub const JOINED: u16 = 20;

/// The verb of an entry in the audit log.
pub const AUDITED: u16 = 100;

/// The first type of an app's own.
pub const OWN_TYPES_FROM: u16 = 1024;

/// The built-in role of moderators.
pub const MODERATOR_ROLE: &str = "moderator";
/// The built-in role of people who administer the app.
pub const ADMIN_ROLE: &str = "admin";

/// Where a follower of a partition is; in a root of its own, never synced.
pub const FOLLOWER: NodeType = NodeType(120);
/// A hook; in the root of the app's hooks, never synced.
pub const HOOK: NodeType = NodeType(121);
/// How often the list of an app's hooks changed; beside them.
pub const HOOK_COUNT: NodeType = NodeType(123);
/// How the deliveries of a hook go; in a root of its own, never synced.
pub const HOOK_HEALTH: NodeType = NodeType(122);

/// The credential's node of a profile.
pub fn credential_id(profile: Id) -> Id {
    Id::derived("credential", profile.as_bytes())
}

/// The node that grants a role to a profile, in the profile's root. Attribute `until` (a time as JSON text),
/// if it is set, says when the grant ends.
pub fn grant_id(profile: Id, role: &str) -> Id {
    let mut name = profile.as_bytes().to_vec();
    name.extend_from_slice(role.as_bytes());
    Id::derived("grant", &name)
}
