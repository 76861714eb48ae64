//! `activity`: what happened, as Activity Streams 2.0.
//!
//! Nothing is stored for it. Who published, follows, likes or replied stands in streams and link lists already, with its time;
//! an activity is one of those entries or links, read through the eyes of whoever asks. So it is gone when what it tells of is
//! gone, and costs no write. Its id says where it is found.
//!
//! A list has its order from when things came into it, which for a post is a moment after it was made.
//!
//! Reading order: [`vocabulary`], `source`, `shown`, `grouped`.
//!
//! Must never learn: how entries come into streams.

mod grouped;
mod shown;
mod source;
pub mod vocabulary;

use std::fmt;
use std::str::FromStr;

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use self::shown::Eyes;
use self::source::{Happened, Source, Start, merged};
use self::vocabulary::Thing;
use super::post::hydrate::Reader;
use super::reply::read::comment;
use super::sync::names;
use crate::model::{FOLLOWED_BY, FOLLOWS, LIKED_BY, LIKES, PUBLISHED, REPLIES};
use crate::problem::Code;
use crate::registry::{Call, Method, Reply, Role, Stop};
use crate::types::{Limit, Page, Uuid};
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
            .about(
                "Lists what somebody did, or what was done with something as its target, newest first; what somebody likes \
                 only to the one who likes it.",
            ),
        Method::query("activity.listByObject", list_by_object)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists what happened to a post, a reply or a profile, newest first."),
        Method::query("activity.listGrouped", grouped::list)
            .role(Role::User)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about(
                "Lists what happened to a post, a reply or a profile in groups, one for each verb and day, newest first: Ann \
                 and 4 others like it.",
            ),
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

