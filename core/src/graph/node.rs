//! Nodes: read, create, put, patch, flag, delete.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::fault::{Fault, Refused};
use crate::id::{Id, NodeType, Position, Section};
use crate::rows::edit::Done;
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::node::{Attr, Flags, Node, Stamp, key};
use crate::rows::tombstone::{self, Tombstone};
use crate::rows::{Edit, Kind, Place, ROW_BYTES_MAX, RowRef, Txn, get, unseal};
use crate::store::{Direction, StateRead, StoreFault};
use crate::time::Time;

/// Most bytes of names and values of one node's attributes: a row less its frame.
pub const ATTRS_BYTES_MAX: usize = ROW_BYTES_MAX - 2_048;

/// Reads a node.
pub fn read(rows: &dyn StateRead, place: Place, id: Id) -> Result<Option<Node>, StoreFault> {
    get(rows, &key(place, id))
}

/// Whether a node was deleted, as far as the horizon remembers.
pub fn was_deleted(rows: &dyn StateRead, place: Place, id: Id) -> Result<bool, StoreFault> {
    Ok(get::<Tombstone>(rows, &tombstone::key(place, RowRef::Node(id)))?.is_some())
}

/// All nodes of a root in order of id, at most `limit`.
pub fn list(rows: &dyn StateRead, place: Place, limit: usize) -> Result<Vec<(Id, Node)>, StoreFault> {
    let prefix = KeyWriter::of_root(place, Kind::Node).end();
    let mut nodes = Vec::new();
    let mut failed = Ok(());
    rows.scan(&prefix, &after_prefix(&prefix), Direction::Up, &mut |key, value| {
        let mut id = [0; 16];
        id.copy_from_slice(&key[key.len() - 16..]);
        match unseal(key, value) {
            Ok(node) => nodes.push((Id::from_bytes(id), node)),
            Err(fault) => failed = Err(fault),
        }
        if failed.is_err() || nodes.len() >= limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failed.map(|()| nodes)
}

/// What a new node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNode {
    /// Its type.
    pub ty: NodeType,
    /// Who reads it.
    pub section: Section,
    /// Who makes it.
    pub author: Id,
    /// Its marks.
    pub flags: Flags,
}

/// Makes a node. Again by the same author: unchanged. By another: [`Fault::IdTaken`]. After its
/// deletion: [`Fault::Present`], because deletes are final.
pub fn create(
    txn: &mut Txn<'_>,
    edit: &Edit,
    id: Id,
    new: NewNode,
    attrs: &[(String, String)],
) -> Result<Done, Refused> {
    if let Some(node) = read(txn, edit.place, id)? {
        let same = node.author == new.author && node.ty == new.ty;
        return if same { Ok(Done::Unchanged(node.rev)) } else { Err(Fault::IdTaken.into()) };
    }
    if let Some(tombstone) = txn.row::<Tombstone>(&tombstone::key(edit.place, RowRef::Node(id)))? {
        return Err(if tombstone.author == new.author { Fault::Present } else { Fault::IdTaken }.into());
    }
    edit.check_known(txn, new.section)?;
    // The lowest stamp: whoever made it offline and edited it there claims a time before the one at which
    // the creation arrives, and an edit must never lose against the creation of what it edits.
    let node = fresh(edit, new, attrs, Stamp::default(), edit.time);
    store(txn, edit, id, &node, None)?;
    Ok(Done::Created(edit.position))
}

/// Makes a node or replaces all its attributes. Another author's: [`Fault::IdTaken`].
pub fn put(
    txn: &mut Txn<'_>,
    edit: &Edit,
    id: Id,
    new: NewNode,
    attrs: &[(String, String)],
) -> Result<Done, Refused> {
    let Some(old) = read(txn, edit.place, id)? else {
        return create(txn, edit, id, new, attrs);
    };
    if old.author != new.author || old.ty != new.ty {
        return Err(Fault::IdTaken.into());
    }
    let same = old.section == new.section
        && old.attrs.values().filter(|attr| attr.json.is_some()).count() == attrs.len()
        && attrs.iter().all(|(name, json)| old.attr(name) == Some(json));
    if same {
        return Ok(Done::Unchanged(old.rev));
    }
    let mut node = fresh(edit, new, attrs, edit.stamp(None), old.created);
    node.flags = old.flags;
    store(txn, edit, id, &node, Some((old.section, old.rev)))?;
    Ok(Done::Changed(edit.position))
}

fn fresh(edit: &Edit, new: NewNode, attrs: &[(String, String)], stamp: Stamp, created: Time) -> Node {
    let attrs = attrs.iter().map(|(name, json)| (name.clone(), Attr { json: Some(json.clone()), stamp }));
    Node {
        ty: new.ty,
        section: new.section,
        author: new.author,
        rev: edit.position,
        created,
        updated: edit.time,
        flags: new.flags,
        attrs: attrs.collect(),
    }
}

/// Changes attributes, each if its stamp is not older than the stored one. Names of those that were
/// older are added to `overruled`. Absent: [`Fault::Absent`].
pub fn patch(
    txn: &mut Txn<'_>,
    edit: &Edit,
    id: Id,
    attrs: &[(String, Option<String>)],
    edited: Option<Time>,
    overruled: &mut Vec<String>,
) -> Result<Done, Refused> {
    let mut node = read(txn, edit.place, id)?.ok_or(Fault::Absent)?;
    let stamp = edit.stamp(edited);
    let mut changed = false;
    for (name, json) in attrs {
        match merge(&mut node.attrs, name, json, stamp, edited.is_some()) {
            Merge::Overruled => overruled.push(name.clone()),
            Merge::Changed => changed = true,
            Merge::Same => {}
        }
    }
    if !changed {
        return Ok(Done::Unchanged(node.rev));
    }
    rewrite(txn, edit, id, node)
}

/// What one attribute's edit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// The stored stamp is later.
    Overruled,
    /// It is as it was.
    Same,
    /// Value or stamp moved.
    Changed,
}

