//! Faults: expected failures that reach a caller. Bugs are panics and stop the process instead.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Position;
use crate::store::StoreFault;

/// Why a command or a read was not done. Each tells the caller what to do next; the HTTP status of
/// each is in `server/src/http/problem.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A bounded queue is full. Nothing was done; try again later.
    Busy,
    /// A row failed its checksum or could not be read. The root is read-only until repaired.
    Corrupt,
    /// The cursor, history or queued operation is older than what was forgotten: resync.
    Expired,
    /// The disk is below its reserve. Nothing was done.
    DiskFull,
    /// The id exists and belongs to another author.
    IdTaken,
    /// A precondition says present, and it is absent (or a tombstone).
    Absent,
    /// A precondition says absent, and it is present.
    Present,
    /// The unique name belongs to somebody else, or a reservation of it was refused.
    NameTaken,
    /// `ifRev` does not match; the entity's revision is this.
    Stale(Position),
    /// The operation id was used with another body.
    KeyReused,
    /// A row, a write or a root would be larger than its limit; the name of the limit.
    TooLarge(&'static str),
    /// Not the leader, or no majority in reach. Nothing was done; try again.
    Unavailable,
    /// It may or may not have happened. The same operation id makes a retry safe.
    Timeout,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Busy => f.write_str("a queue is full, try again later"),
            Fault::Corrupt => f.write_str("stored data failed its checksum"),
            Fault::Expired => f.write_str("older than what the server still remembers, resync"),
            Fault::DiskFull => f.write_str("the disk is nearly full"),
            Fault::IdTaken => f.write_str("the id belongs to another author"),
            Fault::Absent => f.write_str("absent"),
            Fault::Present => f.write_str("already present"),
            Fault::NameTaken => f.write_str("the name is taken"),
            Fault::Stale(rev) => write!(f, "the revision is now {rev}"),
            Fault::KeyReused => f.write_str("the operation id was used with another body"),
            Fault::TooLarge(limit) => write!(f, "larger than {limit}"),
            Fault::Unavailable => f.write_str("unavailable, try again"),
            Fault::Timeout => f.write_str("timed out, outcome unknown"),
        }
    }
}

impl std::error::Error for Fault {}

/// Why an edit was not made: refused by a rule, which the caller is told, or failed in the store, which
/// makes the vnode suspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// By a rule. Nothing was changed.
    Rule(Fault),
    /// By the store. What was changed in this transaction must be thrown away.
    Store(StoreFault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused::Rule(fault)
    }
}

impl From<StoreFault> for Refused {
    fn from(fault: StoreFault) -> Refused {
        Refused::Store(fault)
    }
}
