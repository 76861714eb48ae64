use super::*;
use crate::store::shared::Shared;
use crate::store::suite::{self, batch, entry};

fn opener<S: Default>() -> impl FnMut(&str) -> Shared<S> {
    let mut by_name: BTreeMap<String, Shared<S>> = BTreeMap::new();
    move |name| by_name.entry(name.to_owned()).or_default().clone()
}

#[test]
fn the_map_log_passes_the_suite() {
    suite::check_log(opener::<MapLog>());
}

#[test]
fn the_map_state_passes_the_suite() {
    suite::check_state(opener::<MapState>());
}

#[test]
fn a_crash_loses_unsynced_records_from_any_point_on_and_nothing_synced() {
    let group = GroupId(1);
    let ballot = Ballot { term: 2, vote: 1, commit: 0 };
    let mut log = MapLog::new();
    log.append(&batch(group, 1, 5, 1), true).unwrap();
    log.append(&batch(group, 3, 4, 2), false).unwrap();
    log.append(&LogBatch { ballots: vec![(group, ballot)], ..LogBatch::default() }, false).unwrap();
    log.compact(group, 2).unwrap();
    assert_eq!(log.unsynced(), 3);
    let after = |keep| {
        let mut log = log.clone();
        log.crash(keep);
        assert_eq!(log.unsynced(), 0);
        (log.bounds(group).unwrap().unwrap(), log.ballot(group).unwrap())
    };
    assert_eq!(after(Keep::None), ((1, 4), None), "the replaced tail is back");
    assert_eq!(after(Keep::Prefix(0)), after(Keep::None));
    assert_eq!(after(Keep::Prefix(1)), ((1, 3), None));
    assert_eq!(after(Keep::Prefix(2)), ((1, 3), Some(ballot)));
    assert_eq!(after(Keep::Prefix(3)), ((2, 3), Some(ballot)));
    assert_eq!(after(Keep::All), after(Keep::Prefix(99)));
}

#[test]
fn a_sync_covers_what_was_written_before_it() {
    let group = GroupId(1);
    let mut log = MapLog::new();
    log.append(&batch(group, 1, 3, 1), false).unwrap();
    log.append(&LogBatch::default(), true).unwrap();
    log.crash(Keep::None);
    assert_eq!(log.entries(group, 1, 3, u64::MAX), Ok(vec![entry(group, 1, 1), entry(group, 2, 1)]));
}

#[test]
fn a_clone_of_the_state_is_a_store_of_its_own() {
    let mut state = MapState::new();
    let change = |value: &str| StateBatch::from_iter([(b"a".to_vec(), Some(value.into()))]);
    state.commit(&change("1")).unwrap();
    let mut clone = state.clone();
    clone.commit(&change("2")).unwrap();
    assert_eq!(state.snapshot().unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
    assert_eq!((state.len(), clone.len()), (1, 1));
}
