//! What is in an album.

use gomer_core::id::{Id, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root;
use super::view::{Album, Albums};
use crate::methods::photo;
use crate::methods::photo::view::Photo;
use crate::methods::post::each_once;
use crate::model::{ALBUM, HELD_BY, HOLDS, PHOTO};
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, List, Page, Uuid};

/// Most photos of an album.
pub const PHOTOS_MAX: u64 = 1_000;

/// Which album's photos.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAlbumPhotos {
    /// The album.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Lists what the caller may see.
pub async fn list(call: Call, args: ListAlbumPhotos) -> Result<Reply<Page<Photo>>, Stop> {
    let list = format!("album.listPhotos/{}", args.id);
    let after: Option<LinkPlace> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut albums = Albums::new(&call);
    album(&call, &mut albums, args.id.0).await?;
    let (links, end) = call.link_page(root(args.id.0), HOLDS, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(&list, &place)).or(args.cursor);
    let mut items = Vec::with_capacity(links.len());
    for link in &links {
        items.extend(albums.photos.photo(link.to).await?);
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// An album that the caller may see; 404 for any other.
async fn album(call: &Call, albums: &mut Albums, id: Id) -> Result<Album, Stop> {
    let view = call.node(root(id), id).await?.filter(|view| view.ty == ALBUM);
    let view = view.ok_or_else(Stop::not_found)?;
    if !albums.sees(&view).await? {
        return Err(Stop::not_found());
    }
    Ok(Album::from_node(id, &view, view.rev))
}

/// Whether the caller owns the album. 403 for who neither does nor contributes.
fn owns(album: &Album, me: Id) -> Result<bool, Stop> {
    if album.author.0 == me {
        Ok(true)
    } else if album.contributors.contains(&Uuid(me)) {
        Ok(false)
    } else {
        Err(Stop::forbidden("The album's owner may do this, and who contributes."))
    }
}

/// Which photos.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePhotos {
    /// The album.
    id: Uuid,
    /// 1 to 50 photos.
    photos: List<Uuid, 1, 50>,
}

/// What was asked for is so.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedPhotos {
    /// The album.
    id: Uuid,
    /// The photos that are in it now, or are not.
    photos: Vec<Uuid>,
}

/// Puts photos in.
pub async fn add(call: Call, args: ChangePhotos) -> Result<Reply<ChangedPhotos>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let album = album(&call, &mut Albums::new(&call), id).await?;
    owns(&album, me)?;
    let photos = each_once(args.photos.0);
    for (at, photo) in photos.iter().enumerate() {
        let view = call.node(photo::root(photo.0), photo.0).await?;
        if !view.is_some_and(|view| view.ty == PHOTO && view.author == me) {
            let detail = "There is no photo of yours with this id.";
            return Err(Stop::invalid(format!("/photos/{at}"), "value", detail));
        }
    }
    let held = call.counts(root(id), vec![HOLDS]).await?.first().copied().unwrap_or(0);
    if held + photos.len() as u64 > PHOTOS_MAX {
        return Err(Stop::invalid("/photos", "length", "An album has at most 1,000 photos."));
    }
    // In a section of its own: of a photo that somebody may not see, they shall not even learn that it is there.
    let link =
        |ty, to| Operation::PutLink { ty, to, section: Section::PRIVATE, time: None, data: String::new() };
    let mut write = call.on(root(id)).when(Precondition::NodePresent(id));
    for photo in &photos {
        write.ops.push(link(HOLDS, photo.0));
        let back = Step::to(photo::root(photo.0), vec![link(HELD_BY, id)]);
        write.steps.push(back.when(Precondition::NodePresent(photo.0)));
    }
    call.write(write, ChangedPhotos { id: args.id, photos }).await
}

/// Takes photos out.
pub async fn remove(call: Call, args: ChangePhotos) -> Result<Reply<ChangedPhotos>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    let album = album(&call, &mut Albums::new(&call), id).await?;
    let is_owner = owns(&album, me)?;
    let photos = each_once(args.photos.0);
    let mut write = call.on(root(id));
    for (at, photo) in photos.iter().enumerate() {
        if !is_owner {
            let view = call.node(photo::root(photo.0), photo.0).await?;
            if view.is_none_or(|view| view.author != me) {
                let detail = "There is no photo of yours with this id.";
                return Err(Stop::invalid(format!("/photos/{at}"), "value", detail));
            }
        }
        write.ops.push(Operation::DeleteLink { ty: HOLDS, to: photo.0 });
        let back = vec![Operation::DeleteLink { ty: HELD_BY, to: id }];
        write.steps.push(Step::to(photo::root(photo.0), back));
    }
    call.write(write, ChangedPhotos { id: args.id, photos }).await
}
