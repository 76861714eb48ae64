//! Changing and deleting a photo.

use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::people::untold;
use super::view::{ALT, ALT_CHARS_MAX, CAPTION, CAPTION_CHARS_MAX, Photo, Photos};
use super::{listed, mine, root};
use crate::methods::changes::{Changes, merged};
use crate::methods::media::references::{Place as MediaPlace, release};
use crate::methods::post::view::{AUDIENCE, Audience, PLACE, Place, json};
use crate::model::{HELD_BY, HOLDS, PHOTOS, SHOWS};
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Patch, Text, Uuid};

/// How often an edit that nobody guarded is tried again when others edit at the same time.
const ATTEMPTS: usize = 4;
/// Albums that a deleted photo is taken out of. From others it is passed over.
const ALBUMS_MAX: u32 = 100;

/// An edit; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdatePhoto {
    /// The photo.
    id: Uuid,
    /// What it says.
    #[serde(default)]
    caption: Patch<Text<0, CAPTION_CHARS_MAX>>,
    /// What is on it, for who cannot see it.
    #[serde(default)]
    alt: Patch<Text<0, ALT_CHARS_MAX>>,
    /// Where it was taken.
    #[serde(default)]
    place: Patch<Place>,
    /// Who may see it.
    audience: Option<Audience>,
    /// Refuse if the photo is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

impl UpdatePhoto {
    fn changes(&self) -> Changes {
        fn text<const MIN: usize, const MAX: usize>(patch: &Patch<Text<MIN, MAX>>) -> Option<Option<String>> {
            let text = patch.clone().change()?;
            Some(text.filter(|text| !text.0.is_empty()).map(|text| json(&text)))
        }
        let mut changes = Changes::new();
        changes.extend(text(&self.caption).map(|value| (CAPTION.to_owned(), value)));
        changes.extend(text(&self.alt).map(|value| (ALT.to_owned(), value)));
        let place = self.place.clone().change();
        changes.extend(place.map(|place| (PLACE.to_owned(), place.map(|place| json(&place)))));
        changes.extend(self.audience.map(|audience| (AUDIENCE.to_owned(), Some(json(&audience)))));
        changes
    }
}

/// Edits a photo. Each field goes to its own latest edit.
pub async fn update(call: Call, args: UpdatePhoto) -> Result<Reply<Photo>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let changes = args.changes();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let view = mine(&call, me, id).await?;
        let before = own(&call, id, &view).await?;
        let guard = call.guard(id, &view, args.if_rev, &before)?;
        let guarded = guard.is_some();
        let (node, attrs) = merged(&call, &view, &changes);
        if attrs.is_empty() {
            return Ok(Reply::new(before).rev(view.rev));
        }
        let after = Photo::from_node(id, &node, Rev::Pending).ok_or(Code::Internal)?;
        let after = Photo { people: before.people, ..after.shown(&call).await? };
        // One step from the state that was read, so that the reply is exact.
        let mut write = call
            .on(root(id))
            .when(guard.unwrap_or(Precondition::NodeRev(id, view.node.rev)))
            .op(Operation::PatchNode { id, attrs, edited: call.edited_in(&view.node) });
        // Where it stands already, nothing changes; where it must not stand any more, readers pass over it.
        write.steps.push(listed(&after));
        match call.write(write, after).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) && !guarded && attempt < ATTEMPTS => {}
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {
                let view = mine(&call, me, id).await?;
                let now = own(&call, id, &view).await?;
                return Err(Problem::new(Code::StaleRevision).current(view.rev, &now).into());
            }
            done => return done,
        }
    }
}

/// The caller's own photo, as it is shown.
async fn own(call: &Call, id: Id, view: &NodeView) -> Result<Photo, Stop> {
    Photos::new(call).read(id, view).await?.ok_or_else(|| Code::Internal.into())
}

/// Which photo.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletePhoto {
    /// The photo.
    id: Uuid,
    /// Refuse if the photo is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// That a photo is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedPhoto {
    /// The photo.
    id: Uuid,
    /// It is gone.
    deleted: bool,
}

/// Deletes a photo.
pub async fn delete(call: Call, args: DeletePhoto) -> Result<Reply<DeletedPhoto>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let deleted = DeletedPhoto { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(root(id), id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = mine(&call, me, id).await?;
    let photo = own(&call, id, &view).await?;
    let guard = call.guard(id, &view, args.if_rev, &photo)?;
    let mut write = removal(&call, &photo).await?;
    write.pre.extend(guard);
    call.write(write, deleted).await
}

/// The write that deletes a photo, with what follows from it elsewhere.
pub async fn removal(call: &Call, photo: &Photo) -> Result<gomer_core::vnode::command::Write, Stop> {
    let id = photo.id.0;
    let mut write = call.on(root(id)).op(Operation::DeleteNode { id });
    let retract = Operation::Retract { stream: PHOTOS, id };
    write.steps.push(Step::to(Root::profile(photo.author.0), vec![retract]));
    write.steps.push(release(call, &photo.attached, MediaPlace::Photo(photo.id)));
    for (ty, limit) in [(SHOWS, super::PEOPLE_MAX as u32), (HELD_BY, ALBUMS_MAX)] {
        for link in call.link_page(root(id), ty, None, limit).await?.0 {
            write.ops.push(Operation::DeleteLink { ty, to: link.to });
            write.steps.push(if ty == SHOWS {
                untold(id, link.to)
            } else {
                let album = crate::methods::album::root(link.to);
                Step::to(album, vec![Operation::DeleteLink { ty: HOLDS, to: id }])
            });
        }
    }
    Ok(write)
}
