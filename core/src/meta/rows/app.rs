//! An app, and the two ways to find it.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Id, Position};
use crate::meta::command::AppState;
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
use crate::rows::{Kind, Row};
use crate::time::Time;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The id it was created with.
    pub uuid: Id,
    /// Its name; never changes.
    pub name: String,
    /// What people read.
    pub title: String,
    /// What it may do.
    pub state: AppState,
    /// Keys its tokens and cursors; never changes.
    pub secret: [u8; 32],
    /// When it was made.
    pub created: Time,
    /// Position of the last change of title or state.
    pub rev: Position,
    /// Position of the last change of its settings; zero while it has none.
    pub settings_rev: Position,
    /// Position of the last change of anything that belongs to it: where its
    /// [`touched`](super::touched) row stands.
    pub touched: Position,
}

impl Row for App {
    const KIND: Kind = Kind::App;
}

/// The number of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRef {
    /// The number.
    pub app: AppId,
}

impl Row for AppRef {
    const KIND: Kind = Kind::AppName;
}

/// The key of an app.
pub fn key(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::App).u32(app.0).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<AppId> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::App)?;
    let app = AppId(rest.u32()?);
    rest.end().map(|()| app)
}

/// What the keys of all apps begin with.
pub fn prefix() -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::App).end()
}

/// Where the app of this name is found.
pub fn name_key(name: &str) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::AppName).text(name).end()
}

/// Where the app that was created with this id is found.
pub fn uuid_key(uuid: Id) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::AppUuid).id(uuid).end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::key::after_prefix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_key_survives_and_lies_under_the_prefix(app: u32) {
            let bytes = key(AppId(app));
            prop_assert_eq!(read_key(&bytes), Some(AppId(app)));
            prop_assert!(prefix() < bytes && bytes < after_prefix(&prefix()));
            prop_assert_eq!(read_key(&bytes[..bytes.len() - 1]), None);
        }
    }
}
