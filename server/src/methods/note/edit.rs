//! Editing and deleting a note.
//!
//! Title and subject go to their latest edit, like the fields of everything else. A text is worth more than that: when
//! two devices write it without knowing of each other, the later one is the note's and the other one is kept beside
//! it. A device says what it knew with `basedOn`; it always knows what it wrote itself. Whoever writes the text
//! knowing all texts settles the matter, and nothing is kept any more.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::{Attr, Stamp};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{
    ABOUT, AFTER, About, Beside, KEPT_BYTES_MAX, Note, TEXT_CHARS_MAX, TITLE, TITLE_CHARS_MAX, Version,
    beside_id,
};
use super::{beside, listed, mine, whole};
use crate::methods::post::view::{EDITED_AT, TEXT, json};
use crate::model::{NOTE_BESIDE, NOTES};
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Patch, Text, Timestamp, Uuid};

/// How often an edit that nobody guarded is tried again when other devices edit at the same time.
const ATTEMPTS: usize = 4;

/// An edit.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateNote {
    /// The note.
    id: Uuid,
    /// Its title.
    #[serde(default)]
    title: Patch<Text<1, TITLE_CHARS_MAX>>,
    /// What it says; `null` is the empty text.
    #[serde(default)]
    text: Patch<Text<0, TEXT_CHARS_MAX>>,
    /// What it is about.
    #[serde(default)]
    about: Patch<About>,
    /// The revision that was on the screen when this was written. If another device wrote a text since, both are kept;
    /// if it is the present one, the texts that were kept are settled by this one. Without it, the later text stands.
    based_on: Option<Rev>,
    /// Refuse if the note is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Edits a note.
pub async fn update(call: Call, args: UpdateNote) -> Result<Reply<Note>, Stop> {
    let root = Root::profile(call.me()?);
    let id = args.id.0;
    call.replay(root).await?;
    let mut fields = Fields::new();
    let mut set = |name: &str, value: Option<String>| fields.push((name.to_owned(), value));
    let text = args.text.change().map(|text| text.map_or_else(String::new, |text| text.0));
    if let Some(title) = args.title.change() {
        set(TITLE, title.map(|title| json(&title)));
    }
    if let Some(about) = args.about.change() {
        set(ABOUT, about.map(|about| json(&about)));
    }
    if let Some(text) = &text {
        set(TEXT, Some(json(text)));
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let view = mine(&call, root, id).await?;
        let was = beside(&call, root, id).await?;
        let before = Note::read(id, &view, &was);
        let guard = call.guard(id, &view, args.if_rev, &before)?;
        let guarded = guard.is_some();
        let edited = call.edited_in(&view.node);
        let edit = Edit::new(&call, edited);
        let attrs = edit.attrs(&view, &fields);
        let now = text.as_ref().map(|text| edit.beside(&view, &before, &was, text, args.based_on));
        let now = now.filter(|now| !attrs.is_empty() || now.kept != was.kept);
        if attrs.is_empty() && now.is_none() {
            return Ok(Reply::new(before).rev(view.rev));
        }
        if now.as_ref().is_some_and(|now| json(&now.kept).len() > KEPT_BYTES_MAX) {
            // Too much was written without looking: this one has to look first.
            return Err(Problem::new(Code::StaleRevision).current(view.rev, &before).into());
        }
        let beside_after = now.as_ref().unwrap_or(&was);
        let after = edit.applied(id, &view, &attrs, beside_after);
        // From the state that was read, so that the reply and what is kept are exact.
        let pre = guard.unwrap_or(Precondition::NodeRev(id, view.node.rev));
        let mut write = call.on(root).when(pre);
        if let Some(now) = &now {
            // The first operation names the note: its revision moves, also if its own text does not.
            let moved = vec![(AFTER.to_owned(), Some(json(&now.after.to_string())))];
            write =
                write.op(Operation::PatchNode { id, attrs: moved, edited: None }).op(Operation::PutNode {
                    id: beside_id(id),
                    ty: NOTE_BESIDE,
                    section: Section::PRIVATE,
                    author: call.me()?,
                    attrs: now.attrs(),
                });
        }
        let write = write.op(Operation::PatchNode { id, attrs, edited }).op(listed(&call, id, &after.about));
        match call.write(write, after).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) && !guarded && attempt < ATTEMPTS => {}
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {
                let view = mine(&call, root, id).await?;
                let rev = view.rev;
                let now = whole(&call, root, id, view).await?;
                return Err(Problem::new(Code::StaleRevision).current(rev, &now).into());
            }
            done => return done,
        }
    }
}

/// Attributes and their new texts; `None` clears.
type Fields = Vec<(String, Option<String>)>;

