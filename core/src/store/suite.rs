//! What every store must do, as functions that the tests of each store call.
//!
//! A store is given as a closure that opens it: on an empty place at first, then again on what the
//! store before left there. All of them panic where the store is wrong. Randomness comes from a seed,
//! so that a failure repeats.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    Ballot, Direction, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateRead, StateStore, StoreFault,
};
use crate::rng::Rng;

/// All of the checks of a [`LogStore`]. `open(name)` opens the log that has that name.
pub fn check_log<S: LogStore>(mut open: impl FnMut(&str) -> S) {
    log_starts_empty(&mut open("empty"));
    log_keeps_what_was_appended(|| open("append"));
    log_replaces_its_tail(|| open("tail"));
    log_compacts(|| open("compact"));
    log_limits_what_it_returns(&mut open("limits"));
    log_refuses_holes(&mut open("holes"));
    log_keeps_many_groups_apart(|| open("groups"));
    for seed in 0..8 {
        log_agrees_with_a_model(seed, || open(&format!("model-{seed}")));
    }
}

/// All of the checks of a [`StateStore`]. `open(name)` opens the state that has that name.
pub fn check_state<S: StateStore>(mut open: impl FnMut(&str) -> S) {
    state_starts_empty(&open("empty"));
    state_scans_both_ways(&mut open("scan"));
    state_snapshots_stand_still(&mut open("snapshots"));
    state_survives_reopening(|| open("reopen"));
    for seed in 0..4 {
        state_agrees_with_a_model(seed, || open(&format!("model-{seed}")));
    }
}

/// An entry whose payload tells where it belongs.
pub fn entry(group: GroupId, index: u64, term: u64) -> LogEntry {
    let mut data = format!("{}/{index}/{term}:", group.0).into_bytes();
    data.resize(data.len() + (index % 7) as usize * 10, b'.');
    LogEntry { index, term, kind: (index % 5) as u8, data }
}

/// A batch of entries `from..to` of one group.
pub fn batch(group: GroupId, from: u64, to: u64, term: u64) -> LogBatch {
    let entries = (from..to).map(|index| entry(group, index, term)).collect();
    LogBatch { entries: vec![(group, entries)], ballots: Vec::new() }
}

fn all(store: &impl LogStore, group: GroupId) -> Vec<LogEntry> {
    let Some((first, last)) = store.bounds(group).unwrap() else { return Vec::new() };
    store.entries(group, first, last + 1, u64::MAX).unwrap()
}

fn log_starts_empty(store: &mut impl LogStore) {
    let group = GroupId(0);
    assert_eq!(store.groups(), Ok(vec![]));
    assert_eq!(store.bounds(group), Ok(None));
    assert_eq!(store.ballot(group), Ok(None));
    assert_eq!(store.entries(group, 1, 1, 100), Ok(vec![]), "an empty range needs nothing");
    assert!(matches!(store.entries(group, 1, 2, 100), Err(StoreFault::Corrupt(_))));
    store.append(&LogBatch::default(), true).unwrap();
    store.append(&LogBatch::default(), false).unwrap();
    store.compact(group, 10).unwrap();
    assert_eq!(store.groups(), Ok(vec![]), "neither an empty batch nor a compaction makes a group");
}

fn log_keeps_what_was_appended<S: LogStore>(mut open: impl FnMut() -> S) {
    let group = GroupId(0);
    let ballot = Ballot { term: 3, vote: u64::MAX, commit: 2 };
    let mut store = open();
    let mut turn = batch(group, 1, 4, 1);
    turn.ballots.push((group, ballot));
    store.append(&turn, true).unwrap();
    store.append(&batch(group, 4, 6, 2), false).unwrap();
    // Syncs what was not synced, although there is nothing to write.
    store.append(&LogBatch::default(), true).unwrap();
    let mut want = batch(group, 1, 4, 1).entries.remove(0).1;
    want.extend(batch(group, 4, 6, 2).entries.remove(0).1);
    for _ in 0..2 {
        assert_eq!(store.bounds(group), Ok(Some((1, 5))));
        assert_eq!(all(&store, group), want);
        assert_eq!(store.ballot(group), Ok(Some(ballot)));
        assert_eq!(store.groups(), Ok(vec![group]));
        drop(store);
        store = open();
    }
    // A ballot alone; the entries stay.
    let later = Ballot { term: 4, vote: 0, commit: 5 };
    store.append(&LogBatch { ballots: vec![(group, later)], ..LogBatch::default() }, true).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.ballot(group), Ok(Some(later)));
    assert_eq!(all(&store, group), want);
}

