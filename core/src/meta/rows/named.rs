//! Keys of rows that an app has by name: roles, types.

use crate::id::AppId;
use crate::ring::partition::META;
use crate::rows::Row;
use crate::rows::key::{KeyReader, KeyWriter};

/// A row that an app has by name.
pub trait Named: Row {}

/// The key of a row.
pub fn key<R: Named>(app: AppId, name: &str) -> Vec<u8> {
    KeyWriter::of_partition(META, R::KIND).u32(app.0).text(name).end()
}

/// Reads the app and the name in what [`key`] wrote.
pub fn read_key<R: Named>(key: &[u8]) -> Option<(AppId, &str)> {
    let (_, mut rest) = KeyReader::of_partition(key, R::KIND)?;
    Some((AppId(rest.u32()?), rest.text()?))
}

/// What the keys of all rows of an app begin with.
pub fn prefix<R: Named>(app: AppId) -> Vec<u8> {
    KeyWriter::of_partition(META, R::KIND).u32(app.0).end()
}

#[cfg(test)]
mod tests {
    use super::super::{role::Role, types::TypeDecl};
    use super::*;
    use proptest::prelude::*;

    fn survives<R: Named>(app: AppId, name: &str) {
        let bytes = key::<R>(app, name);
        assert_eq!(read_key::<R>(&bytes), Some((app, name)));
        assert!(bytes.starts_with(&prefix::<R>(app)));
    }

    proptest! {
        #[test]
        fn a_key_survives_and_is_not_one_of_the_other_kind(app: u32, name in ".{0,64}") {
            survives::<Role>(AppId(app), &name);
            survives::<TypeDecl>(AppId(app), &name);
            let of_role = key::<Role>(AppId(app), &name);
            prop_assert_eq!(read_key::<TypeDecl>(&of_role), None);
        }
    }
}
