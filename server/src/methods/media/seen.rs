//! What a place shows, and to whom: the other side of a reference.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::{Flags, Node};

use super::facts::{Life, Media};
use super::references::{Attached, Place, Use};
use crate::methods::account::export;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{Audience, audience, read};
use crate::model::{POST, PROFILE};
use crate::registry::{Call, NodeView, Stop};
use crate::visibility::Sight;

/// Attribute of a post: what it shows; of a photo: itself.
pub const MEDIA: &str = "media";
/// Attribute of a profile: its picture.
pub const AVATAR: &str = "avatar";
/// Attribute of a profile: the picture behind it.
pub const COVER: &str = "cover";

/// The node of a place, if it is there.
async fn node(call: &Call, place: Place) -> Result<Option<NodeView>, Stop> {
    let (root, ty) = match place {
        Place::Post(id) => (Root::post(id.0), POST),
        Place::Photo(id) => (Root::new(gomer_core::id::RootKind::Photo, id.0), crate::model::PHOTO),
        Place::Avatar(id) | Place::Cover(id) => (Root::profile(id.0), PROFILE),
        // Nobody sees it there: its owner has its address from elsewhere.
        Place::Export(_) => return Ok(None),
    };
    Ok(call.node(root, root.id).await?.filter(|view| view.ty == ty))
}

/// The media that a place's node shows.
fn media_at(place: Place, node: &Node) -> Vec<Attached> {
    let one = |name| read::<Attached>(node, name).into_iter().collect::<Vec<_>>();
    match place {
        Place::Post(_) => read(node, MEDIA).unwrap_or_default(),
        Place::Photo(_) => one(MEDIA),
        Place::Avatar(_) => one(AVATAR),
        Place::Cover(_) => one(COVER),
        Place::Export(_) => Vec::new(),
    }
}

/// Whether a place shows a media now, by this claim.
pub async fn shows(call: &Call, used: &Use, media: Id) -> Result<bool, Stop> {
    if let Place::Export(profile) = used.place {
        return export::keeps(call, profile.0, media, used.claim).await;
    }
    let Some(view) = node(call, used.place).await? else { return Ok(false) };
    Ok(media_at(used.place, &view).iter().any(|shown| (shown.id.0, shown.claim) == (media, used.claim)))
}

/// One caller's eyes, for the length of one call.
pub struct Eyes {
    call: Call,
    reader: Reader,
}

impl Eyes {
    /// The eyes of whoever makes this call.
    pub fn new(call: &Call) -> Eyes {
        Eyes { call: call.clone(), reader: Reader::new(call) }
    }

    /// Whether the caller sees this media at this place; then, for how long addresses of it are good.
    pub async fn sees(&mut self, place: Place, media: Id) -> Result<Option<Life>, Stop> {
        let Some(view) = node(&self.call, place).await? else { return Ok(None) };
        if !media_at(place, &view).iter().any(|shown| shown.id.0 == media) {
            return Ok(None);
        }
        match place {
            // Of a private profile, everybody sees the outline, and that has the picture.
            Place::Avatar(id) => {
                let sight = self.reader.sight_of_profile(id.0).await?;
                Ok((sight > Sight::Nothing).then_some(Life::ForGood))
            }
            Place::Cover(id) => {
                let sight = self.reader.sight_of_profile(id.0).await?;
                Ok((sight == Sight::Whole).then(|| life_of(Audience::Public, view.flags)))
            }
            Place::Export(_) => Ok(None),
            Place::Post(_) | Place::Photo(_) => {
                if !self.reader.sees(&view).await? {
                    return Ok(None);
                }
                Ok(Some(life_of(audience(&view), self.reader.flags_of(view.author))))
            }
        }
    }
}

/// What is attached somewhere, with addresses that are good for so long.
pub fn show_all(call: &Call, attached: &[Attached], life: Life) -> Vec<Media> {
    attached.iter().filter_map(|one| one.facts.show(&call.app, one.id.0, life, call.now.wall)).collect()
}

/// How long addresses of something for this audience, by an author with these marks, are good.
pub fn life_of(audience: Audience, author: Flags) -> Life {
    if audience == Audience::Public && !author.has(Flags::PRIVATE) { Life::ForGood } else { Life::Day }
}
