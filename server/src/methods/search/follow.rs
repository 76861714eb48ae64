//! Keeps the index up to date: reads what changed in each partition after the place that the index keeps, and puts it in
//! together with the next place. So a crash, a lost index and a new member are one and the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gomer_core::id::{AppId, Partition, Position, Root};
use gomer_core::rows::RowRef;
use gomer_core::vnode::query::{Answer, ChangesFrom, DeltaItem, Query};

use super::documents;
use crate::followers::{Change, changes};
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::photo::people::PEOPLE_MAX;
use crate::model::SHOWS;
use crate::problem::Code;
use crate::registry::Stop;
use crate::search::document::{Document, Key, Kind};
use crate::search::index::{Batch, IndexFault, Places};

/// How long the index rests when it has everything.
const REST: Duration = Duration::from_millis(500);
/// Changes that are read at once.
const PAGE: u32 = 500;
/// Documents that are put in together at most, about: a commit syncs several files.
const BATCH: usize = 2_000;
/// Every so many rounds, places are kept that moved without anything to put in: else a follower that never had anything
/// would fall behind what is remembered of deletions.
const KEEP_PLACES: u64 = 2_000;

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// Documents that were put in.
    pub put: u64,
    /// Things that are not found any more.
    pub dropped: u64,
    /// The index had to begin again.
    pub again: bool,
    /// Partitions that could not be read.
    pub unread: u64,
}

/// The job that follows.
pub fn job() -> Job {
    let round = |host: Arc<Host>, number: u64| -> Round {
        Box::pin(async move {
            let followed = follow(&host, number % KEEP_PLACES == KEEP_PLACES - 1).await?;
            if followed.again {
                tracing::warn!("the search index was made again: what it knew was of another history");
            }
            Ok(())
        })
    };
    Job { name: "search.follow", every: REST, round }
}

/// Reads everything that there is to read. With `keep`, all places are kept, also where nothing changed.
pub async fn follow(host: &Arc<Host>, keep: bool) -> Result<Followed, Stop> {
    let _alone = host.search.following.lock().await;
    let mut round = RoundOf { host, followed: Followed::default(), batch: Pending::default() };
    match round.run(keep).await {
        Ok(Run::Done) => Ok(round.followed),
        Ok(Run::Resync) => {
            host.search.clear().await.map_err(broken)?;
            let mut again = RoundOf { host, followed: Followed::default(), batch: Pending::default() };
            again.followed.again = true;
            // From nothing there is nothing that could be of another history.
            again.run(keep).await?;
            Ok(again.followed)
        }
        Err(stop) => Err(stop),
    }
}

/// Writes of the partitions held here that the index has not seen.
pub fn behind(host: &Host) -> u64 {
    let followed = host.search.standing().followed.clone();
    let missing = |partition: Partition| {
        let (published, _) = host.cluster.digest(partition)?;
        let known = followed.get(&partition).map_or(0, |known| known.0);
        Some(published.0.saturating_sub(known))
    };
    host.cluster.partitions().all().filter_map(missing).sum()
}

enum Run {
    Done,
    /// What the index has is of another history, or behind what is remembered of deletions.
    Resync,
}

/// What came of reading an app in a partition.
enum Read {
    /// There is nothing beyond this position.
    To(Position),
    /// It could not be read now.
    Unread,
    /// See [`Run::Resync`].
    Resync,
}

struct RoundOf<'a> {
    host: &'a Arc<Host>,
    followed: Followed,
    batch: Pending,
}

/// What waits to be put in: of each thing the last that was read.
#[derive(Default)]
struct Pending {
    changes: BTreeMap<Key, Option<Document>>,
    /// Photos that changed. They are read again, since who is on them stands beside them.
    photos: BTreeSet<(AppId, Root)>,
    /// Where the index is after it.
    places: Places,
    /// Where it is too, without anything to put in.
    read: Places,
}

