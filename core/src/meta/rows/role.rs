//! A role of an app.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Position};
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
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

/// The key of a role.
pub fn key(app: AppId, name: &str) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Role).u32(app.0).text(name).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(AppId, &str)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Role)?;
    Some((AppId(rest.u32()?), rest.text()?))
}

/// What the keys of all roles of an app begin with.
pub fn prefix(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Role).u32(app.0).end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_key_survives(app: u32, name in ".{0,64}") {
            let bytes = key(AppId(app), &name);
            prop_assert_eq!(read_key(&bytes), Some((AppId(app), name.as_str())));
        }
    }
}
