//! Rows as a phone gets them.
//!
//! A value follows from its row alone, so that the same revision is the same value, on every page and on
//! every member: nothing is looked up elsewhere. It is rendered from the row when the page is written out:
//! pages hold thousands, and a tree of values between the two took more time than reading the rows.

use std::borrow::Cow;

use gomer_core::id::{Id, NodeType, Order, Root, Section};
use gomer_core::meta::state::App;
use gomer_core::rows::RowRef;
use gomer_core::rows::applied::Eras;
use gomer_core::rows::entry::Entry;
use gomer_core::rows::node::{Flags, Node};
use gomer_core::vnode::query::{DeltaItem, EntryView, LinkView};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::names;
use crate::methods::timeline::verb_name;
use crate::registry::Rev;
use crate::types::{Timestamp, Uuid};

/// What happened to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Op {
    /// It is now this.
    Put,
    /// It is gone, or is no longer to be seen.
    Delete,
    /// A read mark is now this.
    Mark,
    /// What is not sent of this section until a page with `end` is gone.
    Resync,
    /// This section may be read from now on, and follows from its start.
    ScopeAdded,
    /// This section may not be read, or is no longer followed: all of it is to be forgotten.
    ScopeDropped,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What happened.
    pub op: Op,
    /// The root, like `profile:UUID`.
    #[serde(serialize_with = "names::write_root")]
    #[schemars(with = "String")]
    pub root: Root,
    /// The part of the root: `private`, `public` or `inverse`.
    pub section: &'static str,
    /// The type of what changed: a node type, a link type, a stream, or `count`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub of_type: Option<Cow<'static, str>>,
    /// Its id within root and type; of a link, what it leads to; of a mark, the stream's name; of a count, the
    /// link type whose links from this root it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub id: Option<ItemId>,
    /// Its revision; of an added section, which grant it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub value: Option<ItemValue>,
}

/// What names a thing within its root and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ItemId {
    /// An id.
    Id(Uuid),
    /// The name of a stream or a link type: there is one mark for each stream, and one count for each list.
    Name(Cow<'static, str>),
}

/// What something is now.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemValue {
    /// A node and its id.
    Node(Id, Node),
    /// A link.
    Link(LinkView),
    /// An entry and its place.
    Entry(EntryView),
    /// A read mark.
    Mark(Cow<'static, str>, Order),
    /// How many links a list has.
    Count(u64),
}

impl Item {
    /// An item about a section as a whole.
    pub fn of_scope(op: Op, root: Root, section: Section, rev: Option<Rev>) -> Item {
        Item { op, root, section: names::section(section), of_type: None, id: None, rev, value: None }
    }

    /// An item for one change. `eras` are those of the log that it was read from.
    pub fn of_change(app: &App, root: Root, section: Section, eras: &Eras, change: DeltaItem) -> Item {
        let item = |op, of_type, id, rev, value| Item {
            op,
            root,
            section: names::section(section),
            of_type: Some(of_type),
            id: Some(id),
            rev: Some(Rev::of(rev, eras)),
            value,
        };
        let put = |of_type, id, rev, value| item(Op::Put, of_type, ItemId::Id(Uuid(id)), rev, Some(value));
        match change {
            DeltaItem::Node(id, node) => {
                put(names::node(app, node.ty), id, node.rev, ItemValue::Node(id, node))
            }
            DeltaItem::Link(ty, view) => {
                put(names::link(app, ty), view.to, view.link.rev, ItemValue::Link(view))
            }
            DeltaItem::Count(ty, row) => {
                let (of_type, id) = (Cow::Borrowed(names::COUNT), ItemId::Name(names::link(app, ty)));
                item(Op::Put, of_type, id, row.rev, Some(ItemValue::Count(row.count)))
            }
            DeltaItem::Entry(stream, view) => {
                put(names::stream(stream), view.entry.id, view.entry.rev, ItemValue::Entry(view))
            }
            DeltaItem::Mark(stream, mark) => {
                let name = names::stream(stream);
                let value = ItemValue::Mark(name.clone(), mark.at);
                item(Op::Mark, name.clone(), ItemId::Name(name), mark.rev, Some(value))
            }
            DeltaItem::Gone(row, position, ty) => {
                let (of_type, id) = name_of(app, row, ty);
                item(Op::Delete, of_type, id, position, None)
            }
        }
    }

    /// The same thing as something that its reader may not see.
    pub fn hidden(self) -> Item {
        Item { op: Op::Delete, value: None, ..self }
    }

