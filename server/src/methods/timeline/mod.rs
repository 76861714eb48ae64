//! `timeline`: streams as people read them, fetched both ways from a cursor.
//!
//! An entry is stored when something happens (see [`super::post::publish`]); what it points to is read when it
//! is shown, through the eyes of whoever asks. So an edit shows everywhere at once, and what was deleted, or
//! is no longer for this reader, shows nowhere. A page may then have fewer items than it could, or none:
//! its cursors are places in what was read.
//!
//! Must never learn: who writes into which stream.

mod merge;

use std::collections::BTreeMap;

use gomer_core::id::{Id, Order, Root, RootKind, StreamId};
use gomer_core::vnode::command::Operation;
use gomer_core::vnode::query::EntryView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::merge::{Merged, Start, merge};
use super::checkin::view::{CheckIn, VERB_ARRIVE, checkin_root, listed_checkins};
use super::post::hydrate::Reader;
use super::post::publish::{FEED_SHARDS, feed_root};
use super::post::view::Post;
use super::share::view::{Share, VERB_SHARE, listed_shares, share_root};
use crate::model::{FEED, HOME, PUBLISHED};
use crate::problem::Code;
use crate::registry::order::{order_of, order_text};
use crate::registry::{Call, Method, Reply, Rev, Role, Stop};
use crate::types::{Empty, Limit, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("timeline.getHome", get_home)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .about("Shows my home timeline: what those whom I follow published, and I."),
        Method::query("timeline.getApp", get_app)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Shows the public activity of the whole app, newest first."),
        Method::query("timeline.getProfile", get_profile)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Shows everything that a profile published."),
        Method::procedure("timeline.setMarker", set_marker)
            .role(Role::Owner)
            .emits(&["marker.moved"])
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Remembers how far I have read a timeline; it moves forward only."),
        Method::query("timeline.getMarkers", get_markers)
            .role(Role::Owner)
            .about("Shows how far I have read my timelines, on every device, and what is unread."),
    ]
}

/// Unread entries are counted up to here: more is "99+".
const UNREAD_CAP: u32 = 100;

/// Which part of a timeline.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fetch {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// A page's `cursor`: go on in its direction.
    cursor: Option<String>,
    /// A page's `after`: what is newer than that page.
    after: Option<String>,
    /// A page's `before`: what is older than that page.
    before: Option<String>,
}

/// Which part of a profile's timeline.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FetchProfile {
    /// The profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// A page's `cursor`: go on in its direction.
    cursor: Option<String>,
    /// A page's `after`: what is newer than that page.
    after: Option<String>,
    /// A page's `before`: what is older than that page.
    before: Option<String>,
}

/// A page of a timeline.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TimelinePage {
    /// Newest first, whichever way the page was fetched. May be empty though there is more.
    items: Vec<TimelineItem>,
    /// Goes on in the direction of this page.
    cursor: String,
    /// For what is older than this page.
    before: String,
    /// For what is newer than this page.
    after: String,
    /// Whether there is nothing more in the direction of this page, for now.
    end: bool,
    /// My unread entries, of the home timeline; 100 stands for more than 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u32>,
}

/// Something that happened.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TimelineItem {
    /// The entry's id.
    id: Uuid,
    /// Who did it.
    actor: Uuid,
    /// What: `create`, `arrive`, `share`.
    verb: &'static str,
    /// When it happened, by the server's clock.
    created_at: Timestamp,
    /// Its place in the timeline: a later entry has a greater text.
    order: String,
    /// What it was done to.
    object: TimelineObject,
}

/// What an entry points to.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
enum TimelineObject {
    /// A post.
    Post(Box<Post>),
    /// A check-in.
    Checkin(Box<CheckIn>),
    /// A share of something.
    Share(Box<Share>),
}

