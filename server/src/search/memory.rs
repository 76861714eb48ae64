//! An index that looks at everything: for tests and the simulator, where there is little to look at.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use gomer_core::id::AppId;

use super::document::{Document, Key, Mark, Shelf};
use super::index::{Batch, Hit, Index, IndexFault, Places};
use super::question::{Question, is_behind};

/// Keeps documents in the order of their shelves.
#[derive(Default)]
pub struct MemoryIndex(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    documents: BTreeMap<Key, Document>,
    shelves: BTreeMap<(AppId, Shelf, Reverse<Mark>, Key), ()>,
    places: Places,
}

impl Kept {
    fn forget(&mut self, key: Key) {
        if let Some(old) = self.documents.remove(&key) {
            self.shelves.remove(&spot(&old));
        }
    }
}

fn spot(document: &Document) -> (AppId, Shelf, Reverse<Mark>, Key) {
    (document.key.app, document.key.kind.shelf(), Reverse(document.mark()), document.key)
}

impl MemoryIndex {
    /// Everything that is kept.
    pub fn documents(&self) -> BTreeMap<Key, Document> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).documents.clone()
    }
}

impl Index for MemoryIndex {
    fn places(&self) -> Places {
        self.0.read().unwrap_or_else(PoisonError::into_inner).places.clone()
    }

    fn apply(&self, batch: Batch) -> Result<(), IndexFault> {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for key in batch.drop {
            kept.forget(key);
        }
        for document in batch.put {
            kept.forget(document.key);
            kept.shelves.insert(spot(&document), ());
            kept.documents.insert(document.key, document);
        }
        kept.places.extend(batch.places);
        Ok(())
    }

    fn find(&self, question: &Question, after: Option<Mark>, limit: usize) -> Result<Vec<Hit>, IndexFault> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let first = Reverse(Mark { order: u64::MAX, tie: u64::MAX });
        let least = Key { app: AppId(0), kind: super::document::Kind::Profile, id: gomer_core::id::Id::NIL };
        let shelf = kept.shelves.range((question.app, question.shelf, first, least)..);
        let here = shelf
            .map(|(spot, ())| spot)
            .take_while(|spot| (spot.0, spot.1) == (question.app, question.shelf));
        let behind = here.filter(|spot| is_behind(spot.2.0, after));
        let found = behind.filter(|spot| kept.documents.get(&spot.3).is_some_and(|kept| question.fits(kept)));
        Ok(found.take(limit).map(|spot| Hit { mark: spot.2.0, kind: spot.3.kind, id: spot.3.id }).collect())
    }

    fn clear(&self) -> Result<(), IndexFault> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Kept::default();
        Ok(())
    }

    fn len(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).documents.len() as u64
    }
}
