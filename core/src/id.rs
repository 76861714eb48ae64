//! Identities: what names an app, an entity, a root, a type.
//!
//! Must never learn: where a thing is stored or who may see it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ascii::Ascii;
use crate::rng::Rng;
use crate::time::Time;

/// A UUID, version 4 or 7 (RFC 9562), as 16 bytes in network order.
///
/// Minted here as version 7 (k-ordered); accepted from clients as 4 or 7, so that a phone that is
/// offline can name what it creates. The time inside is never trusted or used for order.
/// Text form: 36 lower-case characters with hyphens; either case is accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Id([u8; 16]);

impl Id {
    /// All zeros: "nobody", the author of what the system itself writes. Never accepted from outside.
    pub const NIL: Id = Id([0; 16]);

    /// Mints a version 7 id from `now` and 74 random bits. RFC 9562 §5.7.
    pub fn mint(now: Time, rng: &mut Rng) -> Id {
        let millis = now.as_millis().to_be_bytes();
        let random = rng.bytes16();
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..].copy_from_slice(&random[6..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Id(bytes)
    }

    /// An id derived from a name by SHA-256, marked as version 8 (RFC 9562 §5.8), so that it can
    /// never equal an id that a client chose. Used for name roots and fixed nodes.
    pub fn derived(domain: &str, name: &[u8]) -> Id {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        hasher.update((domain.len() as u32).to_be_bytes());
        hasher.update(domain.as_bytes());
        hasher.update(name);
        let digest = hasher.finalize();
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Id(bytes)
    }

    /// The id with these bytes, whatever its version: for rows and frames that were checked before.
    pub const fn from_bytes(bytes: [u8; 16]) -> Id {
        Id(bytes)
    }

    /// The 16 bytes in network order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID of version 4 or 7, like 0190a6b2-5c1e-7a3b-8f00-0123456789ab")
    }
}

impl std::error::Error for IdError {}

impl FromStr for Id {
    type Err = IdError;

    /// Parses what a client sent: 36 characters, version 4 or 7, RFC variant, either case.
    fn from_str(text: &str) -> Result<Id, IdError> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return Err(IdError);
        }
        let mut bytes = [0u8; 16];
        let mut at = 0;
        for (i, &c) in text.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if c != b'-' {
                    return Err(IdError);
                }
                continue;
            }
            let digit = match c {
                b'0'..=b'9' => c - b'0',
                b'a'..=b'f' => c - b'a' + 10,
                b'A'..=b'F' => c - b'A' + 10,
                _ => return Err(IdError),
            };
            bytes[at / 2] = bytes[at / 2] << 4 | digit;
            at += 1;
        }
        let version = bytes[6] >> 4;
        let rfc_variant = bytes[8] >> 6 == 0b10;
        if rfc_variant && (version == 4 || version == 7) { Ok(Id(bytes)) } else { Err(IdError) }
    }
}

impl Id {
    /// The text form: 36 characters, lower case.
    pub fn text(&self) -> Ascii<36> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[(byte >> 4) as usize];
            text[at + 1] = HEX[(byte & 15) as usize];
            at += 2;
        }
        Ascii::new(text)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Number of an app (tenant). Every key starts with it. Given out once by the metadata, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppId(pub u32);

/// What a root is. The number is part of keys and of the ring hash: never change or reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RootKind {
    /// A person: own nodes, own links, home timeline, devices, sessions.
    Profile = 1,
    /// A post with its counts and inverse links.
    Post = 2,
    /// A unique name: a handle or an e-mail address.
    Name = 3,
    /// A node of the app's own types.
    Node = 4,
    /// All posts that carry one tag.
    Tag = 5,
    /// A part of the app's public feed.
    Feed = 6,
    /// Operation records of calls that have no other root (a batch, a mail).
    Misc = 7,
    /// A conversation: its members and its messages.
    Chat = 12,
    /// A reply to a post or to another reply.
    Reply = 13,
    /// An upload and what became of it, with who uses it.
    Media = 20,
    /// Uploaded bytes, named by their hash, with the media that stand on them.
    Blob = 21,
    /// A photo with its counts and the people on it.
    Photo = 22,
    /// An album with its photos.
    Album = 23,
    /// Somebody at a place.
    CheckIn = 30,
    /// A place with its counts and who was there.
    Place = 31,
    /// A list that is looked up by what its things have in common: places in one cell of the globe, in one word.
    Index = 32,
    /// Somebody's share of something.
    Share = 33,
    /// A short link.
    ShortLink = 34,
    /// What is read for an app at servers of others, with the list of its items.
    Source = 40,
}

impl RootKind {
    /// The kind with this number, or nothing.
    pub const fn from_byte(byte: u8) -> Option<RootKind> {
        Some(match byte {
            1 => RootKind::Profile,
            2 => RootKind::Post,
            3 => RootKind::Name,
            4 => RootKind::Node,
            5 => RootKind::Tag,
            6 => RootKind::Feed,
            7 => RootKind::Misc,
            12 => RootKind::Chat,
            13 => RootKind::Reply,
            20 => RootKind::Media,
            21 => RootKind::Blob,
            22 => RootKind::Photo,
            23 => RootKind::Album,
            30 => RootKind::CheckIn,
            31 => RootKind::Place,
            32 => RootKind::Index,
            33 => RootKind::Share,
            34 => RootKind::ShortLink,
            40 => RootKind::Source,
            _ => return None,
        })
    }
}