impl RoundOf<'_> {
    async fn run(&mut self, keep: bool) -> Result<Run, Stop> {
        let cluster = &self.host.cluster;
        let began = cluster.now().mono;
        let apps: Vec<AppId> = cluster.meta().apps.values().map(|app| app.id).collect();
        let mut reached = BTreeMap::new();
        for partition in cluster.partitions().all() {
            let known = self.host.search.standing().followed.get(&partition).copied();
            let mut least = None;
            for &app in &apps {
                let from = match self.host.search.place(app, partition).map(|place| read_place(&place)) {
                    None => ChangesFrom::START,
                    Some(Some(from)) => from,
                    // Another program's.
                    Some(None) => return Ok(Run::Resync),
                };
                match self.partition(app, partition, from, keep).await? {
                    Read::To(position) => least = least.min(Some(position)).or(Some(position)),
                    Read::Resync => return Ok(Run::Resync),
                    Read::Unread => {
                        self.followed.unread += 1;
                        least = None;
                        break;
                    }
                }
                // The position is the whole partition's: then nothing was written for any other app either.
                if least == known && !keep {
                    break;
                }
            }
            reached.extend(least.map(|least| (partition, least)));
        }
        self.put().await?;
        let mut standing = self.host.search.standing();
        standing.followed.extend(reached);
        if self.followed.unread == 0 {
            standing.as_of = Some(began);
        }
        Ok(Run::Done)
    }

    /// Reads an app's changes in a partition to the end.
    async fn partition(
        &mut self,
        app: AppId,
        partition: Partition,
        mut from: ChangesFrom,
        keep: bool,
    ) -> Result<Read, Stop> {
        loop {
            let page = match changes(self.host, app, partition, from, PAGE).await {
                Ok(page) => page,
                // Nobody leads it, or the store is busy: the next round goes on from here.
                Err(stop) => {
                    let code = stop.code().map_or("", Code::name);
                    tracing::debug!(code, partition = partition.0, "a partition was not followed");
                    return Ok(Read::Unread);
                }
            };
            if page.resync && from != ChangesFrom::START {
                return Ok(Read::Resync);
            }
            let is_idle = page.items.is_empty() && page.next.walk.is_none() && from.walk.is_none();
            for item in &page.items {
                self.batch.see(app, item);
            }
            if from != page.next || keep {
                let place = ((app, partition), write_place(&page.next));
                if is_idle && !keep {
                    self.batch.read.extend([place]);
                } else {
                    self.batch.places.extend([place]);
                }
            }
            from = page.next;
            if self.batch.changes.len() + self.batch.photos.len() >= BATCH {
                self.put().await?;
            }
            if page.end {
                return Ok(Read::To(from.position));
            }
        }
    }

    /// A photo as it is now, with who is on it.
    async fn photo(&self, app: AppId, root: Root) -> Result<Option<Document>, Stop> {
        let limit = PEOPLE_MAX as u32;
        let people = Query::LinkPage { ty: SHOWS, after: None, since: None, until: None, limit };
        let reading =
            self.host.cluster.read(app, root, Query::All(vec![Query::Node(root.id), people])).await?;
        let Answer::All(answers) = reading.answer else { return Err(Code::Internal.into()) };
        let (mut document, mut people) = (None, Vec::new());
        for answer in answers {
            match answer {
                Answer::Node(node) => document = node.and_then(|node| documents::of_node(app, root, &node)),
                Answer::LinkPage(links, _) => people.extend(links.into_iter().map(|link| link.to)),
                _ => return Err(Code::Internal.into()),
            }
        }
        if let Some(document) = &mut document {
            people.into_iter().for_each(|person| documents::on_photo(document, person));
        }
        Ok(document)
    }

    async fn put(&mut self) -> Result<(), Stop> {
        let Pending { mut changes, photos, places, mut read } = std::mem::take(&mut self.batch);
        for (app, root) in photos {
            changes.insert(Key { app, kind: Kind::Photo, id: root.id }, self.photo(app, root).await?);
        }
        read.extend(places.clone());
        let mut batch = Batch { places, ..Batch::default() };
        for (key, change) in changes {
            match change {
                Some(document) => batch.put.push(document),
                None => batch.drop.push(key),
            }
        }
        self.followed.put += batch.put.len() as u64;
        self.followed.dropped += batch.drop.len() as u64;
        if !batch.is_empty() {
            self.host.search.apply(batch).await.map_err(broken)?;
        }
        self.host.search.standing().places.extend(read);
        Ok(())
    }
}

impl Pending {
    fn see(&mut self, app: AppId, change: &Change) {
        let root = change.root;
        let Some(kind) = Kind::of_root(root) else { return };
        if kind == Kind::Photo {
            let concerns = match &change.row {
                DeltaItem::Node(id, _) | DeltaItem::Gone(RowRef::Node(id), ..) => *id == root.id,
                DeltaItem::Link(ty, _) | DeltaItem::Gone(RowRef::Link(ty, _), ..) => *ty == SHOWS,
                _ => false,
            };
            if concerns {
                self.photos.insert((app, root));
            }
            return;
        }
        let document = match &change.row {
            DeltaItem::Node(id, node) if *id == root.id => documents::of_node(app, root, node),
            DeltaItem::Gone(RowRef::Node(id), ..) if *id == root.id => None,
            _ => return,
        };
        self.changes.insert(Key { app, kind, id: root.id }, document);
    }
}

fn write_place(place: &ChangesFrom) -> String {
    serde_json::to_string(place).expect("a place is plain data")
}

fn read_place(place: &str) -> Option<ChangesFrom> {
    serde_json::from_str(place).ok()
}

fn broken(fault: IndexFault) -> Stop {
    tracing::error!(%fault, "the search index cannot be written");
    Code::Internal.into()
}
