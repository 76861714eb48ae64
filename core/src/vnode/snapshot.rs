//! Snapshots: the rows of a partition as of one position, asked for in pieces.
//!
//! Who is too far behind for the log is *offered* a cut. It asks for what follows a key, and is sent a chunk
//! of rows with their sum; then for what follows those. If it holds rows of its own there, it says what
//! they sum to, and equal ones are not sent. So a transfer that begins anew with a later cut, from
//! another replica, or after a restart of either side costs little more than what has changed. The sender
//! keeps nothing but the cut: everything that follows data follows it by position.
//!
//! Must never learn: who asks, when, and how often.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::id::Partition;
use crate::rows::applied::{self, Applied};
use crate::rows::ingest::{Cut, CutName};
use crate::rows::key::{KeyWriter, after_prefix};
use crate::rows::replicas::{self, Replicas};
use crate::rows::txn::row_hash;
use crate::rows::{Kind, Txn, get, is_sealed};
use crate::store::{Direction, StateRead, StoreFault};

/// Bytes of rows in one chunk, about: what a turn takes in within a few milliseconds.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// Rows that one chunk changes at most.
pub const CHUNK_ROWS: usize = 2_048;

/// What replicas say to each other about snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transfer {
    /// What you need is no longer in the log of the leader of this term; this can be asked for.
    Offer {
        /// The term.
        term: u64,
        /// What is offered.
        cut: Box<Cut>,
    },
    /// What follows this key? Without a cut: what do you have, at this position or later?
    Want(Want),
    /// This follows.
    Chunk(Chunk),
}

/// What a receiver asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Of which cut.
    pub cut: Option<CutName>,
    /// An earlier cut is of no use.
    pub at_least: u64,
    /// From this key on.
    pub from: Vec<u8>,
    /// The rows that the receiver holds there.
    pub held: Option<Held>,
}

/// Rows that a receiver holds, from the key on that it asks from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Up to here, exclusive.
    pub to: Vec<u8>,
    /// What they sum to.
    pub sum: u64,
}

/// The rows of a cut in one range of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The cut.
    pub cut: CutName,
    /// From this key on.
    pub from: Vec<u8>,
    /// Up to here, exclusive.
    pub to: Vec<u8>,
    /// The rows; nothing if they are those that the receiver holds.
    pub rows: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// What they sum to.
    pub sum: u64,
}

/// Why a chunk is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkFault {
    /// It is damaged, or not what was asked for. It is asked for again.
    Refused(&'static str),
    /// The receiver's own store failed.
    Store(StoreFault),
}

impl From<StoreFault> for ChunkFault {
    fn from(fault: StoreFault) -> ChunkFault {
        ChunkFault::Store(fault)
    }
}

/// The keys of the rows that are replicated: from, to.
pub fn range(partition: Partition) -> (Vec<u8>, Vec<u8>) {
    let from = KeyWriter::of_partition(partition, Kind::Node).end();
    let to = after_prefix(&partition.0.to_be_bytes());
    (from, to)
}

/// The cut that these rows are, if they are any.
pub fn cut(rows: &dyn StateRead, partition: Partition) -> Result<Option<Cut>, StoreFault> {
    let applied: Option<Applied> = get(rows, &applied::key(partition))?;
    let Some(applied) = applied.filter(|applied| applied.position.0 > 0) else { return Ok(None) };
    let stored: Option<Replicas> = get(rows, &replicas::key(partition))?;
    let replicas = stored.unwrap_or_else(|| Replicas::of(applied.voters.clone()));
    Ok(Some(Cut { applied, replicas }))
}

/// Rows from `from` on, at most about a chunk, and the key at which the next chunk begins.
struct Stretch {
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    sum: u64,
    to: Vec<u8>,
}

