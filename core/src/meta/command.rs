//! What the metadata is told to do.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Id, Position};

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
    /// Makes an app. The same id again changes nothing; the name taken by another id is `NameTaken`.
    /// `secret` keys its tokens and cursors.
    CreateApp { id: Id, name: String, title: String, secret: [u8; 32] },
    /// Changes title or state.
    UpdateApp { app: AppId, if_rev: Option<Position>, title: Option<String>, state: Option<AppState> },
    /// Replaces the app's settings (JSON text), keeping the older revision.
    PutSettings { app: AppId, if_rev: Option<Position>, json: String },
    /// Adds a key by the SHA-256 of its secret. The same id again changes nothing.
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
