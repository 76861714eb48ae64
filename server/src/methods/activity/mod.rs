//! `activity`: what happened, as Activity Streams 2.0.
//!
//! Nothing is stored for it. Who published, follows, likes or replied stands in streams and link lists already, with its time;
//! an activity is one of those entries or links, read through the eyes of whoever asks. So it is gone when what it tells of is
//! gone, and costs no write. Its id says where it is found.
//!
//! Reading order: [`vocabulary`], [`source`].
//!
//! Must never learn: how entries come into streams.

mod source;
pub mod vocabulary;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use self::source::{Happened, Source, Start, merged};
use self::vocabulary::{CONTEXT, Named, OneOrMore, Thing, Type};
use super::post::hydrate::Reader;
use super::post::view::Post;
use super::profile::view::{People, Profile};
use super::reply::read::comment;
use super::reply::view::{Comment, ParentKind};
use super::sync::names;
use crate::model::{FOLLOWED_BY, FOLLOWS, LIKED_BY, LIKES, PUBLISHED, REPLIES};
use crate::problem::Code;
use crate::registry::{Call, Method, Reply, Role, Stop};
use crate::types::{Limit, Page, Timestamp, Uuid};
use crate::visibility::Sight;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("activity.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one activity as Activity Streams 2.0 JSON."),
        Method::query("activity.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists what somebody did, newest first; likes only to the one who gave them."),
        Method::query("activity.listByObject", list_by_object)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists what happened to a post, a reply or a profile, newest first."),
    ]
}

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Published a post, or replied.
    Create,
    /// Follows a profile.
    Follow,
    /// Likes a post.
    Like,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Follow => "follow",
            Verb::Like => "like",
        }
    }
}

/// What an activity is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectType {
    /// A post.
    Post,
    /// A reply.
    Reply,
    /// A profile.
    Profile,
}

/// Which activity: `gomer:VERB/ACTOR/post:UUID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActivityId {
    verb: Verb,
    actor: Id,
    object: Root,
}

impl fmt::Display for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gomer:{}/{}/{}", self.verb.name(), self.actor, names::root(self.object))
    }
}

impl FromStr for ActivityId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ActivityId, &'static str> {
        const ODD: &str = "format: an activity's id is like gomer:like/UUID/post:UUID";
        let mut parts = text.strip_prefix("gomer:").ok_or(ODD)?.splitn(3, '/');
        let mut next = || parts.next().ok_or(ODD);
        let (verb, actor, object) = (next()?, next()?, next()?);
        let verb = [Verb::Create, Verb::Follow, Verb::Like].into_iter().find(|known| known.name() == verb);
        let actor = actor.parse().map_err(|_| ODD)?;
        Ok(ActivityId { verb: verb.ok_or(ODD)?, actor, object: names::parse_root(object).ok_or(ODD)? })
    }
}

impl<'de> Deserialize<'de> for ActivityId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ActivityId, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ActivityId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ActivityId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^gomer:[a-z]+/[0-9a-fA-F-]{36}/[a-z]+:[0-9a-fA-F-]{36}$" })
    }
}

/// Which activity.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetActivity {
    /// Its id.
    id: ActivityId,
}

async fn get(call: Call, args: GetActivity) -> Result<Reply<Thing>, Stop> {
    let ActivityId { verb, actor, object } = args.id;
    let time = match verb {
        Verb::Create => Some(Time::ZERO),
        // The actor's own list: the inverse may still be on its way.
        Verb::Follow => call.link(Root::profile(actor), FOLLOWS, object.id).await?.map(|link| link.time),
        Verb::Like => call.link(object, LIKED_BY, actor).await?.map(|link| link.time),
    };
    let happened = Happened { verb, actor, object, time: time.ok_or_else(Stop::not_found)? };
    let mut shown = Eyes::new(&call).show(vec![happened]).await?;
    Ok(Reply::new(shown.pop().ok_or_else(Stop::not_found)?))
}

