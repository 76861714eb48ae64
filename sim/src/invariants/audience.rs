//! A post is shown to those for whom it is: one that its author keeps to themselves to nobody else, and one for
//! followers only to those who may have followed its author when it was read.

use std::collections::BTreeMap;

use super::{Broken, Promise};
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise =
    Promise { name: "audience", says: "A post is shown to those only for whom it is.", check };

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut limited: BTreeMap<(&str, &str), &Record> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.method == "post.create" && record.may_be_done()) {
        if let (Some(id), Some("followers" | "onlyMe")) = (record.arg("id"), record.arg("audience")) {
            limited.insert((&record.app, id), record);
        }
    }
    let mut broken = Vec::new();
    for read in evidence.all() {
        for id in shown(read) {
            let Some(post) = limited.get(&(read.app.as_str(), id)) else { continue };
            if post.user == read.user
                || (post.arg("audience") == Some("followers") && may_follow(read, post, evidence))
            {
                continue;
            }
            broken.push(Broken::by(
                format!("post {id} was shown to somebody for whom it is not"),
                [*post, read],
            ));
        }
    }
    broken
}

/// Whether the reader may have followed the author while the read was under way.
fn may_follow(read: &Record, post: &Record, evidence: &Evidence) -> bool {
    let (Some(reader), Some(author)) = (read.user.as_deref(), post.user.as_deref()) else { return false };
    let of = |record: &&Record, method: &str, user: &str, other: &str| {
        record.app == read.app
            && record.method == method
            && record.user.as_deref() == Some(user)
            && record.arg("id") == Some(other)
    };
    let ends = |record: &&Record| {
        of(record, "follow.delete", reader, author)
            || of(record, "block.create", reader, author)
            || of(record, "block.create", author, reader)
    };
    let ended =
        evidence.all().filter(ends).filter(|record| record.ok().is_some() && record.over() < read.invoked);
    let ended = ended.map(|record| record.invoked).max().unwrap_or(0);
    let until = read.returned.unwrap_or(u64::MAX);
    let mut follows = evidence.all().filter(|record| of(record, "follow.create", reader, author));
    follows.any(|follow| follow.may_be_done() && follow.over() >= ended && follow.invoked < until)
}

/// The posts that a reply shows.
fn shown(record: &Record) -> Vec<&str> {
    let Some(value) = record.ok() else { return Vec::new() };
    match record.method.as_str() {
        "post.get" => value["id"].as_str().into_iter().collect(),
        "post.getMany" | "post.listByProfile" => {
            record.items().iter().filter_map(|item| item["id"].as_str()).collect()
        }
        "timeline.getHome" => {
            record.items().iter().filter_map(|item| item["object"]["id"].as_str()).collect()
        }
        "sync.pull" => {
            let posts = record.items().iter().filter(|item| item["op"] == "put" && item["type"] == "post");
            posts.filter_map(|item| item["root"].as_str()?.strip_prefix("post:")).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok};
    use super::*;
    use serde_json::json;

    fn posted(told: Told, audience: &str) -> Told {
        told.call("a", "post.create", json!({ "id": "p", "audience": audience }), ok(json!({ "id": "p" })))
    }

    fn read(told: Told, user: &str) -> usize {
        check(&told.call(user, "post.get", json!({ "id": "p" }), ok(json!({ "id": "p" }))).evidence()).len()
    }

    #[test]
    fn what_is_for_its_author_is_shown_to_nobody_else() {
        let told =
            posted(Told::default().call("b", "follow.create", json!({ "id": "a" }), ok(json!({}))), "onlyMe");
        assert_eq!((read(told.clone(), "a"), read(told, "b")), (0, 1));
    }

    #[test]
    fn what_is_for_followers_is_shown_to_those_who_may_follow() {
        let told = posted(Told::default(), "followers");
        assert_eq!(read(told.clone(), "b"), 1);
        let follow = |told: Told| told.call("b", "follow.create", json!({ "id": "a" }), ok(json!({})));
        assert_eq!(read(follow(told.clone()), "b"), 0);
        let no_more = follow(told.clone()).call("b", "follow.delete", json!({ "id": "a" }), ok(json!({})));
        assert_eq!(read(no_more.clone(), "b"), 1);
        assert_eq!(read(follow(no_more), "b"), 0);
        let blocked = follow(told.clone()).call("a", "block.create", json!({ "id": "b" }), ok(json!({})));
        assert_eq!(read(blocked, "b"), 1);
        let perhaps = told.call("b", "follow.create", json!({ "id": "a" }), crate::history::Outcome::LOST);
        assert_eq!(read(perhaps, "b"), 0);
    }

    #[test]
    fn every_way_out_is_looked_at() {
        let home = ok(json!({ "items": [{ "object": { "type": "post", "id": "p" } }] }));
        let item = json!({ "op": "put", "type": "post", "root": "post:p", "id": "p" });
        let page = ok(json!({ "items": [item] }));
        let list = ok(json!({ "items": [{ "id": "p" }] }));
        for (method, reply) in [("timeline.getHome", home), ("sync.pull", page), ("post.getMany", list)] {
            let told = posted(Told::default(), "onlyMe").call("b", method, json!({}), reply);
            assert_eq!(check(&told.evidence()).len(), 1, "{method}");
        }
    }
}
