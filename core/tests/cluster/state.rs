//! State that is found again after a crash, as of its last checkpoint.

use std::sync::{Arc, Mutex};

use gomer_core::store::map::{MapSnapshot, MapState};
use gomer_core::store::{StateBatch, StateStore, StoreFault};

#[derive(Debug, Clone, Default)]
pub struct SharedState(pub Arc<Mutex<MapState>>);

impl StateStore for SharedState {
    type Snapshot = MapSnapshot;

    fn snapshot(&self) -> Result<MapSnapshot, StoreFault> {
        self.0.lock().unwrap().snapshot()
    }

    fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
        self.0.lock().unwrap().commit(batch)
    }
}
