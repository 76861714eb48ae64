//! A count is the number of what it counts: when everything has come to rest, a post has as many likes as there are
//! people who like it. Where nobody knows whether somebody's like was done, either number is right.

use std::collections::BTreeMap;

use super::{Broken, Promise};
use crate::history::read::NEVER;
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "counts",
    says: "When all has come to rest, a post has as many likes as people like it.",
    check,
};

/// What is known of one person's like of one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Like {
    Yes,
    No,
    Perhaps,
}

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut likes: BTreeMap<(&str, &str), BTreeMap<&str, Like>> = BTreeMap::new();
    let mut calls: BTreeMap<(&str, &str, &str), Vec<&Record>> = BTreeMap::new();
    for record in evidence.all().filter(|record| matches!(record.method.as_str(), "like.put" | "like.delete"))
    {
        if let (Some(user), Some(id), true) = (record.user.as_deref(), record.arg("id"), record.may_be_done())
        {
            calls.entry((&record.app, id, user)).or_default().push(record);
        }
    }
    for ((app, id, user), calls) in calls {
        likes.entry((app, id)).or_default().insert(user, outcome(&calls));
    }
    let mut broken = Vec::new();
    for read in evidence.rest.iter().filter(|_| evidence.settled) {
        let shown = if read.method == "post.getMany" { read.items() } else { &[] };
        for post in shown {
            let (Some(id), Some(count)) = (post["id"].as_str(), post["likes"]["count"].as_u64()) else {
                continue;
            };
            let known = likes.get(&(read.app.as_str(), id));
            let number = |which: &[Like]| {
                let of = known.map_or(0, |known| known.values().filter(|like| which.contains(like)).count());
                of as u64
            };
            let (least, most) = (number(&[Like::Yes]), number(&[Like::Yes, Like::Perhaps]));
            if !(least..=most).contains(&count) {
                let what = format!("post {id} counts {count} likes, and has {least} to {most}");
                broken.push(Broken::by(what, [read]));
            }
        }
    }
    broken
}

/// What came of somebody's calls on one post.
fn outcome(calls: &[&Record]) -> Like {
    // An operation that was sent again is known as soon as one of its answers is.
    let known = |call: &&&Record| {
        let same = |other: &&&Record| call.op.is_some() && other.op == call.op && other.ok().is_some();
        call.ok().is_some() || calls.iter().any(|other| same(&other))
    };
    if !calls.iter().all(|call| known(&call)) {
        return Like::Perhaps;
    }
    // Operations, by their ids: when the first was sent, when the first answer came, and what it is.
    let mut done: Vec<(u64, u64, bool)> = Vec::new();
    let mut by_op: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        let over = call.ok().map_or(NEVER, |_| call.over());
        match call.op.as_deref().and_then(|op| by_op.get(op)) {
            Some(&at) => done[at] = (done[at].0.min(call.invoked), done[at].1.min(over), done[at].2),
            None => {
                if let Some(op) = call.op.as_deref() {
                    by_op.insert(op, done.len());
                }
                done.push((call.invoked, over, call.method == "like.put"));
            }
        }
    }
    done.sort_unstable();
    let Some(&(last, _, likes)) = done.last() else { return Like::No };
    // Those that were under way at once may have come in either order.
    let at_once = done[..done.len() - 1].iter().any(|(_, over, other)| *over >= last && *other != likes);
    match (at_once, likes) {
        (true, _) => Like::Perhaps,
        (false, true) => Like::Yes,
        (false, false) => Like::No,
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok};
    use super::*;
    use crate::history::Outcome;
    use serde_json::json;

    fn like(told: Told, user: &str, method: &str, outcome: Outcome) -> Told {
        told.with_op(&format!("{user}{method}")).call(user, method, json!({ "id": "p" }), outcome)
    }

    fn wrong(told: Told, count: u64) -> usize {
        let items = json!({ "items": [{ "id": "p", "likes": { "count": count } }] });
        check(&told.settled().call("x", "post.getMany", json!({ "ids": ["p"] }), ok(items)).evidence()).len()
    }

    #[test]
    fn there_are_as_many_as_like_it() {
        let one = like(Told::default(), "a", "like.put", ok(json!({})));
        assert_eq!((wrong(one.clone(), 1), wrong(one.clone(), 0), wrong(one.clone(), 2)), (0, 1, 1));
        let none = like(one.clone(), "a", "like.delete", ok(json!({})));
        assert_eq!((wrong(none.clone(), 0), wrong(none, 1)), (0, 1));
        let again = like(one, "a", "like.put", ok(json!({})));
        assert_eq!((wrong(again.clone(), 1), wrong(again, 2)), (0, 1));
    }

    #[test]
    fn of_what_nobody_knows_either_is_right() {
        let lost = like(Told::default(), "a", "like.put", Outcome::LOST);
        assert_eq!((wrong(lost.clone(), 0), wrong(lost.clone(), 1), wrong(lost.clone(), 2)), (0, 0, 1));
        let found = like(lost, "a", "like.put", ok(json!({})));
        assert_eq!((wrong(found.clone(), 1), wrong(found, 0)), (0, 1));
    }
}