fn log_replaces_its_tail<S: LogStore>(mut open: impl FnMut() -> S) {
    let group = GroupId(7);
    let mut store = open();
    store.append(&batch(group, 1, 11, 1), true).unwrap();
    store.append(&batch(group, 5, 7, 2), true).unwrap();
    for _ in 0..2 {
        assert_eq!(store.bounds(group), Ok(Some((1, 6))), "what lay behind the new tail is gone");
        let terms: Vec<u64> = all(&store, group).iter().map(|entry| entry.term).collect();
        assert_eq!(terms, [1, 1, 1, 1, 2, 2]);
        assert!(store.entries(group, 5, 8, u64::MAX).is_err(), "and is not readable");
        drop(store);
        store = open();
    }
    // All of it, from the first entry on.
    store.append(&batch(group, 1, 2, 3), true).unwrap();
    drop(store);
    let store = open();
    assert_eq!(all(&store, group), [entry(group, 1, 3)]);
}

fn log_compacts<S: LogStore>(mut open: impl FnMut() -> S) {
    let group = GroupId(1);
    let ballot = Ballot { term: 1, vote: 9, commit: 10 };
    let mut store = open();
    let mut turn = batch(group, 1, 11, 1);
    turn.ballots.push((group, ballot));
    store.append(&turn, true).unwrap();
    store.compact(group, 4).unwrap();
    store.compact(group, 2).unwrap();
    assert_eq!(store.bounds(group), Ok(Some((4, 10))), "compaction never goes back");
    assert!(matches!(store.entries(group, 3, 5, u64::MAX), Err(StoreFault::Corrupt(_))));
    assert_eq!(store.entries(group, 4, 5, u64::MAX), Ok(vec![entry(group, 4, 1)]));
    store.append(&batch(group, 11, 12, 1), true).unwrap();
    drop(store);
    let mut store = open();
    assert_eq!(store.bounds(group), Ok(Some((4, 11))));
    // Past the end, as after a snapshot: empty, and the log goes on behind it.
    store.compact(group, 101).unwrap();
    assert_eq!(store.bounds(group), Ok(None));
    assert_eq!(store.ballot(group), Ok(Some(ballot)));
    store.append(&batch(group, 101, 103, 2), true).unwrap();
    for _ in 0..2 {
        assert_eq!(store.bounds(group), Ok(Some((101, 102))));
        assert_eq!(all(&store, group), batch(group, 101, 103, 2).entries[0].1);
        assert_eq!(store.ballot(group), Ok(Some(ballot)), "the ballot outlives the entries");
        drop(store);
        store = open();
    }
}

fn log_limits_what_it_returns(store: &mut impl LogStore) {
    let group = GroupId(2);
    let entries: Vec<LogEntry> =
        (1..=5).map(|index| LogEntry { index, term: 1, kind: 0, data: vec![1; 100] }).collect();
    store.append(&LogBatch { entries: vec![(group, entries)], ballots: Vec::new() }, true).unwrap();
    let count = |from, to, max| store.entries(group, from, to, max).map(|entries| entries.len());
    assert_eq!(count(1, 6, 0), Ok(1), "at least one");
    assert_eq!(count(1, 6, 299), Ok(2));
    assert_eq!(count(1, 6, 300), Ok(3));
    assert_eq!(count(4, 6, u64::MAX), Ok(2));
    assert_eq!(count(3, 3, u64::MAX), Ok(0));
    assert!(count(5, 7, u64::MAX).is_err(), "one behind the end");
    assert!(count(0, 2, u64::MAX).is_err(), "one before the start");
}

