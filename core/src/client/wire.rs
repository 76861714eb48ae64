//! The JSON that the phone writes and reads: `sync.pull`, `sync.push`, `auth.refreshSession`, problems.
//!
//! Replies are parsed into types once, here. Unknown fields and unknown kinds of items are ignored, as
//! the contract asks of clients; an item of a known kind that lacks something is an error, because
//! leaving it out would lose a row silently.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cache::{Key, Kind, Scope};
use super::cursor::Known;
use super::queue::OpId;

/// Body of `sync.pull`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PullRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
    /// All that is open, also when that is nothing: left out, it would mean "as before".
    pub roots: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u64>,
}

/// Reply to `sync.pull`: one page.
#[derive(Debug, Deserialize)]
pub(super) struct PullReply {
    pub items: Vec<Item>,
    pub cursor: String,
    pub end: bool,
    /// Up to where the cursor covers the person's own root.
    #[serde(default)]
    pub known: Option<Known>,
}

/// One item of a page.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawItem")]
pub(super) enum Item {
    /// The entity (or mark) is now this.
    Put { key: Key, rev: String, value: Value },
    /// The entity is gone, or its reader may no longer see it.
    Delete { key: Key },
    /// From here to the page with `end`, what arrives of this scope is all that is alive of it.
    Resync { scope: Scope },
    /// The scope may be read from now on. `grant` tells one grant of it from another.
    ScopeAdded { scope: Scope, grant: String },
    /// The scope may no longer be read.
    ScopeDropped { scope: Scope },
    /// A kind that is newer than this phone.
    Unknown,
}

/// An item as it stands on the wire.
#[derive(Deserialize)]
struct RawItem {
    op: String,
    root: Option<String>,
    section: Option<String>,
    #[serde(rename = "type")]
    of_type: Option<String>,
    id: Option<String>,
    rev: Option<String>,
    value: Option<Value>,
}

impl TryFrom<RawItem> for Item {
    type Error = &'static str;

    fn try_from(raw: RawItem) -> Result<Item, &'static str> {
        let RawItem { op, root, section, of_type, id, rev, value } = raw;
        let scope = || -> Result<Scope, &'static str> {
            let (Some(root), Some(section)) = (root, section) else {
                return Err("an item without root and section");
            };
            Ok(Scope { root, section })
        };
        let key = |scope: Scope, kind: Kind| -> Result<Key, &'static str> {
            let (Some(of_type), Some(id)) = (of_type, id) else {
                return Err("an item without type and id");
            };
            Ok(Key { scope, kind, of_type, id })
        };
        let put = |key: Key| -> Result<Item, &'static str> {
            let (Some(rev), Some(value)) = (rev.clone(), value) else {
                return Err("a put or mark without rev and value");
            };
            Ok(Item::Put { key, rev, value })
        };
        match op.as_str() {
            "put" => put(key(scope()?, Kind::Entity)?),
            "mark" => put(key(scope()?, Kind::Mark)?),
            "delete" => Ok(Item::Delete { key: key(scope()?, Kind::Entity)? }),
            "resync" => Ok(Item::Resync { scope: scope()? }),
            "scopeAdded" => Ok(Item::ScopeAdded { scope: scope()?, grant: rev.unwrap_or_default() }),
            "scopeDropped" => Ok(Item::ScopeDropped { scope: scope()? }),
            _ => Ok(Item::Unknown),
        }
    }
}

/// Body of `sync.push`.
#[derive(Debug, Serialize)]
pub(super) struct PushRequest<'a> {
    pub operations: Vec<PushOperation<'a>>,
}

/// One operation of a push.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PushOperation<'a> {
    pub op: OpId,
    pub method: &'a str,
    pub args: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<&'a str>,
    pub edited_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<&'a Known>,
}

/// Reply to `sync.push`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PushReply {
    pub results: Vec<PushResult>,
    pub stopped_at: Option<OpId>,
}

/// What became of one operation.
#[derive(Debug, Deserialize)]
pub(super) struct PushResult {
    pub op: OpId,
    pub status: u16,
    #[serde(default)]
    pub code: Option<String>,
    /// The entity after the operation; with 412, as it is now.
    #[serde(default)]
    pub value: Option<Value>,
}

