//! Errors as clients see them: the codes of the contract, and RFC 9457 problem details.
//!
//! Must never learn: HTTP headers, methods. A problem is data; the front renders it.

use gomer_core::fault::Fault;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::registry::rev::Rev;

/// A stable name for what went wrong. Clients decide by it and by [`Code::retry`]; never by texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each has its title below")]
pub enum Code {
    BadRequest,
    UnknownField,
    CursorInvalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    IdTaken,
    NameTaken,
    InProgress,
    Conflict,
    CursorExpired,
    StaleRevision,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    KeyReused,
    RateLimited,
    Internal,
    Corrupt,
    Busy,
    Unavailable,
    Timeout,
    DiskFull,
}

/// Whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// Send the very same call again, with the same operation id.
    Same,
    /// Send it again after `Retry-After`, or after a while.
    Later,
}

impl Code {
    /// Every code, by status.
    pub const ALL: [Code; 23] = [
        Code::BadRequest,
        Code::UnknownField,
        Code::CursorInvalid,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::NotFound,
        Code::IdTaken,
        Code::NameTaken,
        Code::InProgress,
        Code::Conflict,
        Code::CursorExpired,
        Code::StaleRevision,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::Invalid,
        Code::KeyReused,
        Code::RateLimited,
        Code::Internal,
        Code::Corrupt,
        Code::Busy,
        Code::Unavailable,
        Code::Timeout,
        Code::DiskFull,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// Its HTTP status.
    pub const fn status(self) -> u16 {
        self.facts().1
    }

    /// Whether trying again makes sense.
    pub const fn retry(self) -> Retry {
        self.facts().2
    }

    /// What it means, in one line.
    pub const fn title(self) -> &'static str {
        self.facts().3
    }

