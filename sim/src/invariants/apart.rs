//! Apps are apart, and so are people: a key, token, cursor or id of another gives nothing but a refusal, and no
//! reply ever has a value that was written in another app. A cursor with a flipped bit is no cursor.

use super::{Broken, Promise};
use crate::history::{Evidence, Mischief, Record};
use crate::workload::app_mark;

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "apart",
    says: "Another app's or user's token, cursor and id give nothing; no reply shows another app's values.",
    check,
};

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut apps: Vec<&str> = evidence.all().map(|record| record.app.as_str()).collect();
    apps.sort_unstable();
    apps.dedup();
    let mut broken = Vec::new();
    for record in evidence.all() {
        if let Some(wrong) = record.mischief.and_then(|mischief| wrong(mischief, record, evidence)) {
            broken.push(Broken::by(wrong, [record]));
        }
        let Some(value) = record.ok().filter(|_| apps.len() > 1) else { continue };
        let text = value.to_string();
        let others = apps.iter().filter(|app| **app != record.app);
        for app in others.filter(|app| text.contains(&app_mark(app))) {
            broken.push(Broken::by(format!("app {} was shown what app {app} wrote", record.app), [record]));
        }
    }
    broken
}

/// What is wrong with the answer.
fn wrong(mischief: Mischief, record: &Record, evidence: &Evidence) -> Option<String> {
    let same =
        |other: &&Record| (&other.app, &other.user, &other.op) == (&record.app, &record.user, &record.op);
    if mischief == Mischief::OtherBody
        && !evidence.all().filter(same).any(|other| other.mischief.is_none() && other.ok().is_some())
    {
        // What it repeats is not known to have been done.
        return None;
    }
    if record.ok().is_some() {
        return Some(format!("{mischief:?} was answered as if it were right"));
    }
    // A token that was too old is refused before anything else is looked at.
    let aside = ["busy", "unavailable", "rate-limited", "unauthenticated"];
    let code = record.refused().filter(|code| !aside.contains(code))?;
    let right: &[&str] = match mischief {
        Mischief::CursorOfAnotherUser | Mischief::CursorOfAnotherApp | Mischief::CursorChanged => {
            &["cursor-invalid", "bad-request", "invalid"]
        }
        Mischief::IdOfAnotherApp => &["not-found"],
        Mischief::TokenOfAnotherApp | Mischief::TokenChanged => &["unauthenticated"],
        Mischief::OtherBody => &["key-reused"],
        Mischief::UnknownField => &["unknown-field"],
        Mischief::WrongType => &["invalid", "bad-request"],
    };
    (!right.contains(&code)).then(|| format!("{mischief:?} was refused as {code}"))
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_of_another_app_is_found() {
        let two = Told::default().in_app("two").call("b", "post.get", json!({}), ok(json!({})));
        let post = |app: &str| ok(json!({ "text": app_mark(app) }));
        let good = two.clone().in_app("one").call("a", "post.get", json!({}), post("one"));
        assert_eq!(check(&good.evidence()), []);
        let bad = two.in_app("one").call("a", "post.get", json!({}), post("two"));
        assert_eq!(check(&bad.evidence()).len(), 1);
    }

    #[test]
    fn another_body_is_mischief_only_after_the_first_was_done() {
        let again = |told: Told, outcome| {
            let told = told.with_op("o").with_mischief(Mischief::OtherBody);
            check(&told.call("a", "post.update", json!({ "text": "y" }), outcome).evidence()).len()
        };
        let first = |outcome| Told::default().with_op("o").call("a", "post.update", json!({}), outcome);
        assert_eq!(again(first(ok(json!({}))), refused(422, "key-reused")), 0);
        assert_eq!(again(first(ok(json!({}))), refused(404, "not-found")), 1);
        assert_eq!(again(first(ok(json!({}))), ok(json!({}))), 1);
        assert_eq!(again(first(crate::history::Outcome::LOST), ok(json!({}))), 0);
    }

    #[test]
    fn mischief_is_refused_for_the_right_reason() {
        let pull = |outcome| {
            let told = Told::default().with_mischief(Mischief::CursorOfAnotherUser);
            check(&told.call("a", "sync.pull", json!({}), outcome).evidence()).len()
        };
        assert_eq!(pull(refused(400, "cursor-invalid")), 0);
        assert_eq!(pull(refused(503, "busy")), 0);
        assert_eq!(pull(refused(401, "unauthenticated")), 0);
        assert_eq!(pull(crate::history::Outcome::LOST), 0);
        assert_eq!(pull(refused(404, "not-found")), 1);
        assert_eq!(pull(ok(json!({ "items": [] }))), 1);
    }
}
