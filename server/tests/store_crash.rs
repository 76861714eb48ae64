//! Ten thousand crashes of the stores on a disk that loses what was not synced.
//!
//! Each life of a store ends in a crash in the middle of some write, sync, rename or removal, also
//! while it opens; the next life starts on what is left. What was acknowledged must be there, and
//! nothing that was never written. One seed decides a whole run; a failure names the seed and life.
//! `STORE_CRASH_SEED=1000` runs others than every time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gomer::store::faulty::{FaultyDisk, Loss};
use gomer::store::log::{LogSettings, RaftLog};
use gomer::store::state::RedbState;
use gomer_core::rng::Rng;
use gomer_core::store::suite::{LogModel, apply, entry, random_rows, rows};
use gomer_core::store::{Ballot, Direction, GroupId, LogBatch, LogEntry, LogStore, StateStore};
use raft_engine::env::FileSystem;

/// Small, so that files are closed, moved and removed all the time.
const SETTINGS: LogSettings = LogSettings { file_bytes: 4 << 10, purge_bytes: 16 << 10 };
const FIRST_FILE: u64 = 1_000_000;
const GROUPS: u64 = 5;

type Log = RaftLog<FaultyDisk>;
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn open_log(disk: &FaultyDisk, dir: &Path) -> Log {
    RaftLog::open_on(&dir.join("log"), Arc::new(disk.clone()), SETTINGS, FIRST_FILE).unwrap()
}

/// As `RedbState::open` does it on a real disk: made under another name.
fn open_state(disk: &FaultyDisk, dir: &Path) -> RedbState {
    let (path, new) = (dir.join("state"), dir.join("state.new"));
    let open = |path| RedbState::open_on(disk.rows(path), 1 << 20, Box::new(|| None)).unwrap();
    if !path.exists() {
        if new.exists() {
            disk.delete(&new).unwrap();
        }
        drop(open(&new));
        disk.rename(&new, &path).unwrap();
        disk.sync_dir();
    }
    open(&path)
}

/// Lets a store live and crash so many times. Each life has a thread of its own, as it would have a
/// process; half of the crashes come during its first operations.
fn live_and_crash(seed: u64, lives: u32, mut life: impl FnMut(&FaultyDisk, &Path, &mut Rng, &str) + Send) {
    // The directory that lists the files; in memory where there is such a thing.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let disk = FaultyDisk::new(seed);
    let mut rng = Rng::new(seed);
    for number in 0..lives {
        let loss = [Loss::All, Loss::Suffix, Loss::AnySectors, Loss::TornSector][rng.below(4) as usize];
        let longest = if rng.below(2) == 0 { 25 } else { 200 };
        disk.crash_at(disk.operations() + 1 + rng.below(longest), loss);
        let when = format!("seed {seed}, life {number}");
        let result =
            std::thread::scope(|scope| scope.spawn(|| life(&disk, dir.path(), &mut rng, &when)).join());
        if let Err(panic) = result {
            eprintln!("{when}, {loss:?}");
            std::panic::resume_unwind(panic);
        }
        assert!(disk.has_crashed(), "{when}: a life ends with a crash");
        disk.restart();
    }
}

/// What a log may be found to hold: the model at the last acknowledged sync, and after each record
/// since.
struct LogCandidates {
    models: Vec<LogModel>,
    /// Where compactions were asked for. What lies below may be gone, or be back.
    compacted: BTreeMap<GroupId, u64>,
}

impl LogCandidates {
    fn model(&self) -> LogModel {
        self.models.last().expect("there is always one").clone()
    }

    fn acknowledge(&mut self) {
        self.models.drain(..self.models.len() - 1);
    }

    /// Finds the model that the log is, and goes on from there.
    fn recover(&mut self, log: &Log, when: &str) {
        let mut found = LogModel::default();
        for group in (0..GROUPS).map(GroupId) {
            if let Some((first, last)) = log.bounds(group).unwrap() {
                found.entries.insert(group, log.entries(group, first, last + 1, u64::MAX).unwrap());
            }
            if let Some(ballot) = log.ballot(group).unwrap() {
                found.ballots.insert(group, ballot);
            }
        }
        let explains = |model: &&LogModel| {
            let same = |group| {
                let compacted = self.compacted.get(&group).copied().unwrap_or(0);
                is_same_log(model.entries.get(&group), found.entries.get(&group), compacted)
            };
            model.ballots == found.ballots && (0..GROUPS).map(GroupId).all(same)
        };
        let Some(model) = self.models.iter().rev().find(explains) else {
            let candidates: String = self.models.iter().map(summary).collect();
            panic!("{when}, compacted {:?}\nfound\n{}none of\n{candidates}", self.compacted, summary(&found));
        };
        found.next = model.next.clone();
        self.models = vec![found];
    }
}

