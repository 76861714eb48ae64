//! `follow`: who follows whom, and who asks to.
//!
//! Following writes one's own root; the inverse reaches the other root by a step. A request carries an id of
//! its own in both roots, so that what was accepted is the request that was made, and not a later one.

use gomer_core::id::{Id, LinkType, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use gomer_core::vnode::query::{LinkPlace, LinkView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::notification::notice::{self, Kind};
use crate::methods::profile::relation::{Known, Relation, relation, relations};
use crate::methods::profile::ties;
use crate::methods::profile::view::{People, Profile};
use crate::model::{BLOCKS, FOLLOWED_BY, FOLLOWS, LAST_BLOCKED_BY, REQUESTED, REQUESTED_BY};
use crate::problem::Code;
use crate::registry::{Call, Method, Rate, Reply, Role, Stop};
use crate::types::{Limit, List, Page, Timestamp, Uuid};
use crate::visibility::Sight;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("follow.accept", accept)
            .role(Role::Owner)
            .emits(&["follow.accepted"])
            .errors(&[Code::NotFound])
            .about("Accepts somebody's request to follow me."),
        Method::procedure("follow.create", create)
            .role(Role::User)
            .rate(Rate::Follow)
            .emits(&["follow.created"])
            .errors(&[Code::NotFound, Code::Invalid])
            .about("Follows a profile, or asks to if it is private."),
        Method::procedure("follow.delete", delete)
            .role(Role::User)
            .emits(&["follow.deleted"])
            .about("Stops following a profile, or takes the request back."),
        Method::query("follow.getRelations", get_relations)
            .role(Role::User)
            .about("Shows my relation to up to 100 profiles."),
        Method::query("follow.listFollowers", list_followers)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::Forbidden, Code::CursorInvalid])
            .about("Lists who follows a profile, newest first."),
        Method::query("follow.listFollowing", list_following)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::Forbidden, Code::CursorInvalid])
            .about("Lists whom a profile follows, newest first."),
        Method::query("follow.listRequests", list_requests)
            .role(Role::Owner)
            .errors(&[Code::CursorInvalid])
            .about("Lists requests that wait for me, or mine that wait for others, newest first."),
        Method::procedure("follow.reject", reject)
            .role(Role::Owner)
            .emits(&["follow.rejected"])
            .about("Rejects somebody's request to follow me."),
    ]
}

/// Which profile.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Other {
    /// The other profile.
    id: Uuid,
}

/// What a request holds in both roots.
#[derive(Serialize, Deserialize)]
struct Request {
    request: String,
}

async fn create(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    if me == other {
        return Err(Stop::invalid("/id", "value", "Nobody follows themselves."));
    }
    let (node, _, known) = People::new(&call).node(other).await?.ok_or_else(Stop::not_found)?;
    let known = known.unwrap_or(Known { relation: Relation::none(other), blocked_by: false });
    let mut after = known.told();
    let ask = node.node.flags.has(Flags::PRIVATE) && !after.following;
    after.requested = ask;
    after.following = !ask;
    let heard = call.link(root, LAST_BLOCKED_BY, other).await?.map(|link| link.link.data);
    let write = if ask {
        let asked = call.link(root, REQUESTED, other).await?.map(|link| link.link.data);
        let request = asked.unwrap_or_else(|| {
            let request = Request { request: call.cluster.mint().to_string() };
            serde_json::to_string(&request).expect("a request is plain data, which JSON can hold")
        });
        ties::ask(call.on(root), me, other, heard, request)
    } else {
        ties::follow(call.on(root), me, other, heard)
    };
    match call.write(write, after).await {
        // Blocked in between.
        Err(stop) if stop.code() == Some(Code::IdTaken) => Err(Stop::not_found()),
        done => done,
    }
}

async fn delete(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    let mut after = relation(&call, me, other).await?.told();
    (after.following, after.requested) = (false, false);
    let write = call
        .on(root)
        .op(Operation::DeleteLink { ty: FOLLOWS, to: other })
        .op(Operation::DeleteLink { ty: REQUESTED, to: other })
        .step(Step::to(
            Root::profile(other),
            vec![
                Operation::DeleteLink { ty: FOLLOWED_BY, to: me },
                Operation::DeleteLink { ty: REQUESTED_BY, to: me },
                notice::retract(Kind::Follow, me, Root::profile(other)),
                notice::retract(Kind::FollowRequest, me, Root::profile(other)),
            ],
        ));
    call.write(write, after).await
}

async fn accept(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    let known = relation(&call, me, other).await?;
    let mut after = known.told();
    let Some(request) = call.link(root, REQUESTED_BY, other).await? else {
        // Accepted before: as asked.
        let accepted = after.followed_by && !known.tie().blocked;
        return if accepted { Ok(Reply::new(after)) } else { Err(Stop::not_found()) };
    };
    (after.followed_by, after.requested_by) = (true, false);
    let data = request.link.data;
    let write = call
        .on(root)
        .when(Precondition::LinkData(REQUESTED_BY, other, data.clone()))
        .when(Precondition::LinkAbsent(BLOCKS, other))
        .op(put(FOLLOWED_BY, other, Section::INVERSE, String::new()))
        .op(Operation::DeleteLink { ty: REQUESTED_BY, to: other })
        .step(
            // Taken back, or ended by a block, while this was on its way: nothing happens there.
            Step::to(
                Root::profile(other),
                vec![
                    Operation::DeleteLink { ty: REQUESTED, to: me },
                    put(FOLLOWS, me, Section::PUBLIC, String::new()),
                    notice::append(Kind::FollowAccepted, me, root, None),
                ],
            )
            .when(Precondition::LinkData(REQUESTED, me, data)),
        )
        .step(notice::ring(Kind::FollowAccepted, me, root, other));
    call.write(write, after).await
}