fn log_refuses_holes(store: &mut impl LogStore) {
    let group = GroupId(3);
    store.append(&batch(group, 1, 6, 1), true).unwrap();
    store.compact(group, 3).unwrap();
    let mut gap = batch(group, 6, 9, 1);
    gap.entries[0].1.remove(1);
    let mut twice = batch(group, 6, 7, 1);
    twice.entries.push(twice.entries[0].clone());
    let refused = [batch(group, 7, 8, 1), batch(group, 2, 8, 1), gap, twice, batch(GroupId(4), 0, 2, 1)];
    for bad in refused {
        let result = catch_unwind(AssertUnwindSafe(|| store.append(&bad, true)));
        assert!(result.is_err(), "must be refused: {bad:?}");
    }
    assert_eq!(store.bounds(group), Ok(Some((3, 5))), "and nothing of it was written");
    store.append(&batch(group, 6, 7, 1), true).unwrap();
}

fn log_keeps_many_groups_apart<S: LogStore>(mut open: impl FnMut() -> S) {
    let ids = [0, 1, 63, 64, 1_023, 1 << 40, u64::MAX - 1].map(GroupId);
    let mut store = open();
    for round in 0..3 {
        let mut turn = LogBatch::default();
        for id in ids {
            turn.entries.push(batch(id, round * 4 + 1, round * 4 + 5, round + 1).entries.remove(0));
            turn.ballots.push((id, Ballot { term: round + 1, vote: id.0, commit: round * 4 }));
        }
        store.append(&turn, true).unwrap();
    }
    store.compact(ids[1], 6).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.groups(), Ok(ids.to_vec()));
    for id in ids {
        let first = if id == ids[1] { 6 } else { 1 };
        let want: Vec<LogEntry> = (first..13).map(|index| entry(id, index, (index - 1) / 4 + 1)).collect();
        assert_eq!(all(&store, id), want);
        assert_eq!(store.ballot(id), Ok(Some(Ballot { term: 3, vote: id.0, commit: 8 })));
    }
    assert_eq!(store.bounds(GroupId(2)), Ok(None));
}

/// Random turns on a few groups, compared with plain vectors after each one and after reopening.
pub fn log_agrees_with_a_model<S: LogStore>(seed: u64, mut open: impl FnMut() -> S) {
    let mut rng = Rng::new(seed);
    let mut store = open();
    let mut model = LogModel::default();
    for step in 0..300 {
        match rng.below(10) {
            0 => {
                drop(store);
                store = open();
            }
            1..=2 => {
                let (group, first) = model.random_compaction(&mut rng);
                store.compact(group, first).unwrap();
            }
            _ => {
                let turn = model.random_turn(&mut rng);
                store.append(&turn, rng.below(3) > 0).unwrap();
            }
        }
        model.check(&store, &format!("seed {seed}, step {step}"));
    }
}

/// What a log should hold, and random turns that it should accept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogModel {
    /// Entries by group, without those that were compacted.
    pub entries: BTreeMap<GroupId, Vec<LogEntry>>,
    /// Latest ballots.
    pub ballots: BTreeMap<GroupId, Ballot>,
    /// Highest index that each group compacted, and the next index of a log that is empty.
    pub next: BTreeMap<GroupId, u64>,
}

impl LogModel {
    /// A turn for some of five groups: appends, replaced tails, ballots. The model takes it at once.
    pub fn random_turn(&mut self, rng: &mut Rng) -> LogBatch {
        let mut turn = LogBatch::default();
        for group in (0..5).map(GroupId) {
            if rng.below(3) == 0 {
                continue;
            }
            let ballot = self.ballots.entry(group).or_default();
            let log = self.entries.entry(group).or_default();
            if rng.below(4) > 0 {
                let end =
                    log.last().map_or(self.next.get(&group).copied().unwrap_or(1), |last| last.index + 1);
                let first = log.first().map_or(end, |first| first.index);
                let start = if rng.below(5) == 0 { first + rng.below(end - first + 1) } else { end };
                ballot.term += u64::from(start < end);
                log.retain(|entry| entry.index < start);
                let new: Vec<LogEntry> =
                    (start..start + 1 + rng.below(6)).map(|index| entry(group, index, ballot.term)).collect();
                log.extend(new.iter().cloned());
                turn.entries.push((group, new));
            }
            if rng.below(2) == 0 {
                ballot.vote = rng.below(4);
                ballot.commit = log.last().map_or(0, |last| last.index);
            }
            turn.ballots.push((group, *ballot));
        }
        turn
    }

