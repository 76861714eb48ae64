//! A key of an app, by the hash of its secret. A revoked one stays, so that its id is never used again.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Id, Position};
use crate::meta::command::KeyKind;
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
use crate::rows::{Kind, Row};
use crate::time::Time;

/// Most keys of one app, revoked ones included.
pub const KEYS_MAX: usize = 1_000;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Row for Key {
    const KIND: Kind = Kind::Key;
}

/// The key of a key.
pub fn key(app: AppId, id: Id) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Key).u32(app.0).id(id).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(AppId, Id)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Key)?;
    let parts = (AppId(rest.u32()?), rest.id()?);
    rest.end().map(|()| parts)
}

/// What the keys of all keys of an app begin with.
pub fn prefix(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Key).u32(app.0).end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_key_survives(app: u32, id: [u8; 16]) {
            let (app, id) = (AppId(app), Id::from_bytes(id));
            prop_assert_eq!(read_key(&key(app, id)), Some((app, id)));
            prop_assert!(key(app, id).starts_with(&prefix(app)));
        }
    }
}
