//! A role of an app.

use serde::{Deserialize, Serialize};

use super::named::Named;
use crate::id::Position;
use crate::rows::{Kind, Row};

/// Most roles of one app.
pub const ROLES_MAX: usize = 256;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Methods that its holders may call beyond a user's.
    pub methods: Vec<String>,
    /// Position of its last change.
    pub rev: Position,
}

impl Row for Role {
    const KIND: Kind = Kind::Role;
}

impl Named for Role {}