/// Name of an entry's verb.
pub fn verb_name(verb: u16) -> &'static str {
    match verb {
        super::post::publish::VERB_CREATE => "create",
        2 => "update",
        VERB_ARRIVE => "arrive",
        VERB_SHARE => "share",
        super::chat::view::VERB_ADD => "add",
        super::chat::view::VERB_REMOVE => "remove",
        super::chat::view::VERB_LEAVE => "leave",
        verb => super::notification::notice::Kind::of(verb).map_or("other", |kind| kind.name()),
    }
}

/// The streams behind a timeline.
struct Source<'a> {
    streams: Vec<Root>,
    stream: StreamId,
    /// Names the timeline in its cursors.
    list: &'a str,
}

impl Source<'_> {
    fn start(&self, call: &Call, args: &Fetch) -> Result<Start, Stop> {
        let given =
            [&args.cursor, &args.before, &args.after].into_iter().filter(|token| token.is_some()).count();
        if given > 1 {
            let detail = "Give one of `cursor`, `before` and `after`.";
            return Err(Stop::invalid("/cursor", "value", detail));
        }
        let token = args.cursor.as_deref().or(args.before.as_deref()).or(args.after.as_deref());
        let Some(mut start) = call.open_cursor::<Start>(self.list, token)? else {
            return Ok(Start::newest(self.streams.len()));
        };
        if start.places.len() != self.streams.len() {
            return Err(Code::CursorInvalid.into());
        }
        if args.cursor.is_none() {
            start.newer = args.after.is_some();
        }
        Ok(start)
    }

    async fn page(&self, call: &Call, start: &Start, limit: u32) -> Result<Merged, Stop> {
        let mut fetched = Vec::with_capacity(self.streams.len());
        for (&root, &from) in self.streams.iter().zip(&start.places) {
            fetched.push(call.entry_page(root, self.stream, from, !start.newer, limit).await?);
        }
        Ok(merge(start, fetched, limit as usize))
    }

    async fn show(
        &self,
        call: &Call,
        args: Fetch,
        mut reader: Reader,
        only_followed: bool,
    ) -> Result<TimelinePage, Stop> {
        let start = self.start(call, &args)?;
        let merged = self.page(call, &start, args.limit.0).await?;
        let mut objects = shown(call, &mut reader, &merged.entries).await?;
        let items = merged
            .entries
            .iter()
            .filter(|view| !only_followed || reader.follows(view.entry.activity.actor))
            .filter_map(|view| Some(item(view, objects.remove(&view.entry.activity.object)?)))
            .collect();
        let seal = |places: &merge::Places, newer: bool| {
            call.seal_cursor(self.list, &Start { places: places.clone(), newer })
        };
        Ok(TimelinePage {
            items,
            cursor: if start.newer { seal(&merged.after, true) } else { seal(&merged.before, false) },
            before: seal(&merged.before, false),
            after: seal(&merged.after, true),
            end: merged.end,
            unread: None,
        })
    }
}

/// What entries point to, as far as the caller may see it.
async fn shown(
    call: &Call,
    reader: &mut Reader,
    entries: &[EntryView],
) -> Result<BTreeMap<Root, TimelineObject>, Stop> {
    let of_kind = |kind: RootKind| -> Vec<Id> {
        let objects = entries.iter().map(|view| view.entry.activity.object);
        objects.filter(|root| root.kind == kind).map(|root| root.id).collect()
    };
    let mut shown = BTreeMap::new();
    for post in reader.listed_posts(&of_kind(RootKind::Post)).await? {
        shown.insert(Root::post(post.id.0), TimelineObject::Post(Box::new(post)));
    }
    for checkin in listed_checkins(call, reader, &of_kind(RootKind::CheckIn)).await? {
        shown.insert(checkin_root(checkin.id.0), TimelineObject::Checkin(Box::new(checkin)));
    }
    for share in listed_shares(call, reader, &of_kind(RootKind::Share)).await? {
        shown.insert(share_root(share.id.0), TimelineObject::Share(Box::new(share)));
    }
    Ok(shown)
}

fn item(view: &EntryView, object: TimelineObject) -> TimelineItem {
    TimelineItem {
        id: Uuid(view.entry.id),
        actor: Uuid(view.entry.activity.actor),
        verb: verb_name(view.entry.activity.verb),
        created_at: Timestamp(view.entry.time),
        order: order_text(view.order),
        object,
    }
}