/// The entity whose partition holds a group of rows: the unit of an atomic write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Which one, within app and kind.
    pub id: Id,
}

impl Root {
    /// The root of this kind and id.
    pub const fn new(kind: RootKind, id: Id) -> Root {
        Root { kind, id }
    }

    /// A person's root.
    pub const fn profile(id: Id) -> Root {
        Root::new(RootKind::Profile, id)
    }

    /// A post's root.
    pub const fn post(id: Id) -> Root {
        Root::new(RootKind::Post, id)
    }

    /// The root of a unique name. `space` tells handles from e-mails; `name` is already canonical
    /// (case-folded): two spellings that must not both exist give the same root.
    pub fn name(space: &str, name: &str) -> Root {
        Root::new(RootKind::Name, Id::derived(space, name.as_bytes()))
    }

    /// A conversation's root.
    pub const fn chat(id: Id) -> Root {
        Root::new(RootKind::Chat, id)
    }

    /// A reply's root.
    pub const fn reply(id: Id) -> Root {
        Root::new(RootKind::Reply, id)
    }

    /// A generic node's root.
    pub const fn node(id: Id) -> Root {
        Root::new(RootKind::Node, id)
    }

    /// The 17 bytes that stand for this root in keys: kind, then id.
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[0] = self.kind as u8;
        bytes[1..].copy_from_slice(self.id.as_bytes());
        bytes
    }
}

/// One process of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(pub u64);

/// One of Q slices of the hash ring, 0..Q.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u16);

/// Index of a write in its partition's log. Starts at 1, never goes back; 0 means "before any".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before any write.
    pub const ZERO: Position = Position(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Type of a node. Below 1,024: Gomer's own (`server`'s model); above: declared by the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeType(pub u16);

/// Type of a link. Below 1,024: Gomer's own; above: declared by the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkType(pub u16);

/// One of a root's streams (home timeline, posts, tag list …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u16);

/// A part of a root that is visible to its readers as a whole or not at all; the unit of sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Section(pub u8);

impl Section {
    /// What only the root's owner reads: home timeline, devices, settings, blocks.
    pub const PRIVATE: Section = Section(0);
    /// What everybody reads who may see the root.
    pub const PUBLIC: Section = Section(1);
    /// Lists of links that others made to this root (followers, likers).
    pub const INVERSE: Section = Section(2);
    /// What never leaves the server, not even to the owner: credentials, sessions' secrets.
    /// Has no change index.
    pub const INTERNAL: Section = Section(255);
}

/// Place of an entry in its stream: the position of the append, then its ordinal within that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Order {
    /// Position of the write that appended it.
    pub position: Position,
    /// Which operation of that write.
    pub ordinal: u16,
}

impl Order {
    /// A text that sorts as orders do: 20 digits, a dot, 5 digits.
    pub fn text(self) -> Ascii<26> {
        let mut text = *b"00000000000000000000.00000";
        for (mut number, place) in [(self.position.0, 0..20), (u64::from(self.ordinal), 21..26)] {
            for at in place.rev() {
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        Ascii::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    #[test]
    fn an_order_has_one_text() {
        let text = |position, ordinal| Order { position: Position(position), ordinal }.text();
        assert_eq!(text(0, 0).as_str(), "00000000000000000000.00000");
        assert_eq!(text(1_042, 7).as_str(), "00000000000000001042.00007");
        assert_eq!(text(u64::MAX, u16::MAX).as_str(), "18446744073709551615.65535");
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text_in_either_case(seed: u64, millis in 0u64..(1 << 48)) {
            let id = Id::mint(Time::from_millis(millis), &mut Rng::new(seed));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }

        #[test]
        fn minted_ids_are_ordered_by_millisecond(seed: u64, a in 0u64..(1 << 47), b in 0u64..(1 << 47)) {
            let mut rng = Rng::new(seed);
            let (x, y) = (Id::mint(Time::from_millis(a), &mut rng), Id::mint(Time::from_millis(b), &mut rng));
            if a != b {
                prop_assert_eq!(a < b, x < y);
            }
        }

        #[test]
        fn any_text_parses_or_is_refused_without_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Id>();
        }
    }

    #[test]
    fn other_versions_and_variants_are_refused() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "0190a6b2-5c1e-1a3b-8f00-0123456789ab",
            "0190a6b2-5c1e-7a3b-0f00-0123456789ab",
            "0190a6b25c1e7a3b8f000123456789ab",
            "0190a6b2-5c1e-7a3b-8f00-0123456789a",
            "0190a6b2-5c1e-7a3b-8f00-0123456789ag",
            "",
        ] {
            assert_eq!(text.parse::<Id>(), Err(IdError), "{text:?}");
        }
        assert!("0190A6B2-5c1e-4a3b-bf00-0123456789ab".parse::<Id>().is_ok());
    }

    #[test]
    fn derived_ids_can_never_be_chosen_by_a_client() {
        let id = Id::derived("handle", b"ann");
        assert_eq!(id.to_string().parse::<Id>(), Err(IdError));
        assert_ne!(id, Id::derived("email", b"ann"));
        assert_ne!(Id::derived("a", b"bc"), Id::derived("ab", b"c"));
    }
}
