//! An operation id takes effect at most once: whoever sends it again with the same body gets the first reply
//! again, with the revision of then; with another body it is refused.

use std::collections::BTreeMap;

use super::{Broken, Promise};
use crate::history::read::position;
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "once",
    says: "An operation id takes effect at most once, and the same reply comes again.",
    check,
};

/// Refusals that speak of the operation itself, not of the moment.
const FINAL: [&str; 7] =
    ["not-found", "forbidden", "id-taken", "name-taken", "stale-revision", "invalid", "key-reused"];

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut first: BTreeMap<(&str, Option<&str>, &str), &Record> = BTreeMap::new();
    let mut broken = Vec::new();
    for record in evidence.all() {
        let Some(op) = record.op.as_deref() else { continue };
        if let Some(before) = first.get(&(record.app.as_str(), record.user.as_deref(), op))
            && (&before.method, &before.args) == (&record.method, &record.args)
            && record.refused().is_some_and(|code| FINAL.contains(&code))
            && before.over() < record.invoked
        {
            broken.push(Broken::by(format!("operation {op} was done, and then refused"), [*before, record]));
        }
        let Some(value) = record.ok() else { continue };
        let before = *first.entry((&record.app, record.user.as_deref(), op)).or_insert(record);
        if (&before.method, &before.args) != (&record.method, &record.args) {
            broken.push(Broken::by(format!("operation {op} was done with two bodies"), [before, record]));
        } else if before.ok().map(without_eras) != Some(without_eras(value)) {
            broken.push(Broken::by(format!("operation {op} got two replies"), [before, record]));
        }
    }
    broken
}

/// A lone member opens a new era at each start, and says everything in it.
fn without_eras(value: &serde_json::Value) -> serde_json::Value {
    let mut value = value.clone();
    if let Some(rev) = value.get_mut("rev")
        && let Some(at) = rev.as_str().and_then(position)
    {
        *rev = at.into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    fn sent(told: Told, text: &str, rev: &str) -> Told {
        told.with_op("o").call("a", "post.create", json!({ "text": text }), ok(json!({ "rev": rev })))
    }

    #[test]
    fn the_same_reply_comes_again() {
        let good = sent(sent(Told::default(), "x", "5.00000001"), "x", "5.00000002");
        assert_eq!(check(&good.evidence()), []);
        let twice = sent(sent(Told::default(), "x", "5.0"), "x", "6.0");
        assert_eq!(check(&twice.evidence()).len(), 1);
    }

    #[test]
    fn what_was_done_is_not_refused_afterwards() {
        let first = sent(Told::default(), "x", "5.0");
        let again = |code: &str, status| {
            let told = first.clone().with_op("o");
            check(&told.call("a", "post.create", json!({ "text": "x" }), refused(status, code)).evidence())
                .len()
        };
        assert_eq!(
            (again("stale-revision", 412), again("busy", 503), again("unauthenticated", 401)),
            (1, 0, 0)
        );
    }

    #[test]
    fn another_body_is_refused() {
        let first = sent(Told::default(), "x", "5.0");
        let body = json!({ "text": "y" });
        let good = first.clone().with_op("o").call("a", "post.create", body, refused(422, "key-reused"));
        assert_eq!(check(&good.evidence()), []);
        assert_eq!(check(&sent(first, "y", "5.0").evidence()).len(), 1);
    }

    #[test]
    fn ids_of_two_people_are_two_operations() {
        let one = sent(Told::default(), "x", "5.0");
        let other =
            one.with_op("o").call("b", "post.create", json!({ "text": "y" }), ok(json!({ "rev": "6.0" })));
        assert_eq!(check(&other.evidence()), []);
    }
}
