//! An item as it was read and as it is kept.

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use sha2::{Digest, Sha256};

use super::Kind;
use crate::methods::post::view::json;
use crate::types::{Timestamp, Uuid};

/// An item that was read at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What the source knows it by.
    pub key: String,
    /// When it was published, as the source claims.
    pub published: Option<Time>,
    /// What there is to show, as attributes.
    pub attrs: Vec<(String, String)>,
}

impl Read {
    /// Its entry's id: the same item is the same entry, whenever it is read.
    pub fn entry_id(&self, source: Id) -> Id {
        let mut name = source.as_bytes().to_vec();
        name.extend_from_slice(self.key.as_bytes());
        Id::derived("source.item", &name)
    }

    /// What tells whether it was changed: 16 hex digits.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, value) in &self.attrs {
            for part in [name, value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The attributes of a new item's node. Nothing is published before it is found.
    pub fn node_attrs(&self, source: Id, now: Time) -> Vec<(String, String)> {
        let published = self.published.map_or(now, |published| published.min(now));
        let mut attrs = self.attrs.clone();
        attrs.push((SOURCE.to_owned(), json(&Uuid(source))));
        attrs.push((PUBLISHED_AT.to_owned(), json(&Timestamp(published))));
        attrs.push((FOUND_AT.to_owned(), json(&Timestamp(now))));
        attrs
    }
}

/// The root of an item: of the kind of posts.
pub fn item_root(id: Id) -> Root {
    Root::post(id)
}

/// Which source's item this is, by its kind.
pub fn kind_of(ty: gomer_core::id::NodeType) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.item_ty() == ty)
}

/// Attribute: the source that it was found at.
pub const SOURCE: &str = "source";
/// Attribute: when it was published; at most when it was found.
pub const PUBLISHED_AT: &str = "publishedAt";
/// Attribute: when it was found.
pub const FOUND_AT: &str = "foundAt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_known_by_its_source_and_key_and_changes_with_what_it_says() {
        let item = |key: &str, title: &str| Read {
            key: key.to_owned(),
            published: None,
            attrs: vec![("title".to_owned(), title.to_owned()), ("link".to_owned(), "x".to_owned())],
        };
        let (one, two) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        assert_eq!(item("a", "x").entry_id(one), item("a", "y").entry_id(one));
        assert_ne!(item("a", "x").entry_id(one), item("a", "x").entry_id(two));
        assert_ne!(item("a", "x").entry_id(one), item("b", "x").entry_id(one));
        assert_eq!(item("a", "x").fingerprint(), item("b", "x").fingerprint());
        assert_ne!(item("a", "x").fingerprint(), item("a", "xl").fingerprint());
        assert_eq!(item("a", "x").fingerprint().len(), 16);
    }

    #[test]
    fn nothing_is_published_before_it_is_found() {
        let now = Time::from_millis(1_000_000);
        for (claimed, kept) in [(None, 1_000_000), (Some(5), 5), (Some(2_000_000), 1_000_000)] {
            let item = Read { key: "a".into(), published: claimed.map(Time::from_millis), attrs: Vec::new() };
            let attrs = item.node_attrs(Id::from_bytes([1; 16]), now);
            let published = attrs.iter().find(|(name, _)| name == PUBLISHED_AT).unwrap();
            assert_eq!(published.1, json(&Timestamp(Time::from_millis(kept))));
        }
    }
}
