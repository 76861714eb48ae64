//! `checkin`: who was where, for an audience that is chosen per check-in; and the places.
//!
//! A check-in is a root, and so is a place. Making one is one write there; it appears elsewhere by steps: as
//! [`super::publication`] says, and in the place's list. There it stands for those who may see it; only public ones
//! are counted, so that a count tells nobody of the others. Those for the author alone never leave the author's root.
//!
//! Reading order: [`globe`], [`cells`], [`place`], [`search`], [`view`].
//!
//! Must never learn: where the caller's device is. A check-in knows its place and nothing closer.

pub mod cells;
pub mod globe;
pub mod place;
pub mod search;
pub mod view;

use gomer_core::id::{Id, Order, Root, Section, StreamId};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::place::{CHECKINS, place_root};
use self::view::{CheckIn, NOTE_CHARS_MAX, PlaceInBrief, checkin_root, checkins, listed_checkins, place_of};
use super::post::hydrate::Reader;
use super::post::view::{Audience, counts_id};
use crate::methods::account::settings::default_audience;
use crate::model::{CHECKED_IN, CHECKIN, CHECKINS_HERE};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("checkin.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["checkin.created"])
            .errors(&[Code::NotFound, Code::IdTaken, Code::CursorExpired])
            .about("Checks in at a place, for an audience that is chosen per check-in."),
        Method::query("checkin.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one check-in with its place."),
        Method::procedure("checkin.delete", delete)
            .role(Role::Owner)
            .emits(&["checkin.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Deletes a check-in for ever."),
        Method::query("checkin.listByPlace", list_by_place)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists who was at a place, as far as the caller may know, newest first."),
        Method::query("checkin.listByProfile", list_by_profile)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists where a profile checked in, as far as the caller may know, newest first."),
        Method::query("checkin.searchPlaces", search::search)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Finds places by name, around a point, or both."),
        Method::query("checkin.getPlace", place::get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one place with the number of public check-ins."),
        Method::procedure("checkin.createPlace", place::create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["place.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about("Adds a place that people can check in at; everybody can find it."),
    ]
}

/// A new check-in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateCheckIn {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// The place.
    place: Uuid,
    /// What to say of it.
    note: Option<Text<1, NOTE_CHARS_MAX>>,
    /// Who may know; if absent, whom one's own settings say, or else the app's.
    audience: Option<Audience>,
}

async fn create(call: Call, args: CreateCheckIn) -> Result<Reply<CheckIn>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = checkin_root(id);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let at = args.place.0;
    let place = place::place(&call, &mut Reader::new(&call), at).await?.ok_or_else(Stop::not_found)?;
    let settings = call.settings();
    let checkin = CheckIn {
        id: args.id,
        author: Uuid(me),
        place: PlaceInBrief::of(at, Some(&place)),
        note: args.note.map(|note| note.0),
        audience: match args.audience {
            Some(audience) => audience,
            None => default_audience(&call, me).await?,
        },
        created_at: Timestamp(call.now.wall),
        rev: Rev::Pending,
        removed: false,
    };
    let make = Operation::CreateNode {
        id,
        ty: CHECKIN,
        section: Section::PUBLIC,
        author: me,
        flags: Flags::default(),
        attrs: checkin.attrs(),
    };
    let mut write = call.on(root).when(Precondition::NodeAbsent(id)).op(make);
    let draw = call.cluster.mint();
    write.steps = checkin.publication().appear(draw, settings.retention);
    if checkin.audience != Audience::OnlyMe {
        let keep = settings.retention.feed_entries;
        let mut here = vec![
            checkin.publication().append(CHECKINS_HERE, Section::INTERNAL),
            Operation::TrimSeldom { stream: CHECKINS_HERE, keep, draw },
        ];
        here.extend(counted(&checkin, 1));
        write.steps.push(at_place(at, here));
    }
    match call.write(write, checkin).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The change of the place's count, if this one is counted.
fn counted(checkin: &CheckIn, delta: i64) -> Option<Operation> {
    (checkin.audience == Audience::Public).then(|| Operation::AddToAttr {
        id: counts_id(checkin.place.id.0),
        name: CHECKINS.to_owned(),
        delta,
    })
}

fn at_place(place: Id, ops: Vec<Operation>) -> Step {
    Step::to(place_root(place), ops).when(Precondition::NodePresent(place))
}

/// The first result, if the caller made this check-in before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<CheckIn>>, Stop> {
    match call.node_or_tombstone(checkin_root(id), id).await? {
        (Some(view), _) if view.node.author == me && view.node.ty == CHECKIN => {
            let first = checkins(call, &mut Reader::new(call), &[id]).await?.pop();
            Ok(first.map(|first| Reply::new(first).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// Which check-in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetCheckIn {
    /// The check-in.
    id: Uuid,
}

async fn get(call: Call, args: GetCheckIn) -> Result<Reply<CheckIn>, Stop> {
    let found = checkins(&call, &mut Reader::new(&call), &[args.id.0]).await?.pop();
    let checkin = found.ok_or_else(Stop::not_found)?;
    let rev = checkin.rev;
    Ok(Reply::new(checkin).rev(rev))
}

/// Which check-in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteCheckIn {
    /// The check-in.
    id: Uuid,
    /// Refuse if the check-in is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeletedCheckIn")]
struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete(call: Call, args: DeleteCheckIn) -> Result<Reply<Deleted>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = checkin_root(id);
    call.replay(root).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(root, id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = view.filter(|view| view.node.ty == CHECKIN).ok_or_else(Stop::not_found)?;
    let mut reader = Reader::new(&call);
    let checkin = checkins(&call, &mut reader, &[id]).await?.pop().ok_or_else(Stop::not_found)?;
    if view.node.author != me {
        return Err(Stop::forbidden("Only its author may do this."));
    }
    let guard = call.guard(id, &view, args.if_rev, &checkin)?;
    let mut write = call.on(root).op(Operation::DeleteNode { id });
    write.pre.extend(guard);
    write.steps = checkin.publication().disappear();
    if checkin.audience != Audience::OnlyMe {
        let mut here = vec![checkin.publication().retract(CHECKINS_HERE)];
        here.extend(counted(&checkin, -1));
        write.steps.push(at_place(place_of(&view.node), here));
    }
    call.write(write, deleted).await
}

/// Which list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListCheckIns {
    /// The place, or the profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_place(call: Call, args: ListCheckIns) -> Result<Reply<Page<CheckIn>>, Stop> {
    let mut reader = Reader::new(&call);
    if place::place(&call, &mut reader, args.id.0).await?.is_none() {
        return Err(Stop::not_found());
    }
    let list = format!("checkin.listByPlace/{}", args.id);
    list_of(call, reader, args, place_root, CHECKINS_HERE, list).await
}

async fn list_by_profile(call: Call, args: ListCheckIns) -> Result<Reply<Page<CheckIn>>, Stop> {
    let mut reader = Reader::new(&call);
    if !reader.sees_profile(args.id.0).await? {
        return Err(Stop::not_found());
    }
    let list = format!("checkin.listByProfile/{}", args.id);
    list_of(call, reader, args, Root::profile, CHECKED_IN, list).await
}

/// A page of a stream of check-ins.
async fn list_of(
    call: Call,
    mut reader: Reader,
    args: ListCheckIns,
    root: impl Fn(Id) -> Root,
    stream: StreamId,
    list: String,
) -> Result<Reply<Page<CheckIn>>, Stop> {
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let (entries, end) = call.entry_page(root(args.id.0), stream, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.object.id).collect();
    let items = listed_checkins(&call, &mut reader, &ids).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}
