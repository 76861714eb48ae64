use std::fs;
use std::path::PathBuf;

use gomer_core::store::suite::{self, batch, entry};

use super::*;

const GROUP: GroupId = GroupId(0);

fn open(dir: &Path) -> RaftLog {
    try_open(dir).unwrap()
}

fn try_open(dir: &Path) -> Result<RaftLog, StoreFault> {
    RaftLog::open(dir, LogSettings::default())
}

/// A closed log of ten synced records in its last file with data, and that file.
fn ten_records() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let mut log = open(&temp.path().join("log"));
    for index in 1..=10 {
        let mut turn = batch(GROUP, index, index + 1, 1);
        turn.ballots.push((GROUP, Ballot { term: 1, vote: 1, commit: index }));
        log.append(&turn, true).unwrap();
    }
    drop(log);
    let largest = fs::read_dir(temp.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let file = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    (temp, file)
}

fn last_index(log: &RaftLog) -> u64 {
    log.bounds(GROUP).unwrap().map_or(0, |(_, last)| last)
}

#[test]
fn the_log_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    suite::check_log(|name| open(&dir.path().join(name)));
}

#[test]
fn a_tail_cut_anywhere_opens_with_what_is_whole() {
    let (temp, file) = ten_records();
    let bytes = fs::read(&file).unwrap();
    let names = fs::read_dir(temp.path().join("log")).unwrap().count();
    let mut lasts = Vec::new();
    for length in (0..bytes.len()).rev().step_by(7) {
        fs::write(&file, &bytes[..length]).unwrap();
        let log = open(&temp.path().join("log"));
        let last = last_index(&log);
        assert_eq!(
            log.ballot(GROUP).unwrap().map_or(0, |ballot| ballot.commit),
            last,
            "one record, one fate"
        );
        if last > 0 {
            assert_eq!(log.entries(GROUP, last, last + 1, 0).unwrap(), [entry(GROUP, last, 1)]);
        }
        lasts.push(last);
        drop(log);
        // Each opening begins a file; put back what there was.
        for path in fs::read_dir(temp.path().join("log")).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|it| it == "raftlog") {
                fs::remove_file(path).unwrap();
            }
        }
    }
    assert!(lasts.is_sorted_by(|a, b| a >= b) && lasts.contains(&0) && lasts.contains(&9), "{lasts:?}");
    assert!(names >= 2);
}

#[test]
fn damage_before_a_synced_record_is_refused_whichever_byte_it_is() {
    let (temp, file) = ten_records();
    let bytes = fs::read(&file).unwrap();
    // Up to the start of the last record: its mark says that all before it were synced.
    let last_record = bytes.len() - (bytes.len() - 72) / 10 - 40;
    for at in (0..last_record).step_by(5) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        fs::write(&file, &bad).unwrap();
        let opened = try_open(&temp.path().join("log")).map(|log| last_index(&log));
        assert!(matches!(opened, Err(StoreFault::Corrupt(_))), "byte {at}: {opened:?}");
    }
    fs::write(&file, &bytes).unwrap();
    assert_eq!(last_index(&open(&temp.path().join("log"))), 10, "and nothing was touched");
}

#[test]
fn damage_in_the_last_record_cannot_be_told_from_a_torn_write() {
    let (temp, file) = ten_records();
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(last_index(&open(&temp.path().join("log"))), 9);
}

#[test]
fn a_closed_file_must_be_whole_to_its_end() {
    let (temp, file) = ten_records();
    let dir = temp.path().join("log");
    let mut log = open(&dir);
    log.append(&batch(GROUP, 11, 12, 1), true).unwrap();
    drop(log);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(try_open(&dir), Err(StoreFault::Corrupt(_))), "cut within a record");
    let record = (bytes.len() - 72) / 10;
    let shorter = (bytes.len() - record - 40..bytes.len()).filter(|&length| {
        fs::write(&file, &bytes[..length]).unwrap();
        try_open(&dir).is_ok()
    });
    assert_eq!(shorter.count(), 0, "nor may a whole record be missing");
}

