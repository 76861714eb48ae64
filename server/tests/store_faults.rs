//! Disks that fill up, do not sync, or rot: what the stores answer, and that it is never success.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gomer::store::faulty::{FaultyDisk, Loss};
use gomer::store::log::{LogSettings, RaftLog};
use gomer::store::state::RedbState;
use gomer_core::store::suite::{batch, entry, rows};
use gomer_core::store::{
    Ballot, Direction, GroupId, LogBatch, LogStore, StateBatch, StateRead, StateStore, StoreFault,
};

const GROUP: GroupId = GroupId(0);
const SETTINGS: LogSettings = LogSettings { file_bytes: 4 << 10, purge_bytes: 16 << 10 };

struct Machine {
    disk: FaultyDisk,
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine { disk: FaultyDisk::new(1), dir: tempfile::tempdir().unwrap() }
    }

    fn log(&self) -> RaftLog<FaultyDisk> {
        self.try_log().unwrap()
    }

    /// On a thread of its own, as in a process of its own: raft-engine caches blocks by thread.
    fn try_log(&self) -> Result<RaftLog<FaultyDisk>, StoreFault> {
        RaftLog::open_on(&self.dir.path().join("log"), Arc::new(self.disk.clone()), SETTINGS, 1_000)
    }

    fn state(&self) -> RedbState {
        let disk = self.disk.clone();
        let free_bytes = Box::new(move || Some(disk.free_bytes()));
        RedbState::open_on(self.disk.rows(&self.state_path()), 1 << 20, free_bytes).unwrap()
    }

    fn state_path(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The files of the log with something in them, oldest first.
    fn log_files(&self, extension: &str) -> Vec<(PathBuf, usize)> {
        let files = self.disk.list().into_iter();
        files
            .filter(|(path, size)| path.extension().is_some_and(|it| it == extension) && *size > 100)
            .collect()
    }

    /// Cuts the power, on what was synced and nothing else.
    fn power_cut(&self) {
        self.disk.crash(Loss::All);
        self.disk.restart();
    }
}

fn last(log: &RaftLog<FaultyDisk>) -> u64 {
    log.bounds(GROUP).unwrap().map_or(0, |(_, last)| last)
}

fn row(key: &str, value: &[u8]) -> StateBatch {
    StateBatch::from_iter([(key.as_bytes(), Some(value.to_vec()))])
}

#[test]
fn a_full_disk_costs_the_record_that_did_not_fit_and_no_more() {
    let machine = Machine::new();
    let mut log = machine.log();
    log.append(&batch(GROUP, 1, 3, 1), true).unwrap();
    // Any number of bytes between nothing and the whole record, also while a file is begun.
    let mut next = 3;
    for spare in (0..300).step_by(3).chain([5_000, 0, 10, 50, 100]) {
        machine.disk.set_capacity(machine.disk.used_bytes() + spare);
        loop {
            match log.append(&batch(GROUP, next, next + 4, 1), true) {
                Ok(()) => next += 4,
                Err(fault) => break assert_eq!(fault, StoreFault::Full),
            }
        }
        assert_eq!(last(&log), next - 1, "nothing of it was written");
        machine.disk.set_capacity(u64::MAX);
        log.append(&batch(GROUP, next, next + 1, 1), true).unwrap();
        next += 1;
    }
    assert_eq!(log.entries(GROUP, 1, next, u64::MAX).unwrap().len() as u64, next - 1);
    drop(log);
    machine.power_cut();
    assert_eq!(last(&machine.log()), next - 1);
}

#[test]
fn a_log_that_is_full_gets_space_back_by_compaction() {
    let machine = Machine::new();
    let mut log = machine.log();
    let mut next = 1;
    machine.disk.set_capacity(400_000);
    while log.append(&batch(GROUP, next, next + 1, 1), true).is_ok() {
        next += 1;
    }
    let full = machine.disk.used_bytes();
    // The reserve that was kept for just this.
    machine.disk.set_capacity(full + 20_000);
    for first in (1..next).step_by(100) {
        log.compact(GROUP, first).unwrap();
    }
    assert!(machine.disk.used_bytes() < full / 2, "{} of {full}", machine.disk.used_bytes());
    machine.disk.set_capacity(full);
    log.append(&batch(GROUP, next, next + 1, 1), true).unwrap();
}