/// Last writer wins: by stamp. An edit that claims a time moves the stamp even if the value is the
/// same, so that an older edit that arrives later still loses.
pub fn merge(
    attrs: &mut BTreeMap<String, Attr>,
    name: &str,
    json: &Option<String>,
    stamp: Stamp,
    claims_time: bool,
) -> Merge {
    match attrs.get(name) {
        Some(old) if old.stamp > stamp => return Merge::Overruled,
        Some(old) if old.json == *json && (!claims_time || old.stamp == stamp) => return Merge::Same,
        None if json.is_none() && !claims_time => return Merge::Same,
        _ => {}
    }
    attrs.insert(name.to_owned(), Attr { json: json.clone(), stamp });
    Merge::Changed
}

/// Adds to a whole number; never below zero. Absent node: [`Fault::Absent`].
pub fn add(txn: &mut Txn<'_>, edit: &Edit, id: Id, name: &str, delta: i64) -> Result<Done, Refused> {
    let mut node = read(txn, edit.place, id)?.ok_or(Fault::Absent)?;
    let old: i64 = node.attr(name).and_then(|json| json.parse().ok()).unwrap_or(0);
    let new = old.saturating_add(delta).max(0);
    if new == old {
        return Ok(Done::Unchanged(node.rev));
    }
    let attr = Attr { json: Some(new.to_string()), stamp: edit.stamp(None) };
    node.attrs.insert(name.to_owned(), attr);
    rewrite(txn, edit, id, node)
}

/// Sets and clears marks. Absent: [`Fault::Absent`].
pub fn flag(txn: &mut Txn<'_>, edit: &Edit, id: Id, set: Flags, clear: Flags) -> Result<Done, Refused> {
    let mut node = read(txn, edit.place, id)?.ok_or(Fault::Absent)?;
    let flags = node.flags.changed(set, clear);
    if flags == node.flags {
        return Ok(Done::Unchanged(node.rev));
    }
    node.flags = flags;
    rewrite(txn, edit, id, node)
}

/// Deletes a node for ever. Absent: unchanged.
pub fn delete(txn: &mut Txn<'_>, edit: &Edit, id: Id) -> Result<Done, Refused> {
    let Some(node) = read(txn, edit.place, id)? else {
        return Ok(Done::Unchanged(Position::ZERO));
    };
    txn.remove(key(edit.place, id))?;
    edit.bury(txn, RowRef::Node(id), (node.section, node.rev), node.author, Some(node.ty))?;
    Ok(Done::Changed(edit.position))
}

fn rewrite(txn: &mut Txn<'_>, edit: &Edit, id: Id, mut node: Node) -> Result<Done, Refused> {
    let before = (node.section, node.rev);
    node.rev = edit.position;
    node.updated = edit.time;
    store(txn, edit, id, &node, Some(before))?;
    Ok(Done::Changed(edit.position))
}

fn store(
    txn: &mut Txn<'_>,
    edit: &Edit,
    id: Id,
    node: &Node,
    before: Option<(Section, Position)>,
) -> Result<(), Refused> {
    // 24 bytes of stamp and some of lengths per attribute.
    let bytes: usize = node
        .attrs
        .iter()
        .map(|(name, attr)| name.len() + attr.json.as_ref().map_or(0, String::len) + 40)
        .sum();
    if bytes > ATTRS_BYTES_MAX {
        return Err(Fault::TooLarge("64 KiB a row").into());
    }
    txn.put(key(edit.place, id), node)?;
    Ok(edit.touch(txn, RowRef::Node(id), node.section, before)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, quickcheck};

    impl Arbitrary for Stamp {
        fn arbitrary(g: &mut Gen) -> Stamp {
            // Few values, so that ties happen.
            let op = Id::from_bytes([u8::arbitrary(g) % 3; 16]);
            Stamp { time: Time::from_millis(u64::arbitrary(g) % 4), op }
        }
    }

    fn fold(edits: &[(Stamp, Option<String>)]) -> BTreeMap<String, Attr> {
        let mut attrs = BTreeMap::new();
        for (stamp, json) in edits {
            merge(&mut attrs, "name", json, *stamp, true);
        }
        attrs
    }

    quickcheck! {
        /// Two replicas of a person's intentions that saw the same edits in another order agree, as long
        /// as one operation says one thing.
        fn stamps_merge_commutatively(edits: Vec<Stamp>) -> bool {
            let mut edits: Vec<_> = edits.into_iter().map(|stamp| (stamp, Some(format!("{stamp:?}")))).collect();
            let forwards = fold(&edits);
            edits.reverse();
            forwards == fold(&edits)
        }

        fn merging_twice_is_merging_once(stamp: Stamp, json: Option<String>) -> bool {
            fold(&[(stamp, json.clone()), (stamp, json.clone())]) == fold(&[(stamp, json)])
        }
    }
}