/// Whose activities, and which of them.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListActivities {
    /// The profile that acted.
    actor: Uuid,
    /// Only what it did in this way.
    verb: Option<Verb>,
    /// Only what it did to things of this type.
    object_type: Option<ObjectType>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListActivities) -> Result<Reply<Page<Thing>>, Stop> {
    let actor = args.actor.0;
    let list = format!("activity.list/{}/{:?}/{:?}", args.actor, args.verb, args.object_type);
    let start: Option<Start> = call.open_cursor(&list, args.cursor.as_deref())?;
    let sight = Reader::new(&call).sight_of_profile(actor).await?;
    if sight == Sight::Nothing {
        return Err(Stop::not_found());
    }
    let root = Root::profile(actor);
    let wanted = |verb: Verb, of: ObjectType| {
        args.verb.is_none_or(|asked| asked == verb) && args.object_type.is_none_or(|asked| asked == of)
    };
    let mut sources = Vec::new();
    if wanted(Verb::Create, ObjectType::Post) {
        sources.push(Source::Entries { root, stream: PUBLISHED });
    }
    // Of a private profile, whom it follows is for those whom it lets follow.
    if sight == Sight::Whole && wanted(Verb::Follow, ObjectType::Profile) {
        sources.push(Source::Did { actor, verb: Verb::Follow, links: FOLLOWS });
    }
    // What somebody liked is their own to know.
    if call.maybe_me() == Some(actor) && wanted(Verb::Like, ObjectType::Post) {
        sources.push(Source::Did { actor, verb: Verb::Like, links: LIKES });
    }
    page(&call, &list, sources, start, args.limit.0, args.cursor).await
}

/// What happened to what.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListByObject {
    /// What the object is.
    object_type: ObjectType,
    /// Which one.
    id: Uuid,
    /// Only what was done in this way.
    verb: Option<Verb>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_object(call: Call, args: ListByObject) -> Result<Reply<Page<Thing>>, Stop> {
    let id = args.id.0;
    let list = format!("activity.listByObject/{:?}/{}/{:?}", args.object_type, args.id, args.verb);
    let start: Option<Start> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut reader = Reader::new(&call);
    let wanted = |verb: Verb| args.verb.is_none_or(|asked| asked == verb);
    let mut sources = Vec::new();
    let (root, seen) = match args.object_type {
        ObjectType::Post => (Root::post(id), reader.post(id).await?.is_some()),
        ObjectType::Reply => (Root::reply(id), comment(&call, &mut reader, id).await?.is_some()),
        ObjectType::Profile => (Root::profile(id), reader.sight_of_profile(id).await? == Sight::Whole),
    };
    if !seen {
        return Err(Stop::not_found());
    }
    match args.object_type {
        ObjectType::Profile if wanted(Verb::Follow) => {
            sources.push(Source::WasDone { object: root, verb: Verb::Follow, links: FOLLOWED_BY });
        }
        ObjectType::Profile => {}
        ObjectType::Post | ObjectType::Reply => {
            if wanted(Verb::Create) {
                sources.push(Source::Entries { root, stream: REPLIES });
            }
            if args.object_type == ObjectType::Post && wanted(Verb::Like) {
                sources.push(Source::WasDone { object: root, verb: Verb::Like, links: LIKED_BY });
            }
        }
    }
    page(&call, &list, sources, start, args.limit.0, args.cursor).await
}

async fn page(
    call: &Call,
    list: &str,
    sources: Vec<Source>,
    start: Option<Start>,
    limit: u32,
    cursor: Option<String>,
) -> Result<Reply<Page<Thing>>, Stop> {
    let (happened, next, end) = merged(call, &sources, start, limit).await?;
    // The cursor is the place that was read, not the last item that was shown.
    let cursor = if happened.is_empty() { cursor } else { Some(call.seal_cursor(list, &next)) };
    let items = Eyes::new(call).show(happened).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}

/// One caller's eyes.
struct Eyes<'a> {
    call: &'a Call,
    reader: Reader,
}

