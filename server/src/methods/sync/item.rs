//! Rows as a phone gets them.
//!
//! A value follows from its row alone, so that the same revision is the same value, on every page and on
//! every member: nothing is looked up elsewhere.

use gomer_core::id::{Id, NodeType, Root, Section};
use gomer_core::meta::state::App;
use gomer_core::rows::RowRef;
use gomer_core::rows::applied::Eras;
use gomer_core::rows::node::{Flags, Node};
use gomer_core::vnode::query::{DeltaItem, EntryView, LinkView};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::names;
use crate::methods::timeline::{order_text, verb_name};
use crate::registry::Rev;

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
    pub root: String,
    /// The part of the root: `private`, `public` or `inverse`.
    pub section: &'static str,
    /// The type of what changed: a node type, a link type or a stream.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub of_type: Option<String>,
    /// Its id within root and type; of a link, what it leads to; of a mark, the stream's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its revision; of an added section, which grant it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl Item {
    /// An item about a section as a whole.
    pub fn of_scope(op: Op, root: Root, section: Section, rev: Option<Rev>) -> Item {
        let (root, section) = (names::root(root), names::section(section));
        Item { op, root, section, of_type: None, id: None, rev, value: None }
    }

    /// An item for one change. `eras` are those of the log that it was read from.
    pub fn of_change(app: &App, root: Root, section: Section, eras: &Eras, change: DeltaItem) -> Item {
        let scope = Item::of_scope(Op::Put, root, section, None);
        let put = |of_type: String, id: String, rev, value| Item {
            of_type: Some(of_type),
            id: Some(id),
            rev: Some(Rev::of(rev, eras)),
            value: Some(value),
            ..scope.clone()
        };
        match change {
            DeltaItem::Node(id, node) => {
                let of_type = names::node(app, node.ty).into_owned();
                put(of_type, id.to_string(), node.rev, node_value(id, &node))
            }
            DeltaItem::Link(ty, view, count) => put(
                names::link(app, ty).into_owned(),
                view.to.to_string(),
                view.link.rev,
                link_value(&view, count),
            ),
            DeltaItem::Entry(stream, view) => put(
                names::stream(stream).into_owned(),
                view.entry.id.to_string(),
                view.entry.rev,
                entry_value(&view),
            ),
            DeltaItem::Mark(stream, mark) => {
                let name = names::stream(stream).into_owned();
                let value = json!({ "timeline": name, "order": order_text(mark.at) });
                Item { op: Op::Mark, ..put(name.clone(), name, mark.rev, value) }
            }
            DeltaItem::Gone(row, position, count, ty) => {
                let (of_type, id) = name_of(app, row, ty);
                Item {
                    op: Op::Delete,
                    value: count.map(|count| json!({ "count": count })),
                    ..put(of_type, id, position, Value::Null)
                }
            }
        }
    }

    /// The same thing as something that its reader may not see.
    pub fn hidden(self) -> Item {
        Item { op: Op::Delete, value: None, ..self }
    }
}

/// Type and id of what is gone.
fn name_of(app: &App, row: RowRef, ty: Option<NodeType>) -> (String, String) {
    match row {
        RowRef::Node(id) => (names::node(app, ty.unwrap_or(NodeType(0))).into_owned(), id.to_string()),
        RowRef::Link(ty, to) => (names::link(app, ty).into_owned(), to.to_string()),
        RowRef::Entry(stream, id) => (names::stream(stream).into_owned(), id.to_string()),
        RowRef::Mark(stream) => {
            let name = names::stream(stream).into_owned();
            (name.clone(), name)
        }
    }
}

/// A node: its attributes, and what the server knows of it beside them.
pub fn node_value(id: Id, node: &Node) -> Value {
    let mut value = Map::new();
    value.insert("id".into(), json!(id.to_string()));
    if node.author != Id::NIL {
        value.insert("author".into(), json!(node.author.to_string()));
    }
    value.insert("createdAt".into(), json!(node.created.to_string()));
    value.insert("updatedAt".into(), json!(node.updated.to_string()));
    for (flag, name) in [
        (Flags::BANNED, "banned"),
        (Flags::REMOVED, "removed"),
        (Flags::HIDDEN, "hidden"),
        (Flags::PRIVATE, "private"),
    ] {
        if node.flags.has(flag) {
            value.insert(name.into(), Value::Bool(true));
        }
    }
    for (name, attr) in &node.attrs {
        if let Some(attr) = attr.json.as_ref().and_then(|json| serde_json::from_str(json).ok()) {
            value.insert(name.clone(), attr);
        }
    }
    Value::Object(value)
}

fn link_value(view: &LinkView, count: u64) -> Value {
    let mut value = json!({ "to": view.to.to_string(), "time": view.time.to_string(), "count": count });
    if let Ok(data) = serde_json::from_str::<Value>(&view.link.data) {
        value["data"] = data;
    }
    value
}

fn entry_value(view: &EntryView) -> Value {
    let activity = &view.entry.activity;
    let mut value = json!({
        "actor": activity.actor.to_string(),
        "verb": verb_name(activity.verb),
        "object": names::root(activity.object),
        "createdAt": view.entry.time.to_string(),
        "order": order_text(view.order),
    });
    if let Some(target) = activity.target {
        value["target"] = json!(names::root(target));
    }
    if let Ok(extra) = serde_json::from_str::<Value>(&activity.extra) {
        value["extra"] = extra;
    }
    value
}