/// A line per group: ballot, and index and term of each entry.
fn summary(model: &LogModel) -> String {
    let line = |group: GroupId| {
        let entries = model.entries.get(&group).into_iter().flatten();
        let entries: Vec<String> = entries.map(|it| format!("{}@{}", it.index, it.term)).collect();
        format!("  {} {:?} {}\n", group.0, model.ballots.get(&group), entries.join(" "))
    };
    (0..GROUPS).map(GroupId).map(line).chain(["\n".into()]).collect()
}

fn is_same_log(model: Option<&Vec<LogEntry>>, found: Option<&Vec<LogEntry>>, compacted: u64) -> bool {
    let (model, found) = (model.map_or(&[][..], Vec::as_slice), found.map_or(&[][..], Vec::as_slice));
    let missing = model.len().saturating_sub(found.len());
    model.ends_with(found) && model[..missing].iter().all(|entry| entry.index < compacted)
}

/// Random turns on a log alone.
fn crash_logs(seed: u64, lives: u32) {
    let mut candidates = LogCandidates { models: vec![LogModel::default()], compacted: BTreeMap::new() };
    live_and_crash(seed, lives, |disk, dir, rng, when| {
        let mut log = open_log(disk, dir);
        candidates.recover(&log, when);
        while !disk.has_crashed() {
            let mut model = candidates.model();
            let mut sync = false;
            if rng.below(4) == 0 {
                let (group, first) = model.random_compaction(rng);
                let compacted = candidates.compacted.entry(group).or_default();
                *compacted = first.max(*compacted);
                log.compact(group, first).unwrap();
            } else {
                let turn = model.random_turn(rng);
                sync = rng.below(3) > 0;
                log.append(&turn, sync).unwrap();
            }
            candidates.models.push(model);
            if sync && !disk.has_crashed() {
                candidates.acknowledge();
            }
        }
    });
}

fn all_rows(state: &RedbState) -> Rows {
    rows(&state.snapshot().unwrap(), b"", &[0xff; 8], Direction::Up).into_iter().collect()
}

/// Random commits on a state alone.
fn crash_states(seed: u64, lives: u32) {
    // The last acknowledged one, and the one after it if it was begun.
    let mut candidates = vec![Rows::new()];
    live_and_crash(seed, lives, |disk, dir, rng, when| {
        let mut state = open_state(disk, dir);
        let found = all_rows(&state);
        assert!(candidates.contains(&found), "{when}: neither before nor after the commit");
        candidates = vec![found];
        while !disk.has_crashed() {
            let change = random_rows(rng, disk.operations());
            let mut rows = candidates[candidates.len() - 1].clone();
            apply(&mut rows, &change);
            candidates.push(rows);
            state.commit(&change).unwrap();
            if !disk.has_crashed() {
                candidates.remove(0);
            }
        }
    });
}

/// The log and the state of a shard, driven as a vnode does it: append and sync, apply what is
/// committed, now and then commit the state with its positions, and only then compact the log.
#[derive(Default)]
struct Shard {
    /// Every entry that was acknowledged, by group: index `i` at `i - 1`. Never changes again.
    acknowledged: BTreeMap<GroupId, Vec<LogEntry>>,
    /// The rows that they make.
    rows: Rows,
}

impl Shard {
    fn live(&mut self, disk: &FaultyDisk, dir: &Path, rng: &mut Rng, when: &str) {
        let (mut log, mut state) = (open_log(disk, dir), open_state(disk, dir));
        let mut pending = self.recover(&log, &state, when);
        while !disk.has_crashed() {
            let turn = self.turn(&log, rng);
            log.append(&turn, true).unwrap();
            if disk.has_crashed() {
                return;
            }
            for (group, entries) in &turn.entries {
                self.acknowledged.entry(*group).or_default().extend(entries.iter().cloned());
                fold(&mut self.rows, *group, entries);
                fold(&mut pending, *group, entries);
            }
            if rng.below(5) == 0 {
                let rows = std::mem::take(&mut pending).into_iter().map(|(key, value)| (key, Some(value)));
                state.commit(&rows.collect()).unwrap();
                for group in (0..GROUPS).map(GroupId).filter(|_| rng.below(2) == 0) {
                    if !disk.has_crashed() {
                        log.compact(group, position(&self.rows, group) + 1).unwrap();
                    }
                }
            }
        }
    }