impl<'a> Eyes<'a> {
    fn new(call: &'a Call) -> Eyes<'a> {
        Eyes { call, reader: Reader::new(call) }
    }

    /// Those of these activities of which the caller may see actor and object.
    async fn show(&mut self, happened: Vec<Happened>) -> Result<Vec<Thing>, Stop> {
        let mut ids: Vec<Id> = happened.iter().map(|it| it.actor).collect();
        ids.extend(happened.iter().filter(|it| it.verb == Verb::Follow).map(|it| it.object.id));
        ids.sort_unstable();
        ids.dedup();
        let profiles = People::new(self.call).profiles(&ids).await?;
        let people: BTreeMap<Id, Profile> =
            ids.into_iter().zip(profiles).filter_map(|(id, profile)| Some((id, profile?))).collect();
        let mut shown = Vec::with_capacity(happened.len());
        for it in happened {
            let Some(actor) = people.get(&it.actor) else { continue };
            let id = ActivityId { verb: it.verb, actor: it.actor, object: it.object };
            let activity = |kind: Type, time: Time, object: Thing| Thing {
                context: Some(CONTEXT.to_owned()),
                id: Some(id.to_string()),
                actor: Some(person(actor).into()),
                object: Some(object.into()),
                published: Some(time.to_string()),
                ..Thing::new(kind)
            };
            match (it.verb, it.object.kind) {
                (Verb::Follow, RootKind::Profile) => {
                    // Whom a private profile follows is not for everybody.
                    if self.reader.sight_of_profile(it.actor).await? == Sight::Whole
                        && let Some(other) = people.get(&it.object.id)
                    {
                        shown.push(activity(Type::Follow, it.time, person(other)));
                    }
                }
                (verb @ (Verb::Create | Verb::Like), RootKind::Post) => {
                    let post = self.reader.posts(&[it.object.id]).await?.pop();
                    match post.filter(|post| verb != Verb::Create || post.author.0 == it.actor) {
                        Some(post) if verb == Verb::Create => {
                            shown.push(activity(Type::Create, post.created_at.0, note(&post)));
                        }
                        Some(post) => shown.push(activity(Type::Like, it.time, note(&post))),
                        None => {}
                    }
                }
                (Verb::Create, RootKind::Reply) => {
                    let reply = comment(self.call, &mut self.reader, it.object.id).await?;
                    if let Some(reply) = reply.filter(|reply| !reply.deleted && reply.author.0 == it.actor) {
                        shown.push(activity(Type::Create, reply.created_at.0, reply_note(&reply)));
                    }
                }
                _ => {}
            }
        }
        Ok(shown)
    }
}

fn address(root: Root) -> String {
    format!("gomer:{}", names::root(root))
}

fn named(root: Root) -> Option<OneOrMore> {
    Some(OneOrMore::One(Named::Address(address(root))))
}

fn person(profile: &Profile) -> Thing {
    Thing {
        id: Some(address(Root::profile(profile.id.0))),
        name: profile.name.clone(),
        preferred_username: profile.handle.clone(),
        ..Thing::new(Type::Person)
    }
}

fn note(post: &Post) -> Thing {
    Thing {
        id: Some(address(Root::post(post.id.0))),
        content: Some(post.text.clone()),
        attributed_to: named(Root::profile(post.author.0)),
        published: Some(published(post.created_at)),
        ..Thing::new(Type::Note)
    }
}

fn reply_note(reply: &Comment) -> Thing {
    let to = match reply.to.kind {
        ParentKind::Post => Root::post(reply.to.id.0),
        ParentKind::Reply => Root::reply(reply.to.id.0),
    };
    Thing {
        id: Some(address(Root::reply(reply.id.0))),
        content: reply.text.clone(),
        attributed_to: named(Root::profile(reply.author.0)),
        in_reply_to: named(to),
        published: Some(published(reply.created_at)),
        ..Thing::new(Type::Note)
    }
}

fn published(time: Timestamp) -> String {
    time.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_activity_is_found() {
        let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
        for text in [
            format!("gomer:like/{id}/post:{id}"),
            format!("gomer:follow/{id}/profile:{id}"),
            format!("gomer:create/{id}/reply:{id}"),
        ] {
            assert_eq!(text.parse::<ActivityId>().map(|id| id.to_string()), Ok(text));
        }
        for bad in [
            String::new(),
            format!("gomer:like/{id}"),
            format!("gomer:likes/{id}/post:{id}"),
            format!("gomer:like/x/post:{id}"),
            format!("gomer:like/{id}/name:{id}"),
            format!("gomer:like/{id}/post:{id}/"),
        ] {
            assert!(bad.parse::<ActivityId>().is_err(), "{bad}");
        }
    }
}
