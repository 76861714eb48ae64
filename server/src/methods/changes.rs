//! Edits of a node's attributes, each by its own stamp: what will be there when they are applied, so that the reply
//! can say it.

use gomer_core::id::Id;
use gomer_core::rows::node::{Attr, Node, Stamp};
use gomer_core::time::Time;

use super::post::view::{EDITED_AT, json};
use crate::registry::Call;
use crate::types::Timestamp;

/// What an edit wants: attribute, and its new text (`None` clears).
pub type Changes = Vec<(String, Option<String>)>;

/// The node as the server will have it, and the attributes to write: those that differ, and, if the device
/// says when it edited, those whose stamp may move.
pub fn merged(call: &Call, node: &Node, changes: &Changes) -> (Node, Changes) {
    let edited = call.edited_in(node);
    let stamp = Stamp {
        time: edited.unwrap_or(Time::from_millis(u64::MAX)),
        op: call.op.map_or(Id::NIL, |op| op.id),
    };
    let mut node = node.clone();
    let mut attrs = Changes::new();
    let mut put = |name: &str, value: &Option<String>, always: bool| {
        let old = node.attrs.get(name);
        let same = old.and_then(|attr| attr.json.as_ref()) == value.as_ref();
        if same && !always {
            return false;
        }
        attrs.push((name.to_owned(), value.clone()));
        // The same rule by which it will be applied: the later stamp wins.
        let wins = old.is_none_or(|old| old.stamp <= stamp);
        if wins && !same {
            node.attrs.insert(name.to_owned(), Attr { json: value.clone(), stamp });
        }
        wins && !same
    };
    let mut changed = false;
    for (name, value) in changes {
        changed |= put(name, value, edited.is_some());
    }
    if changed {
        let edited_at = Timestamp(edited.unwrap_or(call.now.wall));
        put(EDITED_AT, &Some(json(&edited_at)), false);
    }
    (node, attrs)
}
