//! From what an index found to what one caller may see: each thing is read from its root, passes the visibility function, and
//! must still be what was asked for.

use gomer_core::id::Id;

use super::documents;
use crate::methods::album::view::{Album, Albums};
use crate::methods::checkin::place::{Place, place};
use crate::methods::photo::view::Photo;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::Post;
use crate::methods::profile::view::{People, Profile};
use crate::methods::reply::read::comment;
use crate::methods::reply::view::Comment;
use crate::problem::Code;
use crate::registry::{Call, Stop};
use crate::search::document::{Document, Kind, Mark};
use crate::search::index::Hit;
use crate::search::question::Question;

/// Hits that are looked at for one page at most, however many of them the caller may not see.
pub const LOOKED_AT_MAX: usize = 400;

/// Something that was found, as the caller sees it.
pub enum Seen {
    /// A profile.
    Profile(Box<Profile>),
    /// A post.
    Post(Box<Post>),
    /// A reply.
    Reply(Box<Comment>),
    /// A place.
    Place(Box<Place>),
    /// A photo.
    Photo(Box<Photo>),
    /// An album.
    Album(Box<Album>),
}

/// Where something stands in a list of several questions, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Spot {
    /// Which question.
    tier: u8,
    /// Where in its answer.
    mark: Mark,
}

/// What is seen of the answers.
pub struct Sighted {
    /// In order.
    pub seen: Vec<Seen>,
    /// Behind what the next page begins.
    pub spot: Option<Spot>,
    /// Whether there is nothing more that the caller may see.
    pub end: bool,
}

/// One caller's eyes.
pub struct Eyes<'a> {
    call: &'a Call,
    reader: Reader,
    /// The same for photos and albums.
    albums: Albums,
    /// Nobody asked for what is found by name, so what the caller mutes is left out.
    skip_muted: bool,
}

