//! Where a follower is: a row in the very partition that it follows. So the place is in the same log as what it speaks of,
//! who leads the one leads the other, and a disk that is rolled back takes both back.
//!
//! The row is in the internal section: writing it down is not a change that anybody follows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, Partition, Position, Root, RootKind, Section};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::vnode::command::{Operation, Precondition, STEP_ROOTS_MAX, Step, Write};
use gomer_core::vnode::query::{Answer, ChangesFrom, Query};

use super::{Changes, changes};
use crate::host::Host;
use crate::model::FOLLOWER;
use crate::problem::Code;
use crate::registry::Stop;

/// Attribute: the [`ChangesFrom`], encoded, in base64.
const FROM: &str = "from";
/// Attribute: it is not to be sent anything for now.
const PAUSED: &str = "paused";

/// Who follows. Cheap to make: nothing is stored until a place is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Tells it from other followers of the same app.
    pub name: String,
}

/// Where a follower is in one partition of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The app.
    pub app: AppId,
    /// The partition.
    pub partition: Partition,
    /// It has everything up to here.
    pub from: ChangesFrom,
    /// Whether it is to rest. Nobody is kept from reading; who does the work asks.
    pub paused: bool,
    root: Root,
    rev: Option<Position>,
}

impl Follower {
    /// The follower of this name.
    pub fn new(name: impl Into<String>) -> Follower {
        Follower { name: name.into() }
    }

    /// Where it is; the start, if it was never there.
    pub async fn place(&self, host: &Host, app: AppId, partition: Partition) -> Result<Place, Stop> {
        let root = root_of(&self.name, host.cluster.partitions(), app, partition);
        let reading = host.cluster.read(app, root, Query::Node(place_id())).await?;
        let Answer::Node(node) = reading.answer else { return Err(Code::Internal.into()) };
        let from = match node.as_ref().and_then(|node| node.attr(FROM)) {
            None => ChangesFrom::START,
            // What cannot be read is of a newer program or of none: begun again is always right.
            Some(json) => decode(json).unwrap_or(ChangesFrom::START),
        };
        let paused = node.as_ref().and_then(|node| node.attr(PAUSED)) == Some("true");
        Ok(Place { app, partition, from, paused, root, rev: node.map(|node| node.rev) })
    }

    /// Forgets where it was in a partition.
    pub async fn forget(&self, host: &Host, app: AppId, partition: Partition) -> Result<(), Stop> {
        let root = root_of(&self.name, host.cluster.partitions(), app, partition);
        let ops = [Operation::PatchNode {
            id: place_id(),
            attrs: vec![(FROM.to_owned(), None), (PAUSED.to_owned(), None)],
            edited: None,
        }];
        let mut write = Write::new(app, root, Id::NIL);
        write.ops.extend(ops);
        match host.cluster.write(write).await {
            Ok(_) | Err(Fault::Absent) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Steps that remove all places of a follower for ever: no other may ever have its name.
pub fn leave(partitions: PartitionCount, app: AppId, name: &str) -> Vec<Step> {
    let roots: Vec<Root> =
        partitions.all().map(|partition| root_of(name, partitions, app, partition)).collect();
    let step = |roots: &[Root]| Step {
        roots: roots.to_vec(),
        pre: Vec::new(),
        ops: vec![Operation::DeleteNode { id: place_id() }],
        then: Vec::new(),
        bulk: false,
    };
    roots.chunks(STEP_ROOTS_MAX).map(step).collect()
}

impl Place {
    /// What changed since.
    pub async fn next(&self, host: &Host, limit: u32) -> Result<Changes, Stop> {
        changes(host, self.app, self.partition, self.from, limit).await
    }

    /// Writes down that everything before `next` is dealt with. False: somebody else has moved the place, or paused it,
    /// since it was read; it is to be read again.
    pub async fn keep(&mut self, host: &Host, next: ChangesFrom) -> Result<bool, Stop> {
        if self.rev.is_some() && self.from == next {
            return Ok(true);
        }
        self.store(host, next, self.paused).await
    }

    /// Begins again from the start, with a resync: for who has lost what it had. False: see [`Place::keep`].
    pub async fn reset(&mut self, host: &Host) -> Result<bool, Stop> {
        self.store(host, ChangesFrom::START, self.paused).await
    }

    /// Goes to the end as it is now: what came before is never sent. False: see [`Place::keep`].
    pub async fn skip(&mut self, host: &Host) -> Result<bool, Stop> {
        let end = changes(host, self.app, self.partition, self.from, 0).await?.next;
        self.store(host, end, self.paused).await
    }

    /// Says whether it is to rest. False: see [`Place::keep`].
    pub async fn pause(&mut self, host: &Host, paused: bool) -> Result<bool, Stop> {
        self.store(host, self.from, paused).await
    }

    /// How many positions of the partition's log are still to be read; some of them may be other apps'.
    pub async fn lag(&self, host: &Host) -> Result<u64, Stop> {
        let end = changes(host, self.app, self.partition, self.from, 0).await?;
        Ok(end.head.0.saturating_sub(self.from.position.0))
    }

    async fn store(&mut self, host: &Host, from: ChangesFrom, paused: bool) -> Result<bool, Stop> {
        let pre = match self.rev {
            Some(rev) => Precondition::NodeRev(place_id(), rev),
            None => Precondition::NodeAbsent(place_id()),
        };
        let op = Operation::PutNode {
            id: place_id(),
            ty: FOLLOWER,
            section: Section::INTERNAL,
            author: Id::NIL,
            attrs: vec![(FROM.to_owned(), encode(&from)), (PAUSED.to_owned(), paused.to_string())],
        };
        let write = Write::new(self.app, self.root, Id::NIL).when(pre).op(op);
        match host.cluster.write(write).await {
            Ok(outcome) => {
                (self.from, self.paused, self.rev) = (from, paused, Some(outcome.rev));
                Ok(true)
            }
            Err(Fault::Stale(_) | Fault::Present | Fault::Absent) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// The root of a place: one of this name that lies in the partition itself.
fn root_of(name: &str, partitions: PartitionCount, app: AppId, partition: Partition) -> Root {
    let of = |number: u32| {
        let text = [&number.to_be_bytes()[..], &partition.0.to_be_bytes(), name.as_bytes()].concat();
        Root::new(RootKind::Misc, Id::derived("follower", &text))
    };
    (0..).map(of).find(|&root| partitions.of(app, root) == partition).expect("one in so many lies anywhere")
}

/// A place's node: the only one of its root.
fn place_id() -> Id {
    Id::derived("place", b"")
}

fn encode(from: &ChangesFrom) -> String {
    let bytes = postcard::to_stdvec(from).expect("places are plain data, which postcard can encode");
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(bytes))
}

fn decode(json: &str) -> Option<ChangesFrom> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    match postcard::take_from_bytes(&bytes) {
        Ok((from, [])) => Some(from),
        _ => None,
    }
}
