//! Figures of the stores on this machine's disk: `cargo test --release -p gomer --test store_figures --
//! --ignored --nocapture`. Only ratios within one run mean anything.

use std::path::Path;
use std::time::{Duration, Instant};

use gomer::store::log::{LogSettings, RaftLog};
use gomer::store::state::{CACHE_BYTES, RedbState};
use gomer_core::rng::Rng;
use gomer_core::store::{Ballot, GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateRead, StateStore};

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    let took = start.elapsed();
    println!("{what}: {:.1} ms", took.as_secs_f64() * 1e3);
    (result, took)
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    // Else the first sync of the store pays for the copy.
    std::fs::File::open(to).unwrap().sync_all().unwrap();
}

#[test]
#[ignore = "prints figures"]
fn the_log() {
    const GROUPS: u64 = 64;
    const TURNS: u64 = 3_000;
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("log");
    let mut log = RaftLog::open(&path, LogSettings::default()).unwrap();
    let (_, took) = timed("append and sync, 64 groups, 200 bytes each", || {
        for index in 1..=TURNS {
            let mut turn = LogBatch::default();
            for group in (0..GROUPS).map(GroupId) {
                let entry = LogEntry { index, term: 1, kind: 0, data: vec![index as u8; 200] };
                turn.entries.push((group, vec![entry]));
                turn.ballots.push((group, Ballot { term: 1, vote: 1, commit: index - 1 }));
            }
            log.append(&turn, true).unwrap();
            if index % 100 == 0 {
                let first = index.saturating_sub(200).max(1);
                (0..GROUPS).for_each(|group| log.compact(GroupId(group), first).unwrap());
            }
        }
    });
    let seconds = took.as_secs_f64();
    println!(
        "  {:.0} writes/s, {:.2} ms a turn",
        (GROUPS * TURNS) as f64 / seconds,
        seconds * 1e3 / TURNS as f64
    );
    let (_, took) = timed("read the last 200 entries of each group", || {
        for group in (0..GROUPS).map(GroupId) {
            assert_eq!(log.entries(group, TURNS - 199, TURNS + 1, u64::MAX).unwrap().len(), 200);
        }
    });
    println!("  {:.1} us an entry", took.as_secs_f64() * 1e6 / (GROUPS * 200) as f64);
    println!("  {} MiB of files", log.used_bytes() >> 20);
    drop(log);
    timed("open", || RaftLog::open(&path, LogSettings::default()).unwrap());
}

#[test]
#[ignore = "prints figures"]
fn the_state() {
    const ROWS: u64 = 2_500_000;
    const ROW_BYTES: usize = 400;
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("state.redb");
    let mut rng = Rng::new(1);
    let (mut state, _) = timed("open a new one", || RedbState::open(&path, CACHE_BYTES).unwrap());
    println!("  {} KiB", std::fs::metadata(&path).unwrap().len() >> 10);
    timed("load 1 GiB of rows in order, 50,000 a commit", || {
        for part in 0..ROWS / 50_000 {
            let key = |number: u64| (u128::from(part * 50_000 + number) << 106).to_be_bytes().to_vec();
            let rows = (0..50_000).map(|number| (key(number), Some(vec![1; ROW_BYTES])));
            state.commit(&rows.collect()).unwrap();
        }
    });
    println!("  {} MiB", std::fs::metadata(&path).unwrap().len() >> 20);
    for rows in [1_000, 10_000] {
        let row = |_| (rng.bytes16().to_vec(), Some(vec![2; ROW_BYTES]));
        let batch: StateBatch = (0..rows).map(row).collect();
        timed(&format!("commit {rows} rows in random places"), || state.commit(&batch).unwrap());
    }
    let snapshot = state.snapshot().unwrap();
    let (_, took) = timed("100,000 point reads of absent keys", || {
        for _ in 0..100_000 {
            assert_eq!(snapshot.get(&rng.bytes16()), Ok(None));
        }
    });
    println!("  {:.1} us a read", took.as_secs_f64() * 1e6 / 100_000.0);
    // As a killed process leaves it: the file of a store that was not closed.
    let killed = temp.path().join("killed.redb");
    copy(&path, &killed);
    drop(snapshot);
    timed("close", || drop(state));
    timed("open after kill -9", || RedbState::open(&killed, CACHE_BYTES).unwrap());
    timed("open after close", || RedbState::open(&path, CACHE_BYTES).unwrap());
}