impl<'a> Eyes<'a> {
    /// Of whoever makes this call.
    pub fn new(call: &'a Call) -> Eyes<'a> {
        Eyes { call, reader: Reader::new(call), albums: Albums::new(call), skip_muted: false }
    }

    /// The same without what the caller mutes.
    pub fn unmuted(call: &'a Call) -> Eyes<'a> {
        Eyes { skip_muted: true, ..Eyes::new(call) }
    }

    /// The answers to these questions one after the other, behind a spot, as far as the caller may see them.
    ///
    /// Whether there is more, and where it begins, follows from what the caller may see alone: whoever asks for the words of
    /// what is hidden gets the answer of somebody to whom it is not there. Only when more than [`LOOKED_AT_MAX`] hits were
    /// looked at, the page ends where that was.
    pub async fn look(
        &mut self,
        questions: &[Question],
        after: Option<Spot>,
        limit: usize,
    ) -> Result<Sighted, Stop> {
        let (mut seen, mut spot, mut looked) = (Vec::new(), after, 0);
        let first = after.map_or(0, |after| after.tier);
        for (tier, question) in questions.iter().enumerate().skip(first.into()) {
            let tier = u8::try_from(tier).expect("there are few questions");
            let mut behind = after.filter(|after| after.tier == tier).map(|after| after.mark);
            loop {
                if looked >= LOOKED_AT_MAX {
                    let mark = behind.unwrap_or(Mark::BEFORE_ALL);
                    return Ok(Sighted { seen, spot: Some(Spot { tier, mark }), end: false });
                }
                // One more than is wanted tells whether there is more.
                let ask = (limit + 1 - seen.len()).max(10).min(LOOKED_AT_MAX - looked);
                let hits = self.call.host.search.find(question, behind, ask).map_err(broken)?;
                looked += hits.len();
                let all = hits.len() < ask;
                for (hit, shown) in self.see(&hits).await? {
                    behind = Some(hit.mark);
                    let Some((thing, document)) = shown else { continue };
                    if !question.fits(&document) {
                        continue;
                    }
                    if seen.len() == limit {
                        return Ok(Sighted { seen, spot, end: false });
                    }
                    seen.push(thing);
                    spot = Some(Spot { tier, mark: hit.mark });
                }
                if all {
                    break;
                }
            }
        }
        Ok(Sighted { seen, spot, end: true })
    }

    /// What the caller sees of each hit.
    async fn see(&mut self, hits: &[Hit]) -> Result<Vec<(Hit, Option<(Seen, Document)>)>, Stop> {
        let of = |kind: Kind| {
            hits.iter().filter(move |hit| hit.kind == kind).map(|hit| hit.id).collect::<Vec<Id>>()
        };
        let mut profiles = self.profiles(&of(Kind::Profile)).await?;
        let posts = of(Kind::Post);
        let mut posts = match (posts.is_empty(), self.skip_muted) {
            (true, _) => Vec::new(),
            (false, true) => self.reader.listed_posts(&posts).await?,
            (false, false) => self.reader.posts(&posts).await?,
        };
        let app = self.call.app.id;
        let mut found = Vec::with_capacity(hits.len());
        for &hit in hits {
            let shown = match hit.kind {
                Kind::Profile => take(&mut profiles, |profile| profile.id.0 == hit.id).map(|profile| {
                    let document = documents::of_profile(app, &profile);
                    (Seen::Profile(Box::new(profile)), document)
                }),
                Kind::Post => take(&mut posts, |post| post.id.0 == hit.id).map(|post| {
                    let document = documents::of_post(app, &post);
                    (Seen::Post(Box::new(post)), document)
                }),
                Kind::Reply => self.reply(hit.id).await?,
                Kind::Place => place(self.call, &mut self.reader, hit.id).await?.map(|place| {
                    let document = documents::of_place(app, &place);
                    (Seen::Place(Box::new(place)), document)
                }),
                Kind::Photo => self.photo(hit.id).await?,
                Kind::Album => self.album(hit.id).await?,
            };
            found.push((hit, shown));
        }
        Ok(found)
    }

    async fn profiles(&mut self, ids: &[Id]) -> Result<Vec<Profile>, Stop> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Both roots are asked for blocks, so that one holds from the moment it is made.
        let ids = self.reader.profiles(ids.iter().copied()).await?;
        Ok(People::new(self.call).profiles(&ids).await?.into_iter().flatten().collect())
    }

    async fn photo(&mut self, id: Id) -> Result<Option<(Seen, Document)>, Stop> {
        let Some(photo) = self.albums.photos.photo(id).await? else { return Ok(None) };
        if self.skip_muted && self.albums.photos.reader.mutes(photo.author.0) {
            return Ok(None);
        }
        let document = documents::of_photo(self.call.app.id, &photo);
        Ok(Some((Seen::Photo(Box::new(photo)), document)))
    }

    async fn album(&mut self, id: Id) -> Result<Option<(Seen, Document)>, Stop> {
        let Some(album) = self.albums.album(id).await? else { return Ok(None) };
        if self.skip_muted && self.albums.photos.reader.mutes(album.author.0) {
            return Ok(None);
        }
        let document = documents::of_album(self.call.app.id, &album);
        Ok(Some((Seen::Album(Box::new(album)), document)))
    }

    async fn reply(&mut self, id: Id) -> Result<Option<(Seen, Document)>, Stop> {
        let Some(reply) = comment(self.call, &mut self.reader, id).await? else { return Ok(None) };
        if self.skip_muted && self.reader.mutes(reply.author.0) {
            return Ok(None);
        }
        let document = documents::of_reply(self.call.app.id, &reply);
        Ok(document.map(|document| (Seen::Reply(Box::new(reply)), document)))
    }
}

fn take<T>(things: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    let at = things.iter().position(is_it)?;
    Some(things.remove(at))
}

fn broken(fault: crate::search::index::IndexFault) -> Stop {
    tracing::error!(%fault, "the search index cannot be read");
    Code::Internal.into()
}
