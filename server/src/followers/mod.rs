//! Followers outside of the groups: an index, a hook, a backup. Each has a name and, per app and partition, a place up
//! to which it has everything; it is sent the latest version of every row at least once, and every deletion
//! ([record 19](../../../docs/adr/0019-followers.md)).
//!
//! A follower works like this, for each app and partition whose leader is this member ([`Cluster::leads_partition`]):
//!
//! ```text
//! let mut place = follower.place(&host, app, partition).await?;       // where it was, or the start
//! let changes = place.next(&host, 500).await?;                          // what came since
//! if changes.resync { forget what came from this app and partition and is not sent again until `end` }
//! … do something with changes.items …
//! place.keep(&host, changes.next).await?;                               // false: somebody else was there; read again
//! ```
//!
//! Must never learn: what a follower does with what it is sent.

mod place;

use gomer_core::id::{AppId, Partition, Position, Root, Section};
use gomer_core::rows::applied::Eras;
use gomer_core::vnode::query::{ChangesFrom, DeltaItem};

use crate::host::Host;
use crate::registry::Stop;

pub use place::{Follower, Place, leave};

/// One row that changed, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The root that it belongs to.
    pub root: Root,
    /// Who reads it. Rows of [`Section::INTERNAL`] never come.
    pub section: Section,
    /// Where it stands: with app and partition, the revision of the row.
    pub position: Position,
    /// The row, or that it is gone.
    pub row: DeltaItem,
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// In order of position within the page; across pages too, but for a follower that has to catch up from far.
    pub items: Vec<Change>,
    /// What to show next time: to be kept when the items are dealt with.
    pub next: ChangesFrom,
    /// The position that the partition had reached.
    pub head: Position,
    /// Whether this was all there is.
    pub end: bool,
    /// The follower has nothing any more that can be trusted: what it has from this app and partition and is not sent
    /// until `end` must go.
    pub resync: bool,
    /// The eras of the partition's log.
    pub eras: Eras,
    walked: bool,
}

impl Changes {
    /// Positions of the partition's log, other apps' among them, that were still to be read after this page.
    pub fn lag(&self) -> u64 {
        self.head.0.saturating_sub(self.next.position.0)
    }

    /// Where a follower is that has dealt with the items of this page up to a position and no further. Nothing: the
    /// page is not in order across pages, and goes as a whole or not at all.
    pub fn up_to(&self, position: Position) -> Option<ChangesFrom> {
        let ChangesFrom { history, .. } = self.next;
        let era = self.eras.of(position);
        (!self.walked).then_some(ChangesFrom { position, walk: None, history, era })
    }
}

/// What changed of an app in a partition after a place: about `limit` rows, at most 1,000 and about 1 MiB, read at the
/// partition's leader wherever that is. With a limit of 0 nothing is read: `next` is the end, as of now.
pub async fn changes(
    host: &Host,
    app: AppId,
    partition: Partition,
    from: ChangesFrom,
    limit: u32,
) -> Result<Changes, Stop> {
    let (page, head, eras) = host.cluster.changes(app, partition, from, limit).await?;
    let change = |it: gomer_core::vnode::query::ChangeItem| Change {
        position: it.position(),
        root: it.root,
        section: it.section,
        row: it.item,
    };
    let items = page.items.into_iter().map(change).collect();
    let walked = page.resync || from.walk.is_some() || page.next.walk.is_some() || from.history == 0;
    Ok(Changes { items, next: page.next, head, eras, end: page.end, resync: page.resync, walked })
}
