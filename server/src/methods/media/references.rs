//! Who needs which bytes, as rows.
//!
//! Three kinds of root stand in a row, and each knows who stands on it:
//!
//! * what shows a media (a post, a photo, a profile) holds its id and a copy of its facts;
//! * a *media* (an upload) has a link to each of those;
//! * a *blob* (the hash of uploaded bytes) has a link to each media that stands on it, and one to its *object*, which
//!   names the files.
//!
//! A reference is made from below: first the link at what is referred to, then what refers to it. So a crash in
//! between leaves a link that nobody needs, and never something that needs bytes that may go. A reference is taken
//! away from above: what referred goes first, and a step takes the link away.
//!
//! Whoever makes or takes away a link leaves a *note* in one of the app's litter roots. The sweep ([`super::sweep`])
//! looks at each note when it has lain for a while. A link is always made with something new in it, so that what
//! the sweep has read and wants to remove is still the same, or is left alone.

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::blob::{hex, unhex};
use crate::methods::admin::usage::stored;
use crate::methods::post::view::json;
use crate::model::{BLOB_OBJECT, BLOB_USED_BY, LITTER, MEDIA, MEDIA_USED_BY};
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Stop};
use crate::types::{Timestamp, Uuid};

/// Roots per app that notes are spread over. Stored data depends on it: never change it.
pub const LITTER_SHARDS: u8 = 4;

/// How often a link that others change at the same time is tried again.
const ATTEMPTS: usize = 8;

/// Attribute of a media: its facts, when it is finished.
pub const FACTS: &str = "facts";
/// Attribute of a media: how often something began to show it. It makes every beginning a new revision.
const CLAIMS: &str = "claims";

/// The root of a media.
pub fn media_root(id: Id) -> Root {
    Root::new(RootKind::Media, id)
}

/// The root of uploaded bytes.
pub fn blob_root(hash: &[u8; 32]) -> Root {
    Root::new(RootKind::Blob, Id::derived("blob", hash))
}

/// A root of notes for the sweep.
pub fn litter_root(shard: u8) -> Root {
    Root::new(RootKind::Misc, Id::derived("litter", &[shard]))
}

/// What a blob's link to its object leads to: there is one at most.
pub fn object_id() -> Id {
    Id::derived("object", b"")
}

/// A place that shows a media: the root, and which of its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// A post.
    Post(Uuid),
    /// A photo.
    Photo(Uuid),
    /// A profile's picture.
    Avatar(Uuid),
    /// The picture behind a profile.
    Cover(Uuid),
    /// The export of all that is held about a profile.
    Export(Uuid),
}

/// What a media's link to a place leads to. Each claim has a link of its own, so that taking one away can never
/// take away one that was made meanwhile by showing the same thing there again.
fn use_id(place: Place, claim: Uuid) -> Id {
    Id::derived("media user", json(&(place, claim)).as_bytes())
}

/// The data of a media's link to what shows it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// What shows it.
    pub place: Place,
    /// By which claim.
    pub claim: Uuid,
    /// Since when.
    pub at: Timestamp,
}

/// The data of a blob's link to a media.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stand {
    /// Since when.
    pub at: Timestamp,
    /// Makes each claim another one.
    draw: Uuid,
}

/// The data of a blob's link to its object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// What is known of it.
    pub facts: Facts,
    /// Changes with each claim, so that the sweep notices.
    draw: Uuid,
}

/// The data of a note.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The hash of the bytes; of a media, absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// Since when.
    pub at: Timestamp,
    /// Makes each note another one.
    draw: Uuid,
}

/// A media of the caller's that is finished, and is about to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// The media.
    pub id: Uuid,
    /// The claim by which it is shown.
    pub claim: Uuid,
    /// What is known of it.
    pub facts: Facts,
}

/// A media's facts, if it is finished.
pub fn facts_of(view: &NodeView) -> Option<Facts> {
    serde_json::from_str(view.attr(FACTS)?).ok()
}

/// A media's node.
pub async fn media_node(call: &Call, id: Id) -> Result<Option<NodeView>, Stop> {
    Ok(call.node(media_root(id), id).await?.filter(|view| view.ty == MEDIA))
}

