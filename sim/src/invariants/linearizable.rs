//! Each entity is as if one call came after the other, in an order that agrees with what was over before what:
//! nothing acknowledged is lost, no read is stale, of two writes on one revision one wins. What a client does
//! not know the outcome of happened at some time after it was sent, or never.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Broken, Promise};
use crate::checker::register::{Op, Register, State};
use crate::checker::{STATES_MAX, Timed, Verdict, search};
use crate::history::read::position;
use crate::history::{Evidence, Outcome, Record};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "linearizable",
    says: "The calls on one post are explained by one order; nothing acknowledged is lost.",
    check,
};

fn check(evidence: &Evidence) -> Vec<Broken> {
    check_within(evidence, STATES_MAX)
}

fn check_within(evidence: &Evidence, states_max: usize) -> Vec<Broken> {
    let mut posts: BTreeMap<(&str, String), Vec<(&Record, Seen)>> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.mischief.is_none()) {
        for (id, seen) in seen(record) {
            posts.entry((&record.app, id)).or_default().push((record, seen));
        }
    }
    posts.into_iter().filter_map(|((_, id), records)| broken(&id, &records, states_max)).collect()
}

/// What a record says of a post.
enum Seen {
    /// The call was about it.
    Call,
    /// A list shows it.
    Listed(Op),
    /// It was asked for, among others, and was not shown.
    Absent,
}

fn seen(record: &Record) -> Vec<(String, Seen)> {
    match record.method.as_str() {
        "post.create" | "post.update" | "post.get" | "post.delete" => {
            record.arg("id").map(|id| (id.to_owned(), Seen::Call)).into_iter().collect()
        }
        "post.getMany" | "post.listByProfile" => {
            let read = |post: &Value| {
                let id = post["id"].as_str()?.to_owned();
                Some((id, Seen::Listed(Op::Read(text_of(post)?, rev_of(post)?))))
            };
            let mut seen: Vec<(String, Seen)> = record.items().iter().filter_map(read).collect();
            let asked = record.ok().and_then(|_| record.args["ids"].as_array());
            for id in asked.into_iter().flatten().filter_map(Value::as_str) {
                if seen.iter().all(|(shown, _)| shown != id) {
                    seen.push((id.to_owned(), Seen::Absent));
                }
            }
            seen
        }
        _ => Vec::new(),
    }
}

fn broken(id: &str, records: &[(&Record, Seen)], states_max: usize) -> Option<Broken> {
    let author = records.iter().find(|(record, _)| record.method == "post.create")?.0.user.clone();
    let mut used: Vec<&Record> = Vec::new();
    let mut ops: Vec<Timed<Op>> = Vec::new();
    let mut by_op: BTreeMap<&str, usize> = BTreeMap::new();
    for (record, seen) in records {
        let op = match seen {
            Seen::Call => op(record, author.as_deref()),
            Seen::Listed(op) => Some(op.clone()),
            Seen::Absent => (record.user == author).then_some(Op::Missing),
        };
        let Some(op) = op else { continue };
        let over = record.may_be_done().then(|| record.ok().and(record.returned));
        let timed = Timed { op, invoked: record.invoked, over: over.unwrap_or(record.returned) };
        // An operation that is sent again is one operation: from its first sending to its first reply.
        match record.op.as_deref().and_then(|op| by_op.get(op)) {
            Some(&number) => {
                if timed.over.is_some() && ops[number].over.is_none_or(|over| Some(over) > timed.over) {
                    ops[number] = Timed { invoked: ops[number].invoked.min(timed.invoked), ..timed };
                    used[number] = record;
                }
            }
            None => {
                if let Some(op) = record.op.as_deref() {
                    by_op.insert(op, ops.len());
                }
                ops.push(timed);
                used.push(record);
            }
        }
    }
    drop_unseen(&mut ops);
    match search::<Register>(State::Absent, &ops, states_max) {
        Verdict::Explained => None,
        Verdict::Impossible(_) => Some(Broken::by(format!("no order explains post {id}"), used)),
        Verdict::GaveUp => {
            let what = format!("no order was found for post {id}, and not all were tried");
            Some(Broken { undecided: true, ..Broken::by(what, used) })
        }
    }
}

/// Leaves out edits of which nobody knows whether they happened and whose value nobody saw: values are unique, so
/// that they explain nothing, unless somebody was told that a revision was stale.
fn drop_unseen(ops: &mut Vec<Timed<Op>>) {
    if ops.iter().any(|timed| matches!(timed.op, Op::Stale(_))) {
        return;
    }
    let seen = |op: &Op| match op {
        Op::Read(value, _) | Op::Overruled(value, _) => Some(value.clone()),
        _ => None,
    };
    let seen: BTreeSet<String> = ops.iter().filter_map(|timed| seen(&timed.op)).collect();
    ops.retain(|timed| match &timed.op {
        Op::Update(value, ..) => timed.over.is_some() || seen.contains(value),
        _ => true,
    });
}

