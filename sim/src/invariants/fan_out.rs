//! A post comes to everybody who follows its author: when everything has come to rest, it is in the home timeline of
//! each of those whom its author had been told to be a follower before it was written. Where there was a block or an
//! end of following between the two, or the post was deleted, nothing is said.

use std::collections::{BTreeMap, BTreeSet};

use super::folded::blocks;
use super::{Broken, Promise};
use crate::history::Evidence;
use crate::history::fold::folded;

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "fan-out",
    says: "When all has come to rest, a post is in the home timeline of everybody who followed its author.",
    check,
};

/// Older entries than so many are trimmed.
const KEPT: usize = 1_000;

fn check(evidence: &Evidence) -> Vec<Broken> {
    if !evidence.settled {
        return Vec::new();
    }
    let blocks = blocks(evidence);
    let of = |method: &'static str| {
        evidence.all().filter(move |record| record.method == method && record.may_be_done())
    };
    let ended: BTreeSet<(&str, &str)> =
        of("follow.delete").filter_map(|record| record.user.as_deref().zip(record.arg("id"))).collect();
    let deleted: BTreeSet<(&str, &str)> =
        of("post.delete").filter_map(|record| Some((record.app.as_str(), record.arg("id")?))).collect();
    let known = followers(evidence);
    // The last of somebody's phones that followed to the end: it began from nothing when all was at rest.
    let mut homes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let followers = folded(evidence);
    for held in &followers {
        let own = format!("profile:{}", held.user);
        let entries = held.rows.keys().filter(|key| key.0 == own && key.3 == "home");
        homes.insert((held.app, held.user), entries.map(|key| key.4.as_str()).collect());
    }
    let mut broken = Vec::new();
    for post in
        of("post.create").filter(|record| record.ok().is_some() && record.arg("audience") != Some("onlyMe"))
    {
        let (Some(author), Some(id)) = (post.user.as_deref(), post.arg("id")) else { continue };
        if deleted.contains(&(&post.app, id)) {
            continue;
        }
        for (follower, since) in known.get(&(post.app.as_str(), author)).into_iter().flatten() {
            let Some(home) = homes.get(&(post.app.as_str(), *follower)) else { continue };
            let parted = blocks.contains(&(author, follower)) || ended.contains(&(*follower, author));
            if *since < post.invoked && !parted && home.len() < KEPT && !home.contains(id) {
                let what = format!("post {id} did not come to {follower}, who follows its author");
                broken.push(Broken::by(what, [post]));
            }
        }
    }
    broken
}

/// Whom authors had been told to be their followers, and since when.
fn followers(evidence: &Evidence) -> BTreeMap<(&str, &str), BTreeMap<&str, u64>> {
    let mut known: BTreeMap<(&str, &str), BTreeMap<&str, u64>> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.method == "sync.pull") {
        let Some(user) = record.user.as_deref() else { continue };
        for id in record.items().iter().filter_map(|item| follower(item, user)) {
            known.entry((&record.app, user)).or_default().entry(id).or_insert(record.over());
        }
    }
    known
}

fn follower<'a>(item: &'a serde_json::Value, user: &str) -> Option<&'a str> {
    let own = item["root"].as_str()?.strip_prefix("profile:")? == user;
    (own && item["op"] == "put" && item["type"] == "followedBy").then(|| item["id"].as_str())?
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok};
    use super::*;
    use serde_json::{Value, json};

    fn pulled(told: Told, user: &str, of_type: &str, id: &str) -> Told {
        let root = format!("profile:{user}");
        let item: Value =
            json!({ "op": "put", "root": root, "section": "s", "type": of_type, "id": id, "rev": "1.0" });
        let reply = json!({ "items": [item], "cursor": "c", "end": true });
        told.call(user, "sync.pull", json!({}), ok(reply))
    }

    fn posted(told: Told, id: &str) -> Told {
        told.call("a", "post.create", json!({ "id": id }), ok(json!({ "id": id })))
    }

    #[test]
    fn a_post_comes_to_those_who_follow() {
        let told = posted(pulled(Told::default(), "a", "followedBy", "b"), "p");
        let came = pulled(told.clone().settled(), "b", "home", "p");
        assert_eq!(check(&came.evidence()), []);
        let other = pulled(told.settled(), "b", "home", "q");
        assert_eq!(check(&other.evidence()).len(), 1);
        let later = pulled(posted(Told::default(), "p"), "a", "followedBy", "b");
        assert_eq!(check(&pulled(later.settled(), "b", "home", "q").evidence()), [], "who followed later");
    }

    #[test]
    fn where_they_parted_or_it_was_deleted_nothing_is_said() {
        let told = || posted(pulled(Told::default(), "a", "followedBy", "b"), "p");
        for (user, method, id) in
            [("b", "follow.delete", "a"), ("a", "block.create", "b"), ("a", "post.delete", "p")]
        {
            let told = told().call(user, method, json!({ "id": id }), ok(json!({})));
            assert_eq!(check(&pulled(told.settled(), "b", "home", "q").evidence()), [], "{method}");
        }
    }
}