/// Who edits, and when.
struct Edit {
    device: Option<Uuid>,
    at: Time,
    /// Whether that is what the device says.
    claimed: bool,
    stamp: Stamp,
}

impl Edit {
    fn new(call: &Call, edited: Option<Time>) -> Edit {
        Edit {
            device: call.device().map(Uuid),
            at: edited.unwrap_or(call.now.wall),
            claimed: edited.is_some(),
            stamp: Stamp {
                // Without a device's claim it is the command's time, which is later than all before it.
                time: edited.unwrap_or(Time::from_millis(u64::MAX)),
                op: call.op.map_or(Id::NIL, |op| op.id),
            },
        }
    }

    /// The same rule by which it will be applied: the later stamp wins.
    fn wins(&self, view: &NodeView, name: &str) -> bool {
        view.node.attrs.get(name).is_none_or(|old| old.stamp <= self.stamp)
    }

    /// The attributes to write: those that differ, and, if the device says when it edited, those whose stamp may move.
    fn attrs(&self, view: &NodeView, fields: &Fields) -> Fields {
        let same = |name: &str, value: &Option<String>| {
            view.node.attrs.get(name).and_then(|attr| attr.json.as_ref()) == value.as_ref()
        };
        let mut attrs: Fields =
            fields.iter().filter(|(name, value)| self.claimed || !same(name, value)).cloned().collect();
        if attrs.iter().any(|(name, value)| !same(name, value) && self.wins(view, name)) {
            attrs.push((EDITED_AT.to_owned(), Some(json(&Timestamp(self.at)))));
        }
        attrs
    }

    /// The note as the server will have it.
    fn applied(&self, id: Id, view: &NodeView, attrs: &Fields, beside: &Beside) -> Note {
        let mut node = view.node.clone();
        for (name, value) in attrs {
            if self.wins(view, name) {
                node.attrs.insert(name.clone(), Attr { json: value.clone(), stamp: self.stamp });
            }
        }
        Note::from_node(id, &node, Rev::Pending, beside)
    }

    /// What stands beside the text after this one is written.
    fn beside(
        &self,
        view: &NodeView,
        before: &Note,
        was: &Beside,
        text: &str,
        based_on: Option<Rev>,
    ) -> Beside {
        let knows = self.knows(view, was, based_on);
        let mut kept = if knows == Knows::All { Vec::new() } else { was.kept.clone() };
        // What this device wrote itself is replaced by what it writes now.
        kept.retain(|version| version.device.is_none() || version.device != self.device);
        let wins = self.wins(view, TEXT);
        if knows == Knows::Older && before.text != text {
            let old = Version {
                text: before.text.clone(),
                edited_at: before.edited_at.unwrap_or(before.created_at),
                device: was.device,
            };
            let new = Version { text: text.to_owned(), edited_at: Timestamp(self.at), device: self.device };
            kept.push(if wins { old } else { new });
        }
        // The note's own text is not kept beside itself.
        let stands = if wins { text } else { &before.text };
        kept.retain(|version| version.text != stands);
        Beside { after: view.node.rev, device: if wins { self.device } else { was.device }, kept }
    }

    fn knows(&self, view: &NodeView, was: &Beside, based_on: Option<Rev>) -> Knows {
        let (Some(based_on), Some((_, era))) = (based_on, view.rev.parts()) else { return Knows::NotSaid };
        if based_on == view.rev {
            return Knows::All;
        }
        match based_on.parts() {
            // Of another era nothing is known: then both are kept.
            Some((position, of)) if of == era && position > was.after => Knows::All,
            _ if self.device.is_some() && was.device == self.device => Knows::Own,
            _ => Knows::Older,
        }
    }
}

/// What somebody who writes a text knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// They do not say.
    NotSaid,
    /// All texts that there are.
    All,
    /// At least the note's own text: they wrote it.
    Own,
    /// Only older ones.
    Older,
}

/// Which note.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteNote {
    /// The note.
    id: Uuid,
    /// Refuse if the note is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeletedNote")]
pub struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// Deletes a note for ever.
pub async fn delete(call: Call, args: DeleteNote) -> Result<Reply<Deleted>, Stop> {
    let root = Root::profile(call.me()?);
    let id = args.id.0;
    call.replay(root).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    if let (None, true) = call.node_or_tombstone(root, id).await? {
        return Ok(Reply::new(deleted));
    }
    let view = mine(&call, root, id).await?;
    let guard =
        call.guard(id, &view, args.if_rev, &Note::read(id, &view, &beside(&call, root, id).await?))?;
    let mut write = call
        .on(root)
        .op(Operation::DeleteNode { id })
        .op(Operation::DeleteNode { id: beside_id(id) })
        .op(Operation::DeleteLink { ty: NOTES, to: id });
    write.pre.extend(guard);
    call.write(write, deleted).await
}