/// What a record does to the post that it is about; nothing if it says nothing about it.
fn op(record: &Record, author: Option<&str>) -> Option<Op> {
    let text = || Some(record.arg("text")?.to_owned());
    let condition = record.arg("ifRev").and_then(position);
    match (record.method.as_str(), &record.outcome) {
        ("post.create", Outcome::Ok { value, .. }) => Some(Op::Create(text()?, rev_of(value))),
        ("post.create", Outcome::Unknown { .. }) => Some(Op::Create(text()?, None)),
        // An edit that was made on a phone carries the time of the edit: the latest one holds, and the others are
        // told what does.
        ("post.update", Outcome::Ok { value, .. })
            if record.arg("editedAt").is_some() && text_of(value) != text() =>
        {
            Some(Op::Overruled(text_of(value)?, rev_of(value)?))
        }
        ("post.update", Outcome::Ok { value, .. }) => Some(Op::Update(text()?, condition, rev_of(value))),
        ("post.update", Outcome::Unknown { .. }) => Some(Op::Update(text()?, condition, None)),
        ("post.update" | "post.delete", Outcome::Failed { status: 412, .. }) => condition.map(Op::Stale),
        ("post.delete", Outcome::Ok { .. } | Outcome::Unknown { .. }) => Some(Op::Delete),
        ("post.get", Outcome::Ok { value, .. }) => Some(Op::Read(text_of(value)?, rev_of(value)?)),
        // Others may be blocked, or may not see it.
        ("post.get", Outcome::Failed { status: 404, .. }) if record.user.as_deref() == author => {
            Some(Op::Missing)
        }
        _ => None,
    }
}

fn text_of(post: &Value) -> Option<String> {
    Some(post["text"].as_str()?.to_owned())
}

fn rev_of(post: &Value) -> Option<u64> {
    position(post["rev"].as_str()?)
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    fn post(text: &str, rev: &str) -> Outcome {
        ok(json!({ "id": "p", "text": text, "rev": rev }))
    }

    fn created() -> Told {
        Told::default().call("a", "post.create", json!({ "id": "p", "text": "1" }), post("1", "5.0"))
    }

    #[test]
    fn what_was_acknowledged_is_read() {
        let get = json!({ "id": "p" });
        let good = created().call("a", "post.get", get.clone(), post("1", "5.0"));
        assert_eq!(check(&good.evidence()), []);
        let lost = created().call("a", "post.get", get.clone(), refused(404, "not-found"));
        assert_eq!(check(&lost.evidence()).len(), 1);
        let hidden = created().call("b", "post.get", get, refused(404, "not-found"));
        assert_eq!(check(&hidden.evidence()), []);
    }

    #[test]
    fn a_condition_that_does_not_hold_is_refused() {
        let edit = |text: &str| json!({ "id": "p", "text": text, "ifRev": "5.0" });
        let first = created().call("a", "post.update", edit("2"), post("2", "7.0"));
        let good = first.clone().call("a", "post.update", edit("3"), refused(412, "stale-revision"));
        assert_eq!(check(&good.evidence()), []);
        let bad = first.call("a", "post.update", edit("3"), post("3", "9.0"));
        assert_eq!(check(&bad.evidence()).len(), 1);
    }

    #[test]
    fn a_retry_is_the_same_operation() {
        let edit = json!({ "id": "p", "text": "2", "ifRev": "5.0" });
        let told = created().with_op("o").call("a", "post.update", edit.clone(), Outcome::LOST);
        let told = told.with_op("o").call("a", "post.update", edit, post("2", "7.0"));
        assert_eq!(check(&told.evidence()), []);
    }

    #[test]
    fn an_edit_of_a_phone_may_be_overruled_but_not_lost() {
        let edit = json!({ "id": "p", "text": "2", "editedAt": "2026-11-23T00:00:00.000Z" });
        let late = created().call("a", "post.update", edit.clone(), post("1", "6.0"));
        assert_eq!(check(&late.evidence()), []);
        let done = created().call("a", "post.update", edit, post("2", "6.0"));
        let get = json!({ "id": "p" });
        assert_eq!(check(&done.clone().call("a", "post.get", get.clone(), post("2", "6.0")).evidence()), []);
        assert_eq!(check(&done.call("a", "post.get", get, post("1", "5.0")).evidence()).len(), 1);
    }

    #[test]
    fn what_a_list_shows_is_read() {
        let list = |text: &str, rev: &str| ok(json!({ "items": [{ "id": "p", "text": text, "rev": rev }] }));
        let listed =
            |reply| created().call("b", "post.listByProfile", json!({ "id": "a" }), reply).evidence();
        assert_eq!(check(&listed(list("1", "5.0"))), []);
        assert_eq!(check(&listed(list("0", "4.0"))).len(), 1);
    }

    #[test]
    fn what_is_asked_for_among_others_and_not_shown_is_missing_for_its_author() {
        let many = |user: &str| {
            created()
                .call(user, "post.getMany", json!({ "ids": ["p"] }), ok(json!({ "items": [] })))
                .evidence()
        };
        assert_eq!(check(&many("a")).len(), 1);
        assert_eq!(check(&many("b")), []);
    }

    #[test]
    fn a_search_that_is_given_up_is_told() {
        // Edits at once, each of which may come first, all of which were seen, and one read that none explains.
        let mut told = created();
        for number in 0..12 {
            let edit = json!({ "id": "p", "text": number.to_string() });
            told = told.call("a", "post.update", edit, Outcome::LOST);
        }
        for number in 0..12 {
            told = told.call("a", "post.get", json!({ "id": "p" }), post(&number.to_string(), "7.0"));
        }
        let evidence = told.call("a", "post.get", json!({ "id": "p" }), post("x", "99.0")).evidence();
        let found = check_within(&evidence, 5);
        assert!(found.len() == 1 && found[0].undecided, "{found:?}");
        assert!(!check(&evidence)[0].undecided);
    }
}
