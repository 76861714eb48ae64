//! Each entity is as if one call came after the other, in an order that agrees with what was over before what:
//! nothing acknowledged is lost, no read is stale, of two writes on one revision one wins. What a client does
//! not know the outcome of happened at some time after it was sent, or never.

use std::collections::BTreeMap;

use super::{Broken, Promise};
use crate::checker::register::{Op, Register, State};
use crate::checker::{Timed, Verdict, search};
use crate::history::read::position;
use crate::history::{Evidence, Outcome, Record};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "linearizable",
    says: "The calls on one post are explained by one order; nothing acknowledged is lost.",
    check,
};

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut posts: BTreeMap<(&str, &str), Vec<&Record>> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.mischief.is_none()) {
        if let (Some(id), "post.create" | "post.update" | "post.get" | "post.delete") =
            (record.arg("id"), record.method.as_str())
        {
            posts.entry((&record.app, id)).or_default().push(record);
        }
    }
    posts.into_iter().filter_map(|((_, id), records)| broken(id, &records)).collect()
}

fn broken(id: &str, records: &[&Record]) -> Option<Broken> {
    // A device's own time decides between edits that were made offline: another rule than this one.
    if records.iter().any(|record| !record.args["editedAt"].is_null()) {
        return None;
    }
    let author = records.iter().find(|record| record.method == "post.create")?.user.clone();
    let mut used: Vec<&Record> = Vec::new();
    let mut ops: Vec<Timed<Op>> = Vec::new();
    let mut by_op: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        let Some(op) = op(record, author.as_deref()) else { continue };
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
    match search::<Register>(State::Absent, &ops) {
        Verdict::Explained | Verdict::GaveUp => None,
        Verdict::Impossible(_) => Some(Broken::by(format!("no order explains post {id}"), used)),
    }
}

/// What a record does to the post; nothing if it says nothing about it.
fn op(record: &Record, author: Option<&str>) -> Option<Op> {
    let text = || Some(record.arg("text")?.to_owned());
    let condition = record.arg("ifRev").and_then(position);
    let rev = || position(record.ok()?["rev"].as_str()?);
    match (record.method.as_str(), &record.outcome) {
        ("post.create", Outcome::Ok { .. } | Outcome::Unknown { .. }) => Some(Op::Create(text()?, rev())),
        ("post.update", Outcome::Ok { .. } | Outcome::Unknown { .. }) => {
            Some(Op::Update(text()?, condition, rev()))
        }
        ("post.update" | "post.delete", Outcome::Failed { status: 412, .. }) => condition.map(Op::Stale),
        ("post.delete", Outcome::Ok { .. } | Outcome::Unknown { .. }) => Some(Op::Delete),
        ("post.get", Outcome::Ok { value, .. }) => Some(Op::Read(value["text"].as_str()?.to_owned(), rev()?)),
        // Others may be blocked, or may not see it.
        ("post.get", Outcome::Failed { status: 404, .. }) if record.user.as_deref() == author => {
            Some(Op::Missing)
        }
        _ => None,
    }
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
}
