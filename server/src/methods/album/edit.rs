//! Changing and deleting an album.

use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::photos::PHOTOS_MAX;
use super::view::{ABOUT, ABOUT_CHARS_MAX, Album, Albums, TITLE, TITLE_CHARS_MAX};
use super::{listed, mine, root};
use crate::methods::changes::{Changes, merged};
use crate::methods::photo;
use crate::methods::photo::view::Photo;
use crate::methods::post::view::{AUDIENCE, Audience, json};
use crate::model::{ALBUMS, HELD_BY, HOLDS, PHOTO};
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Patch, Text, Uuid};

/// How often an edit that nobody guarded is tried again when others edit at the same time.
const ATTEMPTS: usize = 4;

/// An edit; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateAlbum {
    /// The album.
    id: Uuid,
    /// Its title.
    title: Option<Text<1, TITLE_CHARS_MAX>>,
    /// What it is about.
    #[serde(default)]
    about: Patch<Text<0, ABOUT_CHARS_MAX>>,
    /// Who may see it.
    audience: Option<Audience>,
    /// Refuse if the album is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Edits an album. Each field goes to its own latest edit.
pub async fn update(call: Call, args: UpdateAlbum) -> Result<Reply<Album>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let mut changes = Changes::new();
    changes.extend(args.title.map(|title| (TITLE.to_owned(), Some(json(&title)))));
    let about = args.about.change().map(|about| about.filter(|text| !text.0.is_empty()));
    changes.extend(about.map(|about| (ABOUT.to_owned(), about.map(|text| json(&text)))));
    changes.extend(args.audience.map(|audience| (AUDIENCE.to_owned(), Some(json(&audience)))));
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
        let after =
            Album { cover: before.cover, counts: before.counts, ..Album::from_node(id, &node, Rev::Pending) };
        // One step from the state that was read, so that the reply is exact.
        let write = call
            .on(root(id))
            .when(guard.unwrap_or(Precondition::NodeRev(id, view.node.rev)))
            .op(Operation::PatchNode { id, attrs, edited: call.edited_in(&view.node) })
            // Where it stands already, nothing changes; where it must not stand any more, readers pass over it.
            .step(listed(&after));
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

/// The caller's own album, as it is shown.
async fn own(call: &Call, id: Id, view: &NodeView) -> Result<Album, Stop> {
    Albums::new(call).read(id, view).await?.ok_or_else(|| Code::Internal.into())
}

/// What becomes of an album's photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Fate {
    /// They stay.
    #[default]
    Keep,
    /// Those of the album's owner go with it.
    Delete,
}

/// Which album.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteAlbum {
    /// The album.
    id: Uuid,
    /// What becomes of its photos.
    #[serde(default)]
    photos: Fate,
    /// Refuse if the album is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// That an album is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedAlbum {
    /// The album.
    id: Uuid,
    /// It is gone.
    deleted: bool,
}

/// Photos whose links are taken away in one write.
const AT_ONCE: usize = 100;

/// Deletes an album. Photos go first and the album last, so that a call that was broken off can be made again.
pub async fn delete(call: Call, args: DeleteAlbum) -> Result<Reply<DeletedAlbum>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let deleted = DeletedAlbum { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(root(id), id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = mine(&call, me, id).await?;
    let album = own(&call, id, &view).await?;
    let guard = call.guard(id, &view, args.if_rev, &album)?;
    let inner = Call { op: None, known: None, ..call.clone() };
    let (links, _) = call.link_page(root(id), HOLDS, None, PHOTOS_MAX as u32).await?;
    if args.photos == Fate::Delete {
        for link in &links {
            let view = call.node(photo::root(link.to), link.to).await?;
            let Some(view) = view.filter(|view| view.author == me && view.ty == PHOTO) else { continue };
            if let Some(photo) = Photo::from_node(link.to, &view, view.rev) {
                let removal = photo::edit::removal(&call, &photo).await?;
                inner.commit(removal).await?;
            }
        }
    }
    for links in links.chunks(AT_ONCE) {
        let mut write = inner.on(root(id));
        for link in links {
            write.ops.push(Operation::DeleteLink { ty: HOLDS, to: link.to });
            let back = vec![Operation::DeleteLink { ty: HELD_BY, to: id }];
            write.steps.push(Step::to(photo::root(link.to), back));
        }
        inner.commit(write).await?;
    }
    let retract = Operation::Retract { stream: ALBUMS, id };
    let mut write = call
        .on(root(id))
        .op(Operation::DeleteNode { id })
        .step(Step::to(Root::profile(album.author.0), vec![retract]));
    write.pre.extend(guard);
    call.write(write, deleted).await
}
