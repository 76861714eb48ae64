//! A name has one owner. When everything has come to rest, no two profiles show the same handle; and while
//! somebody holds a handle that nobody was told to give up, nobody else is told that it is theirs.

use std::collections::BTreeMap;

use super::{Broken, Promise};
use crate::history::{Evidence, Record};

/// The promise.
pub const PROMISE: Promise = Promise { name: "names", says: "A name has one owner.", check };

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut shown: BTreeMap<(&str, String), (&str, &Record)> = BTreeMap::new();
    for record in &evidence.rest {
        let one = record.ok().filter(|_| record.method == "profile.get");
        let many = if record.method == "profile.getMany" { record.items() } else { &[] };
        for profile in one.into_iter().chain(many) {
            let (Some(id), Some(handle)) = (profile["id"].as_str(), profile["handle"].as_str()) else {
                continue;
            };
            let first = *shown.entry((&record.app, handle.to_lowercase())).or_insert((id, record));
            if first.0 != id {
                broken.push(Broken::by(format!("{handle} is shown by two profiles"), [first.1, record]));
            }
        }
    }
    let claims: Vec<(&Record, String)> = evidence
        .all()
        .filter(|record| ["profile.setHandle", "auth.createAccount"].contains(&record.method.as_str()))
        .filter_map(|record| Some((record, record.arg("handle")?.to_lowercase())))
        .collect();
    for (claim, name) in claims.iter().filter(|(claim, _)| claim.refused() == Some("name-taken")) {
        let mut holders = claims.iter().filter(|(other, wanted)| {
            other.app == claim.app && wanted == name && other.may_be_done() && !std::ptr::eq(*other, *claim)
        });
        // Who had it before the history began is not known, so only names are judged that somebody else was given.
        let elsewhere = claims
            .iter()
            .find(|(other, wanted)| other.app != claim.app && wanted == name && other.may_be_done());
        if let (None, Some((other, _))) = (holders.next(), elsewhere) {
            broken.push(Broken::by(format!("{name} is taken only in another app"), [*other, *claim]));
        }
    }
    for (number, (claim, name)) in claims.iter().enumerate().filter(|(_, (claim, _))| claim.ok().is_some()) {
        // The holder keeps it until another claim of its own, done or not.
        let own = claims[number + 1..].iter().filter(|(other, new)| other.user == claim.user && new != name);
        let until = own.map(|(other, _)| other.invoked).min().unwrap_or(u64::MAX);
        let taken = claims[number + 1..].iter().find(|(other, new)| {
            other.app == claim.app
                && other.user != claim.user
                && new == name
                && other.ok().is_some()
                && other.invoked > claim.over()
                && other.over() < until
        });
        if let Some((other, _)) = taken {
            broken.push(Broken::by(format!("{name} was given to two"), [*claim, other]));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, ok, refused};
    use super::*;
    use serde_json::json;

    fn take(told: Told, user: &str, handle: &str) -> Told {
        told.call(user, "profile.setHandle", json!({ "handle": handle }), ok(json!({ "id": user })))
    }

    #[test]
    fn a_name_is_given_once() {
        let held = take(Told::default(), "a", "Ada");
        let no = held.clone().call(
            "b",
            "profile.setHandle",
            json!({ "handle": "ada" }),
            refused(409, "name-taken"),
        );
        assert_eq!(check(&no.evidence()), []);
        assert_eq!(check(&take(held.clone(), "b", "ada").evidence()).len(), 1);
        assert_eq!(check(&take(take(held, "a", "other"), "b", "ada").evidence()), []);
    }

    #[test]
    fn a_name_that_is_taken_in_another_app_is_free() {
        let taken = |told: Told| {
            let claim = json!({ "handle": "ada" });
            check(&told.call("b", "profile.setHandle", claim, refused(409, "name-taken")).evidence()).len()
        };
        let elsewhere = take(Told::default().in_app("two"), "a", "ada").in_app("one");
        assert_eq!(taken(elsewhere.clone()), 1);
        assert_eq!(taken(take(elsewhere, "c", "Ada")), 0);
        assert_eq!(taken(Told::default()), 0);
    }

    #[test]
    fn two_profiles_that_show_one_name_are_found() {
        let shown = |told: Told, id: &str| {
            told.call("w", "profile.get", json!({ "id": id }), ok(json!({ "id": id, "handle": "x" })))
        };
        assert_eq!(check(&shown(Told::default().settled(), "a").evidence()), []);
        assert_eq!(check(&shown(shown(Told::default().settled(), "a"), "b").evidence()).len(), 1);
    }
}
