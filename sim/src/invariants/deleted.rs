//! What was deleted stays deleted: once a deletion was acknowledged, no later read, list or page of changes has
//! the post again, whatever is replayed, restarted or forgotten in between.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Broken, Promise};
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise = Promise { name: "deleted", says: "What was deleted stays deleted.", check };

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut gone: BTreeMap<(&str, &str), &Record> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.method == "post.delete" && record.ok().is_some()) {
        if let Some(id) = record.arg("id") {
            gone.entry((&record.app, id)).or_insert(record);
        }
    }
    let mut broken = Vec::new();
    for record in evidence.all() {
        for id in shown(record) {
            if let Some(delete) = gone.get(&(record.app.as_str(), id))
                && delete.over() < record.invoked
            {
                broken.push(Broken::by(format!("post {id} is back"), [*delete, record]));
            }
        }
    }
    broken
}

/// The posts that a reply shows as they are.
fn shown(record: &Record) -> Vec<&str> {
    let Some(value) = record.ok() else { return Vec::new() };
    match record.method.as_str() {
        "post.get" | "post.update" => value["id"].as_str().into_iter().collect(),
        "post.getMany" | "post.listByProfile" | "post.listByTag" => {
            record.items().iter().filter_map(|item| item["id"].as_str()).collect()
        }
        "sync.pull" | "sync.getSnapshot" => record.items().iter().filter_map(changed_post).collect(),
        _ => Vec::new(),
    }
}

/// The post itself, not what points to it.
fn changed_post(item: &Value) -> Option<&str> {
    let own = item["op"] == "put" && item["type"] == "post" && item["section"] == "public";
    item["root"].as_str()?.strip_prefix("post:").filter(|_| own)
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    fn deleted() -> Told {
        Told::default().call("a", "post.delete", json!({ "id": "p" }), ok(json!({ "deleted": true })))
    }

    #[test]
    fn it_is_not_found_any_more() {
        let good = deleted().call("a", "post.get", json!({ "id": "p" }), refused(404, "not-found"));
        assert_eq!(check(&good.evidence()), []);
        let other = deleted().in_app("two").call("a", "post.get", json!({}), ok(json!({ "id": "p" })));
        assert_eq!(check(&other.evidence()), []);
    }

    #[test]
    fn every_way_back_is_found() {
        let one = ok(json!({ "id": "p" }));
        let list = ok(json!({ "items": [{ "id": "p" }] }));
        let item = json!({ "op": "put", "root": "post:p", "section": "public", "type": "post", "id": "p" });
        let page = ok(json!({ "items": [item] }));
        for (method, reply) in [("post.get", one), ("post.listByProfile", list), ("sync.pull", page)] {
            let bad = deleted().call("b", method, json!({}), reply);
            assert_eq!(check(&bad.evidence()).len(), 1, "{method}");
        }
    }

    #[test]
    fn a_deletion_that_may_not_have_happened_proves_nothing() {
        let lost =
            Told::default().call("a", "post.delete", json!({ "id": "p" }), crate::history::Outcome::LOST);
        let told = lost.call("a", "post.get", json!({}), ok(json!({ "id": "p" })));
        assert_eq!(check(&told.evidence()), []);
    }
}
