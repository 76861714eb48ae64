//! `like`: reactions to posts, one per profile and post. An item of news and a tracked tweet are as good as a post.
//!
//! My reaction is a link in my root. The inverse link and the counts at the post follow by a step; what I do
//! in quick succession arrives there in that order, because one channel carries it.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::notification::notice::{self, Kind as Told};
use super::post::hydrate::Reader;
use super::post::view::{Likes, counts_id, json};
use crate::model::{LIKED_BY, LIKES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Method, Reply, Role, Stop};
use crate::types::{Limit, List, Page, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("like.put", put)
            .role(Role::User)
            .emits(&["like.created"])
            .errors(&[Code::NotFound])
            .about("Likes a post, an item of news or a tracked tweet, optionally with a kind of reaction; once per profile and object."),
        Method::procedure("like.delete", delete)
            .role(Role::User)
            .emits(&["like.deleted"])
            .about("Takes my reaction back."),
        Method::query("like.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists who reacted to a post, newest first."),
        Method::query("like.getCounts", get_counts)
            .role(Role::Anonymous)
            .about("Counts reactions per kind, with my own, for up to 100 posts."),
    ]
}

/// A kind of reaction: 1 to 32 lower-case letters, digits or hyphens; what they mean is the app's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
struct Kind(#[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}$"))] String);

impl Default for Kind {
    fn default() -> Kind {
        Kind("like".to_owned())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let text = String::deserialize(from)?;
        let good = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.len() <= 32
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        if good {
            Ok(Kind(text))
        } else {
            Err(D::Error::custom("format: a kind is like `like` or `thumbs-up`"))
        }
    }
}

/// The data of a reaction's link.
#[derive(Serialize, Deserialize)]
struct Data {
    kind: String,
}

/// The kind that a reaction's link says.
pub(super) fn kind_of(data: &str) -> String {
    serde_json::from_str(data).map_or_else(|_| Kind::default().0, |Data { kind }| kind)
}

/// A reaction to make.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutLike {
    /// The post.
    id: Uuid,
    /// Which reaction; `like`, if absent. Another one replaces it.
    #[serde(default)]
    kind: Kind,
}

/// My reaction to a post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MyLike {
    /// The post.
    id: Uuid,
    /// My reaction; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    mine: Option<String>,
}

/// How often a change is tried again when my other devices change the same.
const ATTEMPTS: usize = 4;

async fn put(call: Call, args: PutLike) -> Result<Reply<MyLike>, Stop> {
    let me = call.me()?;
    call.replay(Root::profile(me)).await?;
    let post = Reader::new(&call).subject(args.id.0).await?.ok_or_else(Stop::not_found)?;
    change(&call, me, (args.id.0, Some(post.node.author)), Some(args.kind.0)).await
}

/// Which post.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteLike {
    /// The post. That I no longer see it, or that it is gone, does not matter.
    id: Uuid,
}

async fn delete(call: Call, args: DeleteLike) -> Result<Reply<MyLike>, Stop> {
    let me = call.me()?;
    call.replay(Root::profile(me)).await?;
    let author = call.node(Root::post(args.id.0), args.id.0).await?.map(|view| view.node.author);
    change(&call, me, (args.id.0, author), None).await
}

