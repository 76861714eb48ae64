//! What a member keeps of the metadata in memory: every app, ready to look up.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{AppId, Id, Position};

use super::command::{AppState, KeyKind};

/// The metadata as of one position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetaState {
    /// Position of the last change that is in it.
    pub position: Position,
    /// Apps by name.
    pub apps: BTreeMap<String, Arc<App>>,
    /// SHA-256 of the operator's token, once there is one.
    pub operator: Option<[u8; 32]>,
}

impl MetaState {
    /// The app with this number.
    pub fn app(&self, id: AppId) -> Option<&Arc<App>> {
        self.apps.values().find(|app| app.id == id)
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its number, in every key.
    pub id: AppId,
    /// The id it was created with.
    pub uuid: Id,
    /// Its name, in every address.
    pub name: String,
    /// What people read.
    pub title: String,
    /// What it may do.
    pub state: AppState,
    /// Position of its last change.
    pub rev: Position,
    /// Keys its tokens and cursors.
    pub secret: [u8; 32],
    /// Settings as JSON text.
    pub settings: String,
    /// Position of the last change of the settings.
    pub settings_rev: Position,
    /// Keys by id.
    pub keys: BTreeMap<Id, Key>,
    /// Roles by name: the methods its holders may call.
    pub roles: BTreeMap<String, Role>,
    /// Node and link types of the app's own, by name.
    pub types: BTreeMap<String, TypeDecl>,
}

/// A key of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it may do.
    pub kind: KeyKind,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Whether it was revoked.
    pub revoked: bool,
    /// Position of its last change.
    pub rev: Position,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Methods that its holders may call beyond a user's.
    pub methods: Vec<String>,
    /// Position of its last change.
    pub rev: Position,
}

/// A type of the app's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDecl {
    /// Its number: from 1,024, unique over the app's node and link types.
    pub number: u16,
    /// The declaration as JSON text, by the product's schema.
    pub json: String,
    /// Position of its last change.
    pub rev: Position,
}