impl PushResult {
    /// Whether it took effect, now or when it was sent before.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is to be sent again: nothing was decided, or nobody knows. A 500 is not among these:
    /// where the server wants it again it says so by `stoppedAt`, and else one operation that always
    /// fails would hold up all others for ever.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 401 | 408 | 425 | 429 | 502 | 503 | 504 | 507)
            || self.code.as_deref() == Some("in-progress")
    }
}

/// Body of `auth.refreshSession`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshRequest<'a> {
    pub refresh_token: &'a str,
}

/// Reply to `auth.refreshSession`: the pair that replaces the old one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshReply {
    pub access_token: String,
    pub refresh_token: String,
}

/// What a response says, whatever was asked.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// It was done; this is the result.
    Good(T),
    /// The access token is not accepted.
    Unauthenticated,
    /// The server refused, for this reason.
    Problem { code: String },
    /// No Gomer wrote this (a proxy, a hotel's login page): as good as no reply at all.
    Unclear,
}

/// The part of an `application/problem+json` body that a phone acts on.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl<T: DeserializeOwned> Reply<T> {
    /// Reads a response's status and body.
    pub fn read(status: u16, body: &str) -> Reply<T> {
        if (200..300).contains(&status) {
            return serde_json::from_str(body).map_or(Reply::Unclear, Reply::Good);
        }
        match serde_json::from_str(body) {
            Ok(Problem { code }) if code == "unauthenticated" => Reply::Unauthenticated,
            Ok(Problem { code }) => Reply::Problem { code },
            Err(_) => Reply::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(json: Value) -> Result<Item, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn a_put_is_read_and_unknown_fields_are_ignored() {
        let read = item(json!({
            "op": "put", "root": "post:1", "section": "public", "type": "post", "id": "1",
            "rev": "7", "value": {"text": "hello"}, "colour": "blue",
        }));
        let Ok(Item::Put { key, rev, value }) = read else { panic!("{read:?}") };
        assert_eq!((key.kind, rev.as_str(), value), (Kind::Entity, "7", json!({"text": "hello"})));
    }

    #[test]
    fn an_unknown_kind_is_ignored_but_a_known_one_that_lacks_something_is_refused() {
        assert_eq!(item(json!({"op": "sparkle"})).unwrap(), Item::Unknown);
        for broken in [
            json!({"op": "put", "root": "post:1", "section": "public", "type": "post", "id": "1", "rev": "7"}),
            json!({"op": "delete", "root": "post:1", "section": "public", "type": "post"}),
            json!({"op": "resync", "root": "post:1"}),
            json!({"root": "post:1"}),
        ] {
            assert!(item(broken.clone()).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_absent_is_left_out_of_requests() {
        let none = BTreeSet::new();
        let pull = PullRequest { cursor: None, roots: &none, wait_s: Some(30) };
        assert_eq!(serde_json::to_string(&pull).unwrap(), r#"{"roots":[],"waitS":30}"#);
    }

    #[test]
    fn a_hotels_login_page_is_no_reply_of_ours_whatever_its_status() {
        for status in [200, 401, 403, 511] {
            let reply: Reply<PullReply> = Reply::read(status, "<html>Welcome, guest</html>");
            assert!(matches!(reply, Reply::Unclear), "{status}");
        }
        let busy: Reply<PullReply> = Reply::read(503, r#"{"code":"busy","status":503}"#);
        assert!(matches!(busy, Reply::Problem { code } if code == "busy"));
        let signed_out: Reply<PullReply> = Reply::read(401, r#"{"code":"unauthenticated"}"#);
        assert!(matches!(signed_out, Reply::Unauthenticated));
    }

    #[test]
    fn a_500_is_final_unless_the_server_stopped_there() {
        let result = |status: u16, code: &str| -> PushResult {
            let op = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
            serde_json::from_value(json!({ "op": op, "status": status, "code": code })).unwrap()
        };
        assert!(!result(500, "internal").is_passing());
        assert!(!result(409, "id-taken").is_passing());
        assert!(result(409, "in-progress").is_passing());
        assert!(result(504, "timeout").is_passing());
        assert!(result(201, "").is_done());
    }
}