    /// About how many bytes it has on the wire.
    pub fn bytes(&self) -> usize {
        300 + self.value.as_ref().map_or(0, ItemValue::bytes)
    }
}

/// Type and id of what is gone.
fn name_of(app: &App, row: RowRef, ty: Option<NodeType>) -> (Cow<'static, str>, ItemId) {
    match row {
        RowRef::Node(id) => (names::node(app, ty.unwrap_or(NodeType(0))), ItemId::Id(Uuid(id))),
        RowRef::Link(ty, to) => (names::link(app, ty), ItemId::Id(Uuid(to))),
        RowRef::Entry(stream, id) => (names::stream(stream), ItemId::Id(Uuid(id))),
        RowRef::Count(ty) => (Cow::Borrowed(names::COUNT), ItemId::Name(names::link(app, ty))),
        RowRef::Mark(stream) => {
            let name = names::stream(stream);
            (name.clone(), ItemId::Name(name))
        }
    }
}

impl ItemValue {
    /// About how many bytes it has on the wire, beside what every item has.
    fn bytes(&self) -> usize {
        match self {
            ItemValue::Node(_, node) => {
                let attr = |json: &Option<String>| json.as_ref().map_or(0, String::len);
                node.attrs.iter().map(|(name, value)| name.len() + 4 + attr(&value.json)).sum()
            }
            ItemValue::Link(view) => view.link.data.len(),
            ItemValue::Entry(view) => 200 + view.entry.activity.extra.len(),
            ItemValue::Mark(..) | ItemValue::Count(_) => 0,
        }
    }
}

impl Serialize for ItemValue {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            ItemValue::Node(id, node) => write_node(&mut map, *id, node)?,
            ItemValue::Link(view) => {
                map.serialize_entry("to", &Uuid(view.to))?;
                map.serialize_entry("time", &Timestamp(view.time))?;
                write_json(&mut map, "data", &view.link.data)?;
            }
            ItemValue::Entry(view) => write_entry(&mut map, &view.entry, view.order)?,
            ItemValue::Mark(name, order) => {
                map.serialize_entry("timeline", name)?;
                map.serialize_entry("order", order.text().as_str())?;
            }
            ItemValue::Count(count) => map.serialize_entry("count", count)?,
        }
        map.end()
    }
}

/// A node: its attributes, and what the server knows of it beside them.
fn write_node<M: SerializeMap>(map: &mut M, id: Id, node: &Node) -> Result<(), M::Error> {
    known(map, node, "id", &Uuid(id))?;
    if node.author != Id::NIL {
        known(map, node, "author", &Uuid(node.author))?;
    }
    known(map, node, "createdAt", &Timestamp(node.created))?;
    known(map, node, "updatedAt", &Timestamp(node.updated))?;
    for (flag, name) in [
        (Flags::BANNED, "banned"),
        (Flags::REMOVED, "removed"),
        (Flags::HIDDEN, "hidden"),
        (Flags::PRIVATE, "private"),
    ] {
        if node.flags.has(flag) {
            known(map, node, name, &true)?;
        }
    }
    for (name, attr) in &node.attrs {
        write_json(map, name, attr.json.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

/// What the server knows. An attribute of the same name stands in its place: no name comes twice in one object.
fn known<M: SerializeMap>(
    map: &mut M,
    node: &Node,
    name: &'static str,
    value: &impl Serialize,
) -> Result<(), M::Error> {
    if node.attr(name).is_some() { Ok(()) } else { map.serialize_entry(name, value) }
}

fn write_entry<M: SerializeMap>(map: &mut M, entry: &Entry, order: Order) -> Result<(), M::Error> {
    let activity = &entry.activity;
    map.serialize_entry("actor", &Uuid(activity.actor))?;
    map.serialize_entry("verb", verb_name(activity.verb))?;
    map.serialize_entry("object", &names::root(activity.object))?;
    map.serialize_entry("createdAt", &Timestamp(entry.time))?;
    map.serialize_entry("order", order.text().as_str())?;
    if let Some(target) = activity.target {
        map.serialize_entry("target", &names::root(target))?;
    }
    write_json(map, "extra", &activity.extra)
}

/// Text that is stored as JSON, as it is; nothing where there is none.
fn write_json<M: SerializeMap>(map: &mut M, name: &str, json: &str) -> Result<(), M::Error> {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(raw) => map.serialize_entry(name, raw),
        Err(_) => Ok(()),
    }
}