#[test]
fn files_stay_few_and_nothing_is_lost_when_the_log_is_compacted() {
    let temp = tempfile::tempdir().unwrap();
    let settings = LogSettings { file_bytes: 64 << 10, purge_bytes: 256 << 10 };
    let open = || RaftLog::open(&temp.path().join("log"), settings).unwrap();
    let idle = GroupId(9);
    let ballot = Ballot { term: 7, vote: 3, commit: 0 };
    let mut log = open();
    // Written once and never again: it must move with the files.
    log.append(&LogBatch { entries: batch(idle, 1, 4, 7).entries, ballots: vec![(idle, ballot)] }, true)
        .unwrap();
    for index in 1..=3_000 {
        let entry = LogEntry { index, term: 1, kind: 0, data: vec![index as u8; 1_000] };
        let sync = index % 50 == 0;
        log.append(&LogBatch { entries: vec![(GROUP, vec![entry])], ballots: vec![] }, sync).unwrap();
        if index % 100 == 0 {
            log.compact(GROUP, index - 20).unwrap();
        }
    }
    for _ in 0..2 {
        assert!(log.used_bytes() < 1 << 20, "{} of 3 MB written", log.used_bytes());
        assert_eq!(log.bounds(GROUP), Ok(Some((2_980, 3_000))));
        assert_eq!(log.entries(idle, 1, 4, u64::MAX).unwrap(), batch(idle, 1, 4, 7).entries[0].1);
        assert_eq!(log.ballot(idle), Ok(Some(ballot)));
        drop(log);
        log = open();
    }
}

/// raft-engine had moved entries 1 to 20 to its rewrite queue. Then 10 and 11 replaced 10 to 20, and all
/// of it was compacted. When it opened again, nothing lay over the moved entries, and 12 to 20 of the
/// old term came back as the end of the log. The last entry is now kept, out of sight.
#[test]
fn a_replaced_tail_does_not_come_back_when_what_replaced_it_is_compacted() {
    let temp = tempfile::tempdir().unwrap();
    let settings = LogSettings { file_bytes: 4 << 10, purge_bytes: 16 << 10 };
    let open = || RaftLog::open(&temp.path().join("log"), settings).unwrap();
    let busy = GroupId(9);
    let mut log = open();
    let mut next = 1;
    let mut turn_files_over = |log: &mut RaftLog| {
        for _ in 0..60 {
            log.append(&batch(busy, next, next + 20, 1), false).unwrap();
            next += 20;
            log.compact(busy, next - 5).unwrap();
        }
    };
    log.append(&batch(GROUP, 1, 21, 1), true).unwrap();
    turn_files_over(&mut log);
    log.append(&batch(GROUP, 10, 12, 2), true).unwrap();
    log.compact(GROUP, 12).unwrap();
    turn_files_over(&mut log);
    for _ in 0..3 {
        assert_eq!(log.bounds(GROUP), Ok(None));
        assert!(log.entries(GROUP, 11, 12, 0).is_err(), "what is out of sight is not readable");
        drop(log);
        log = open();
    }
    // It goes on behind what was compacted, next to it or after a gap.
    log.append(&batch(GROUP, 12, 14, 3), true).unwrap();
    log.compact(GROUP, 50).unwrap();
    turn_files_over(&mut log);
    log.append(&batch(GROUP, 50, 52, 4), true).unwrap();
    for _ in 0..3 {
        assert_eq!(log.bounds(GROUP), Ok(Some((50, 51))));
        assert_eq!(log.entries(GROUP, 50, 52, u64::MAX).unwrap(), batch(GROUP, 50, 52, 4).entries[0].1);
        turn_files_over(&mut log);
        drop(log);
        log = open();
    }
}

#[test]
fn two_logs_on_one_thread_never_read_each_other() {
    // raft-engine caches blocks by thread, file number and offset, but not by engine.
    let temp = tempfile::tempdir().unwrap();
    let mut logs = ["a", "b"].map(|name| open(&temp.path().join(name)));
    for (log, data) in logs.iter_mut().zip([b"aaaa", b"bbbb"]) {
        let entries = vec![LogEntry { index: 1, term: 1, kind: 0, data: data.to_vec() }];
        log.append(&LogBatch { entries: vec![(GROUP, entries)], ballots: vec![] }, true).unwrap();
    }
    for (log, data) in logs.iter().zip([b"aaaa", b"bbbb"]) {
        assert_eq!(log.entries(GROUP, 1, 2, u64::MAX).unwrap()[0].data, data);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_of_the_system() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("log"), "a file").unwrap();
    assert!(matches!(try_open(&temp.path().join("log")), Err(StoreFault::Io(_))));
    assert!(matches!(try_open(&temp.path().join("no/parent")), Err(StoreFault::Io(_))));
}
