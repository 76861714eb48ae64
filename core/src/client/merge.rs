//! What the person sees: the cache with the edits that the server has not confirmed yet.
//!
//! The rule is the server's own: each attribute is a register, the later stamp wins, and a stamp is
//! (time of the edit, operation id). So two phones that edited offline both keep what they can. Items
//! carry no stamps; against the cache, an unconfirmed edit is shown until the server has spoken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cache::Key;
use super::queue::OpId;
use crate::time::Time;

/// What an operation will do to one entity, as far as the app can foresee it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The entity.
    pub key: Key,
    /// What happens to it.
    pub change: Change,
}

/// A change of one entity. The attributes are the members of its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It comes to be, with these attributes.
    Create(Map<String, Value>),
    /// These attributes are set; `null` clears one. Of an entity that is not there it shows nothing.
    Update(Map<String, Value>),
    /// It goes, finally: no other edit brings it back.
    Delete,
}

/// Decides between two edits of one attribute: the greater wins. Without the operation id, two edits of
/// the same millisecond would have no winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// When the person made the edit.
    pub time: Time,
    /// By which operation.
    pub op: OpId,
}

/// An attribute of which the server kept another value than the person set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// Its name.
    pub attribute: String,
    /// What the person set.
    pub mine: Value,
    /// What holds; `null` if it is not set.
    pub theirs: Value,
}

/// The entity as the person sees it: `cached` with `edits`, whose order does not matter.
pub fn merged<'a>(
    cached: Option<&Value>,
    edits: impl IntoIterator<Item = (Stamp, &'a Change)>,
) -> Option<Value> {
    let mut exists = cached.is_some();
    let mut winners: BTreeMap<&str, (Stamp, &Value)> = BTreeMap::new();
    for (stamp, change) in edits {
        let attributes = match change {
            Change::Delete => return None,
            Change::Create(attributes) => {
                exists = true;
                attributes
            }
            Change::Update(attributes) => attributes,
        };
        for (name, value) in attributes {
            let winner = winners.entry(name).or_insert((stamp, value));
            if winner.0 < stamp {
                *winner = (stamp, value);
            }
        }
    }
    if !exists {
        return None;
    }
    if winners.is_empty()
        && let Some(value) = cached
    {
        return Some(value.clone());
    }
    let mut seen = cached.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, (_, value)) in winners {
        match value {
            Value::Null => seen.remove(name),
            value => seen.insert(name.to_owned(), value.clone()),
        };
    }
    Some(Value::Object(seen))
}

/// Takes out of `change` what the server overruled, given the entity after the operation.
pub(super) fn take_overruled(change: &mut Change, after: &Value) -> Vec<Lost> {
    let (Change::Create(attributes) | Change::Update(attributes), Some(after)) = (change, after.as_object())
    else {
        return Vec::new();
    };
    let mut lost = Vec::new();
    attributes.retain(|name, mine| {
        let theirs = after.get(name).unwrap_or(&Value::Null);
        if theirs != mine {
            lost.push(Lost { attribute: name.clone(), mine: mine.clone(), theirs: theirs.clone() });
        }
        theirs == mine
    });
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use proptest::prelude::*;
    use serde_json::json;

    fn stamp(time: u64, op: u8) -> Stamp {
        Stamp { time: Time::from_millis(time), op: OpId::from(Id::from_bytes([op; 16])) }
    }

    fn update(attributes: Value) -> Change {
        Change::Update(attributes.as_object().unwrap().clone())
    }

    fn create(attributes: Value) -> Change {
        Change::Create(attributes.as_object().unwrap().clone())
    }

    #[test]
    fn each_attribute_goes_to_its_own_latest_edit() {
        let (early, late) = (update(json!({"a": 1, "b": 1})), update(json!({"b": 2})));
        let cached = json!({"a": 0, "b": 0, "c": 0});
        let seen = merged(Some(&cached), [(stamp(9, 1), &late), (stamp(5, 2), &early)]);
        assert_eq!(seen, Some(json!({"a": 1, "b": 2, "c": 0})));
    }

    #[test]
    fn equal_times_are_decided_by_the_operation_id() {
        let (one, two) = (update(json!({"a": 1})), update(json!({"a": 2})));
        let seen = merged(Some(&json!({})), [(stamp(5, 2), &two), (stamp(5, 1), &one)]);
        assert_eq!(seen, Some(json!({"a": 2})));
    }

    #[test]
    fn an_update_shows_nothing_of_what_is_not_there_and_nothing_outlives_a_delete() {
        let (change, new) = (update(json!({"a": 1})), create(json!({"b": 2})));
        assert_eq!(merged(None, [(stamp(1, 1), &change)]), None);
        let both = [(stamp(1, 1), &change), (stamp(2, 2), &new)];
        assert_eq!(merged(None, both), Some(json!({"a": 1, "b": 2})));
        assert_eq!(merged(Some(&json!({})), [both[0], (stamp(0, 3), &Change::Delete), both[1]]), None);
    }

    #[test]
    fn null_clears_and_a_value_without_edits_is_left_as_it_is() {
        let clear = update(json!({"a": null}));
        assert_eq!(merged(Some(&json!({"a": 1, "b": 2})), [(stamp(1, 1), &clear)]), Some(json!({"b": 2})));
        assert_eq!(merged(Some(&json!("text")), []), Some(json!("text")));
    }

    #[test]
    fn what_the_server_overruled_is_named_and_no_longer_shown() {
        let mut change = update(json!({"name": "Ann", "city": null, "bio": "hi"}));
        let lost = take_overruled(&mut change, &json!({"name": "Anna", "bio": "hi"}));
        let expected = Lost { attribute: "name".to_owned(), mine: json!("Ann"), theirs: json!("Anna") };
        assert_eq!(lost, [expected]);
        assert_eq!(change, update(json!({"city": null, "bio": "hi"})));
        assert_eq!(take_overruled(&mut Change::Delete, &json!({})), []);
    }

    proptest! {
        #[test]
        fn the_order_in_which_edits_are_heard_of_does_not_matter(
            edits in prop::collection::vec((0u64..4, "[abc]", 0u8..9), 0..8),
            turn_by: prop::sample::Index,
        ) {
            let changes: Vec<(Stamp, Change)> = edits
                .iter()
                .enumerate()
                .map(|(i, (time, name, value))| (stamp(*time, i as u8), update(json!({ name.as_str(): value }))))
                .collect();
            let in_order = merged(Some(&json!({})), changes.iter().map(|(s, c)| (*s, c)));
            let (head, tail) = changes.split_at(turn_by.index(changes.len() + 1));
            let turned = tail.iter().chain(head).rev().map(|(s, c)| (*s, c));
            prop_assert_eq!(in_order, merged(Some(&json!({})), turned));
        }
    }
}