    /// What to do about it, when nothing more specific is known.
    pub const fn advice(self) -> &'static str {
        self.facts().4
    }

    /// Name, status, retry, title, advice: the catalogue, in one table.
    const fn facts(self) -> (&'static str, u16, Retry, &'static str, &'static str) {
        use Retry::{Later, Never, Same};
        match self {
            Code::BadRequest => ("bad-request", 400, Never, "The request is malformed", "Mend the request."),
            Code::UnknownField => (
                "unknown-field",
                400,
                Never,
                "The request has a field that this method does not know",
                "Remove the field that `errors` points to, or update the server.",
            ),
            Code::CursorInvalid => (
                "cursor-invalid",
                400,
                Never,
                "The cursor is damaged, or was made for another list, app or user",
                "Start again without a cursor.",
            ),
            Code::Unauthenticated => (
                "unauthenticated",
                401,
                Never,
                "Key or token are missing, wrong, revoked or expired",
                "Refresh the session, or sign in again.",
            ),
            Code::Forbidden => {
                ("forbidden", 403, Never, "The caller may not do this", "Ask for the role that it needs.")
            }
            Code::NotFound => (
                "not-found",
                404,
                Never,
                "There is no such thing, or the caller may not know of it",
                "Check address and id.",
            ),
            Code::IdTaken => (
                "id-taken",
                409,
                Never,
                "The id belongs to somebody else, or to something that was deleted",
                "Choose a new id.",
            ),
            Code::NameTaken => ("name-taken", 409, Never, "The name is taken", "Choose another name."),
            Code::InProgress => (
                "in-progress",
                409,
                Same,
                "A call with this operation id is still running",
                "Send the same call again in a moment.",
            ),
            Code::Conflict => (
                "conflict",
                409,
                Never,
                "The state does not allow it; nothing was done",
                "Look at the state, and decide again.",
            ),
            Code::CursorExpired => (
                "cursor-expired",
                410,
                Never,
                "The cursor or queued operation is older than what the server remembers",
                "Synchronise again without a cursor.",
            ),
            Code::StaleRevision => (
                "stale-revision",
                412,
                Never,
                "It was changed in between",
                "Look at `rev` and `current`, and decide again.",
            ),
            Code::TooLarge => ("too-large", 413, Never, "Something exceeds its limit", "Send less."),
            Code::UnsupportedMediaType => (
                "unsupported-media-type",
                415,
                Never,
                "The body is not of a type that this method takes",
                "Send `Content-Type: application/json`, in UTF-8 and without compression.",
            ),
            Code::Invalid => {
                ("invalid", 422, Never, "A value is missing or wrong", "Mend what `errors` points to.")
            }
            Code::KeyReused => (
                "key-reused",
                422,
                Never,
                "The operation id was used with another body",
                "Use a new operation id for a new operation.",
            ),
            Code::RateLimited => {
                ("rate-limited", 429, Later, "Too many calls", "Wait as long as `Retry-After` says.")
            }
            Code::Internal => (
                "internal",
                500,
                Same,
                "The server failed",
                "Send the same call again; report `instance` if it stays.",
            ),
            Code::Corrupt => (
                "corrupt",
                500,
                Later,
                "Stored data is damaged; it is never shown as if it were whole",
                "Report `instance` to the operator.",
            ),
            Code::Busy => {
                ("busy", 503, Later, "A queue is full; nothing was done", "Send it again after a while.")
            }
            Code::Unavailable => (
                "unavailable",
                503,
                Later,
                "The data is not in reach at the moment; nothing was done",
                "Send it again after a while.",
            ),
            Code::Timeout => (
                "timeout",
                504,
                Same,
                "No answer in time: it may or may not have happened",
                "Send the very same call again, with the same operation id.",
            ),
            Code::DiskFull => (
                "disk-full",
                507,
                Later,
                "The disk is nearly full; nothing was done",
                "Try again later; the operator has to make space.",
            ),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One place in the request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFault {
    /// RFC 6901 pointer into the body (`/operations/3/args`); for parameters, `/name`.
    pub pointer: String,
    /// What is wrong: `unknown-field`, `missing`, `type`, `format`, `range`, `length`, `value` …
    pub code: &'static str,
}

/// One failure of one call.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its code.
    pub code: Code,
    /// The status, where the front must say another one than the code's (414, 431 …).
    pub status: u16,
    /// What to do, for a person who reads logs. Never a secret, never somebody else's data.
    pub detail: String,
    /// Where in the request.
    pub errors: Vec<PlaceFault>,
    /// The present revision, on conflicts.
    pub rev: Option<Rev>,
    /// The present entity, on conflicts.
    pub current: Option<Box<RawValue>>,
    /// When to come again, in seconds; on 429 and 503.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem with the code's own advice.
    pub fn new(code: Code) -> Problem {
        Problem {
            code,
            status: code.status(),
            detail: code.advice().to_owned(),
            errors: Vec::new(),
            rev: None,
            current: None,
            retry_after_s: None,
        }
    }

    /// With a more specific text: what is wrong, and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = detail.into();
        self
    }

    /// With a place in the request.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, code: &'static str) -> Problem {
        self.errors.push(PlaceFault { pointer: pointer.into(), code });
        self
    }

    /// With the present revision and entity, for 412.
    #[must_use]
    pub fn current(mut self, rev: Rev, entity: &impl Serialize) -> Problem {
        self.rev = Some(rev);
        self.current = serde_json::value::to_raw_value(entity).ok();
        self
    }

    /// With the time to wait, in whole seconds, at least 1.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The body: `application/problem+json`. `instance` is the trace id. Everything else of a 404 is the
    /// same, whatever the reason was.
    pub fn render(&self, instance: &str) -> Vec<u8> {
        let quiet = self.code == Code::NotFound;
        let body = Body {
            r#type: format_args!("{TYPE_BASE}{}", self.code.name()),
            title: self.code.title(),
            status: self.status,
            detail: if quiet { self.code.advice() } else { &self.detail },
            code: self.code.name(),
            retry: self.code.retry(),
            errors: if quiet { &[] } else { &self.errors },
            instance,
            rev: self.rev.as_ref(),
            current: self.current.as_deref(),
        };
        serde_json::to_vec(&body).expect("a problem is plain data, which JSON can hold")
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Problem {
        Problem::new(code)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::Busy => Problem::new(Code::Busy).retry_after(1),
            Fault::Corrupt => Problem::new(Code::Corrupt),
            Fault::Expired => Problem::new(Code::CursorExpired),
            Fault::DiskFull => Problem::new(Code::DiskFull),
            Fault::IdTaken | Fault::Present => Problem::new(Code::IdTaken),
            Fault::Absent => Problem::new(Code::NotFound),
            Fault::NameTaken => Problem::new(Code::NameTaken),
            Fault::Stale(_) => Problem::new(Code::StaleRevision),
            Fault::KeyReused => Problem::new(Code::KeyReused),
            Fault::TooLarge(limit) => Problem::new(Code::TooLarge).detail(format!("The limit is {limit}.")),
            Fault::Unavailable => Problem::new(Code::Unavailable).retry_after(1),
            Fault::Timeout => Problem::new(Code::Timeout),
        }
    }
}