/// Makes my reaction to a post this one. The link is changed only from what was read, so that the counts,
/// which are told the difference, agree with the links.
async fn change(
    call: &Call,
    me: Id,
    (post, author): (Id, Option<Id>),
    kind: Option<String>,
) -> Result<Reply<MyLike>, Stop> {
    for _ in 0..ATTEMPTS {
        let old = call.link(Root::profile(me), LIKES, post).await?.map(|view| view.link.data);
        let new = kind.as_ref().map(|kind| json(&Data { kind: kind.clone() }));
        let reply = MyLike { id: Uuid(post), mine: kind.clone() };
        if old == new && call.op.is_none() {
            return Ok(Reply::new(reply));
        }
        match call.write(change_of(call.on(Root::profile(me)), me, (post, author), old, new), reply).await {
            // The link is no longer what was read.
            Err(stop) if matches!(stop.code(), Some(Code::NotFound | Code::IdTaken)) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// The write that changes my link, with the step that tells the post.
fn change_of(
    write: Write,
    me: Id,
    (post, author): (Id, Option<Id>),
    old: Option<String>,
    new: Option<String>,
) -> Write {
    let write = write.when(match &old {
        None => Precondition::LinkAbsent(LIKES, post),
        Some(data) => Precondition::LinkData(LIKES, post, data.clone()),
    });
    let counts = counts_id(post);
    let count = |data: &Option<String>, delta: i64| {
        let name = kind_of(data.as_deref()?);
        Some(Operation::AddToAttr { id: counts, name, delta })
    };
    let (mine, theirs) = match &new {
        Some(data) => (
            Operation::PutLink {
                ty: LIKES,
                to: post,
                section: Section::PRIVATE,
                time: None,
                data: data.clone(),
            },
            Operation::PutLink {
                ty: LIKED_BY,
                to: me,
                section: Section::INVERSE,
                time: None,
                data: data.clone(),
            },
        ),
        None => {
            (Operation::DeleteLink { ty: LIKES, to: post }, Operation::DeleteLink { ty: LIKED_BY, to: me })
        }
    };
    let mut ops = vec![theirs];
    if old != new {
        ops.extend(count(&old, -1));
        ops.extend(count(&new, 1));
    }
    let mut there = Step::to(Root::post(post), ops).when(Precondition::NodePresent(counts));
    // The author is told from the post on, once it has the reaction. What was read elsewhere has none.
    if let Some(author) = author.filter(|&author| author != me && author != Id::NIL) {
        let object = Root::post(post);
        there.then = match (&old, &new) {
            (None, Some(_)) => notice::tell(Told::Like, me, object, None, &[author]),
            (_, None) => {
                vec![Step::to(Root::profile(author), vec![notice::retract(Told::Like, me, object)])]
            }
            (Some(_), Some(_)) => Vec::new(),
        };
    }
    write.op(mine).step(there)
}

/// Whose reactions are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListLikes {
    /// The post.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Somebody's reaction.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Like {
    /// Who.
    profile: Uuid,
    /// Which reaction.
    kind: String,
    /// Since when there has been one.
    created_at: Timestamp,
}

async fn list(call: Call, args: ListLikes) -> Result<Reply<Page<Like>>, Stop> {
    let list = format!("like.list/{}", args.id);
    let after: Option<LinkPlace> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut reader = Reader::new(&call);
    if reader.subject(args.id.0).await?.is_none() {
        return Err(Stop::not_found());
    }
    let (links, end) = call.link_page(Root::post(args.id.0), LIKED_BY, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(&list, &place)).or(args.cursor);
    let seen = reader.profiles(links.iter().map(|link| link.to)).await?;
    let items = links
        .into_iter()
        .filter(|link| seen.contains(&link.to))
        .map(|link| Like {
            profile: Uuid(link.to),
            kind: kind_of(&link.link.data),
            created_at: Timestamp(link.time),
        })
        .collect();
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Whose counts are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetCounts {
    /// 1 to 100 posts.
    ids: List<Uuid, 1, 100>,
}

/// Counts of many posts.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ManyCounts {
    /// Those that there are and that the caller may see, in the order asked.
    items: Vec<Counts>,
}

/// Counts of one post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// The post.
    id: Uuid,
    /// Its reactions.
    #[serde(flatten)]
    likes: Likes,
}

async fn get_counts(call: Call, args: GetCounts) -> Result<Reply<ManyCounts>, Stop> {
    let ids: Vec<Id> = super::post::each_once(args.ids.0.into_iter().map(|id| id.0).collect());
    let mut reader = Reader::new(&call);
    let mut found: BTreeMap<Id, Likes> = BTreeMap::new();
    let posts = reader.posts(&ids).await?;
    found.extend(posts.into_iter().filter_map(|post| Some((post.id.0, post.likes?))));
    let rest = |found: &BTreeMap<Id, Likes>| -> Vec<Id> {
        ids.iter().copied().filter(|id| !found.contains_key(id)).collect()
    };
    let news = super::news::view::items(&call, &mut reader, &rest(&found)).await?;
    found.extend(news.into_iter().map(|item| (item.id.0, item.likes)));
    let tweets = super::tweet::view::tweets(&call, &mut reader, &rest(&found)).await?;
    found.extend(tweets.into_iter().map(|tweet| (tweet.id.0, tweet.likes)));
    let items = ids.iter().filter_map(|id| Some(Counts { id: Uuid(*id), likes: found.remove(id)? }));
    Ok(Reply::new(ManyCounts { items: items.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::AppId;

    const ME: Id = Id::from_bytes([1; 16]);
    const POST: Id = Id::from_bytes([2; 16]);
    const AUTHOR: Id = Id::from_bytes([3; 16]);

    /// What the step tells the counts: kind and difference.
    fn told(old: Option<&str>, new: Option<&str>) -> Vec<(String, i64)> {
        let data = |kind: Option<&str>| kind.map(|kind| json(&Data { kind: kind.to_owned() }));
        let write = Write::new(AppId(1), Root::profile(ME), ME);
        let write = change_of(write, ME, (POST, Some(AUTHOR)), data(old), data(new));
        let counted = write.steps[0].ops.iter().filter_map(|op| match op {
            Operation::AddToAttr { name, delta, .. } => Some((name.clone(), *delta)),
            _ => None,
        });
        counted.collect()
    }

    #[test]
    fn counts_are_told_the_difference() {
        let owned =
            |list: &[(&str, i64)]| list.iter().map(|(kind, by)| (kind.to_string(), *by)).collect::<Vec<_>>();
        assert_eq!(told(None, Some("like")), owned(&[("like", 1)]));
        assert_eq!(told(Some("like"), Some("love")), owned(&[("like", -1), ("love", 1)]));
        assert_eq!(told(Some("love"), None), owned(&[("love", -1)]));
        assert_eq!(told(Some("love"), Some("love")), []);
        assert_eq!(told(None, None), []);
    }

    #[test]
    fn the_author_is_told_once_and_not_of_another_kind_nor_of_oneself() {
        let data = |kind: &str| Some(json(&Data { kind: kind.to_owned() }));
        let told = |author, old, new| {
            let write = Write::new(AppId(1), Root::profile(ME), ME);
            change_of(write, ME, (POST, author), old, new).steps[0].then.len()
        };
        assert_eq!(told(Some(AUTHOR), None, data("like")), 2, "a notice, and their bell for push");
        assert_eq!(told(Some(AUTHOR), data("like"), data("wow")), 0);
        assert_eq!(told(Some(AUTHOR), data("wow"), None), 1, "taken back");
        assert_eq!(told(Some(ME), None, data("like")), 0);
        assert_eq!(told(None, None, data("like")), 0);
        assert_eq!(told(Some(Id::NIL), None, data("like")), 0, "news has no author here");
    }

    #[test]
    fn odd_kinds_are_refused() {
        assert!(serde_json::from_str::<Kind>("\"thumbs-up\"").is_ok());
        for bad in ["\"\"", "\"Like\"", "\"1st\"", "\"a b\"", "7", &format!("\"{}\"", "x".repeat(33))] {
            assert!(serde_json::from_str::<Kind>(bad).is_err(), "{bad}");
        }
    }
}
