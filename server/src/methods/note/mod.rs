//! `note`: what somebody writes down for themselves, optionally about an object.
//!
//! A note is a node in its author's root, so it comes to all of the author's devices as their other own things do,
//! and to nobody else. An index of links, which is never synced, has the order of changes.
//!
//! Reading order: [`view`], [`edit`].
//!
//! Must never learn: whom else a note could concern; it has no audience.

pub mod edit;
pub mod view;

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::Deserialize;

use self::view::{About, Beside, Note, TEXT_CHARS_MAX, TITLE_CHARS_MAX, beside_id};
use super::post::view::json;
use crate::model::{NOTE, NOTES};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, NodeView, Reply, Role, Stop};
use crate::types::{Limit, Page, Text, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("note.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["note.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about("Writes a private note, optionally about an object of any kind."),
        Method::query("note.get", get)
            .role(Role::Owner)
            .errors(&[Code::NotFound])
            .about("Shows one note of mine, with the texts that other devices wrote at the same time."),
        Method::procedure("note.update", edit::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["note.updated"])
            .errors(&[Code::NotFound, Code::StaleRevision])
            .about(
                "Edits a note; texts that were written at the same time are both kept until one is chosen.",
            ),
        Method::procedure("note.delete", edit::delete)
            .role(Role::Owner)
            .emits(&["note.deleted"])
            .errors(&[Code::NotFound, Code::StaleRevision])
            .about("Deletes a note for ever."),
        Method::query("note.list", list)
            .role(Role::Owner)
            .errors(&[Code::CursorInvalid])
            .about("Lists my notes, the one changed last first; all, or those about one object."),
    ]
}

/// A new note.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateNote {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Its title.
    title: Option<Text<1, TITLE_CHARS_MAX>>,
    /// What it says.
    text: Text<0, TEXT_CHARS_MAX>,
    /// What it is about.
    about: Option<About>,
}

async fn create(call: Call, args: CreateNote) -> Result<Reply<Note>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::profile(me);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, root, id).await? {
        return Ok(first);
    }
    let mut note = Note::new(id, args.text.0, call.now.wall);
    note.title = args.title.map(|title| title.0);
    note.about = args.about;
    let make = Operation::CreateNode {
        id,
        ty: NOTE,
        section: Section::PRIVATE,
        author: me,
        flags: Flags::default(),
        attrs: note.attrs(),
    };
    let write = call.on(root).when(Precondition::NodeAbsent(id)).op(make).op(listed(&call, id, &note.about));
    match call.write(write, note).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, root, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if this note was made before. 409 if the id is that of something else in the root, or of
/// something that was deleted.
async fn made_before(call: &Call, root: Root, id: Id) -> Result<Option<Reply<Note>>, Stop> {
    match call.node_or_tombstone(root, id).await? {
        (Some(view), _) if view.node.ty == NOTE => {
            let (rev, note) = (view.rev, whole(call, root, id, view).await?);
            Ok(Some(Reply::new(note).rev(rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// The link that puts a note at the top of the list.
fn listed(call: &Call, id: Id, about: &Option<About>) -> Operation {
    let data = about.as_ref().map_or_else(String::new, json);
    Operation::PutLink { ty: NOTES, to: id, section: Section::INTERNAL, time: Some(call.now.wall), data }
}

/// The caller's own note. Anything else is not there.
async fn mine(call: &Call, root: Root, id: Id) -> Result<NodeView, Stop> {
    call.node(root, id).await?.filter(|view| view.node.ty == NOTE).ok_or_else(Stop::not_found)
}

/// What stands beside a note's text.
async fn beside(call: &Call, root: Root, id: Id) -> Result<Beside, Stop> {
    let node = call.node(root, beside_id(id)).await?;
    Ok(Beside::read(node.as_ref().map(|view| &view.node)))
}

/// A note with what stands beside it.
async fn whole(call: &Call, root: Root, id: Id, view: NodeView) -> Result<Note, Stop> {
    Ok(Note::read(id, &view, &beside(call, root, id).await?))
}

/// Which note.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetNote {
    /// The note.
    id: Uuid,
}

async fn get(call: Call, args: GetNote) -> Result<Reply<Note>, Stop> {
    let root = Root::profile(call.me()?);
    let view = mine(&call, root, args.id.0).await?;
    let rev = view.rev;
    Ok(Reply::new(whole(&call, root, args.id.0, view).await?).rev(rev))
}

/// Which notes.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListNotes {
    /// Only those about this object. A page may then have fewer items than it could, or none, though there is more.
    about: Option<About>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListNotes) -> Result<Reply<Page<Note>>, Stop> {
    let root = Root::profile(call.me()?);
    let list = format!("note.list/{}", args.about.as_ref().map_or("", |about| &about.0));
    let after: Option<LinkPlace> = call.open_cursor(&list, args.cursor.as_deref())?;
    let limit = args.limit.0 as usize;
    let read = if args.about.is_some() { LOOKED_THROUGH } else { args.limit.0 };
    let (links, mut end) = call.link_page(root, NOTES, after, read).await?;
    let wanted = args.about.as_ref().map(json);
    let (mut items, mut place) = (Vec::new(), None);
    for link in &links {
        if items.len() == limit {
            end = false;
            break;
        }
        place = Some(LinkPlace { time: link.time, to: link.to });
        if wanted.as_ref().is_some_and(|wanted| *wanted != link.link.data) {
            continue;
        }
        // A note that was deleted between the two reads is left out.
        if let Some(view) = call.node(root, link.to).await?.filter(|view| view.node.ty == NOTE) {
            items.push(whole(&call, root, link.to, view).await?);
        }
    }
    let cursor = place.map(|place| call.seal_cursor(&list, &place)).or(args.cursor);
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Notes that one call looks through for those about one object.
const LOOKED_THROUGH: u32 = 1_000;
