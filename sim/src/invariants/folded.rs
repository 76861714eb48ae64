//! Whoever follows to the end has what the server has, whichever way: by many small pages or few large ones, offline
//! in between, resynced, granted and revoked. Two followers of one person have the same sections of every root that both
//! ask for, and the same rows in them.
//!
//! Two things are left out: a link in somebody else's list that leads to a person with whom there is or was a block, and
//! a notification of what such a person did, or about a post that was deleted. What hides them is written elsewhere and
//! does not change what is synced; who comes new is not sent them, and who had them keeps them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Broken, Promise};
use crate::history::Evidence;
use crate::history::fold::{Folded, Key, folded};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "folded",
    says: "Whoever has followed to the end has the same as anybody else who has, whichever way they came.",
    check,
};

fn check(evidence: &Evidence) -> Vec<Broken> {
    if !evidence.settled {
        return Vec::new();
    }
    let followers = folded(evidence);
    let hidden = Hidden::of(evidence);
    let mut broken = Vec::new();
    for (at, one) in followers.iter().enumerate() {
        let others = followers[at + 1..].iter();
        for other in others.filter(|other| (other.app, other.user) == (one.app, one.user)) {
            let different = different(one, other, &hidden);
            if let Some(first) = different.first() {
                let (who, whom, count) = (one.process, other.process, different.len());
                broken
                    .push(Broken::overall(format!("{who} and {whom} differ in {count} rows, first {first}")));
            }
        }
    }
    broken
}

fn different(one: &Folded<'_>, other: &Folded<'_>, hidden: &Hidden<'_>) -> Vec<String> {
    let own = format!("profile:{}", one.user);
    let asked = |root: &String| *root == own || (one.wanted.contains(root) && other.wanted.contains(root));
    let scopes = one.scopes.symmetric_difference(&other.scopes).filter(|(root, _)| asked(root));
    let scopes = scopes.map(|scope| format!("{scope:?} is followed by one of them only"));
    let may_differ = |key: &Key| {
        let mut rows = [one, other].into_iter().filter_map(|of| of.rows.get(key));
        rows.any(|(_, value)| hidden.may_differ(one.user, &key.0, &key.3, &key.4, value))
    };
    let both = |key: &Key| asked(&key.0) && !may_differ(key);
    let keys: BTreeSet<&Key> = one.rows.keys().chain(other.rows.keys()).filter(|key| both(key)).collect();
    let unlike = keys.into_iter().filter(|key| one.rows.get(*key) != other.rows.get(*key));
    let rows = unlike.map(|key| format!("{key:?}: {:?} and {:?}", one.rows.get(key), other.rows.get(key)));
    scopes.chain(rows).collect()
}

/// What is hidden from whom by something that is written elsewhere.
pub struct Hidden<'a> {
    /// Who blocked whom, or may have, both ways round.
    blocks: BTreeSet<(&'a str, &'a str)>,
    /// Posts that were deleted, or may have been.
    deleted: BTreeSet<&'a str>,
}

