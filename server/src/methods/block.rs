//! `block`: whom somebody does not want to meet, and what they do not want to hear of.
//!
//! A block ends follows and requests both ways and hides both from each other everywhere; nobody else notices.
//! A mute is nobody's business but one's own.

use gomer_core::id::{Id, Root, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::Operation;
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::profile::relation::{Known, Relation, relation};
use crate::methods::profile::ties;
use crate::methods::profile::view::{HANDLE, NAME, People};
use crate::model::{BLOCKED_BY, BLOCKS, MUTES, PROFILE};
use crate::problem::Code;
use crate::registry::{Call, Method, Rate, Reply, Role, Stop};
use crate::types::{Empty, Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("block.create", create)
            .role(Role::User)
            .rate(Rate::Write)
            .emits(&["block.created"])
            .errors(&[Code::NotFound, Code::Invalid])
            .about("Blocks a profile: ends follows both ways, and hides both from each other everywhere."),
        Method::procedure("block.createMute", create_mute)
            .role(Role::User)
            .emits(&["mute.created"])
            .errors(&[Code::Invalid])
            .about("Mutes a profile, thread, chat, tag or word, until a time or for good."),
        Method::procedure("block.delete", delete)
            .role(Role::Owner)
            .emits(&["block.deleted"])
            .about("Lifts my block of a profile; follows do not come back."),
        Method::procedure("block.deleteMute", delete_mute)
            .role(Role::Owner)
            .emits(&["mute.deleted"])
            .about("Takes a mute back."),
        Method::query("block.list", list)
            .role(Role::Owner)
            .errors(&[Code::CursorInvalid])
            .about("Lists whom I block, newest first."),
        Method::query("block.listMutes", list_mutes)
            .role(Role::Owner)
            .errors(&[Code::CursorInvalid])
            .about("Lists what I mute, newest first."),
    ]
}

/// Which profile.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Other {
    /// The other profile.
    id: Uuid,
}

async fn create(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    if me == other {
        return Err(Stop::invalid("/id", "value", "Nobody blocks themselves."));
    }
    let known = relation(&call, me, other).await?;
    let blocked = Relation { blocking: true, muted: known.relation.muted, ..Relation::none(other) };
    if known.relation.blocking {
        return Ok(Reply::new(blocked));
    }
    if People::new(&call).node(other).await?.is_none() {
        return Err(Stop::not_found());
    }
    let write = ties::block(call.on(root), me, other, call.cluster.mint());
    call.write(write, blocked).await
}

async fn delete(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    let Known { relation, .. } = relation(&call, me, other).await?;
    let write = ties::unblock(call.on(root), me, other);
    call.write(write, Relation { muted: relation.muted, ..Relation::none(other) }).await
}

/// A page of one of my lists.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListMine {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Somebody whom I block. What is shown is what it takes to tell whom to unblock.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Blocked {
    /// The profile.
    id: Uuid,
    /// Its handle, unless it is gone or blocks me too.
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    /// Its name, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Since when.
    created_at: Timestamp,
}

async fn list(call: Call, args: ListMine) -> Result<Reply<Page<Blocked>>, Stop> {
    const LIST: &str = "block.list";
    let root = Root::profile(call.me()?);
    let after: Option<LinkPlace> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (links, end) = call.link_page(root, BLOCKS, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    let ids: Vec<Id> = links.iter().map(|link| link.to).collect();
    let back = call.links(root, BLOCKED_BY, ids).await?;
    let mut items = Vec::with_capacity(links.len());
    for (link, back) in links.into_iter().zip(back) {
        let node = match back {
            Some(_) => None,
            None => call.node(Root::profile(link.to), link.to).await?.filter(|view| view.node.ty == PROFILE),
        };
        let text = |name| serde_json::from_str(node.as_ref()?.attr(name)?).ok();
        items.push(Blocked {
            id: Uuid(link.to),
            handle: text(HANDLE),
            name: text(NAME),
            created_at: Timestamp(link.time),
        });
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// What is muted: exactly one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Subject {
    /// A profile.
    Profile(Uuid),
    /// A thread, by its first post.
    Thread(Uuid),
    /// A chat.
    Chat(Uuid),
    /// A tag, with or without the `#`.
    Tag(Text<1, 64>),
    /// A word or phrase, compared without regard to case.
    Word(Text<1, 64>),
}

impl Subject {
    /// Where its link leads: the id itself, or one that follows from the word.
    fn target(&self) -> Id {
        match self {
            Subject::Profile(id) | Subject::Thread(id) | Subject::Chat(id) => id.0,
            Subject::Tag(tag) => Id::derived("muted tag", tag.0.as_bytes()),
            Subject::Word(word) => Id::derived("muted word", word.0.as_bytes()),
        }
    }

    /// The same for all spellings.
    fn folded(self) -> Subject {
        match self {
            Subject::Tag(tag) => Subject::Tag(Text(tag.0.trim_start_matches('#').to_lowercase())),
            Subject::Word(word) => Subject::Word(Text(word.0.trim().to_lowercase())),
            other => other,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Subject::Tag(Text(text)) | Subject::Word(Text(text)) if text.is_empty())
    }
}

/// A mute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mute {
    /// What is muted.
    subject: Subject,
    /// Until when; for good if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Mute {
    /// Reads a link's data.
    pub fn read(data: &str) -> Option<Mute> {
        serde_json::from_str(data).ok()
    }

    /// Whether it is of this profile, thread or chat.
    pub fn is_of(&self, it: Id) -> bool {
        match &self.subject {
            Subject::Profile(id) | Subject::Thread(id) | Subject::Chat(id) => id.0 == it,
            Subject::Tag(_) | Subject::Word(_) => false,
        }
    }

    /// Whether it keeps a post with these folded tags out of lists.
    pub fn silences(&self, post: Id, text: &str, tags: &[&str]) -> bool {
        match &self.subject {
            Subject::Thread(thread) => thread.0 == post,
            Subject::Tag(tag) => tags.contains(&tag.0.as_str()),
            Subject::Word(word) => text.to_lowercase().contains(&word.0),
            Subject::Profile(_) | Subject::Chat(_) => false,
        }
    }

    /// Whether it is over.
    pub fn has_ended(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until.0 <= now)
    }
}

