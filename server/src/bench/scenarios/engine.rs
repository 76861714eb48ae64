//! `engine`: the bare stores, without Raft, rules or reads: what this machine's disk and cores allow the data that a
//! fan-out writes. A thread per shard appends the same bytes to a log with one sync for each batch, keeps the rows in an
//! ordered map, and has them written to the store beside, when there are as many as a checkpoint takes.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gomer::store::log::{LogSettings, RaftLog};
use gomer::store::state::RedbState;
use gomer_core::rng::Rng;
use gomer_core::shard::CHECKPOINT_BYTES;
use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateStore, StoreFault};

use crate::bench::child::TempDir;
use crate::bench::measure::{blank, rows};
use crate::bench::report::{Report, rounded};
use crate::bench::world::Counters;
use crate::bench::{Options, Scenario};
use crate::program::exit::{End, Exit};

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "engine",
    about: "The bare stores with the rows, batches and shards of a fan-out",
    seconds: 10,
    connections: 64,
    in_process: true,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let rate = bare_rows_per_second(&Shape::USUAL, options.span())?;
    let ops = (rate * options.span().as_secs_f64()) as u64;
    let report = Report {
        in_process: true,
        ops,
        ops_per_second: Some(rounded(rate)),
        rows: Some(rows(ops, ops, options.span())),
        ..blank(options, "engine")
    };
    Ok(vec![report])
}

/// What one batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Log entries, each of another group.
    entries: usize,
    /// Bytes of an entry.
    entry_bytes: usize,
    /// Rows.
    rows: usize,
}

impl Shape {
    /// As fan-outs to 10,000 followers were seen to write.
    const USUAL: Shape = Shape { entries: 16, entry_bytes: 800, rows: 1_500 };

    /// As those writes were that have been counted.
    pub fn of(counted: &Counters) -> Shape {
        let each = |what: u64, of: u64| (what as f64 / of.max(1) as f64).ceil().max(1.0) as usize;
        let (entries, rows) = (each(counted.entries, counted.syncs), each(counted.rows, counted.syncs));
        // A step names its roots, 17 bytes each, and a root gets three rows.
        let roots = rows / 3 / entries;
        Shape { entries, entry_bytes: STEP_BYTES + 17 * roots, rows }
    }
}

/// Rows per second of the bare stores, over all shards.
pub fn bare_rows_per_second(shape: &Shape, span: Duration) -> Result<f64, End> {
    let dir = TempDir::new()?;
    let shards = std::thread::available_parallelism().map_or(1, usize::from).min(64);
    let mut rate = 0.0;
    std::thread::scope(|scope| {
        let run = |shard: usize| {
            let path = dir.path().join(format!("shard-{shard}"));
            scope.spawn(move || fill(&path, shape, shard as u64, span))
        };
        let running: Vec<_> = (0..shards).map(run).collect();
        for thread in running {
            rate += thread.join().expect("the stores do not panic")?;
        }
        Ok(())
    })
    .map_err(|fault: StoreFault| End::new(Exit::Disk, fault.to_string()))?;
    Ok(rate)
}

/// One shard.
fn fill(path: &Path, shape: &Shape, shard: u64, span: Duration) -> Result<f64, StoreFault> {
    std::fs::create_dir(path).map_err(|error| StoreFault::Io(error.to_string()))?;
    let mut log = RaftLog::open(&path.join("log"), LogSettings::default())?;
    let mut state = RedbState::open(&path.join("state.redb"), CACHE_BYTES)?;
    // One batch waits at most, so that memory is bounded as the real one's is.
    let (full, checkpoints) = mpsc::sync_channel::<StateBatch>(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || checkpoints.iter().try_for_each(|batch| state.commit(&batch)));
        let mut rng = Rng::new(shard + 1);
        let (mut table, mut bytes, mut written) = (StateBatch::default(), 0, 0u64);
        let start = Instant::now();
        let mut index = 0;
        while start.elapsed() < span {
            index += 1;
            log.append(&batch(shape, index), true)?;
            for number in 0..shape.rows {
                let (key, value) = row(&mut rng, number, index);
                bytes += key.len() + value.len();
                table.rows.insert(key.into(), Some(value));
            }
            written += shape.rows as u64;
            if bytes >= CHECKPOINT_BYTES {
                bytes = 0;
                let batch = std::mem::take(&mut table);
                if full.send(batch).is_err() {
                    break;
                }
                for group in 0..shape.entries as u64 {
                    log.compact(GroupId(group), index)?;
                }
            }
        }
        let elapsed = start.elapsed();
        drop(full);
        writer.join().expect("a commit does not panic")?;
        Ok(written as f64 / elapsed.as_secs_f64())
    })
}

fn batch(shape: &Shape, index: u64) -> LogBatch {
    let mut batch = LogBatch::default();
    for group in (0..shape.entries as u64).map(GroupId) {
        let entry = LogEntry { index, term: 1, kind: 0, data: vec![index as u8; shape.entry_bytes] };
        batch.entries.push((group, vec![entry]));
        batch.ballots.push((group, Ballot { term: 1, vote: 1, commit: index - 1 }));
    }
    batch
}

/// A row as an append writes three: the entry, its id, and the change. They lie together, each root's elsewhere.
fn row(rng: &mut Rng, number: usize, index: u64) -> (Vec<u8>, Vec<u8>) {
    let value = [72, 21, 24][number % 3];
    let mut key = Vec::with_capacity(KEY_BYTES);
    key.push((number % 3) as u8);
    key.extend_from_slice(&rng.bytes16());
    key.extend_from_slice(&index.to_be_bytes());
    key.resize(KEY_BYTES, 7);
    (key, vec![number as u8; value])
}

const KEY_BYTES: usize = 40;
/// A step without its roots.
const STEP_BYTES: usize = 150;
const CACHE_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_that_of_what_was_counted() {
        let counted = Counters { rows: 30_000, entries: 100, syncs: 10, ..Counters::default() };
        assert_eq!(Shape::of(&counted), Shape { entries: 10, entry_bytes: 150 + 17 * 100, rows: 3_000 });
        let nothing = Shape::of(&Counters::default());
        assert_eq!((nothing.entries, nothing.rows), (1, 1));
    }

    #[test]
    fn the_bare_stores_take_rows() {
        let shape = Shape { entries: 4, entry_bytes: 100, rows: 50 };
        assert!(bare_rows_per_second(&shape, Duration::from_millis(50)).unwrap() > 0.0);
    }
}
