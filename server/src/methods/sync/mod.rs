//! `sync`: what changed since a cursor, and the queue of what was done without a connection.
//!
//! Reading order: [`names`], [`item`], [`scopes`], [`known`], [`push`].
//!
//! Must never learn: what is on a phone. It shows a cursor and is sent what came after.

pub mod item;
pub mod known;
pub mod names;
pub mod push;
pub mod scopes;

use std::time::Duration;

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::Flags;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::item::{Item, ItemValue};
use self::known::KnownRoot;
use self::scopes::{Page, ROOTS_MAX};
use super::post::hydrate::Reader;
use crate::cursor::{Cursors, Purpose, SyncPlace};
use crate::problem::Code;
use crate::registry::method::BATCH_BYTES_MAX;
use crate::registry::{Cache, Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{Empty, Limit, List, Timestamp};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("sync.pull", pull)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .about("Sends everything that changed for me since a cursor, and waits for it if asked to."),
        Method::procedure("sync.push", push::push)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .body_max(BATCH_BYTES_MAX)
            .about("Carries out a queue of operations in order; each counts once, however often it is sent."),
        Method::query("sync.getSnapshot", get_snapshot)
            .role(Role::User)
            .about("Sends what there is, for a first start, and the cursor to go on from with `sync.pull`."),
        Method::query("sync.getEntities", get_entities)
            .role(Role::User)
            .about("Shows up to 200 entities; those that are as the caller knows them are only named."),
        Method::query("sync.getStatus", get_status).role(Role::User).about(
            "Shows a cursor that is up to date, how long the server remembers deletions, and its time.",
        ),
    ]
}

/// A root to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootName(pub Root);

impl<'de> Deserialize<'de> for RootName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RootName, D::Error> {
        names::parse_root(&String::deserialize(from)?).map(RootName).ok_or_else(|| {
            D::Error::custom("format: a root is a kind and an id, like profile:UUID, post:UUID or chat:UUID")
        })
    }
}

impl Serialize for RootName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&names::root(self.0))
    }
}

impl JsonSchema for RootName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RootName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^({}):[0-9a-fA-F-]{{36}}$", names::FOLLOWED);
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

/// A whole number of seconds, 0 to 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
struct WaitS(#[schemars(range(min = 0, max = 30))] u32);

impl<'de> Deserialize<'de> for WaitS {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<WaitS, D::Error> {
        match u32::deserialize(from)? {
            seconds if seconds <= 30 => Ok(WaitS(seconds)),
            _ => Err(D::Error::custom("range: a wait is 0 to 30 seconds")),
        }
    }
}

/// What a phone asks for.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pull {
    /// The last page's. Without one, everything comes.
    cursor: Option<String>,
    /// Up to 50 roots that the phone has open, beside its own profile's: their public part follows too, as
    /// far as the caller may see it. Those that are no longer named are dropped. Absent: as the cursor has it.
    roots: Option<List<RootName, 0, ROOTS_MAX>>,
    /// How many items at most, more or less: a page never ends inside a write.
    #[serde(default)]
    limit: Limit<200, 1000>,
    /// How long to wait when there is nothing new.
    #[serde(default)]
    wait_s: WaitS,
}

/// A page of changes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Changes {
    /// What changed.
    items: Vec<Item>,
    /// Up to where the cursor covers the caller's own profile, once it does: goes with what is queued from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<KnownRoot>,
    /// Where the next page begins. Hand it back as it is.
    cursor: String,
    /// Whether this was all there is. Only then is what the phone holds a state that the server had.
    end: bool,
}

impl Changes {
    fn of(call: &Call, me: Id, page: Page) -> Changes {
        let Page { items, place, end } = page;
        let known = KnownRoot::of(&place, Root::profile(me));
        Changes { items, cursor: seal(call, me, &place), end, known }
    }
}

/// The place that a token stands for; the start, without one.
pub fn open(call: &Call, me: Id, token: Option<&str>) -> Result<SyncPlace, Stop> {
    let cursors = Cursors::new(&call.app, me);
    Ok(token.map(|token| cursors.open(&Purpose::Sync, token)).transpose()?.unwrap_or_default())
}

/// The token for a place.
pub fn seal(call: &Call, me: Id, place: &SyncPlace) -> String {
    Cursors::new(&call.app, me).seal(&Purpose::Sync, place)
}

async fn pull(call: Call, args: Pull) -> Result<Reply<Changes>, Stop> {
    let me = call.me()?;
    let mut place = open(&call, me, args.cursor.as_deref())?;
    let wanted: Option<Vec<Root>> = args.roots.map(|roots| roots.0.into_iter().map(|root| root.0).collect());
    let until = call.now.mono + Duration::from_secs(args.wait_s.0.into());
    // Registered before the first look, so that nothing falls between the two.
    let watch = (args.wait_s.0 > 0).then(|| watch(&call, me, &place, wanted.as_deref()));
    loop {
        let page = scopes::page(&call, me, place, wanted.as_deref(), args.limit.0 as usize).await?;
        let left = until.since(call.cluster.now().mono);
        if let (Some(watch), true, true, false) = (&watch, page.items.is_empty(), page.end, left.is_zero())
            && tokio::time::timeout(left, watch.changed()).await.is_ok()
        {
            // Whoever is banned while they wait hears nothing more.
            let node = call.node(Root::profile(me), me).await?;
            if node.is_some_and(|node| node.node.flags.has(Flags::BANNED)) {
                return Err(crate::auth::bearer::banned());
            }
            place = page.place;
            continue;
        }
        return Ok(Reply::new(Changes::of(&call, me, page)).cache(Cache::Never));
    }
}

