use gomer_core::store::suite;

use super::*;

#[test]
fn the_state_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    suite::check_state(|name| RedbState::open(&dir.path().join(name), CACHE_BYTES).unwrap());
}
