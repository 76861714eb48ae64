//! The settings of an app, revision by revision.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Position};
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
use crate::rows::{Kind, Row};
use crate::time::Time;

/// How many revisions are kept, the one in force included.
pub const REVISIONS_KEPT: usize = 20;

/// The settings as they were from one position on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// When they came into force.
    pub time: Time,
    /// JSON text.
    pub json: String,
}

impl Row for Settings {
    const KIND: Kind = Kind::Settings;
}

/// The key of a revision.
pub fn key(app: AppId, rev: Position) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Settings).u32(app.0).u64(rev.0).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<(AppId, Position)> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Settings)?;
    let parts = (AppId(rest.u32()?), Position(rest.u64()?));
    rest.end().map(|()| parts)
}

/// What the keys of all revisions of an app begin with.
pub fn prefix(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Settings).u32(app.0).end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_survive_and_are_ordered_by_revision(app: u32, a: u64, b: u64) {
            let (x, y) = (key(AppId(app), Position(a)), key(AppId(app), Position(b)));
            prop_assert_eq!(read_key(&x), Some((AppId(app), Position(a))));
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
            prop_assert!(x.starts_with(&prefix(AppId(app))));
        }
    }
}
