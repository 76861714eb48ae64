//! What a member keeps of the metadata in memory: every app, ready to look up.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{AppId, Id, Position};
use crate::rows::applied::Eras;
use crate::time::Time;

use super::command::{AppState, KeyKind};
use super::config::Config;
use super::members::Membership;

/// The metadata as of one position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetaState {
    /// Position of the last change that is in it.
    pub position: Position,
    /// The eras of the metadata's log.
    pub eras: Eras,
    /// Apps by name.
    pub apps: BTreeMap<String, Arc<App>>,
    /// SHA-256 of the operator's token, once there is one.
    pub operator: Option<[u8; 32]>,
    /// Who belongs to the cluster and who holds what; nothing for a member that is alone, and until it is founded.
    pub members: Option<Arc<Membership>>,
    /// Position of its last change; zero while there is none.
    pub members_rev: Position,
    /// What operators have set for the whole cluster.
    pub config: Config,
    /// Position of its last change; zero while nobody has changed it.
    pub config_rev: Position,
}

impl MetaState {
    /// The app with this number.
    pub fn app(&self, id: AppId) -> Option<&Arc<App>> {
        self.apps.values().find(|app| app.id == id)
    }

    /// The app that was created with this id.
    pub fn app_by_uuid(&self, uuid: Id) -> Option<&Arc<App>> {
        self.apps.values().find(|app| app.uuid == uuid)
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
    /// When it was made.
    pub created: Time,
    /// Position of the last change of title or state.
    pub rev: Position,
    /// Keys its tokens and cursors.
    pub secret: [u8; 32],
    /// Settings as JSON text; `{}` while it has none.
    pub settings: String,
    /// Position of the last change of the settings; zero while it has none.
    pub settings_rev: Position,
    /// Revisions of the settings that are kept, oldest first: when each came into force.
    pub settings_kept: BTreeMap<Position, Time>,
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
    /// When it was made.
    pub created: Time,
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
