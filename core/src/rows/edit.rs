//! One edit of a root: where, at which position, when, by which operation; and the change index that
//! every edit keeps.

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Refused};
use crate::id::{Id, NodeType, Position, Section};
use crate::store::StoreFault;
use crate::time::Time;

use super::change::{self, Change};
use super::key::{Place, RowRef};
use super::node::Stamp;
use super::tombstone::{self, Forgotten, Tombstone};
use super::{Txn, get};

/// What one operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// It was not there before. The revision.
    Created(Position),
    /// It was changed. The revision.
    Changed(Position),
    /// It already was as asked. Its revision, or zero if it is absent.
    Unchanged(Position),
}

impl Done {
    /// The revision of what the operation speaks of.
    pub const fn rev(self) -> Position {
        match self {
            Done::Created(rev) | Done::Changed(rev) | Done::Unchanged(rev) => rev,
        }
    }

    /// Whether anything is different now.
    pub const fn changed(self) -> bool {
        !matches!(self, Done::Unchanged(_))
    }
}

/// What all rows of one edit have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// The root.
    pub place: Place,
    /// Position of the command: the revision of all it changes.
    pub position: Position,
    /// The command's time.
    pub time: Time,
    /// The operation id, or [`Id::NIL`].
    pub op: Id,
    /// The position up to which the caller knew the root's deletions, if it told.
    pub known: Option<Position>,
}

impl Edit {
    /// The stamp of an edit that a device made at `edited`: never later than the command.
    pub fn stamp(&self, edited: Option<Time>) -> Stamp {
        Stamp { time: edited.map_or(self.time, |edited| edited.min(self.time)), op: self.op }
    }

    /// Moves a row's place in the change index to this position.
    pub fn touch(
        &self,
        txn: &mut Txn<'_>,
        row: RowRef,
        section: Section,
        before: Option<(Section, Position)>,
    ) -> Result<(), StoreFault> {
        if let Some((section, position)) = before
            && section != Section::INTERNAL
        {
            txn.remove(change::key(self.place, section, position, row))?;
        }
        if section != Section::INTERNAL {
            txn.put_new(change::key(self.place, section, self.position, row), &Change);
        }
        Ok(())
    }

    /// Leaves a tombstone for a row that was at `before`.
    pub fn bury(
        &self,
        txn: &mut Txn<'_>,
        row: RowRef,
        before: (Section, Position),
        author: Id,
        ty: Option<NodeType>,
    ) -> Result<(), StoreFault> {
        let (section, _) = before;
        self.touch(txn, row, section, Some(before))?;
        let tombstone = Tombstone { section, position: self.position, time: self.time, author, ty };
        txn.put(tombstone::key(self.place, row), &tombstone)
    }

    /// Takes a tombstone away, because the row (a link) is made again.
    pub fn unbury(&self, txn: &mut Txn<'_>, row: RowRef) -> Result<(), StoreFault> {
        let key = tombstone::key(self.place, row);
        if let Some(tombstone) = txn.row::<Tombstone>(&key)? {
            if tombstone.section != Section::INTERNAL {
                txn.remove(change::key(self.place, tombstone.section, tombstone.position, row))?;
            }
            txn.remove(key)?;
        }
        Ok(())
    }

    /// Refuses to create where the section has forgotten deletions after what the caller knew: the id
    /// may be one that was deleted meanwhile (fine print: a create replayed after the horizon).
    pub fn check_known(&self, txn: &Txn<'_>, section: Section) -> Result<(), Refused> {
        if let Some(known) = self.known
            && let Some(forgotten) = get::<Forgotten>(txn, &tombstone::forgotten_key(self.place, section))?
            && known < forgotten.position
        {
            return Err(Fault::Expired.into());
        }
        Ok(())
    }
}
