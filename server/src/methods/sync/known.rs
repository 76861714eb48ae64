//! Up to where a phone knows its person's root: a page says it, and it comes back with each queued operation, so
//! that what was deleted and forgotten meanwhile is not made again.

use gomer_core::id::Root;
use gomer_core::vnode::command::Known;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RootName;
use crate::cursor::SyncPlace;
use crate::registry::Rev;

/// Up to where a root is known. Taken from a page of `sync.pull`, and handed back as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownRoot {
    /// The root: the caller's own profile.
    root: RootName,
    /// A revision: everything up to it is known.
    rev: Rev,
}

impl KnownRoot {
    /// What a phone that is at this place knows of a root; nothing before all sections have come up to a
    /// position. While a section is resynced that is where the resync began.
    pub fn of(place: &SyncPlace, root: Root) -> Option<KnownRoot> {
        let followed = place.roots.iter().find(|followed| followed.root == root)?;
        let froms = followed.sections.iter().map(|(_, from)| from);
        let least = froms.min_by_key(|from| (from.history != 0, from.resync.unwrap_or(from.position)))?;
        let position = least.resync.unwrap_or(least.position);
        (least.history != 0).then_some(KnownRoot { root: RootName(root), rev: Rev::At(position, least.era) })
    }

    /// What somebody who knows this knows of any root.
    pub fn at(self, root: Root) -> Known {
        match self.rev.parts() {
            Some((position, era)) if self.root.0 == root => Known::UpTo { position, era },
            _ => Known::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::RootPlace;
    use gomer_core::id::{Id, Position, Section};
    use gomer_core::vnode::query::DeltaFrom;

    const ANN: Root = Root::profile(Id::from_bytes([1; 16]));
    const BOB: Root = Root::profile(Id::from_bytes([2; 16]));

    fn from(position: u64, resync: Option<u64>) -> DeltaFrom {
        DeltaFrom {
            position: Position(position),
            resync: resync.map(Position),
            history: 1,
            era: position as u32,
        }
    }

    fn place(sections: Vec<DeltaFrom>) -> SyncPlace {
        let sections = sections.into_iter().map(|from| (Section::PUBLIC, from)).collect();
        SyncPlace { roots: vec![RootPlace { root: ANN, sections }], refused: Vec::new() }
    }

    #[test]
    fn what_is_known_is_what_every_section_has_come_up_to() {
        let known = |sections| KnownRoot::of(&place(sections), ANN).map(|known| known.rev);
        assert_eq!(known(vec![from(7, None), from(9, None)]), Some(Rev::At(Position(7), 7)));
        assert_eq!(known(vec![from(3, Some(8)), from(9, None)]), Some(Rev::At(Position(8), 3)));
        assert_eq!(known(vec![from(7, None), DeltaFrom::START]), None, "one has not begun");
        assert_eq!(KnownRoot::of(&place(vec![from(7, None)]), BOB), None);
    }

    #[test]
    fn it_says_nothing_of_other_roots() {
        let known = KnownRoot { root: RootName(ANN), rev: Rev::At(Position(7), 3) };
        assert_eq!(known.at(ANN), Known::UpTo { position: Position(7), era: 3 });
        assert_eq!(known.at(BOB), Known::Nothing);
    }
}
