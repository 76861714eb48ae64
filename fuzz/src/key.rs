//! Keys of rows: whatever can be read is written back as the same bytes, so no two keys mean the same.

use gomer_core::rows::key::{KeyReader, KeyWriter, RowRef, after_prefix};
use gomer_core::rows::{Kind, change, tombstone};

/// Reads the bytes as each kind of key.
pub fn check(data: &[u8]) {
    if let Some((section, position, row)) = change::read_key(data) {
        let (place, _) = KeyReader::of_root(data, Kind::Change).expect("it was read before");
        assert_eq!(change::key(place, section, position, row), data);
    }
    if let Some((place, row)) = tombstone::read_key(data) {
        assert_eq!(tombstone::key(place, row), data);
    }
    for kind in [Kind::Node, Kind::Link, Kind::LinkOrder, Kind::Entry, Kind::Operation] {
        if let Some((place, mut rest)) = KeyReader::of_root(data, kind) {
            let written = KeyWriter::of_root(place, kind).end();
            assert_eq!(written, data[..written.len()]);
            if let Some(row) = RowRef::read(&mut rest) {
                let written = row.write(KeyWriter::of_root(place, kind)).end();
                assert_eq!(written, data[..written.len()]);
            }
        }
    }
    if data.iter().any(|byte| *byte != 0xff) {
        let end = after_prefix(data);
        assert!(end.as_slice() > data && !end.starts_with(data));
    }
}
