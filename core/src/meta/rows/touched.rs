//! Which app changed last at which position: what a follower of the metadata reads on from. Each app has
//! one such row, which moves.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, Position};
use crate::ring::partition::META;
use crate::rows::key::{KeyReader, KeyWriter};
use crate::rows::{Kind, Row};

/// The app whose last change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The app.
    pub app: AppId,
}

impl Row for Touched {
    const KIND: Kind = Kind::Touched;
}

/// The key.
pub fn key(position: Position) -> Vec<u8> {
    KeyWriter::of_partition(META, Kind::Touched).u64(position.0).end()
}

/// Reads what [`key`] wrote.
pub fn read_key(key: &[u8]) -> Option<Position> {
    let (_, mut rest) = KeyReader::of_partition(key, Kind::Touched)?;
    let position = Position(rest.u64()?);
    rest.end().map(|()| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_survive_and_are_ordered_by_position(a: u64, b: u64) {
            prop_assert_eq!(read_key(&key(Position(a))), Some(Position(a)));
            prop_assert_eq!(a.cmp(&b), key(Position(a)).cmp(&key(Position(b))));
        }
    }
}
