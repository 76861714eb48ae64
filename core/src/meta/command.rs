//! What the metadata is told to do.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Id, Position};
use crate::vnode::command::OpKey;

use super::members::{self, found::Founding};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyKind {
    /// Names the app; stands in the app's builds. No secret.
    Client,
    /// The app's own server: app admin, may act for a user.
    Server,
    /// A person who administers the app.
    Admin,
}

/// A command on the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are named after the rows'")]
pub enum MetaCommand {
    /// Makes an app. The same id again changes nothing; the name taken by another id, or no name for an
    /// app (see [`is_app_name`]), is `NameTaken`. `secret` keys its tokens and cursors.
    CreateApp { id: Id, name: String, title: String, secret: [u8; 32] },
    /// Changes title or state.
    UpdateApp { app: AppId, if_rev: Option<Position>, title: Option<String>, state: Option<AppState> },
    /// Replaces the app's settings (JSON text), keeping the older revisions, 20 with this one.
    PutSettings { app: AppId, if_rev: Option<Position>, json: String },
    /// Adds a key by the SHA-256 of its secret. The same id again changes nothing, even with another hash.
    PutKey { app: AppId, id: Id, kind: KeyKind, name: String, hash: [u8; 32] },
    /// Revokes a key. Absent: changes nothing.
    RevokeKey { app: AppId, id: Id },
    /// Makes or replaces a role: which methods its holders may call beyond a user's.
    PutRole { app: AppId, if_rev: Option<Position>, name: String, methods: Vec<String> },
    /// Makes or replaces a node or link type of the app's own (JSON text, by the product's schema); its
    /// number is given out once and never reused.
    PutType { app: AppId, if_rev: Option<Position>, name: String, json: String },
    /// Sets the operator's credential by the SHA-256 of its token, once.
    SetOperator { hash: [u8; 32] },
    /// Puts the settings of an earlier revision in force again, as a new revision. No longer kept: `Absent`.
    RollbackSettings { app: AppId, if_rev: Option<Position>, to: Position },
    /// Does the command at most once under this operation id, which is recorded with the change. Again: changes
    /// nothing. With another fingerprint: `KeyReused`. `app` and `caller` are those of the call.
    Once { app: AppId, caller: Id, op: OpKey, command: Box<MetaCommand> },
    /// Founds the membership of a cluster whose members and ring stood in configuration so far. There is one already: changes
    /// nothing, even if it is another.
    Found(Box<Founding>),
    /// Tells the membership something. What it refuses is [`Fault::Stale`](crate::fault::Fault::Stale) with the position of
    /// its last change: who follows the metadata up to there finds out why. There is none: `Absent`.
    Members(Box<members::command::Command>),
    /// Changes settings of the cluster: those that are given. Out of range: `TooLarge`.
    PutConfig { if_rev: Option<Position>, transfers_max: Option<u8>, moves_paused: Option<bool> },
}

/// Longest name of an app, in bytes.
pub const APP_NAME_MAX: usize = 63;

/// Whether this can be the name of an app: 1 to 63 of `a-z`, `0-9` and `-`, with `-` neither first nor
/// last. It stands in addresses, where `-` alone means the cluster itself.
pub fn is_app_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (1..=APP_NAME_MAX).contains(&bytes.len())
        && bytes.iter().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

/// What an app may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum AppState {
    /// Everything.
    #[default]
    Active,
    /// Reads only.
    ReadOnly,
    /// Nothing.
    Frozen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_stand_in_addresses() {
        for good in ["a", "7", "demo", "my-app-2", "a--b", &"x".repeat(63)] {
            assert!(is_app_name(good), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "Demo", "a_b", "a.b", "ä", "a b", &"x".repeat(64)] {
            assert!(!is_app_name(bad), "{bad}");
        }
    }
}