fn stretch(rows: &dyn StateRead, from: &[u8], to: &[u8]) -> Result<Stretch, StoreFault> {
    let mut out = Stretch { rows: Vec::new(), sum: 0, to: to.to_vec() };
    let mut bytes = 0;
    rows.scan(from, to, Direction::Up, &mut |key, row| {
        if bytes >= CHUNK_BYTES || out.rows.len() >= CHUNK_ROWS {
            out.to = key.to_vec();
            return ControlFlow::Break(());
        }
        bytes += key.len() + row.len();
        out.sum = out.sum.wrapping_add(row_hash(key, row));
        out.rows.push((key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(out)
}

/// What a receiver holds from `from` on, to be said in what it asks for.
pub fn held(rows: &dyn StateRead, partition: Partition, from: &[u8]) -> Result<Option<Held>, StoreFault> {
    let found = stretch(rows, from, &range(partition).1)?;
    Ok((!found.rows.is_empty()).then_some(Held { to: found.to, sum: found.sum }))
}

/// Answers what was asked for, from the rows of the cut. Nothing if no honest receiver asks so.
pub fn chunk(
    rows: &dyn StateRead,
    name: CutName,
    partition: Partition,
    want: &Want,
) -> Result<Option<Chunk>, StoreFault> {
    let (start, end) = range(partition);
    let inside = |key: &[u8]| start.as_slice() <= key && key <= end.as_slice();
    if !inside(&want.from) {
        return Ok(None);
    }
    let found = stretch(rows, &want.from, &end)?;
    if let Some((key, _)) = found.rows.iter().find(|(key, row)| !is_sealed(key, row)) {
        let what = format!("a row of partition {} does not check, its key is {key:02x?}", partition.0);
        return Err(StoreFault::Corrupt(what));
    }
    if let Some(held) = want.held.as_ref().filter(|held| inside(&held.to) && held.to > want.from) {
        let count = found.rows.partition_point(|(key, _)| *key < held.to);
        let sum =
            found.rows[..count].iter().fold(0u64, |sum, (key, row)| sum.wrapping_add(row_hash(key, row)));
        // Beyond the stretch nothing is known.
        if sum == held.sum && held.to <= found.to {
            let (from, to) = (want.from.clone(), held.to.clone());
            return Ok(Some(Chunk { cut: name, from, to, rows: None, sum }));
        }
    }
    let Stretch { rows, sum, to } = found;
    Ok(Some(Chunk { cut: name, from: want.from.clone(), to, rows: Some(rows), sum }))
}

/// Puts a chunk in the place of the receiver's own rows. Returns up to which key, and what the rows up to
/// there sum to: less than the chunk if much must be removed for it.
pub fn take(txn: &mut Txn<'_>, partition: Partition, chunk: Chunk) -> Result<(Vec<u8>, u64), ChunkFault> {
    let (start, end) = range(partition);
    let Chunk { from, mut to, rows, mut sum, .. } = chunk;
    if from < start || to > end || from > to || (from == to && from != end) {
        return Err(ChunkFault::Refused("its range is not of this partition"));
    }
    let own = stretch(txn, &from, &to)?;
    let Some(mut rows) = rows else {
        // Equal rows are not sent; both sides cut stretches in the same way.
        return if own.to == to && own.sum == sum {
            Ok((to, sum))
        } else {
            Err(ChunkFault::Refused("it says that rows are equal, and they are not"))
        };
    };
    let in_order = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let within = rows.first().is_none_or(|row| row.0 >= from) && rows.last().is_none_or(|row| row.0 < to);
    if !in_order || !within {
        return Err(ChunkFault::Refused("its rows are not in its range"));
    }
    let real = rows.iter().fold(0u64, |sum, (key, row)| sum.wrapping_add(row_hash(key, row)));
    if real != sum || !rows.iter().all(|(key, row)| is_sealed(key, row)) {
        return Err(ChunkFault::Refused("its rows do not sum to what it says"));
    }
    if own.to < to {
        rows.retain(|(key, _)| *key < own.to);
        to = own.to;
        sum = rows.iter().fold(0u64, |sum, (key, row)| sum.wrapping_add(row_hash(key, row)));
    }
    for (key, _) in own.rows {
        if rows.binary_search_by(|row| row.0.cmp(&key)).is_err() {
            txn.remove_local(key);
        }
    }
    for (key, row) in rows {
        txn.put_received(key, row);
    }
    Ok((to, sum))
}