async fn get_home(call: Call, args: Fetch) -> Result<Reply<TimelinePage>, Stop> {
    let mine = Root::profile(call.me()?);
    let source = Source { streams: vec![mine], stream: HOME, list: "timeline.getHome" };
    let mut page = source.show(&call, args, Reader::new(&call), true).await?;
    page.unread = Some(call.unread(mine, HOME, UNREAD_CAP).await?);
    Ok(Reply::new(page))
}

async fn get_app(call: Call, args: Fetch) -> Result<Reply<TimelinePage>, Stop> {
    let streams = (0..FEED_SHARDS).map(feed_root).collect();
    let source = Source { streams, stream: FEED, list: "timeline.getApp" };
    Ok(Reply::new(source.show(&call, args, Reader::new(&call), false).await?))
}

async fn get_profile(call: Call, args: FetchProfile) -> Result<Reply<TimelinePage>, Stop> {
    let FetchProfile { id, limit, cursor, after, before } = args;
    let mut reader = Reader::new(&call);
    if !reader.sees_profile(id.0).await? {
        return Err(Stop::not_found());
    }
    let list = format!("timeline.getProfile/{id}");
    let source = Source { streams: vec![Root::profile(id.0)], stream: PUBLISHED, list: &list };
    Ok(Reply::new(source.show(&call, Fetch { limit, cursor, after, before }, reader, false).await?))
}

/// A timeline that is read to a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Marked {
    /// The home timeline.
    Home,
}

/// How far I have read.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SetMarker {
    /// Which timeline.
    timeline: Marked,
    /// The newest entry that I have read. This or `order`.
    id: Option<Uuid>,
    /// Its `order`, for a phone whose entry may be gone by the time this arrives.
    order: Option<String>,
}

/// How far I have read a timeline.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Marker {
    /// Which timeline.
    timeline: Marked,
    /// The place of the newest entry that I have read.
    order: String,
    /// The revision of the mark.
    rev: Rev,
}

async fn set_marker(call: Call, args: SetMarker) -> Result<Reply<Marker>, Stop> {
    let mine = Root::profile(call.me()?);
    call.replay(mine).await?;
    let at = match (args.id, &args.order) {
        (Some(id), None) => call.entry(mine, HOME, id.0).await?.ok_or_else(Stop::not_found)?.order,
        (None, Some(order)) => {
            // No further than to what there is: else what comes later would be read before it came.
            let (newest, _) = call.entry_page(mine, HOME, None, true, 1).await?;
            let order = order_of(order)
                .ok_or_else(|| Stop::invalid("/order", "format", "The `order` of an entry."))?;
            newest.first().map_or(Order::default(), |newest| newest.order).min(order)
        }
        _ => return Err(Stop::invalid("/id", "value", "Give one of `id` and `order`.")),
    };
    let at = call.mark(mine, HOME).await?.map_or(at, |mark| mark.at.max(at));
    let mark = Operation::Mark { stream: HOME, at, edited: call.edited, forward_only: true };
    let marker = Marker { timeline: args.timeline, order: order_text(at), rev: Rev::Pending };
    call.write(call.on(mine).op(mark), marker).await
}

/// How far I have read, and what is left.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Markers {
    /// One per timeline.
    items: Vec<MarkerState>,
}

/// How far I have read a timeline, and what is left of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MarkerState {
    /// Which timeline.
    timeline: Marked,
    /// The place of the newest entry that I have read; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// The entries after it; 100 stands for more than 99.
    unread: u32,
}

async fn get_markers(call: Call, _: Empty) -> Result<Reply<Markers>, Stop> {
    let mine = Root::profile(call.me()?);
    let order = call.mark(mine, HOME).await?.map(|mark| order_text(mark.at));
    let unread = call.unread(mine, HOME, UNREAD_CAP).await?;
    Ok(Reply::new(Markers { items: vec![MarkerState { timeline: Marked::Home, order, unread }] }))
}