#[test]
fn a_log_opens_on_a_disk_with_next_to_no_space() {
    let machine = Machine::new();
    let mut log = machine.log();
    for index in 1..=30 {
        log.append(&batch(GROUP, index, index + 1, 1), true).unwrap();
    }
    drop(log);
    machine.disk.set_capacity(machine.disk.used_bytes() + 200);
    let mut log = machine.log();
    assert_eq!(last(&log), 30);
    let copies = machine.disk.list().into_iter().filter(|(path, _)| path.extension().unwrap() == "copy");
    assert_eq!(copies.count(), 0);
    machine.disk.set_capacity(u64::MAX);
    log.append(&batch(GROUP, 31, 32, 1), true).unwrap();
    drop(log);
    machine.disk.set_capacity(machine.disk.used_bytes());
    assert_eq!(machine.try_log().map(drop), Err(StoreFault::Full), "and says so where there is none");
    machine.disk.set_capacity(u64::MAX);
    assert_eq!(last(&machine.log()), 31);
}

#[test]
fn a_failed_sync_is_never_success_and_the_log_takes_no_more() {
    let machine = Machine::new();
    let mut log = machine.log();
    log.append(&batch(GROUP, 1, 3, 1), true).unwrap();
    machine.disk.set_syncs_fail(true);
    let fault = log.append(&batch(GROUP, 3, 5, 1), true).unwrap_err();
    assert!(matches!(fault, StoreFault::Io(_)), "{fault:?}");
    machine.disk.set_syncs_fail(false);
    assert!(matches!(log.append(&batch(GROUP, 3, 5, 1), true), Err(StoreFault::Io(_))));
    assert!(matches!(log.append(&LogBatch::default(), true), Err(StoreFault::Io(_))));
    assert!(matches!(log.compact(GROUP, 2), Err(StoreFault::Io(_))));
    assert!(matches!(log.bounds(GROUP), Err(StoreFault::Io(_))));
    drop(log);
    machine.power_cut();
    assert_eq!(last(&machine.log()), 2);
}

#[test]
fn a_sync_that_fails_later_is_noticed_too() {
    let machine = Machine::new();
    let mut log = machine.log();
    log.append(&batch(GROUP, 1, 3, 1), false).unwrap();
    machine.disk.set_syncs_fail(true);
    // An empty batch that must sync, and the end of a file, which is synced when it is closed.
    assert!(matches!(log.append(&LogBatch::default(), true), Err(StoreFault::Io(_))));
    drop(log);
    machine.disk.set_syncs_fail(false);
    let mut log = machine.log();
    machine.disk.set_syncs_fail(true);
    let mut next = last(&log) + 1;
    while log.append(&batch(GROUP, next, next + 1, 1), false).is_ok() {
        next += 1;
        assert!(next < 1_000, "files are closed long before");
    }
    assert!(matches!(log.bounds(GROUP), Err(StoreFault::Io(_))));
}

#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_on_disk_before_it_is_believed() {
    let machine = Machine::new();
    let ballot = Ballot { term: 9, vote: 2, commit: 0 };
    let mut log = machine.log();
    log.append(&batch(GROUP, 1, 3, 1), true).unwrap();
    machine.disk.set_syncs_fail(true);
    let mut turn = batch(GROUP, 3, 5, 9);
    turn.ballots.push((GROUP, ballot));
    log.append(&turn, true).unwrap_err();
    drop(log);
    machine.disk.set_syncs_fail(false);
    // The process starts again, the machine did not go down: the pages are there, marked as clean.
    machine.disk.restart();
    let found =
        std::thread::scope(|scope| scope.spawn(|| machine.log()).join().unwrap().ballot(GROUP).unwrap());
    assert_eq!(found, Some(ballot), "so this replica may answer that it voted");
    machine.power_cut();
    let log = machine.log();
    assert_eq!((log.ballot(GROUP).unwrap(), last(&log)), (found, 4), "and may not forget it");
}