/// What to mute.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateMute {
    /// What.
    subject: Subject,
    /// Until when; for good if it is absent.
    until: Option<Timestamp>,
}

async fn create_mute(call: Call, args: CreateMute) -> Result<Reply<Mute>, Stop> {
    let me = call.me()?;
    call.replay(Root::profile(me)).await?;
    let mute = Mute { subject: args.subject.folded(), until: args.until };
    if mute.subject.is_empty() {
        return Err(Stop::invalid("/subject", "value", "Say which tag or word."));
    }
    if mute.subject == Subject::Profile(Uuid(me)) {
        return Err(Stop::invalid("/subject/profile", "value", "Nobody mutes themselves."));
    }
    if mute.has_ended(call.now.wall) {
        return Err(Stop::invalid("/until", "range", "That time has passed."));
    }
    let data = serde_json::to_string(&mute).expect("a mute is plain data, which JSON can hold");
    let write = call.on(Root::profile(me)).op(put(MUTES, mute.subject.target(), Section::PRIVATE, data));
    call.write(write, mute).await
}

/// What to hear of again.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteMute {
    /// What.
    subject: Subject,
}

async fn delete_mute(call: Call, args: DeleteMute) -> Result<Reply<Empty>, Stop> {
    let root = Root::profile(call.me()?);
    call.replay(root).await?;
    let to = args.subject.folded().target();
    call.write(call.on(root).op(Operation::DeleteLink { ty: MUTES, to }), Empty {}).await
}

/// A mute in the list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Muted {
    /// What, and until when.
    #[serde(flatten)]
    mute: Mute,
    /// Since when.
    created_at: Timestamp,
}

async fn list_mutes(call: Call, args: ListMine) -> Result<Reply<Page<Muted>>, Stop> {
    const LIST: &str = "block.listMutes";
    let root = Root::profile(call.me()?);
    let after: Option<LinkPlace> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (links, end) = call.link_page(root, MUTES, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    let items = links
        .into_iter()
        .filter_map(|link| Some((link.time, Mute::read(&link.link.data)?)))
        .filter(|(_, mute)| !mute.has_ended(call.now.wall))
        .map(|(time, mute)| Muted { mute, created_at: Timestamp(time) })
        .collect();
    Ok(Reply::new(Page { items, cursor, end }))
}

fn put(ty: gomer_core::id::LinkType, to: Id, section: Section, data: String) -> Operation {
    Operation::PutLink { ty, to, section, time: None, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_subject_are_one_mute() {
        let tag = |text: &str| Subject::Tag(Text(text.into())).folded();
        assert_eq!(tag("#Rust").target(), tag("rust").target());
        assert_ne!(tag("rust").target(), Subject::Word(Text("rust".into())).folded().target());
        assert!(tag("#").is_empty());
        assert!(Subject::Word(Text("  ".into())).folded().is_empty());
    }

    #[test]
    fn a_mute_ends_at_its_time_and_survives_its_data() {
        let mute = Mute {
            subject: Subject::Word(Text("spoiler".into())),
            until: Some(Timestamp(Time::from_millis(5))),
        };
        assert!(!mute.has_ended(Time::from_millis(4)));
        assert!(mute.has_ended(Time::from_millis(5)));
        let data = serde_json::to_string(&mute).unwrap();
        assert_eq!(data, r#"{"subject":{"word":"spoiler"},"until":"1970-01-01T00:00:00.005Z"}"#);
        assert_eq!(Mute::read(&data), Some(mute));
        assert_eq!(Mute::read("{}"), None);
    }
}
