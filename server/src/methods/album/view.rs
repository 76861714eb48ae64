//! An album as clients see it, and as its node's attributes.

use gomer_core::id::Id;
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::Serialize;

use super::root;
use crate::methods::media::facts::Media;
use crate::methods::photo::view::Photos;
use crate::methods::post::view::{AUDIENCE, Audience, CREATED_AT, EDITED_AT, json, read};
use crate::model::{ALBUM, HOLDS};
use crate::registry::{Call, NodeView, Rev, Stop};
use crate::types::{Timestamp, Uuid};

/// Most characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Most characters of what it is about.
pub const ABOUT_CHARS_MAX: usize = 2_000;
/// Most people who contribute.
pub const CONTRIBUTORS_MAX: usize = 50;
/// Photos that are looked at for a cover.
const COVERS_MAX: u32 = 5;

/// Attribute: its title.
pub const TITLE: &str = "title";
/// Attribute: what it is about.
pub const ABOUT: &str = "about";
/// Attribute: who else may put photos in.
const CONTRIBUTORS: &str = "contributors";

/// An album.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Album {
    /// Its id, chosen by the owner's device.
    pub id: Uuid,
    /// Who made it.
    pub author: Uuid,
    /// Its title.
    pub title: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Who may see it.
    pub audience: Audience,
    /// Who else may put photos in.
    pub contributors: Vec<Uuid>,
    /// The latest photo that the caller may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Media>,
    /// What it has.
    pub counts: AlbumCounts,
    /// When it was made, by the server's clock.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Its revision. Its photos do not change it.
    pub rev: Rev,
    /// A moderator took it down; only its owner still sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// What an album has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlbumCounts {
    /// Photos, also those that the caller may not see.
    pub photos: u64,
}

impl Album {
    /// An album that is about to be made.
    pub fn new(id: Uuid, author: Id, title: String, now: Time) -> Album {
        Album {
            id,
            author: Uuid(author),
            title,
            about: None,
            audience: Audience::Public,
            contributors: Vec::new(),
            cover: None,
            counts: AlbumCounts::default(),
            created_at: Timestamp(now),
            edited_at: None,
            rev: Rev::Pending,
            removed: false,
        }
    }

    /// Reads an album's node, without what stands beside it.
    pub fn from_node(id: Id, node: &Node, rev: Rev) -> Album {
        Album {
            about: read(node, ABOUT),
            // What cannot be read is shown to nobody.
            audience: read(node, AUDIENCE).unwrap_or(Audience::OnlyMe),
            contributors: read(node, CONTRIBUTORS).unwrap_or_default(),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            edited_at: read(node, EDITED_AT),
            rev,
            removed: node.flags.has(Flags::REMOVED),
            ..Album::new(Uuid(id), node.author, read(node, TITLE).unwrap_or_default(), node.created)
        }
    }

    /// The attributes of a new album's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (TITLE.to_owned(), json(&self.title)),
            (AUDIENCE.to_owned(), json(&self.audience)),
            (CONTRIBUTORS.to_owned(), json(&self.contributors)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.about.iter().map(|text| (ABOUT.to_owned(), json(text))));
        attrs
    }
}

/// One caller's eyes for albums: the only way by which they leave the server.
pub struct Albums {
    call: Call,
    /// The same for photos.
    pub photos: Photos,
}

impl Albums {
    /// The eyes of whoever makes this call.
    pub fn new(call: &Call) -> Albums {
        Albums { call: call.clone(), photos: Photos::new(call) }
    }

    /// Whether the caller may see this album. Whoever contributes may, unless one blocks the other or it was taken
    /// down.
    pub async fn sees(&mut self, view: &NodeView) -> Result<bool, Stop> {
        if self.photos.reader.sees(view).await? {
            return Ok(true);
        }
        let Some(me) = self.call.maybe_me() else { return Ok(false) };
        let contributes = Album::from_node(Id::NIL, view, view.rev).contributors.contains(&Uuid(me));
        let taken_down = view.flags.has(Flags::REMOVED) || view.flags.has(Flags::HIDDEN);
        Ok(contributes && !taken_down && self.photos.reader.sees_profile(view.author).await?)
    }

    /// The album with this id, if the caller may see it.
    pub async fn album(&mut self, id: Id) -> Result<Option<Album>, Stop> {
        match self.call.node(root(id), id).await?.filter(|view| view.ty == ALBUM) {
            Some(view) => self.read(id, &view).await,
            None => Ok(None),
        }
    }

    /// The same of a node that was read before.
    pub async fn read(&mut self, id: Id, view: &NodeView) -> Result<Option<Album>, Stop> {
        if !self.sees(view).await? {
            return Ok(None);
        }
        let mut album = Album::from_node(id, view, view.rev);
        let counts = self.call.counts(root(id), vec![HOLDS]).await?;
        album.counts.photos = counts.first().copied().unwrap_or(0);
        for link in self.call.link_page(root(id), HOLDS, None, COVERS_MAX).await?.0 {
            if let Some(photo) = self.photos.photo(link.to).await? {
                album.cover = photo.media;
                break;
            }
        }
        Ok(Some(album))
    }
}
