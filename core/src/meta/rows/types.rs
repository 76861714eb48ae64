//! A node or link type of an app's own.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Position};
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
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

/// The key of a type.
pub fn key(app: AppId, name: &str) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Type).u32(app.0).text(name).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(AppId, &str)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Type)?;
    Some((AppId(rest.u32()?), rest.text()?))
}

/// What the keys of all types of an app begin with.
pub fn prefix(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Type).u32(app.0).end()
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