impl<'a> Hidden<'a> {
    /// As far as the history says.
    pub fn of(evidence: &'a Evidence) -> Hidden<'a> {
        let deleted = evidence.all().filter(|record| record.method == "post.delete" && record.may_be_done());
        Hidden { blocks: blocks(evidence), deleted: deleted.filter_map(|record| record.arg("id")).collect() }
    }

    /// Whether one phone of `user` may have a row that another one has not, by the row's root, type, id and value.
    pub fn may_differ(&self, user: &str, root: &str, of_type: &str, id: &str, value: &Value) -> bool {
        let met = |other: &str| self.blocks.contains(&(user, other));
        let post = || value["object"].as_str().and_then(|root| root.strip_prefix("post:"));
        let notice = || {
            value["actor"].as_str().is_some_and(met) || post().is_some_and(|post| self.deleted.contains(post))
        };
        let elsewhere = root.strip_prefix("profile:") != Some(user);
        (elsewhere && met(id)) || (of_type == "notification" && notice())
    }
}

/// Who blocked whom, or may have, both ways round.
pub(super) fn blocks(evidence: &Evidence) -> BTreeSet<(&str, &str)> {
    let blocks = evidence.all().filter(|record| record.method == "block.create" && record.may_be_done());
    blocks
        .filter_map(|record| record.user.as_deref().zip(record.arg("id")))
        .flat_map(|(one, other)| [(one, other), (other, one)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok};
    use super::*;
    use serde_json::json;

    fn pulled(told: Told, process: &str, items: Value) -> Told {
        let roots: Vec<&Value> = items.as_array().unwrap().iter().map(|item| &item["root"]).collect();
        let args = json!({ "roots": roots });
        let reply = json!({ "items": items, "cursor": process, "end": true });
        told.by(process).call("a", "sync.pull", args, ok(reply))
    }

    fn put(root: &str, id: &str, text: &str) -> Value {
        let value = json!({ "text": text });
        json!({ "op": "put", "root": root, "section": "public", "type": "t", "id": id, "rev": "5.0", "value": value })
    }

    #[test]
    fn two_who_followed_to_the_end_have_the_same() {
        let old = pulled(Told::default().settled(), "old", json!([put("post:1", "p", "x")]));
        let same = pulled(old.clone(), "new", json!([put("post:1", "p", "x")]));
        assert_eq!(check(&same.evidence()), []);
        let other = pulled(old.clone(), "new", json!([put("post:1", "p", "y")]));
        assert_eq!(check(&other.evidence()).len(), 1);
        let less = pulled(old.clone(), "new", json!([put("post:1", "q", "x")]));
        assert_eq!(check(&less.evidence()).len(), 1);
        let elsewhere = pulled(old, "new", json!([put("post:2", "q", "x")]));
        assert_eq!(check(&elsewhere.evidence()), [], "they follow different roots");
    }

    #[test]
    fn a_section_that_one_was_not_told_to_drop_is_found() {
        let old = pulled(
            Told::default().settled(),
            "old",
            json!([put("post:1", "p", "x"), put("post:2", "p", "x")]),
        );
        let dropped = json!({ "op": "scopeDropped", "root": "post:2", "section": "public" });
        let new = pulled(old, "new", json!([put("post:1", "p", "x"), dropped]));
        assert_eq!(check(&new.evidence()).len(), 1);
    }

    #[test]
    fn a_notification_may_differ_once_what_it_is_about_is_hidden() {
        let notice = |post: &str, actor: &str| {
            let value = json!({ "actor": actor, "object": format!("post:{post}"), "verb": "like" });
            json!({ "op": "put", "root": "profile:a", "section": "private", "type": "notification", "id": "n",
                    "rev": "5.0", "value": value })
        };
        let hidden = Told::default()
            .call("b", "block.create", json!({ "id": "a" }), ok(json!({})))
            .call("a", "post.delete", json!({ "id": "gone" }), ok(json!({ "deleted": true })))
            .settled();
        let of = |post: &str, actor: &str| {
            let old = pulled(hidden.clone(), "old", json!([put("profile:a", "c", "x"), notice(post, actor)]));
            check(&pulled(old, "new", json!([put("profile:a", "c", "x")])).evidence()).len()
        };
        assert_eq!(of("there", "c"), 1);
        assert_eq!(of("gone", "c"), 0);
        assert_eq!(of("there", "b"), 0);
    }

    #[test]
    fn links_to_those_who_were_blocked_may_differ_but_not_in_ones_own_root() {
        let blocked =
            Told::default().call("b", "block.create", json!({ "id": "a" }), ok(json!({}))).settled();
        let of = |root: &str| {
            let old = pulled(blocked.clone(), "old", json!([put(root, "b", "x"), put(root, "c", "x")]));
            check(&pulled(old, "new", json!([put(root, "c", "x")])).evidence()).len()
        };
        assert_eq!(of("profile:d"), 0);
        assert_eq!(of("profile:a"), 1);
    }
}