#[test]
fn what_was_never_synced_is_on_disk_after_the_process_starts_again() {
    let machine = Machine::new();
    machine.log().append(&batch(GROUP, 1, 3, 1), false).unwrap();
    machine.disk.restart();
    let mut state = machine.state();
    state.commit(&row("a", b"1")).unwrap();
    drop(state);
    assert_eq!(last(&machine.log()), 2);
    machine.power_cut();
    assert_eq!(last(&machine.log()), 2);
    assert_eq!(machine.state().snapshot().unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
}

#[test]
fn rot_is_never_read_as_an_entry() {
    let machine = Machine::new();
    let mut log = machine.log();
    for index in 1..=100 {
        log.append(&batch(GROUP, index, index + 1, 1), true).unwrap();
    }
    drop(log);
    let files = machine.log_files("raftlog");
    assert!(files.len() > 2);
    let (oldest, size) = &files[0];
    for at in (0..*size).step_by(11) {
        machine.disk.rot(oldest, at, 0x04);
        let opened = machine.try_log().map(drop);
        assert!(matches!(opened, Err(StoreFault::Corrupt(_))), "byte {at}: {opened:?}");
        machine.disk.rot(oldest, at, 0x04);
    }
    assert_eq!(last(&machine.log()), 100);
}

#[test]
fn rot_while_the_log_is_open_is_an_error_of_the_read() {
    let machine = Machine::new();
    let mut log = machine.log();
    for index in 1..=100 {
        log.append(&batch(GROUP, index, index + 1, 1), true).unwrap();
    }
    let (oldest, size) = machine.log_files("raftlog")[0].clone();
    for at in 69..size {
        machine.disk.rot(&oldest, at, 0xff);
    }
    assert!(matches!(log.entries(GROUP, 1, 2, u64::MAX), Err(StoreFault::Corrupt(_))));
    assert_eq!(log.entries(GROUP, 100, 101, u64::MAX).unwrap(), [entry(GROUP, 100, 1)], "the rest is well");
}

#[test]
fn a_state_is_refused_before_it_is_full_and_goes_on_when_there_is_space() {
    let machine = Machine::new();
    let mut state = machine.state();
    state.commit(&row("a", &[1; 100])).unwrap();
    machine.disk.set_capacity(machine.disk.used_bytes() + (1 << 20));
    assert_eq!(state.commit(&row("b", &[2; 100])), Err(StoreFault::Full));
    assert_eq!(state.snapshot().unwrap().get(b"b"), Ok(None), "nothing of it was written");
    machine.disk.set_capacity(u64::MAX);
    state.commit(&row("b", &[2; 100])).unwrap();
    assert_eq!(rows(&state.snapshot().unwrap(), b"", b"z", Direction::Up).len(), 2);
}

#[test]
fn a_state_that_fills_up_all_the_same_stops_and_comes_back_whole() {
    let machine = Machine::new();
    // This one does not know how much space there is.
    let path = machine.state_path();
    let open = || RedbState::open_on(machine.disk.rows(&path), 1 << 20, Box::new(|| None)).unwrap();
    let mut state = open();
    machine.disk.set_capacity(machine.disk.used_bytes() + (1 << 18));
    let mut count = 0;
    let fault = loop {
        match state.commit(&row(&format!("{count:05}"), &[1; 30_000])) {
            Ok(()) => count += 1,
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault, StoreFault::Full);
    assert!(matches!(state.commit(&row("z", b"")), Err(StoreFault::Io(_))), "redb needs a new start");
    drop(state);
    machine.disk.set_capacity(u64::MAX);
    machine.disk.restart();
    let mut state = open();
    assert_eq!(rows(&state.snapshot().unwrap(), b"", b"zz", Direction::Up).len(), count);
    state.commit(&row("z", b"")).unwrap();
}

#[test]
fn a_state_that_does_not_sync_takes_no_more() {
    let machine = Machine::new();
    let mut state = machine.state();
    state.commit(&row("a", b"1")).unwrap();
    machine.disk.set_syncs_fail(true);
    assert!(matches!(state.commit(&row("a", b"2")), Err(StoreFault::Io(_))));
    machine.disk.set_syncs_fail(false);
    assert!(matches!(state.commit(&row("a", b"2")), Err(StoreFault::Io(_))));
    drop(state);
    machine.power_cut();
    assert_eq!(machine.state().snapshot().unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
}

#[test]
fn a_state_whose_pages_are_garbled_is_corrupt_or_whole_and_never_panics() {
    let row = |number| (format!("{number:05}").into_bytes(), Some(vec![7; 200]));
    let written: StateBatch = (0..500).map(row).collect();
    let (mut refused, mut at, mut size) = (0, 0, 1);
    while at < size {
        let machine = Machine::new();
        let path: &Path = &machine.state_path();
        let open = || RedbState::open_on(machine.disk.rows(path), 1 << 20, Box::new(|| None));
        open().unwrap().commit(&written).unwrap();
        size = machine.disk.list().iter().find(|(name, _)| name == path).unwrap().1;
        // A page's kind and number of entries, which redb follows; values have checksums of their own.
        for byte in at..at + 4 {
            machine.disk.rot(path, byte, 0x55);
        }
        let mut count = 0;
        let read = open().and_then(|state| {
            state.snapshot()?.scan(b"", b"z", Direction::Up, &mut |_, _| {
                count += 1;
                ControlFlow::Continue(())
            })
        });
        match read {
            Ok(()) => assert_eq!(count, 500, "byte {at}: rows are missing and nobody says so"),
            Err(StoreFault::Corrupt(_)) => refused += 1,
            Err(fault) => panic!("byte {at}: {fault:?}"),
        }
        at += 4096;
    }
    assert!(refused > 10, "{refused}");
}