/// Makes references from these media to a place, before the place itself is written. Each must be finished and `me`'s
/// own; anything else is 422 at `pointer`, whatever the reason.
pub async fn claim(
    call: &Call,
    me: Id,
    ids: &[Uuid],
    place: Place,
    pointer: impl Fn(usize) -> String,
) -> Result<Vec<Attached>, Stop> {
    let unknown =
        |at: usize| Stop::invalid(pointer(at), "value", "There is no finished upload of yours with this id.");
    let mut found = Vec::with_capacity(ids.len());
    // All are looked at before any is written.
    for (at, id) in ids.iter().enumerate() {
        let view = media_node(call, id.0).await?.filter(|view| view.author == me);
        let facts = view.as_ref().and_then(facts_of).ok_or_else(|| unknown(at))?;
        found.push(Attached { id: *id, claim: Uuid(call.cluster.mint()), facts });
    }
    for (at, Attached { id, claim, .. }) in found.iter().enumerate() {
        let data = Use { place, claim: *claim, at: Timestamp(call.now.wall) };
        let put = Operation::PutLink {
            ty: MEDIA_USED_BY,
            to: use_id(place, *claim),
            section: Section::INTERNAL,
            time: None,
            data: json(&data),
        };
        let write = call
            .on(media_root(id.0))
            .when(Precondition::NodePresent(id.0))
            .op(Operation::AddToAttr { id: id.0, name: CLAIMS.to_owned(), delta: 1 })
            .op(put)
            .step(note_media(call, id.0));
        // Without the operation id of the call, which is that of the place's own write.
        match (Call { op: None, known: None, ..call.clone() }).commit(write).await {
            Err(stop) if stop.code() == Some(Code::NotFound) => return Err(unknown(at)),
            done => done.map(drop)?,
        }
    }
    Ok(found)
}

/// The step that takes a reference away, and leaves a note.
pub fn release(call: &Call, attached: &Attached, place: Place) -> Step {
    let (media, to) = (attached.id.0, use_id(place, attached.claim));
    Step::to(media_root(media), vec![Operation::DeleteLink { ty: MEDIA_USED_BY, to }])
        .then(note_media(call, media))
}

/// The step that leaves a note about a media.
pub fn note_media(call: &Call, media: Id) -> Step {
    note(call, media, None)
}

/// The step that leaves a note about uploaded bytes.
pub fn note_blob(call: &Call, hash: &[u8; 32]) -> Step {
    note(call, blob_root(hash).id, Some(hex(hash)))
}

fn note(call: &Call, about: Id, blob: Option<String>) -> Step {
    let data = Note { blob, at: Timestamp(call.now.wall), draw: Uuid(call.cluster.mint()) };
    let put = Operation::PutLink {
        ty: LITTER,
        to: about,
        section: Section::INTERNAL,
        time: None,
        data: json(&data),
    };
    Step::to(litter_root(about.as_bytes()[15] % LITTER_SHARDS), vec![put])
}

/// What is known of bytes with this hash, if they are there; then `media` stands on them from now on.
pub async fn stand_on(call: &Call, hash: &[u8; 32], media: Id) -> Result<Option<Facts>, Stop> {
    stand(call, hash, media, None).await
}

/// Makes `facts` those of its hash, with `media` standing on it. If others were first, theirs are given and hold.
pub async fn hold(call: &Call, facts: Facts, media: Id) -> Result<Facts, Stop> {
    let hash = unhex(&facts.sha256).ok_or(Code::Internal)?;
    let held = stand(call, &hash, media, Some(facts)).await?;
    held.ok_or_else(|| Code::Internal.into())
}

async fn stand(call: &Call, hash: &[u8; 32], media: Id, new: Option<Facts>) -> Result<Option<Facts>, Stop> {
    let root = blob_root(hash);
    let link = |ty, to, data| Operation::PutLink { ty, to, section: Section::INTERNAL, time: None, data };
    for _ in 0..ATTEMPTS {
        let old = call.link(root, BLOB_OBJECT, object_id()).await?.map(|view| view.link.data);
        let held = old.as_deref().and_then(|data| serde_json::from_str::<Held>(data).ok());
        let Some(facts) = held.map(|held| held.facts).or_else(|| new.clone()) else { return Ok(None) };
        let old_is_none = old.is_none();
        let guard = match old {
            Some(data) => Precondition::LinkData(BLOB_OBJECT, object_id(), data),
            None => Precondition::LinkAbsent(BLOB_OBJECT, object_id()),
        };
        let held = Held { facts: facts.clone(), draw: Uuid(call.cluster.mint()) };
        let stand = Stand { at: Timestamp(call.now.wall), draw: held.draw };
        // The first to hold it has its files counted.
        let counted = old_is_none.then(|| stored(&facts, 1));
        let mut write = call
            .on(root)
            .when(guard)
            .op(link(BLOB_OBJECT, object_id(), json(&held)))
            .op(link(BLOB_USED_BY, media, json(&stand)))
            .step(note_blob(call, hash));
        write.steps.extend(counted);
        match (Call { op: None, known: None, ..call.clone() }).commit(write).await {
            Ok(_) => return Ok(Some(facts)),
            // It is no longer what was read.
            Err(stop) if matches!(stop.code(), Some(Code::NotFound | Code::IdTaken)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Whether a note, or a link, has lain long enough to be judged.
pub fn has_lain(at: Timestamp, now: Time) -> bool {
    at.0 + super::sweep::REST < now
}