    /// New entries for some groups. They follow what is acknowledged: what a crash left behind it, not
    /// acknowledged, is replaced, as by a new leader.
    fn turn(&self, log: &Log, rng: &mut Rng) -> LogBatch {
        let mut turn = LogBatch::default();
        for group in (0..GROUPS).map(GroupId) {
            if rng.below(2) == 0 {
                continue;
            }
            let next = self.acknowledged.get(&group).map_or(0, Vec::len) as u64 + 1;
            let term = log.ballot(group).unwrap().unwrap_or_default().term + 1;
            let entries = (next..next + 1 + rng.below(4)).map(|index| entry(group, index, term));
            turn.entries.push((group, entries.collect()));
            turn.ballots.push((group, Ballot { term, vote: 1, commit: next - 1 }));
        }
        turn
    }

    /// Checks a shard that was just opened, and replays its log over its state. Returns what the state
    /// lacks.
    fn recover(&self, log: &Log, state: &RedbState, when: &str) -> Rows {
        let mut rows = all_rows(state);
        let mut lacking = Rows::new();
        let mut want = Rows::new();
        for (&group, acknowledged) in &self.acknowledged {
            let (applied, end) = (position(&rows, group), acknowledged.len() as u64);
            assert!(applied <= end, "{when}: {group:?} applied what was not acknowledged");
            fold(&mut want, group, &acknowledged[..applied as usize]);
            let ballot = log.ballot(group).unwrap().expect("an acknowledged ballot");
            let voted = acknowledged.last().map_or(0, |last| last.term);
            assert!(ballot.term >= voted, "{when}: {group:?} forgot that it voted");
            if applied < end {
                let bounds = log.bounds(group).unwrap();
                let (first, last) =
                    bounds.unwrap_or_else(|| panic!("{when}: {group:?} lost {applied}..={end}"));
                assert!(first <= applied + 1 && last >= end, "{when}: {group:?} {first}..={last} of {end}");
                let replayed = log.entries(group, applied + 1, end + 1, u64::MAX).unwrap();
                assert_eq!(replayed, acknowledged[applied as usize..], "{when}: {group:?}");
                fold(&mut lacking, group, &replayed);
            }
        }
        assert_eq!(rows, want, "{when}: the state is not that of its positions");
        rows.extend(lacking.clone());
        assert_eq!(rows, self.rows, "{when}: after the replay");
        lacking
    }
}

/// What a vnode's apply is here: each entry sets one of seven rows of its group, and the position.
fn fold(rows: &mut Rows, group: GroupId, entries: &[LogEntry]) {
    for entry in entries {
        rows.insert(format!("{}/{}", group.0, entry.index % 7).into_bytes(), entry.data.clone());
        rows.insert(position_key(group), entry.index.to_be_bytes().to_vec());
    }
}

fn position_key(group: GroupId) -> Vec<u8> {
    format!("{}/position", group.0).into_bytes()
}

fn position(rows: &Rows, group: GroupId) -> u64 {
    rows.get(&position_key(group)).map_or(0, |bytes| u64::from_be_bytes(bytes[..].try_into().unwrap()))
}

fn crash_shards(seed: u64, lives: u32) {
    let mut shard = Shard::default();
    live_and_crash(seed, lives, |disk, dir, rng, when| shard.live(disk, dir, rng, when));
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let first = std::env::var("STORE_CRASH_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    first..first + count
}

#[test]
fn four_thousand_crashes_of_a_log_lose_nothing_acknowledged() {
    seeds(20).for_each(|seed| crash_logs(seed, 200));
}

#[test]
fn two_thousand_crashes_of_a_state_leave_it_before_or_after_a_commit() {
    seeds(20).for_each(|seed| crash_states(seed, 100));
}

#[test]
fn four_thousand_crashes_of_a_shard_replay_to_what_was_acknowledged() {
    seeds(40).for_each(|seed| crash_shards(seed, 100));
}
