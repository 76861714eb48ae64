//! Whoever blocks and whoever is blocked are hidden from each other: from the moment at which a block is
//! acknowledged until it is lifted, neither is shown a post of the other. Blocks do not change what is synced
//! (a phone filters by its own block rows), so this is about reads.

use super::{Broken, Promise};
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise =
    Promise { name: "blocked", says: "A block hides both from each other, at once.", check };

fn check(evidence: &Evidence) -> Vec<Broken> {
    let blocks = evidence.all().filter(|record| record.method == "block.create" && record.ok().is_some());
    blocks.flat_map(|block| seen_through(block, evidence)).collect()
}

fn seen_through(block: &Record, evidence: &Evidence) -> Vec<Broken> {
    let (Some(one), Some(other)) = (block.user.as_deref(), block.arg("id")) else { return Vec::new() };
    // Lifted, perhaps.
    let lifted = evidence.all().filter(|record| {
        let same = record.app == block.app && record.user == block.user && record.arg("id") == Some(other);
        same && record.method == "block.delete" && record.may_be_done() && record.invoked > block.invoked
    });
    let until = lifted.map(|record| record.invoked).min().unwrap_or(u64::MAX);
    let during = evidence.all().filter(|record| {
        record.app == block.app
            && record.invoked > block.over()
            && record.returned.is_some_and(|at| at < until)
    });
    let hidden = during.filter(|record| {
        let author = match record.user.as_deref() {
            Some(user) if user == one => other,
            Some(user) if user == other => one,
            _ => return false,
        };
        authors(record).any(|shown| shown == author)
    });
    let found = hidden.map(|record| Broken::by("a block did not hide a post", [block, record]));
    found.collect()
}

fn authors(record: &Record) -> impl Iterator<Item = &str> {
    let one = record.ok().filter(|_| record.method == "post.get");
    let listed =
        ["post.getMany", "post.listByProfile", "post.listByTag", "timeline.getHome", "timeline.getApp"];
    let items = if listed.contains(&record.method.as_str()) { record.items() } else { &[] };
    one.into_iter().chain(items).filter_map(|post| post["author"].as_str().or_else(|| post["actor"].as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    fn blocked() -> Told {
        Told::default().call("a", "block.create", json!({ "id": "b" }), ok(json!({})))
    }

    #[test]
    fn both_are_hidden_from_each_other() {
        let get = |told: Told, user: &str, author: &str| {
            check(
                &told
                    .call(user, "post.get", json!({ "id": "p" }), ok(json!({ "author": author })))
                    .evidence(),
            )
            .len()
        };
        assert_eq!(get(blocked(), "a", "b"), 1);
        assert_eq!(get(blocked(), "b", "a"), 1);
        assert_eq!(get(blocked(), "a", "a"), 0);
        assert_eq!(get(blocked(), "c", "b"), 0);
        let lifted = blocked().call("a", "block.delete", json!({ "id": "b" }), ok(json!({})));
        assert_eq!(get(lifted, "a", "b"), 0);
        let refused =
            Told::default().call("a", "block.create", json!({ "id": "b" }), refused(404, "not-found"));
        assert_eq!(get(refused, "a", "b"), 0);
    }

    #[test]
    fn timelines_are_looked_at_too() {
        let home = ok(json!({ "items": [{ "actor": "b" }] }));
        let told = blocked().call("a", "timeline.getHome", json!({}), home);
        assert_eq!(check(&told.evidence()).len(), 1);
    }
}