async fn reject(call: Call, args: Other) -> Result<Reply<Relation>, Stop> {
    let (me, other) = (call.me()?, args.id.0);
    let root = Root::profile(me);
    call.replay(root).await?;
    let mut after = relation(&call, me, other).await?.told();
    after.requested_by = false;
    let mut write = call.on(root).op(Operation::DeleteLink { ty: REQUESTED_BY, to: other });
    if let Some(request) = call.link(root, REQUESTED_BY, other).await? {
        let taken = vec![Operation::DeleteLink { ty: REQUESTED, to: me }];
        write = write.step(Step::to(Root::profile(other), taken).when(Precondition::LinkData(
            REQUESTED,
            me,
            request.link.data,
        )));
    }
    call.write(write, after).await
}

fn put(ty: LinkType, to: Id, section: Section, data: String) -> Operation {
    Operation::PutLink { ty, to, section, time: None, data }
}

/// Whose list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListOf {
    /// The profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_followers(call: Call, args: ListOf) -> Result<Reply<Page<Profile>>, Stop> {
    list(call, args, FOLLOWED_BY, "follow.listFollowers").await
}

async fn list_following(call: Call, args: ListOf) -> Result<Reply<Page<Profile>>, Stop> {
    list(call, args, FOLLOWS, "follow.listFollowing").await
}

async fn list(
    call: Call,
    args: ListOf,
    ty: LinkType,
    name: &'static str,
) -> Result<Reply<Page<Profile>>, Stop> {
    let people = People::new(&call);
    let (_, sight, _) = people.node(args.id.0).await?.ok_or_else(Stop::not_found)?;
    if sight < Sight::Whole {
        return Err(Stop::forbidden("The lists of a private profile are for those whom it lets follow."));
    }
    let list = format!("{name}/{}", args.id);
    let (links, cursor, end) =
        page(&call, Root::profile(args.id.0), ty, &list, args.limit, args.cursor).await?;
    let ids: Vec<Id> = links.iter().map(|link| link.to).collect();
    let items = people.profiles(&ids).await?.into_iter().flatten().collect();
    Ok(Reply::new(Page { items, cursor, end }))
}

/// A page of a link list, with its cursor: the place that was read, not the last that is shown.
async fn page(
    call: &Call,
    root: Root,
    ty: LinkType,
    list: &str,
    limit: Limit,
    cursor: Option<String>,
) -> Result<(Vec<LinkView>, Option<String>, bool), Stop> {
    let after: Option<LinkPlace> = call.open_cursor(list, cursor.as_deref())?;
    let (links, end) = call.link_page(root, ty, after, limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(list, &place)).or(cursor);
    Ok((links, cursor, end))
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Direction {
    /// Those that wait for me.
    #[default]
    Incoming,
    /// Mine, that wait for others.
    Outgoing,
}

/// Which requests.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListRequests {
    /// Those that wait for me (the default), or mine.
    #[serde(default)]
    direction: Direction,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// A request to follow.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FollowRequest {
    /// Who asks, or who is asked.
    profile: Profile,
    /// Since when.
    created_at: Timestamp,
}

async fn list_requests(call: Call, args: ListRequests) -> Result<Reply<Page<FollowRequest>>, Stop> {
    let me = call.me()?;
    let (ty, list) = match args.direction {
        Direction::Incoming => (REQUESTED_BY, "follow.listRequests/incoming"),
        Direction::Outgoing => (REQUESTED, "follow.listRequests/outgoing"),
    };
    let (links, cursor, end) = page(&call, Root::profile(me), ty, list, args.limit, args.cursor).await?;
    let ids: Vec<Id> = links.iter().map(|link| link.to).collect();
    let profiles = People::new(&call).profiles(&ids).await?;
    let items = links
        .into_iter()
        .zip(profiles)
        .filter_map(|(link, profile)| {
            Some(FollowRequest { profile: profile?, created_at: Timestamp(link.time) })
        })
        .collect();
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which profiles.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetRelations {
    /// 1 to 100 profiles.
    ids: List<Uuid, 1, 100>,
}

/// Relations.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Relations {
    /// In the order asked.
    items: Vec<Relation>,
}

async fn get_relations(call: Call, args: GetRelations) -> Result<Reply<Relations>, Stop> {
    let me = call.me()?;
    let ids: Vec<Id> = args.ids.0.into_iter().map(|id| id.0).collect();
    let known = relations(&call, me, &ids).await?;
    let told = |id: Id| known.get(&id).map_or(Relation::none(id), Known::told);
    Ok(Reply::new(Relations { items: ids.into_iter().map(told).collect() }))
}