    /// A compaction of one of five groups, sometimes past the end. The model takes it at once.
    pub fn random_compaction(&mut self, rng: &mut Rng) -> (GroupId, u64) {
        let group = GroupId(rng.below(5));
        let log = self.entries.entry(group).or_default();
        let Some((first, last)) = log.first().zip(log.last()).map(|(f, l)| (f.index, l.index)) else {
            return (group, 1);
        };
        let to = match rng.below(8) {
            0 => last + 1 + rng.below(50),
            _ => first + rng.below(last - first + 1),
        };
        if to > last {
            self.next.insert(group, to);
        }
        log.retain(|entry| entry.index >= to);
        (group, to)
    }

    /// Panics unless the store holds just this.
    pub fn check(&self, store: &impl LogStore, when: &str) {
        for group in (0..5).map(GroupId) {
            let want = self.entries.get(&group).map_or(&[][..], Vec::as_slice);
            let bounds = want.first().zip(want.last()).map(|(first, last)| (first.index, last.index));
            assert_eq!(store.bounds(group), Ok(bounds), "{when}: bounds of {group:?}");
            assert_eq!(all(store, group), want, "{when}: entries of {group:?}");
            let ballot = self.ballots.get(&group).copied();
            assert_eq!(store.ballot(group), Ok(ballot), "{when}: ballot of {group:?}");
        }
    }
}

/// The rows of a range, in the order of the scan.
pub fn rows(
    snapshot: &impl StateRead,
    from: &[u8],
    to: &[u8],
    direction: Direction,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let scan = snapshot.scan(from, to, direction, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    scan.unwrap();
    rows
}

fn set(rows: &[(&[u8], Option<&[u8]>)]) -> StateBatch {
    rows.iter().map(|&(key, value)| (key, value.map(<[u8]>::to_vec))).collect()
}

fn state_starts_empty<S: StateStore>(store: &S) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(b""), Ok(None));
    assert_eq!(snapshot.get(b"a"), Ok(None));
    assert_eq!(rows(&snapshot, b"", &[255; 9], Direction::Up), []);
    assert_eq!(rows(&snapshot, b"", &[255; 9], Direction::Down), []);
}

