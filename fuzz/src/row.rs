//! Stored values: no bytes make decoding panic, and what can be decoded survives being stored again.

use std::fmt::Debug;

use gomer_core::rows::{Row, seal, unseal};
use gomer_core::rows::{
    applied, change, channel, entry, link, mark, name, node, operation, pipe, timer, tombstone,
};

/// The first byte picks the kind; the rest is a value, once as it is, and once with a right checksum.
pub fn check(data: &[u8]) {
    let Some((kind, value)) = data.split_first() else { return };
    match kind % 18 {
        0 => row::<applied::Applied>(value),
        1 => row::<change::Change>(value),
        2 => row::<channel::OutboxStep>(value),
        3 => row::<channel::ChannelOut>(value),
        4 => row::<channel::ChannelIn>(value),
        5 => row::<channel::DeadLetter>(value),
        6 => row::<entry::Entry>(value),
        7 => row::<entry::EntrySlot>(value),
        8 => row::<link::Link>(value),
        9 => row::<link::LinkSlot>(value),
        10 => row::<link::LinkCount>(value),
        11 => row::<mark::Mark>(value),
        12 => row::<name::Name>(value),
        13 => row::<node::Node>(value),
        14 => row::<operation::OpRecord>(value),
        15 => row::<pipe::Pipe>(value),
        16 => row::<timer::Timer>(value),
        _ => row::<tombstone::Tombstone>(value),
    }
}

fn row<R: Row + PartialEq + Debug>(value: &[u8]) {
    const KEY: &[u8] = b"key";
    let _ = unseal::<R>(KEY, value);
    let mut sealed = value.to_vec();
    let mut sum = crc32fast::Hasher::new();
    sum.update(KEY);
    sum.update(value);
    sealed.extend_from_slice(&sum.finalize().to_le_bytes());
    if let Ok(row) = unseal::<R>(KEY, &sealed) {
        let again = seal(KEY, &row);
        assert_eq!(unseal::<R>(KEY, &again).as_ref(), Ok(&row));
        assert!(unseal::<R>(b"other", &again).is_err(), "a row that strayed to another key");
    }
}
