use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use gomer_core::store::{GroupId, LogBatch, LogEntry, LogStore, StateBatch, StateRead, StateStore};

use super::*;

const GROUP: GroupId = GroupId(1);

fn entry(index: u64) -> LogBatch {
    let entry = LogEntry { index, term: 1, ..LogEntry::default() };
    LogBatch { entries: vec![(GROUP, vec![entry])], ballots: Vec::new() }
}

fn disk(seed: u64) -> Disk {
    let trace = Trace::new(|| Duration::ZERO, true);
    Disk::new("m0".to_owned(), 1, trace, Marks::default(), Chance::new(seed))
}

fn log(disk: &Disk) -> DiskLog {
    disk.open().1.remove(0).0
}

fn found(disk: &Disk) -> Option<(u64, u64)> {
    log(disk).bounds(GROUP).unwrap()
}

#[test]
fn what_was_synced_is_found_again_and_what_was_not_may_be() {
    let after = |loss: Loss| -> Vec<_> {
        let all = (0..50).map(|seed| {
            let disk = disk(seed);
            let mut log = log(&disk);
            log.append(&entry(1), true).unwrap();
            log.append(&entry(2), false).unwrap();
            log.append(&entry(3), false).unwrap();
            disk.crash(loss);
            found(&disk)
        });
        Vec::from_iter(BTreeSet::from_iter(all))
    };
    assert_eq!(after(Loss::Everything), [Some((1, 1))]);
    assert_eq!(after(Loss::Tail), [Some((1, 1)), Some((1, 2)), Some((1, 3))]);
    assert_eq!(after(Loss::Torn), [Some((1, 1)), Some((1, 2)), Some((1, 3))]);
    assert_eq!(after(Loss::Nothing), [Some((1, 3))]);
}

#[test]
fn a_trap_springs_at_its_effect_and_tells_at_once() {
    for (effect, left) in
        [(Effect::Append, Some((1, 1))), (Effect::Sync, Some((1, 1))), (Effect::Send, Some((1, 2)))]
    {
        let disk = disk(1);
        let told = Arc::new(AtomicUsize::new(0));
        let tell = told.clone();
        disk.on_death(Arc::new(move |_| {
            tell.fetch_add(1, Ordering::Relaxed);
        }));
        let mut log = log(&disk);
        disk.arm(Trap { effect, nth: 2, loss: Loss::Everything, down: Duration::ZERO });
        log.append(&entry(1), true).unwrap();
        log.append(&entry(2), true).unwrap_err();
        assert_eq!(told.load(Ordering::Relaxed), 1, "{effect:?}");
        assert_eq!(found(&disk), left, "{effect:?}");
    }
}

#[test]
fn a_trap_at_a_commit_leaves_the_commit() {
    let disk = disk(1);
    let mut state = disk.open().1.remove(0).1;
    disk.arm(Trap { effect: Effect::Commit, nth: 1, loss: Loss::Everything, down: Duration::ZERO });
    state.commit(&StateBatch::from_iter([(b"k".to_vec(), Some(b"v".to_vec()))])).unwrap_err();
    let state = disk.open().1.remove(0).1;
    assert_eq!(state.snapshot().unwrap().get(b"k"), Ok(Some(b"v".to_vec())));
}

#[test]
fn a_failed_sync_loses_what_it_was_for() {
    let disk = disk(1);
    let mut log = log(&disk);
    log.append(&entry(1), true).unwrap();
    disk.fail_sync(1);
    log.append(&entry(2), true).unwrap_err();
    assert!(disk.has_failed());
    disk.crash(Loss::Everything);
    assert_eq!(found(&disk), Some((1, 1)));
}

#[test]
#[should_panic(expected = "writes on after its disk has failed")]
fn nobody_writes_on_after_a_failed_sync() {
    let disk = disk(1);
    let mut log = log(&disk);
    disk.fail_sync(1);
    log.append(&entry(1), true).unwrap_err();
    let _ = log.append(&entry(2), true);
}

#[test]
fn a_full_disk_takes_nothing_and_then_again_something() {
    let disk = disk(1);
    let mut before = log(&disk);
    disk.set_full(true);
    assert!(disk.is_scarce());
    assert_eq!(before.append(&entry(1), true), Err(StoreFault::Full));
    disk.crash(Loss::Nothing);
    disk.heal();
    let mut log = log(&disk);
    log.append(&entry(1), true).unwrap();
    assert!(!disk.is_scarce());
}

#[test]
fn what_is_rotten_differs_in_one_bit() {
    let disk = disk(1);
    let mut state = disk.open().1.remove(0).1;
    state.commit(&StateBatch::from_iter([(b"k".to_vec(), Some(vec![7; 20]))])).unwrap();
    let snapshot = state.snapshot().unwrap();
    assert_eq!(snapshot.get(b"k"), Ok(Some(vec![7; 20])));
    disk.set_rot(1_000_000);
    let rotten = snapshot.get(b"k").unwrap().unwrap();
    let bits: u32 = rotten.iter().map(|byte| (byte ^ 7).count_ones()).sum();
    assert_eq!(bits, 1);
    disk.heal();
    assert_eq!(snapshot.get(b"k"), Ok(Some(vec![7; 20])));
}

#[test]
fn a_copy_put_back_forgets_what_came_after_it() {
    let disk = disk(1);
    let mut log = log(&disk);
    log.append(&entry(1), true).unwrap();
    disk.copy(Duration::from_secs(3));
    log.append(&entry(2), true).unwrap();
    assert_eq!(disk.put_copy_back(), Some(Duration::from_secs(3)));
    assert_eq!(disk.put_copy_back(), None, "there is one copy");
    assert_eq!(found(&disk), Some((1, 1)));
}

#[test]
#[should_panic(expected = "a process that has ended uses its disk")]
fn the_dead_do_not_write() {
    let disk = disk(1);
    let mut log = log(&disk);
    disk.crash(Loss::Everything);
    let _ = log.append(&entry(1), true);
}

#[test]
#[should_panic(expected = "a process that has ended uses its disk")]
fn a_second_process_ends_the_first() {
    let disk = disk(1);
    let log = log(&disk);
    let _second = disk.open();
    let _ = log.bounds(GROUP);
}
