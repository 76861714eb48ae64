//! Stored rows: one kind per file, with the key, the value and their test side by side.
//!
//! | kind | key after `partition, kind` | value |
//! |---|---|---|
//! | [`applied`] | – | how far the log is applied, digest, eras |
//! | [`replicas`] | – | who votes, who follows |
//! | [`ingest`] | – | how far a snapshot is received |
//! | [`node`] | app, root, id | type, author, attributes with stamps, flags |
//! | [`link`] | app, root, type, to | where the link stands in its list |
//! | [`link`] order | app, root, type, !time, to | data, revision |
//! | [`link`] count | app, root, type | count |
//! | [`entry`] | app, root, stream, order | activity |
//! | [`entry`] id | app, root, stream, id | order, or that it was retracted |
//! | [`mark`] | app, root, stream | read mark |
//! | [`change`] | app, root, section, position, row | – |
//! | [`tombstone`] | app, root, row | when it was deleted |
//! | [`tombstone`] forgotten | app, root, section | greatest position dropped |
//! | [`operation`] | app, root, caller, operation id | fingerprint, reply |
//! | [`name`] | app, root | owner of a unique name |
//! | [`name`] refusal | app, root, reservation | – |
//! | [`channel`] outbox, out, in | target or source, queue … | steps and positions |
//! | [`timer`] | due, id | what to do then |
//! | [`pipe`] | id | progress of a fan-out |
//! | the metadata's | – | see [`crate::meta::rows`] |
//!
//! A value is `version u8 | postcard | crc32 of key, version and body`. A row that does not check is
//! [`StoreFault::Corrupt`], never absent.
//!
//! Must never learn: what an app means by its data.

pub mod applied;
pub mod change;
pub mod channel;
pub mod edit;
pub mod entry;
pub mod ingest;
pub mod key;
pub mod link;
pub mod mark;
pub mod name;
pub mod node;
pub mod operation;
pub mod pipe;
pub mod replicas;
pub mod timer;
pub mod tombstone;
pub mod txn;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{StateRead, StoreFault};

pub use edit::Edit;
pub use key::{Place, RowRef};
pub use txn::Txn;

/// Number of a row kind. Part of every key: never change or reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// [`applied::Applied`].
    Applied = 1,
    /// [`replicas::Replicas`].
    Replicas = 2,
    /// [`ingest::Ingest`].
    Ingest = 3,
    /// [`node::Node`].
    Node = 16,
    /// [`link::LinkSlot`].
    Link = 17,
    /// [`link::Link`].
    LinkOrder = 18,
    /// [`link::LinkCount`].
    LinkCount = 19,
    /// [`entry::Entry`].
    Entry = 20,
    /// [`entry::EntrySlot`].
    EntryId = 21,
    /// [`mark::Mark`].
    Mark = 22,
    /// [`change::Change`].
    Change = 23,
    /// [`tombstone::Tombstone`].
    Tombstone = 24,
    /// [`tombstone::Forgotten`].
    Forgotten = 25,
    /// [`operation::OpRecord`].
    Operation = 26,
    /// [`name::Name`].
    Name = 27,
    /// [`name::Refusal`].
    Refusal = 28,
    /// [`channel::OutboxStep`].
    Outbox = 32,
    /// [`channel::ChannelOut`].
    ChannelOut = 33,
    /// [`channel::ChannelIn`].
    ChannelIn = 34,
    /// [`channel::DeadLetter`].
    DeadLetter = 35,
    /// [`timer::Timer`].
    Timer = 36,
    /// [`pipe::Pipe`].
    Pipe = 37,
    /// [`crate::meta::rows::app::App`].
    App = 48,
    /// [`crate::meta::rows::settings::Settings`].
    Settings = 49,
    /// [`crate::meta::rows::key::Key`].
    Key = 50,
    /// [`crate::meta::rows::role::Role`].
    Role = 51,
    /// [`crate::meta::rows::types::TypeDecl`].
    Type = 52,
    /// [`crate::meta::rows::operator::Operator`].
    Operator = 53,
    /// [`crate::meta::rows::counter::Counter`].
    Counter = 54,
    /// [`crate::meta::rows::app::AppRef`], by name.
    AppName = 55,
    /// [`crate::meta::rows::app::AppRef`], by the id it was created with.
    AppUuid = 56,
    /// [`crate::meta::rows::touched::Touched`].
    Touched = 57,
    /// [`crate::meta::rows::members::Head`].
    Membership = 58,
    /// [`crate::meta::rows::members::MemberRow`].
    Member = 59,
    /// [`crate::meta::rows::members::Holders`].
    Holders = 60,
    /// [`crate::meta::rows::config::ConfigRow`].
    ClusterConfig = 61,
}

/// A stored value: which kind it is, and which versions of its encoding are understood.
pub trait Row: Serialize + DeserializeOwned {
    /// Its kind, for messages.
    const KIND: Kind;
    /// The version that is written.
    const VERSION: u8 = 1;
}

/// Largest value, sealed, in bytes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// Encodes a value for this key.
pub fn seal<R: Row>(key: &[u8], row: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    bytes.push(R::VERSION);
    let mut bytes = postcard::to_extend(row, bytes).expect("rows are plain data, which postcard can encode");
    let sum = checksum(key, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Decodes a value read from this key.
pub fn unseal<R: Row>(key: &[u8], bytes: &[u8]) -> Result<R, StoreFault> {
    let corrupt = |what: &str| StoreFault::Corrupt(format!("{:?} row: {what}", R::KIND));
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| corrupt("too short"))?;
    if checksum(key, body) != u32::from_le_bytes(*sum) {
        return Err(corrupt("checksum differs"));
    }
    match body.split_first() {
        Some((&version, body)) if version == R::VERSION => {
            postcard::from_bytes(body).map_err(|e| corrupt(&e.to_string()))
        }
        Some((version, _)) => Err(corrupt(&format!("version {version} is not known"))),
        None => Err(corrupt("empty")),
    }
}

/// Whether a value read from this key is whole, of whatever kind it is.
pub fn is_sealed(key: &[u8], bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(body, sum)| !body.is_empty() && checksum(key, body) == u32::from_le_bytes(*sum))
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// Reads one row.
pub fn get<R: Row>(rows: &dyn StateRead, key: &[u8]) -> Result<Option<R>, StoreFault> {
    match rows.get(key)? {
        Some(bytes) => unseal(key, &bytes).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample(u32, String);

    impl Row for Sample {
        const KIND: Kind = Kind::Node;
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let sealed = seal(b"key", &Sample(7, "seven".into()));
        assert_eq!(unseal::<Sample>(b"key", &sealed), Ok(Sample(7, "seven".into())));
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal::<Sample>(b"key", &bad).is_err(), "bit {bit}");
            assert!(!is_sealed(b"key", &bad), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(unseal::<Sample>(b"key", &sealed[..len]).is_err(), "cut to {len}");
            assert!(!is_sealed(b"key", &sealed[..len]), "cut to {len}");
        }
        assert!(unseal::<Sample>(b"kex", &sealed).is_err(), "a row that strayed to another key");
        assert!(is_sealed(b"key", &sealed) && !is_sealed(b"kex", &sealed));
    }
}