/// Whose activities, or with which target, and which of them.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListActivities {
    /// The profile that acted. This or a target, or both.
    actor: Option<Uuid>,
    /// Only what was done in this way.
    verb: Option<Verb>,
    /// Only what was done to things of this type.
    object_type: Option<ObjectType>,
    /// What the target is: of a reply, what it replies to. With `targetId`.
    target_type: Option<ObjectType>,
    /// Which one. With `targetType`.
    target_id: Option<Uuid>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListActivities) -> Result<Reply<Page<Thing>>, Stop> {
    let asked = (args.actor.map(|id| id.0), args.verb, args.object_type);
    let list = format!("activity.list/{asked:?}/{:?}/{:?}", args.target_type, args.target_id);
    let start: Option<Start> = call.open_cursor(&list, args.cursor.as_deref())?;
    let wanted = |verb: Verb, of: ObjectType| {
        args.verb.is_none_or(|asked| asked == verb) && args.object_type.is_none_or(|asked| asked == of)
    };
    let mut reader = Reader::new(&call);
    let sight = match args.actor {
        Some(actor) => reader.sight_of_profile(actor.0).await?,
        None => Sight::Whole,
    };
    if sight == Sight::Nothing {
        return Err(Stop::not_found());
    }
    let mut sources = Vec::new();
    let by = match (args.actor, args.target_type, args.target_id) {
        (actor, Some(target_type), Some(target)) => {
            let root = visible(&call, &mut reader, target_type, target.0).await?;
            if target_type != ObjectType::Profile && wanted(Verb::Create, ObjectType::Reply) {
                sources.push(Source::Entries { root, stream: REPLIES });
            }
            actor.map(|actor| actor.0)
        }
        (Some(actor), None, None) => {
            let root = Root::profile(actor.0);
            if wanted(Verb::Create, ObjectType::Post) {
                sources.push(Source::Entries { root, stream: PUBLISHED });
            }
            // Of a private profile, whom it follows is for those whom it lets follow.
            if sight == Sight::Whole && wanted(Verb::Follow, ObjectType::Profile) {
                sources.push(Source::Did { actor: actor.0, verb: Verb::Follow, links: FOLLOWS });
            }
            // What somebody likes is their own to know.
            if call.maybe_me() == Some(actor.0) && wanted(Verb::Like, ObjectType::Post) {
                sources.push(Source::Did { actor: actor.0, verb: Verb::Like, links: LIKES });
            }
            None
        }
        (None, None, None) => {
            return Err(Stop::invalid("/actor", "missing", "Give `actor`, or `targetType` and `targetId`."));
        }
        (_, None, Some(_)) => {
            return Err(Stop::invalid("/targetType", "missing", "It goes with `targetId`."));
        }
        (_, Some(_), None) => {
            return Err(Stop::invalid("/targetId", "missing", "It goes with `targetType`."));
        }
    };
    page(&call, &list, sources, start, args.limit.0, args.cursor, by).await
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

impl ListByObject {
    /// The thing, and where what happened to it stands; 404 unless the caller may see it.
    async fn sources(&self, call: &Call, reader: &mut Reader) -> Result<(Root, Vec<Source>), Stop> {
        let root = visible(call, reader, self.object_type, self.id.0).await?;
        let wanted = |verb: Verb| self.verb.is_none_or(|asked| asked == verb);
        let mut sources = Vec::new();
        match self.object_type {
            ObjectType::Profile if wanted(Verb::Follow) => {
                sources.push(Source::WasDone { object: root, verb: Verb::Follow, links: FOLLOWED_BY });
            }
            ObjectType::Profile => {}
            ObjectType::Post | ObjectType::Reply => {
                if wanted(Verb::Create) {
                    sources.push(Source::Entries { root, stream: REPLIES });
                }
                if self.object_type == ObjectType::Post && wanted(Verb::Like) {
                    sources.push(Source::WasDone { object: root, verb: Verb::Like, links: LIKED_BY });
                }
            }
        }
        Ok((root, sources))
    }

    /// Names its cursors.
    fn list(&self, method: &str) -> String {
        format!("{method}/{:?}/{}/{:?}", self.object_type, self.id, self.verb)
    }
}

async fn list_by_object(call: Call, args: ListByObject) -> Result<Reply<Page<Thing>>, Stop> {
    let list = args.list("activity.listByObject");
    let start: Option<Start> = call.open_cursor(&list, args.cursor.as_deref())?;
    let (_, sources) = args.sources(&call, &mut Reader::new(&call)).await?;
    page(&call, &list, sources, start, args.limit.0, args.cursor, None).await
}

/// The root of a thing, if the caller may see all of it; else 404.
async fn visible(call: &Call, reader: &mut Reader, kind: ObjectType, id: Id) -> Result<Root, Stop> {
    let (root, seen) = match kind {
        ObjectType::Post => (Root::post(id), reader.post(id).await?.is_some()),
        ObjectType::Reply => (Root::reply(id), comment(call, reader, id).await?.is_some()),
        ObjectType::Profile => (Root::profile(id), reader.sight_of_profile(id).await? == Sight::Whole),
    };
    if seen { Ok(root) } else { Err(Stop::not_found()) }
}

/// A page of what happened; with `by`, only what that profile did.
async fn page(
    call: &Call,
    list: &str,
    sources: Vec<Source>,
    start: Option<Start>,
    limit: u32,
    cursor: Option<String>,
    by: Option<Id>,
) -> Result<Reply<Page<Thing>>, Stop> {
    let start = start.unwrap_or_else(|| Start::newest(&sources));
    let (happened, end) = merged(call, &sources, start, limit).await?;
    // The cursor is the place that was read, not the last item that was shown.
    let cursor = happened.last().map(|(_, next)| call.seal_cursor(list, next)).or(cursor);
    let happened = happened.into_iter().map(|(it, _)| it).filter(|it| by.is_none_or(|by| by == it.actor));
    let items = Eyes::new(call).show(happened.collect()).await?;
    Ok(Reply::new(Page { items, cursor, end }))
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
