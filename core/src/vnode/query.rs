//! What a vnode can be asked: reads of one root as data, so that they can travel to whichever member
//! answers them.

use serde::{Deserialize, Serialize};

use crate::id::{Id, LinkType, NodeType, Order, Position, Root, Section, StreamId};
use crate::rows::RowRef;
use crate::rows::applied::Eras;
use crate::rows::mark::Mark;
use crate::rows::name::Name;
use crate::rows::node::Node;
use crate::rows::operation::OpRecord;
use crate::time::Time;

pub use crate::rows::entry::EntryView;
pub use crate::rows::link::{LinkCount, LinkPlace, LinkView};

/// Largest page of any list.
pub const PAGE_MAX: u32 = 1_000;

/// A read of one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; their fields are named after the rows'")]
pub enum Query {
    /// A node.
    Node(Id),
    /// A node, and whether its tombstone is there.
    NodeOrTombstone(Id),
    /// All nodes of the root, at most this many.
    Nodes { limit: u32 },
    /// Links of one type to these targets.
    Links { ty: LinkType, to: Vec<Id> },
    /// A page of a link list, newest first: strictly after `after`, within the window.
    LinkPage { ty: LinkType, after: Option<LinkPlace>, since: Option<Time>, until: Option<Time>, limit: u32 },
    /// Counts of link lists.
    LinkCounts(Vec<LinkType>),
    /// One entry.
    Entry { stream: StreamId, id: Id },
    /// A page of a stream, strictly beyond `from` in the direction asked.
    EntryPage { stream: StreamId, from: Option<Order>, newest_first: bool, limit: u32 },
    /// Live entries after the read mark, counted up to `cap`.
    Unread { stream: StreamId, cap: u32 },
    /// A read mark.
    Mark(StreamId),
    /// Who owns this name root.
    Name,
    /// The record of an operation.
    Operation { caller: Id, op: Id },
    /// What changed in a section after a position (see [`DeltaPage`]).
    Delta { section: Section, from: DeltaFrom, limit: u32 },
    /// Several of these, answered as of one moment and in this order; at most [`QUERIES_MAX`].
    All(Vec<Query>),
    /// What changed of the app in the whole partition after a position, whatever the root (see [`ChangesPage`]).
    Changes { from: ChangesFrom, limit: u32 },
}

/// Most queries of one [`Query::All`]; those beyond it are not answered.
pub const QUERIES_MAX: usize = 16;

/// How a follower says where it is in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaFrom {
    /// It has everything up to here.
    pub position: Position,
    /// While it is being resynced: the position applied when that began.
    pub resync: Option<Position>,
    /// The history it knows; zero if none yet.
    pub history: u64,
    /// Tag of the era in which its position was reached.
    pub era: u32,
}

impl DeltaFrom {
    /// A follower that has nothing.
    pub const START: DeltaFrom = DeltaFrom { position: Position::ZERO, resync: None, history: 0, era: 0 };
}

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeltaItem {
    /// The node as it is now.
    Node(Id, Node),
    /// The link as it is now.
    Link(LinkType, LinkView),
    /// How many links the list has now. It never goes: an empty list has none.
    Count(LinkType, LinkCount),
    /// The entry as it is now.
    Entry(StreamId, EntryView),
    /// The mark as it is now.
    Mark(StreamId, Mark),
    /// It is gone since this position. For a node: what it was.
    Gone(RowRef, Position, Option<NodeType>),
}

/// A page of changes. It never ends inside a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaPage {
    /// The follower is behind what the section remembers, or of another history or era: what it has and
    /// is not sent until `end` must go.
    pub resync: bool,
    /// In order of position.
    pub items: Vec<DeltaItem>,
    /// What to show next time.
    pub next: DeltaFrom,
    /// Whether this was all there is.
    pub end: bool,
}

/// How a follower of a whole partition says where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesFrom {
    /// It has everything up to here.
    pub position: Position,
    /// It is on a walk beyond that.
    pub walk: Option<Walk>,
    /// The history it knows; zero if none yet.
    pub history: u64,
    /// Tag of the era in which its position was reached; on a walk, the position at which that began.
    pub era: u32,
}

impl ChangesFrom {
    /// A follower that has nothing.
    pub const START: ChangesFrom = ChangesFrom { position: Position::ZERO, walk: None, history: 0, era: 0 };
}

/// A walk through all of an app's changes in a partition, root by root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The position that was applied when it began: where it leads to.
    pub begun: Position,
    /// Whether deletions are told; else what was not sent by the end is gone.
    pub deletions: bool,
    /// How far it has come.
    pub at: Option<WalkedTo>,
}

/// A place on a [`Walk`]: everything up to this position of this section is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkedTo {
    /// The root.
    pub root: Root,
    /// Its section.
    pub section: Section,
    /// The position.
    pub position: Position,
}

/// One thing of an app that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeItem {
    /// The root that it belongs to.
    pub root: Root,
    /// Who reads it.
    pub section: Section,
    /// What it is now.
    pub item: DeltaItem,
}

impl ChangeItem {
    /// Where the change stands: with its partition, what tells it from every other one.
    pub fn position(&self) -> Position {
        super::delta::position_of(&self.item)
    }
}

/// A page of changes of an app in a partition. It never ends inside a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPage {
    /// The follower is behind what is remembered of deletions, or of another history or era: what it has and is
    /// not sent until `end` must go.
    pub resync: bool,
    /// In order of position within this page; across pages too, but for a walk.
    pub items: Vec<ChangeItem>,
    /// What to show next time.
    pub next: ChangesFrom,
    /// Whether this was all there is.
    pub end: bool,
}

/// What a [`Query`] gets, variant by variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// For `Node`.
    Node(Option<Node>),
    /// For `NodeOrTombstone`: the node, or whether it was deleted.
    NodeOrTombstone(Option<Node>, bool),
    /// For `Nodes`.
    Nodes(Vec<(Id, Node)>),
    /// For `Links`, in the order asked.
    Links(Vec<Option<LinkView>>),
    /// For `LinkPage`, with whether the list ends here.
    LinkPage(Vec<LinkView>, bool),
    /// For `LinkCounts`, in the order asked.
    LinkCounts(Vec<u64>),
    /// For `Entry`.
    Entry(Option<EntryView>),
    /// For `EntryPage`, with whether the stream ends here.
    EntryPage(Vec<EntryView>, bool),
    /// For `Unread`.
    Unread(u32),
    /// For `Mark`.
    Mark(Option<Mark>),
    /// For `Name`.
    Name(Option<Name>),
    /// For `Operation`.
    Operation(Option<OpRecord>),
    /// For `Delta`.
    Delta(DeltaPage),
    /// For `All`, in the order asked.
    All(Vec<Answer>),
    /// For `Changes`.
    Changes(ChangesPage),
}

/// An answer, and as of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What was asked.
    pub answer: Answer,
    /// The position that was applied.
    pub position: Position,
    /// The history of the log.
    pub history: u64,
    /// The eras of the log: each revision in the answer belongs to one of them.
    pub eras: Eras,
}
