//! The audit log as rows: one stream per app, in a root of its own, in the section that never leaves the server.
//!
//! An entry says who, what, on which things, when, and what came of it. Of a call's arguments it holds ids and names of
//! roles and nothing else, so that no secret and no text of a person can be in it.
//!
//! Must never learn: which methods there are.

use std::collections::BTreeSet;

use bytes::Bytes;
use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{AUDIT, AUDITED};
use crate::registry::{Call, Caller, RawArgs, Stop};

/// Most things that an entry names.
pub const TARGETS_MAX: usize = 20;

/// With which rights a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// A person with a role.
    Profile,
    /// The app's own server; with a profile, in that person's name.
    Server,
    /// An administrator's key.
    Admin,
}

/// What an entry's extra text holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// With which rights.
    pub by: By,
    /// Which person, or in whose name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The method.
    pub method: String,
    /// Ids, and names of roles, in the arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// `done`, or a problem's code. Absent: it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The trace id, which logs and problems have too.
    pub trace: String,
}

/// The root of an app's audit log.
pub fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("audit", b""))
}

/// What is to be written of a call. Nothing of what the operator does: that is in no app.
pub struct Entry(Option<Stored>);

/// An entry that stands in the log without its outcome.
pub struct Begun(Option<(Id, Stored)>);

impl Entry {
    /// The entry for this call.
    pub fn new(call: &Call, args: &RawArgs) -> Entry {
        let by = match call.caller {
            Caller::User { .. } => By::Profile,
            Caller::Server { .. } => By::Server,
            Caller::Admin => By::Admin,
            Caller::Anonymous | Caller::Operator => return Entry(None),
        };
        if call.app.id == call.host.nowhere.id {
            return Entry(None);
        }
        Entry(Some(Stored {
            by,
            profile: call.maybe_me().map(|id| id.to_string()),
            method: call.method.to_owned(),
            targets: targets(args),
            outcome: None,
            trace: call.trace.to_string(),
        }))
    }

    /// Writes it without its outcome.
    pub async fn begin(&self, call: &Call) -> Result<Begun, Stop> {
        let Some(stored) = &self.0 else { return Ok(Begun(None)) };
        let id = append(call, stored).await?;
        Ok(Begun(Some((id, stored.clone()))))
    }

    /// Writes it with its outcome. Nothing waits for it: what reads is not refused for want of a log.
    pub async fn only(self, call: &Call, outcome: &str) {
        let Some(stored) = self.0 else { return };
        let stored = Stored { outcome: Some(outcome.to_owned()), ..stored };
        if let Err(stop) = append(call, &stored).await {
            tell(&stop, &stored);
        }
    }
}

impl Begun {
    /// Adds the outcome. If that cannot be done, the entry says that it is not known.
    pub async fn end(self, call: &Call, outcome: &str) {
        let Some((id, stored)) = self.0 else { return };
        let stored = Stored { outcome: Some(outcome.to_owned()), ..stored };
        let own = aside(call);
        let amend = Operation::Amend { stream: AUDIT, id, extra: text(&stored) };
        if let Err(stop) = own.commit(own.on(root()).op(amend)).await {
            tell(&stop, &stored);
        }
    }
}

/// The same call, without its operation id and its position: what is written here is no part of its reply.
fn aside(call: &Call) -> Call {
    Call { op: None, known: None, seen: std::sync::Arc::default(), bytes: Bytes::new(), ..call.clone() }
}

async fn append(call: &Call, stored: &Stored) -> Result<Id, Stop> {
    let own = aside(call);
    let id = call.cluster.mint();
    let activity =
        Activity { actor: call.author(), verb: AUDITED, object: root(), target: None, extra: text(stored) };
    let write = own
        .on(root())
        .op(Operation::Append { stream: AUDIT, id, section: Section::INTERNAL, activity })
        .op(Operation::TrimSeldom { stream: AUDIT, keep: call.settings().retention.audit_entries, draw: id });
    own.commit(write).await?;
    Ok(id)
}

fn tell(stop: &Stop, stored: &Stored) {
    let code = stop.code().map_or("", |code| code.name());
    tracing::warn!(code, method = stored.method, trace = stored.trace, "the audit log could not be written");
}

fn text(stored: &Stored) -> String {
    serde_json::to_string(stored).expect("an entry is plain data, which JSON can hold")
}

/// Ids in the arguments, wherever they stand, and names of roles.
fn targets(args: &RawArgs) -> Vec<String> {
    let mut found = BTreeSet::new();
    match args {
        RawArgs::Json(body) => {
            if let Ok(value) = serde_json::from_slice(body) {
                gather(&value, &mut found);
            }
        }
        RawArgs::Parameters(text) => {
            for (_, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
                found.extend(id_of(value));
            }
        }
    }
    found.into_iter().take(TARGETS_MAX).collect()
}

/// A JSON text is at most 32 levels deep: the front sees to that.
fn gather(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(id_of(text)),
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(role) if name == "role" && is_role(role) => found.extend([role.clone()]),
                    value => gather(value, found),
                }
            }
        }
        _ => {}
    }
}

fn id_of(text: &str) -> Option<String> {
    // Objects also stand as `post:UUID`.
    let text = text.rsplit_once(':').map_or(text, |(_, id)| id);
    text.parse::<Id>().ok().map(|id| id.to_string())
}

fn is_role(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &Value) -> Vec<String> {
        targets(&RawArgs::Json(Bytes::from(json.to_string())))
    }

    #[test]
    fn ids_and_roles_are_named_and_nothing_else() {
        let (one, two) = ("0190a6b2-5c1e-7a3b-8f00-0123456789ab", "0190a6b2-5c1e-4a3b-8f00-0123456789ac");
        let args = serde_json::json!({
            "id": one.to_uppercase(), "object": { "kind": "post", "id": two }, "reason": "He wrote: secret",
            "password": "hunter2", "token": "gomer_admin_AAAA", "role": "moderator", "ids": [one, one],
        });
        assert_eq!(of(&args), [two, one, "moderator"], "each once, in the order of texts");
        assert_eq!(of(&serde_json::json!({ "role": "Some Text" })), [] as [&str; 0]);
        assert_eq!(of(&serde_json::json!([{ "object": format!("post:{two}") }])), [two]);
        assert_eq!(targets(&RawArgs::Parameters(format!("id={one}&x=hunter2&y"))), [one]);
        assert_eq!(targets(&RawArgs::Json(Bytes::from_static(b"not JSON"))), [] as [&str; 0]);
    }

    #[test]
    fn a_thousand_ids_do_not_make_a_thousand_targets() {
        let ids: Vec<String> =
            (0..1_000u32).map(|n| format!("0190a6b2-5c1e-7a3b-8f00-0123{n:08x}")).collect();
        assert_eq!(of(&serde_json::json!({ "ids": ids })).len(), TARGETS_MAX);
    }
}
