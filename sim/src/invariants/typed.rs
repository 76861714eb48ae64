//! What is refused is refused typed: with a code of the contract that fits its status, and a time to wait where
//! waiting helps. Nothing is answered `internal`: that is a bug, whatever the load.

use super::{Broken, Promise};
use crate::history::{Evidence, Outcome};

/// The promise.
pub const PROMISE: Promise = Promise {
    name: "typed",
    says: "Overload and errors are refused with a code of the contract; nothing is an internal error.",
    check,
};

/// Codes by status.
const CODES: &[(u16, &[&str])] = &[
    (400, &["bad-request", "unknown-field", "cursor-invalid"]),
    (401, &["unauthenticated"]),
    (403, &["forbidden"]),
    (404, &["not-found"]),
    (408, &["timeout"]),
    (409, &["id-taken", "name-taken", "in-progress", "conflict"]),
    (410, &["cursor-expired"]),
    (412, &["stale-revision"]),
    (413, &["too-large"]),
    (415, &["unsupported-media-type"]),
    (422, &["invalid", "key-reused"]),
    (429, &["rate-limited"]),
    (500, &["corrupt"]),
    (503, &["busy", "unavailable"]),
    (504, &["timeout"]),
    (507, &["disk-full"]),
];

fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut broken = Vec::new();
    for record in evidence.all() {
        let (status, problem, wait) = match &record.outcome {
            Outcome::Failed { status, problem, retry_after_s } => (*status, problem, *retry_after_s),
            Outcome::Unknown { status: Some(status), problem } => (*status, problem, None),
            Outcome::Ok { .. } | Outcome::Unknown { status: None, .. } => continue,
        };
        let code = problem["code"].as_str().unwrap_or("");
        let fits = CODES.iter().any(|(known, codes)| *known == status && codes.contains(&code));
        if !fits {
            broken.push(Broken::by(format!("{status} has the code {code:?}"), [record]));
        } else if [429, 503].contains(&status) && wait.is_none() {
            broken.push(Broken::by(format!("{status} does not say when to try again"), [record]));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::told::{Told, refused};
    use super::*;
    use serde_json::json;

    fn found(outcome: Outcome) -> usize {
        check(&Told::default().call("a", "post.get", json!({}), outcome).evidence()).len()
    }

    #[test]
    fn codes_fit_their_status() {
        for (status, codes) in CODES {
            codes.iter().for_each(|code| assert_eq!(found(refused(*status, code)), 0, "{status} {code}"));
        }
        assert_eq!(found(Outcome::LOST), 0);
        for (status, code) in [(500, "internal"), (503, "timeout"), (404, ""), (418, "teapot")] {
            assert_eq!(found(refused(status, code)), 1, "{status} {code}");
        }
    }

    #[test]
    fn who_must_wait_is_told_how_long() {
        let silent = Outcome::of_answer(503, json!({ "code": "busy" }), None, false, None);
        assert_eq!(found(silent), 1);
    }
}
