//! A revision names one value: whoever is told the same revision of a post is told the same text, before and
//! after restarts. And nothing but a write gives a revision: a like does not change that of the post.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Broken, Promise};
use crate::history::read::position;
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "revisions",
    says: "A revision names one value, and only a write gives a new one.",
    check,
};

/// What is not of the post itself, or is shown only to some.
const ASIDE: [&str; 3] = ["likes", "replies", "rev"];

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut values: BTreeMap<(&str, &str, u64), (Value, &Record)> = BTreeMap::new();
    let mut revs: BTreeMap<(&str, &str), BTreeSet<u64>> = BTreeMap::new();
    let mut writes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut broken = Vec::new();
    for record in evidence.all().filter(|record| record.method.starts_with("post.")) {
        let Some(id) = record.arg("id") else { continue };
        let writing = ["post.create", "post.update"].contains(&record.method.as_str());
        if writing && record.may_be_done() {
            *writes.entry((&record.app, id)).or_default() += 1;
        }
        let Some(value) = record.ok().filter(|value| value["text"].is_string()) else { continue };
        let Some(rev) = value["rev"].as_str().and_then(position) else { continue };
        revs.entry((&record.app, id)).or_default().insert(rev);
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !ASIDE.contains(&name.as_str()));
        }
        match values.get(&(record.app.as_str(), id, rev)) {
            Some((other, first)) if *other != value => {
                broken.push(Broken::by(
                    format!("revision {rev} of post {id} has two values"),
                    [*first, record],
                ));
            }
            Some(_) => {}
            None => drop(values.insert((&record.app, id, rev), (value, record))),
        }
    }
    for (key, revs) in revs {
        // A history without the writes says nothing about their number.
        if let Some(&writes) = writes.get(&key).filter(|&&writes| revs.len() > writes) {
            let what = format!("post {} had {} revisions from {writes} writes", key.1, revs.len());
            broken.push(Broken::overall(what));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok};
    use super::*;
    use serde_json::json;

    fn read(told: Told, text: &str, rev: &str, likes: u64) -> Told {
        let post = json!({ "text": text, "rev": rev, "likes": { "count": likes } });
        told.call("a", "post.get", json!({ "id": "p" }), ok(post))
    }

    fn created() -> Told {
        let post = json!({ "text": "x", "rev": "5.0" });
        Told::default().call("a", "post.create", json!({ "id": "p", "text": "x" }), ok(post))
    }

    #[test]
    fn likes_leave_the_revision_as_it_is() {
        assert_eq!(check(&read(created(), "x", "5.1", 3).evidence()), []);
        assert_eq!(check(&read(created(), "x", "6.0", 3).evidence()).len(), 1);
    }

    #[test]
    fn a_revision_with_two_values_is_found() {
        assert_eq!(check(&read(created(), "y", "5.0", 0).evidence()).len(), 1);
    }
}