/// What a [`Fault::Stale`] says, as clients see it.
pub fn stale(rev: Rev) -> Problem {
    Problem { rev: Some(rev), ..Problem::new(Code::StaleRevision) }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: std::fmt::Arguments<'a>,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    retry: Retry,
    errors: &'a [PlaceFault],
    instance: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<&'a Rev>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a RawValue>,
}

/// What every `type` begins with; the rest is the code. It names, it need not resolve (RFC 9457 §3.1.1).
const TYPE_BASE: &str = "https://gomer.example/problems/";

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Position;
    use serde_json::{Value, json};

    fn rendered(problem: Problem) -> Value {
        serde_json::from_slice(&problem.render("0f")).unwrap()
    }

    #[test]
    fn names_are_unique_and_the_contracts() {
        let names: Vec<_> = Code::ALL.iter().map(|code| format!("{} {code}", code.status())).collect();
        assert_eq!(
            names,
            [
                "400 bad-request",
                "400 unknown-field",
                "400 cursor-invalid",
                "401 unauthenticated",
                "403 forbidden",
                "404 not-found",
                "409 id-taken",
                "409 name-taken",
                "409 in-progress",
                "409 conflict",
                "410 cursor-expired",
                "412 stale-revision",
                "413 too-large",
                "415 unsupported-media-type",
                "422 invalid",
                "422 key-reused",
                "429 rate-limited",
                "500 internal",
                "500 corrupt",
                "503 busy",
                "503 unavailable",
                "504 timeout",
                "507 disk-full",
            ]
        );
    }

    #[test]
    fn a_problem_has_the_contracts_members() {
        assert_eq!(
            rendered(Problem::new(Code::Invalid).detail("Mend it.").at("/text", "missing")),
            json!({
                "type": "https://gomer.example/problems/invalid", "title": "A value is missing or wrong", "status": 422,
                "detail": "Mend it.", "code": "invalid", "retry": "never",
                "errors": [{"pointer": "/text", "code": "missing"}], "instance": "0f",
            })
        );
    }

    #[test]
    fn every_absence_looks_the_same() {
        let absent = Problem::new(Code::NotFound).render("00");
        let told = Problem::new(Code::NotFound).detail("blocked by ann").at("/id", "blocked").render("00");
        assert_eq!(absent, told);
    }

    #[test]
    fn a_conflict_shows_what_is_there_now() {
        let problem =
            Problem::new(Code::StaleRevision).current(Rev::At(Position(7), 1), &json!({"text": "b"}));
        let body = rendered(problem);
        assert_eq!((&body["rev"], &body["current"]), (&json!("7.00000001"), &json!({"text": "b"})));
    }
}
