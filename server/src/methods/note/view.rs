//! A note as its author's devices send and see it, and as its two nodes' attributes.

use gomer_core::id::{Id, Position};
use gomer_core::rows::node::Node;
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::methods::post::view::{CREATED_AT, EDITED_AT, TEXT, json, read};
use crate::methods::sync::names;
use crate::registry::{NodeView, Rev};
use crate::types::{Timestamp, Uuid};

/// Most characters of a note.
pub const TEXT_CHARS_MAX: usize = 10_000;
/// Most characters of its title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Most bytes of the texts that are kept beside a note's own, as JSON: they stand in one row.
pub const KEPT_BYTES_MAX: usize = 56 * 1024;

/// What a note is about: kind and id, like `node:UUID`, as `sync.pull` names roots. It is the writer's own word:
/// nobody checks that it is there or may be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "NoteSubject")]
pub struct About(#[schemars(regex(pattern = r"^[a-z]+:[0-9a-fA-F-]{36}$"))] pub String);

impl<'de> Deserialize<'de> for About {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<About, D::Error> {
        let text = String::deserialize(from)?;
        names::parse_root(&text)
            .map(|root| About(names::root(root)))
            .ok_or_else(|| D::Error::custom("format: a kind and an id, like `post:UUID` or `node:UUID`"))
    }
}

/// A text of a note that was written on another device without knowing of the one that the note has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NoteVersion")]
pub struct Version {
    /// What it says.
    pub text: String,
    /// When it was written.
    pub edited_at: Timestamp,
    /// On which device; absent if the app's server wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Uuid>,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Its id, chosen by the author's device.
    pub id: Uuid,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it says.
    pub text: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// When it was made, by the server's clock.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Texts that were written elsewhere at the same time, the newest last. They are kept until somebody who has
    /// seen them writes the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Version>,
    /// Its revision.
    pub rev: Rev,
}

impl Note {
    /// A note that is about to be made.
    pub fn new(id: Id, text: String, now: Time) -> Note {
        Note {
            id: Uuid(id),
            title: None,
            text,
            about: None,
            created_at: Timestamp(now),
            edited_at: None,
            conflicts: Vec::new(),
            rev: Rev::Pending,
        }
    }

    /// Reads a note's nodes.
    pub fn read(id: Id, view: &NodeView, beside: &Beside) -> Note {
        Note::from_node(id, &view.node, view.rev, beside)
    }

    /// Reads a note's nodes. What cannot be read (a newer program wrote it) is as if it were not set.
    pub fn from_node(id: Id, node: &Node, rev: Rev, beside: &Beside) -> Note {
        Note {
            id: Uuid(id),
            title: read(node, TITLE),
            text: read(node, TEXT).unwrap_or_default(),
            about: about(node),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            edited_at: read(node, EDITED_AT),
            conflicts: beside.kept.clone(),
            rev,
        }
    }

    /// The attributes of a new note's node.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs =
            vec![(TEXT.to_owned(), json(&self.text)), (CREATED_AT.to_owned(), json(&self.created_at))];
        attrs.extend(self.title.as_ref().map(|title| (TITLE.to_owned(), json(title))));
        attrs.extend(self.about.as_ref().map(|about| (ABOUT.to_owned(), json(about))));
        attrs
    }
}

/// What a note's node says that it is about.
pub fn about(node: &Node) -> Option<About> {
    read(node, ABOUT)
}

/// What stands beside a note's text, in a node of its own: who wrote the text knowing what, and the texts that are
/// kept. That node is only ever replaced as a whole, so that nothing in it depends on a device's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// The note's revision when its texts were last written: who knows a later one has seen them.
    pub after: Position,
    /// The device that wrote the text.
    pub device: Option<Uuid>,
    /// Texts that are kept.
    pub kept: Vec<Version>,
}

impl Beside {
    /// Reads the node; of a note that was never edited there is none.
    pub fn read(node: Option<&Node>) -> Beside {
        let Some(node) = node else { return Beside::default() };
        let after: Option<String> = read(node, AFTER);
        Beside {
            after: after.and_then(|text| text.parse().ok()).map_or(Position::ZERO, Position),
            device: read(node, DEVICE),
            kept: read(node, KEPT).unwrap_or_default(),
        }
    }

    /// The node's attributes.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs =
            vec![(AFTER.to_owned(), json(&self.after.to_string())), (KEPT.to_owned(), json(&self.kept))];
        attrs.extend(self.device.map(|device| (DEVICE.to_owned(), json(&device))));
        attrs
    }
}

/// The id of the node that stands beside a note.
pub fn beside_id(note: Id) -> Id {
    Id::derived("note.beside", note.as_bytes())
}

/// Attribute: the title.
pub const TITLE: &str = "title";
/// Attribute: what it is about.
pub const ABOUT: &str = "about";
/// Attribute: after which revision the texts were written. A note's own node has it too, so that its revision
/// moves when only a kept text is new.
pub const AFTER: &str = "after";
const DEVICE: &str = "device";
const KEPT: &str = "kept";