fn state_scans_both_ways<S: StateStore>(store: &mut S) {
    let put: Vec<(&[u8], Option<&[u8]>)> = vec![
        (b"a", Some(b"1")),
        (b"a\0", Some(b"2")),
        (b"b", Some(b"")),
        (b"bb", Some(b"4")),
        (b"c", Some(b"5")),
    ];
    store.commit(&set(&put)).unwrap();
    store.commit(&StateBatch::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let keys = |from: &[u8], to: &[u8], direction| -> Vec<Vec<u8>> {
        rows(&snapshot, from, to, direction).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(b"a", b"c", Direction::Up), [&b"a"[..], b"a\0", b"b", b"bb"], "the end is not in it");
    assert_eq!(keys(b"a", b"c", Direction::Down), [&b"bb"[..], b"b", b"a\0", b"a"]);
    assert_eq!(keys(b"a\0", b"bb", Direction::Down), [&b"b"[..], b"a\0"]);
    assert_eq!(keys(b"", b"a", Direction::Up), [b""; 0]);
    assert_eq!(keys(b"c", b"a", Direction::Up), [b""; 0], "a reversed range is empty");
    assert_eq!(keys(b"b", b"b", Direction::Down), [b""; 0]);
    assert_eq!(snapshot.get(b"b"), Ok(Some(Vec::new())), "an empty value is not absence");
    assert_eq!(snapshot.get(b"ab"), Ok(None));
    for direction in [Direction::Up, Direction::Down] {
        let mut seen = 0;
        let stop = snapshot.scan(b"", b"z", direction, &mut |_, _| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((stop, seen), (Ok(()), 2), "a visitor that breaks is not called again");
    }
}

fn state_snapshots_stand_still<S: StateStore>(store: &mut S) {
    let empty = store.snapshot().unwrap();
    store.commit(&set(&[(b"a", Some(b"1")), (b"b", Some(b"1"))])).unwrap();
    let before = store.snapshot().unwrap();
    store.commit(&set(&[(b"a", Some(b"2")), (b"b", None), (b"c", Some(b"2")), (b"absent", None)])).unwrap();
    let after = store.snapshot().unwrap();
    let read = |snapshot: &S::Snapshot| [b"a", b"b", b"c"].map(|key| snapshot.get(key).unwrap());
    let value = |value: &str| Some(value.as_bytes().to_vec());
    assert_eq!(read(&empty), [None, None, None]);
    assert_eq!(read(&before), [value("1"), value("1"), None]);
    assert_eq!(read(&after), [value("2"), None, value("2")], "all of a batch at once");
    drop(before);
    assert_eq!(rows(&empty, b"", b"z", Direction::Up), []);
}

fn state_survives_reopening<S: StateStore>(mut open: impl FnMut() -> S) {
    let big = vec![7; 64 * 1024];
    let mut store = open();
    store.commit(&set(&[(b"a", Some(&big)), (b"gone", Some(b"1"))])).unwrap();
    store.commit(&set(&[(b"gone", None), (b"b", Some(b"2"))])).unwrap();
    drop(store);
    let store = open();
    let snapshot = store.snapshot().unwrap();
    let want = [(b"a".to_vec(), big), (b"b".to_vec(), b"2".to_vec())];
    assert_eq!(rows(&snapshot, b"", b"z", Direction::Up), want);
}

/// Random batches, compared with a plain map after each one and after reopening.
pub fn state_agrees_with_a_model<S: StateStore>(seed: u64, mut open: impl FnMut() -> S) {
    let mut rng = Rng::new(seed);
    let mut store = open();
    let mut model = BTreeMap::new();
    let mut held = None;
    for step in 0..60u64 {
        let change = random_rows(&mut rng, step);
        store.commit(&change).unwrap();
        apply(&mut model, &change);
        let snapshot = store.snapshot().unwrap();
        check_rows(&snapshot, &model, &mut rng);
        if step % 20 == 10 {
            // Opened again while nobody reads; then one snapshot lives through later commits.
            drop((snapshot, held.take(), store));
            store = open();
            held = Some((store.snapshot().unwrap(), model.clone()));
        }
        if let Some((snapshot, model)) = &held {
            check_rows(snapshot, model, &mut rng);
        }
    }
}

/// A batch over a few hundred keys; about a third of it removes.
pub fn random_rows(rng: &mut Rng, step: u64) -> StateBatch {
    let mut batch = StateBatch::default();
    for _ in 0..rng.below(30) {
        let key = format!("key/{:03}", rng.below(300)).into_bytes();
        let value = format!("{step}").repeat(1 + rng.below(60) as usize).into_bytes();
        batch.rows.insert(key.into(), (rng.below(3) > 0).then_some(value));
    }
    batch
}

/// The rows after a batch.
pub fn apply(model: &mut BTreeMap<Vec<u8>, Vec<u8>>, batch: &StateBatch) {
    for (key, value) in &batch.rows {
        match value {
            Some(value) => model.insert(key.to_vec(), value.clone()),
            None => model.remove(&key[..]),
        };
    }
}

fn check_rows(snapshot: &impl StateRead, model: &BTreeMap<Vec<u8>, Vec<u8>>, rng: &mut Rng) {
    let mut bounds = [0; 2].map(|_| format!("key/{:03}", rng.below(320)).into_bytes());
    bounds.sort();
    let [from, to] = bounds;
    let mut want: Vec<_> =
        model.range(from.clone()..to.clone()).map(|(key, value)| (key.clone(), value.clone())).collect();
    assert_eq!(rows(snapshot, &from, &to, Direction::Up), want);
    want.reverse();
    assert_eq!(rows(snapshot, &from, &to, Direction::Down), want);
    assert_eq!(snapshot.get(&from), Ok(model.get(&from).cloned()));
}