/// Watches everything that this follower's next page depends on.
pub fn watch(call: &Call, me: Id, place: &SyncPlace, wanted: Option<&[Root]>) -> gomer_net::watch::Watch {
    call.cluster.watch(call.app.id, watched(me, place, wanted))
}

/// The roots that this follower's next page depends on.
pub fn watched(me: Id, place: &SyncPlace, wanted: Option<&[Root]>) -> Vec<Root> {
    let known = place.roots.iter().map(|followed| followed.root).chain(place.refused.iter().copied());
    let mut roots: Vec<Root> = wanted.map_or_else(|| known.collect(), <[Root]>::to_vec);
    roots.push(Root::profile(me));
    roots.sort_unstable();
    roots.dedup();
    roots
}

/// What a new phone asks for.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetSnapshot {
    /// Up to 50 roots that the phone has open, beside its own profile's.
    roots: Option<List<RootName, 0, ROOTS_MAX>>,
    /// How many items at most, more or less.
    #[serde(default)]
    limit: Limit<200, 1000>,
}

async fn get_snapshot(call: Call, args: GetSnapshot) -> Result<Reply<Changes>, Stop> {
    let me = call.me()?;
    let wanted: Vec<Root> = args.roots.into_iter().flat_map(|roots| roots.0).map(|root| root.0).collect();
    let page = scopes::page(&call, me, SyncPlace::default(), Some(&wanted), args.limit.0 as usize).await?;
    Ok(Reply::new(Changes::of(&call, me, page)).cache(Cache::Never))
}

/// An entity, and the revision at which the caller knows it: `post:UUID` or `post:UUID@REVISION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    root: Root,
    rev: Option<Rev>,
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Known, D::Error> {
        let text = String::deserialize(from)?;
        let (root, rev) = match text.split_once('@') {
            Some((root, rev)) => {
                (root, Some(rev.parse().map_err(|_| D::Error::custom("format: a revision"))?))
            }
            None => (text.as_str(), None),
        };
        let root = names::parse_root(root)
            .ok_or_else(|| D::Error::custom("format: an entity is like post:UUID@REVISION"))?;
        Ok(Known { root, rev })
    }
}

impl JsonSchema for Known {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KnownEntity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^({}):[0-9a-fA-F-]{{36}}(@.+)?$", names::FOLLOWED);
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

/// Which entities.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetEntities {
    /// 1 to 200 entities: `post:UUID`, or `post:UUID@REVISION` if the caller has that revision.
    entities: List<Known, 1, 200>,
}

/// How an entity is, compared with what the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Compared {
    /// It is this.
    Put,
    /// It is as the caller knows it.
    Same,
    /// It does not exist, or the caller may not see it.
    Absent,
}

/// An entity.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Entity {
    /// How it is.
    op: Compared,
    /// Its root.
    root: String,
    /// Its revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Rev>,
    /// What it is now, as in `sync.pull`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    value: Option<ItemValue>,
}

/// Entities.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Entities {
    /// In the order asked.
    items: Vec<Entity>,
}

async fn get_entities(call: Call, args: GetEntities) -> Result<Reply<Entities>, Stop> {
    let me = call.me()?;
    let mut reader = Reader::new(&call);
    let mut items = Vec::with_capacity(args.entities.0.len());
    for Known { root, rev } in args.entities.0 {
        let sections = if root == Root::profile(me) {
            scopes::OWN.to_vec()
        } else {
            scopes::readable(&call, me, &mut reader, root).await?
        };
        let node = call.node(root, root.id).await?.filter(|view| sections.contains(&view.node.section));
        items.push(match node {
            None => Entity { op: Compared::Absent, root: names::root(root), rev: None, value: None },
            Some(view) => {
                let same = rev == Some(view.rev);
                Entity {
                    op: if same { Compared::Same } else { Compared::Put },
                    root: names::root(root),
                    rev: Some(view.rev),
                    value: (!same).then_some(ItemValue::Node(root.id, view.node)),
                }
            }
        });
    }
    Ok(Reply::new(Entities { items }).cache(Cache::Never))
}

/// How the server is, for a phone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// A cursor that is up to date, for a phone that wants nothing of what was before.
    cursor: String,
    /// A cursor that is older than this is answered with a resync.
    oldest_held_at: Timestamp,
    /// The server's time, for phones whose clock is wrong.
    server_time: Timestamp,
}

/// How long deletions are remembered.
const HORIZON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

async fn get_status(call: Call, _: Empty) -> Result<Reply<Status>, Stop> {
    let me = call.me()?;
    let cursor = seal(&call, me, &scopes::head(&call, me).await?);
    let now = call.now.wall;
    let status = Status { cursor, oldest_held_at: Timestamp(now - HORIZON), server_time: Timestamp(now) };
    Ok(Reply::new(status).cache(Cache::Never))
}
