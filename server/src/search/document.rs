//! What an index keeps of a thing: the terms by which it is found, and where it stands among others. Nothing that is shown
//! comes from here; whoever finds something reads it from its root.
//!
//! Must never learn: who asks, and how an index keeps it.

use std::collections::BTreeSet;

use gomer_core::id::{AppId, Id, Root, RootKind};

use super::words::{fold, kept};

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A profile.
    Profile,
    /// A post.
    Post,
    /// A reply.
    Reply,
    /// A place.
    Place,
    /// A photo.
    Photo,
    /// An album.
    Album,
}

/// Things that are looked for together, in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Profiles, by name.
    People,
    /// Posts and replies, the newest first.
    Posts,
    /// Places, by name.
    Places,
    /// Photos and albums, the newest first.
    Photos,
}

/// In what a term stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// A word of what a thing is called.
    Name,
    /// A word of what it says.
    Text,
    /// A whole handle.
    Handle,
    /// A whole tag.
    Tag,
    /// The id of who made it.
    Author,
    /// For whom it is.
    Audience,
    /// The id of somebody who is on it.
    Person,
    /// The id of somebody who may see it whatever its audience.
    Reader,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::Profile, Kind::Post, Kind::Reply, Kind::Place, Kind::Photo, Kind::Album];

    /// Its number in an index: never change one without a new [`FORMAT`](super::FORMAT).
    pub fn number(self) -> u8 {
        match self {
            Kind::Profile => 1,
            Kind::Post => 2,
            Kind::Reply => 3,
            Kind::Place => 4,
            Kind::Photo => 5,
            Kind::Album => 6,
        }
    }

    /// The kind with this number.
    pub fn of_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The kind of what stands in such a root, with the root's id.
    pub fn of_root(root: Root) -> Option<Kind> {
        Some(match root.kind {
            RootKind::Profile => Kind::Profile,
            RootKind::Post => Kind::Post,
            RootKind::Reply => Kind::Reply,
            RootKind::Place => Kind::Place,
            RootKind::Photo => Kind::Photo,
            RootKind::Album => Kind::Album,
            _ => return None,
        })
    }

    /// With what it is looked for.
    pub fn shelf(self) -> Shelf {
        match self {
            Kind::Profile => Shelf::People,
            Kind::Post | Kind::Reply => Shelf::Posts,
            Kind::Place => Shelf::Places,
            Kind::Photo | Kind::Album => Shelf::Photos,
        }
    }
}

impl Shelf {
    /// Its number in an index.
    pub fn number(self) -> u8 {
        match self {
            Shelf::People => 1,
            Shelf::Posts => 2,
            Shelf::Places => 3,
            Shelf::Photos => 4,
        }
    }
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 8] = [
        Field::Name,
        Field::Text,
        Field::Handle,
        Field::Tag,
        Field::Author,
        Field::Audience,
        Field::Person,
        Field::Reader,
    ];

    /// The field with this number.
    pub fn of_number(number: u8) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.number() == number)
    }

    /// Whether its terms are also found by how they begin. That costs a row for each letter, so it is for short texts.
    pub fn has_beginnings(self) -> bool {
        matches!(self, Field::Name | Field::Tag)
    }

    /// Its number in an index.
    pub fn number(self) -> u8 {
        match self {
            Field::Name => 1,
            Field::Text => 2,
            Field::Handle => 3,
            Field::Tag => 4,
            Field::Author => 5,
            Field::Audience => 6,
            Field::Person => 7,
            Field::Reader => 8,
        }
    }
}

/// One thing, by which an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose.
    pub app: AppId,
    /// What.
    pub kind: Kind,
    /// Which.
    pub id: Id,
}

/// Where a thing stands on its shelf: the greater one comes first. It follows from the thing alone and not from what else is
/// kept, so that a page begins where the one before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// By time or by name.
    pub order: u64,
    /// Decides among equals. Made of the id, which it does not tell.
    pub tie: u64,
}

impl Mark {
    /// Everything stands behind it.
    pub const BEFORE_ALL: Mark = Mark { order: u64::MAX, tie: u64::MAX };
}

/// What is kept of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which thing.
    pub key: Key,
    /// By time or by name: see [`by_time`] and [`by_name`].
    pub order: u64,
    /// By what it is found, each once.
    pub terms: BTreeSet<(Field, String)>,
}

impl Document {
    /// Of this thing, and found by nothing yet.
    pub fn new(key: Key, order: u64) -> Document {
        Document { key, order, terms: BTreeSet::new() }
    }

    /// Where it stands on its shelf.
    pub fn mark(&self) -> Mark {
        let derived = Id::derived("search.tie", self.key.id.as_bytes());
        let (head, _) = derived.as_bytes().split_first_chunk().expect("an id has sixteen bytes");
        // The bits of a UUID's version are in it, which does no harm.
        Mark { order: self.order, tie: u64::from_be_bytes(*head) }
    }

    /// Found by every word of a text.
    pub fn words(&mut self, field: Field, text: &str) {
        self.terms.extend(kept(text).into_iter().map(|word| (field, word)));
    }

    /// Found by a text as a whole; case, accents and widths do not count.
    pub fn whole(&mut self, field: Field, text: &str) {
        self.terms.insert((field, fold(text)));
    }
}

/// The order of the newest first.
pub fn by_time(millis: u64) -> u64 {
    millis
}

/// The alphabetical order, as far as the first eight bytes go.
pub fn by_name(name: &str) -> u64 {
    let name = fold(name);
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    !u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_own_and_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::of_number(0), None);
        assert_eq!(Kind::of_number(7), None);
        for field in Field::ALL {
            assert_eq!(Field::of_number(field.number()), Some(field));
        }
        assert_eq!((Field::of_number(0), Field::of_number(9)), (None, None));
    }

    #[test]
    fn short_names_come_before_those_that_they_begin() {
        let mut names = ["Bob", "annabelle", "ann", "Émile", "zoe"];
        names.sort_by_key(|name| std::cmp::Reverse(by_name(name)));
        assert_eq!(names, ["ann", "annabelle", "Bob", "Émile", "zoe"]);
        assert_eq!(by_name("É"), by_name("e"));
    }

    #[test]
    fn equals_are_told_apart_and_ids_are_not_told() {
        let of = |id: u8| {
            let key = Key { app: AppId(1), kind: Kind::Post, id: Id::from_bytes([id; 16]) };
            Document::new(key, 7).mark()
        };
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1).tie.to_be_bytes(), [1; 8]);
    }
}
