//! A node or link type of an app's own.

use serde::{Deserialize, Serialize};

use super::named::Named;
use crate::id::Position;
use crate::rows::{Kind, Row};

/// The number of an app's first type; below are Gomer's own.
pub const NUMBER_FIRST: u16 = 1_024;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDecl {
    /// Its number: from [`NUMBER_FIRST`], unique over the app's node and link types, given out once.
    pub number: u16,
    /// The declaration as JSON text.
    pub json: String,
    /// Position of its last change.
    pub rev: Position,
}

impl Row for TypeDecl {
    const KIND: Kind = Kind::Type;
}

impl Named for TypeDecl {}
