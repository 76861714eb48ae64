//! A photo as clients see it, and as its node's attributes.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Tag};
use super::root;
use crate::methods::media::facts::Media;
use crate::methods::media::references::Attached;
use crate::methods::media::seen::{MEDIA, life_of};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{AUDIENCE, Audience, CREATED_AT, EDITED_AT, PLACE, Place, json, read};
use crate::model::PHOTO;
use crate::problem::Code;
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};

/// Most characters of a caption.
pub const CAPTION_CHARS_MAX: usize = 2_000;
/// Most characters of a text for who cannot see it.
pub const ALT_CHARS_MAX: usize = 1_500;

/// Attribute: what it says.
pub const CAPTION: &str = "caption";
/// Attribute: what is on it, for who cannot see it.
pub const ALT: &str = "alt";

/// A photo.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Photo {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Who published it.
    pub author: Uuid,
    /// The picture.
    #[schemars(with = "Media")]
    pub media: Option<Media>,
    /// The same as it is stored.
    #[serde(skip)]
    pub attached: Attached,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// What is on it, for who cannot see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Who may see it.
    pub audience: Audience,
    /// Where it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Who is on it, as far as the caller may know of them.
    pub people: Vec<Tag>,
    /// When it was published, by the server's clock.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Its revision. Who is on it does not change it.
    pub rev: Rev,
    /// A moderator took it down; only its author still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Photo {
    /// A photo that is about to be made.
    pub fn new(id: Uuid, author: Id, attached: Attached, now: Time) -> Photo {
        Photo {
            id,
            author: Uuid(author),
            media: None,
            attached,
            caption: None,
            alt: None,
            audience: Audience::Public,
            place: None,
            people: Vec::new(),
            created_at: Timestamp(now),
            edited_at: None,
            rev: Rev::Pending,
            removed: false,
        }
    }

    /// Reads a photo's node, without addresses and people; nothing if it cannot be read.
    pub fn from_node(id: Id, node: &Node, rev: Rev) -> Option<Photo> {
        Some(Photo {
            caption: read(node, CAPTION),
            alt: read(node, ALT),
            // What cannot be read is shown to nobody.
            audience: read(node, AUDIENCE).unwrap_or(Audience::OnlyMe),
            place: read(node, PLACE),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            edited_at: read(node, EDITED_AT),
            rev,
            removed: node.flags.has(Flags::REMOVED),
            ..Photo::new(Uuid(id), node.author, read(node, MEDIA)?, node.created)
        })
    }

    /// The attributes of a new photo's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (MEDIA.to_owned(), json(&self.attached)),
            (AUDIENCE.to_owned(), json(&self.audience)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.caption.iter().map(|text| (CAPTION.to_owned(), json(text))));
        attrs.extend(self.alt.iter().map(|text| (ALT.to_owned(), json(text))));
        attrs.extend(self.place.iter().map(|place| (PLACE.to_owned(), json(place))));
        attrs
    }

    /// With addresses; its author has these marks.
    #[must_use]
    pub fn with_media(mut self, call: &Call, author: Flags) -> Photo {
        let life = life_of(self.audience, author);
        let Attached { id, facts, .. } = &self.attached;
        self.media = facts.show(&call.app, id.0, life, call.now.wall);
        self
    }

    /// The same where the author was not looked at before.
    pub async fn shown(self, call: &Call) -> Result<Photo, Stop> {
        let author = self.author.0;
        let profile = call.node(Root::profile(author), author).await?;
        let photo = self.with_media(call, profile.map_or(Flags::default(), |view| view.node.flags));
        if photo.media.is_none() { Err(Code::Internal.into()) } else { Ok(photo) }
    }
}

/// One caller's eyes for photos: the only way by which they leave the server.
pub struct Photos {
    call: Call,
    /// The same for people and posts.
    pub reader: Reader,
}

impl Photos {
    /// The eyes of whoever makes this call.
    pub fn new(call: &Call) -> Photos {
        Photos { call: call.clone(), reader: Reader::new(call) }
    }

    /// The photo with this id, if the caller may see it.
    pub async fn photo(&mut self, id: Id) -> Result<Option<Photo>, Stop> {
        match self.call.node(root(id), id).await?.filter(|view| view.ty == PHOTO) {
            Some(view) => self.read(id, &view).await,
            None => Ok(None),
        }
    }

    /// The same of a node that was read before.
    pub async fn read(&mut self, id: Id, view: &NodeView) -> Result<Option<Photo>, Stop> {
        if !self.reader.sees(view).await? {
            return Ok(None);
        }
        let Some(photo) = Photo::from_node(id, view, view.rev) else { return Ok(None) };
        let mut photo = photo.with_media(&self.call, self.reader.flags_of(view.author));
        if photo.media.is_none() {
            return Ok(None);
        }
        photo.people = people::on(&self.call, &mut self.reader, id).await?;
        Ok(Some(photo))
    }
}
