//! An index in ordered rows: on disk in a file of its own, or in any other [`StateStore`].
//!
//! ```text
//! term      app, shelf, field, whole or beginning, text, 0 · spot                →
//! document  app, kind, id                                                        → order, terms
//! place     app, partition                                                       → how far it was followed
//! about     FORMAT, number of documents
//! ```
//!
//! A *spot* is a document's place on its shelf with its kind and id, written so that the first comes first. So the rows of a
//! term are a list in the order of pages, and a page of a question is read by going along its lists: each says which document
//! is the next one from here on that it has, until all say the same. What they agree on is looked at with [`Question::fits`],
//! so lists may name too much: those of beginnings end after [`BEGINNING_CHARS`] letters, and for whom something is is not
//! looked up in a list if there is any other.
//!
//! Every list begins with the number of its app: a question has no way to name what another app keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use gomer_core::id::{AppId, Id, Partition};
use gomer_core::store::{Direction, StateBatch, StateRead, StateStore, StoreFault};

use super::FORMAT;
use super::document::{Document, Field, Key, Kind, Mark, Shelf};
use super::index::{Batch, Hit, Index, IndexFault, Places};
use super::question::{Clause, Question};
use crate::store::state::RedbState;

/// Letters of a beginning that have a list.
const BEGINNING_CHARS: usize = 12;
/// Memory for pages of the file.
const CACHE_BYTES: usize = 32 << 20;
/// The file, in the index's directory.
const FILE: &str = "index.redb";

/// An index in rows of a store.
pub struct StoredIndex<S: StateStore> {
    /// Makes the store; a new and empty one, if the old one is to go.
    make: Box<dyn Fn(bool) -> Result<S, IndexFault> + Send + Sync>,
    /// Who changes something. Nothing: the last attempt to begin again failed.
    store: Mutex<Option<S>>,
    view: RwLock<Option<View<S>>>,
}

/// What is read, as of the last change.
struct View<S: StateStore> {
    rows: Arc<S::Snapshot>,
    places: Places,
    count: u64,
}

/// An index in a directory.
pub type DiskIndex = StoredIndex<RedbState>;

impl DiskIndex {
    /// Opens the directory, or makes it. Throws away what is of another format, or damaged.
    pub fn open(path: &Path) -> Result<DiskIndex, IndexFault> {
        let path = path.to_owned();
        StoredIndex::new(Box::new(move |fresh| file(&path, fresh)))
    }
}

fn file(path: &Path, fresh: bool) -> Result<RedbState, IndexFault> {
    let fault = |error: &dyn std::fmt::Display| IndexFault(format!("{}: {error}", path.display()));
    if fresh {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fault(&error)),
            _ => {}
        }
    }
    std::fs::create_dir_all(path).map_err(|error| fault(&error))?;
    RedbState::open(&path.join(FILE), CACHE_BYTES).map_err(|error| fault(&error))
}

impl<S: StateStore> StoredIndex<S> {
    /// In a store that this makes: what was there, or, if it is told so, a new one.
    pub fn new(
        make: Box<dyn Fn(bool) -> Result<S, IndexFault> + Send + Sync>,
    ) -> Result<StoredIndex<S>, IndexFault> {
        let opened = make(false).and_then(|store| Ok((View::of(&store)?, store)));
        let (view, store) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                tracing::warn!(%fault, "the search index is made again");
                let store = make(true)?;
                (View::of(&store)?, store)
            }
        };
        Ok(StoredIndex { make, store: Mutex::new(Some(store)), view: RwLock::new(Some(view)) })
    }

    fn rows(&self) -> Result<Arc<S::Snapshot>, IndexFault> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map(|view| view.rows.clone()).ok_or_else(closed)
    }

    fn show(&self, view: Option<View<S>>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

fn closed() -> IndexFault {
    IndexFault("the index could not be opened".to_owned())
}

impl From<StoreFault> for IndexFault {
    fn from(fault: StoreFault) -> IndexFault {
        IndexFault(fault.to_string())
    }
}

impl<S: StateStore> View<S> {
    /// What a store has; an error if that is of another format. A store without anything is of ours.
    fn of(store: &S) -> Result<View<S>, IndexFault> {
        let rows = Arc::new(store.snapshot()?);
        let count = match rows.get(&ABOUT)? {
            None => 0,
            Some(about) => {
                let (format, count): (u32, u64) = decode(&about)?;
                if format != FORMAT {
                    return Err(IndexFault(format!("the index has format {format}")));
                }
                count
            }
        };
        let mut places = Places::new();
        let mut garbled = false;
        rows.scan(&[PLACE], &[PLACE + 1], Direction::Up, &mut |key, value| {
            match (read_place_key(key), std::str::from_utf8(value)) {
                (Some(spot), Ok(place)) => drop(places.insert(spot, place.to_owned())),
                _ => garbled = true,
            }
            ControlFlow::Continue(())
        })?;
        if garbled {
            return Err(IndexFault("a place cannot be read".to_owned()));
        }
        Ok(View { rows, places, count })
    }
}

impl<S: StateStore> Index for StoredIndex<S> {
    fn places(&self) -> Places {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map_or_else(Places::new, |view| view.places.clone())
    }

    fn apply(&self, batch: Batch) -> Result<(), IndexFault> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut kept = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = kept.as_mut().ok_or_else(closed)?;
        let (rows, mut places, mut count) = {
            let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
            let view = view.as_ref().ok_or_else(closed)?;
            (view.rows.clone(), view.places.clone(), view.count)
        };
        let mut changes = BTreeMap::<Vec<u8>, Option<Vec<u8>>>::new();
        for key in batch.drop {
            let Some(old) = document(&*rows, key)? else { continue };
            changes.extend(lists_of(&old).into_iter().map(|row| (row, None)));
            changes.insert(document_key(key), None);
            count = count.saturating_sub(1);
        }
        for new in batch.put {
            let old = document(&*rows, new.key)?;
            if old.as_ref() == Some(&new) {
                continue;
            }
            count += u64::from(old.is_none());
            let lists = lists_of(&new);
            let gone = old.map_or_else(BTreeSet::new, |old| lists_of(&old));
            changes.extend(gone.difference(&lists).map(|row| (row.clone(), None)));
            changes.extend(lists.difference(&gone).map(|row| (row.clone(), Some(Vec::new()))));
            let terms: Vec<(u8, &str)> =
                new.terms.iter().map(|(field, text)| (field.number(), text.as_str())).collect();
            changes.insert(document_key(new.key), Some(encode(&(new.order, terms))));
        }
        for (spot, place) in &batch.places {
            changes.insert(place_key(*spot), Some(place.clone().into_bytes()));
        }
        changes.insert(ABOUT.to_vec(), Some(encode(&(FORMAT, count))));
        store.commit(&StateBatch::from_iter(changes))?;
        places.extend(batch.places);
        self.show(Some(View { rows: Arc::new(store.snapshot()?), places, count }));
        Ok(())
    }

    fn find(&self, question: &Question, after: Option<Mark>, limit: usize) -> Result<Vec<Hit>, IndexFault> {
        let rows = self.rows()?;
        let lists = Lists::of(question.app, question.shelf, &question.having);
        let first = Mark { order: question.to, tie: u64::MAX };
        // Behind a mark there is nothing whose spot begins like it.
        let mut at = spot_head(first).to_vec();
        if let Some(after) = after {
            at = at.max([&spot_head(after)[..], &[u8::MAX; 18]].concat());
        }
        let mut hits = Vec::new();
        while hits.len() < limit {
            let Some(spot) = lists.next(&*rows, &at)? else { break };
            let (mark, kind, id) =
                read_spot(&spot).ok_or_else(|| IndexFault("a list is garbled".to_owned()))?;
            if mark.order < question.from {
                break;
            }
            let there = document(&*rows, Key { app: question.app, kind, id })?;
            if there.is_some_and(|there| question.fits(&there)) {
                hits.push(Hit { mark, kind, id });
            }
            at = spot.to_vec();
            at.push(0);
        }
        Ok(hits)
    }

    fn clear(&self) -> Result<(), IndexFault> {
        let mut kept = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed before its file goes.
        self.show(None);
        *kept = None;
        let store = (self.make)(true)?;
        self.show(Some(View::of(&store)?));
        *kept = Some(store);
        Ok(())
    }

    fn len(&self) -> u64 {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map_or(0, |view| view.count)
    }
}

/// Which lists answer a clause; or more than that.
enum Lists {
    /// The rows that begin so.
    One(Vec<u8>),
    /// What is in all of them.
    All(Vec<Lists>),
    /// What is in any of them.
    Any(Vec<Lists>),
}

impl Lists {
    fn of(app: AppId, shelf: Shelf, clause: &Clause) -> Lists {
        let each = |clauses: &[Clause]| clauses.iter().map(|clause| Lists::of(app, shelf, clause)).collect();
        match clause {
            Clause::Is(field, text) => Lists::One(list_key(app, shelf, *field, WHOLE, text)),
            Clause::Begins(field, text) => {
                Lists::One(list_key(app, shelf, *field, BEGINNING, &beginning(text)))
            }
            Clause::All(clauses) => {
                let telling: Vec<Clause> =
                    clauses.iter().filter(|clause| is_telling(clause)).cloned().collect();
                Lists::All(each(if telling.is_empty() { clauses } else { &telling }))
            }
            Clause::Any(clauses) => Lists::Any(each(clauses)),
        }
    }

    /// The first spot from `at` on that is in the lists.
    fn next(&self, rows: &dyn StateRead, at: &[u8]) -> Result<Option<Spot>, StoreFault> {
        match self {
            Lists::One(list) => {
                let from = [list, at].concat();
                let mut end = list.clone();
                // What a list begins with ends with a zero.
                *end.last_mut().expect("a list's key is not empty") = 1;
                let mut found = None;
                rows.scan(&from, &end, Direction::Up, &mut |key, _| {
                    found = key.get(list.len()..).and_then(|spot| spot.try_into().ok());
                    ControlFlow::Break(())
                })?;
                Ok(found)
            }
            Lists::Any(all) => {
                let mut first: Option<Spot> = None;
                for one in all {
                    let found = one.next(rows, at)?;
                    first = first.into_iter().chain(found).min();
                }
                Ok(first)
            }
            Lists::All(all) => {
                let mut target = at.to_vec();
                'again: loop {
                    let mut agreed: Option<Spot> = None;
                    for one in all {
                        let Some(found) = one.next(rows, &target)? else { return Ok(None) };
                        if agreed.is_some_and(|agreed| agreed != found) {
                            target = found.to_vec();
                            continue 'again;
                        }
                        agreed = Some(found);
                        target = found.to_vec();
                    }
                    return Ok(agreed);
                }
            }
        }
    }
}

/// Whether a clause leaves much out. For whom something is does not.
fn is_telling(clause: &Clause) -> bool {
    match clause {
        Clause::Is(field, _) | Clause::Begins(field, _) => !matches!(field, Field::Audience | Field::Reader),
        Clause::All(clauses) => clauses.iter().any(is_telling),
        Clause::Any(clauses) => clauses.iter().all(is_telling),
    }
}

/// Order, tie, kind, id.
type Spot = [u8; 33];

fn spot_head(mark: Mark) -> [u8; 16] {
    let mut head = [0; 16];
    head[..8].copy_from_slice(&(!mark.order).to_be_bytes());
    head[8..].copy_from_slice(&(!mark.tie).to_be_bytes());
    head
}

fn read_spot(spot: &Spot) -> Option<(Mark, Kind, Id)> {
    let (order, rest) = spot.split_first_chunk()?;
    let (tie, rest) = rest.split_first_chunk()?;
    let (kind, id) = rest.split_first()?;
    let mark = Mark { order: !u64::from_be_bytes(*order), tie: !u64::from_be_bytes(*tie) };
    Some((mark, Kind::of_number(*kind)?, Id::from_bytes(id.try_into().ok()?)))
}

/// The rows that stand for a document in lists.
fn lists_of(document: &Document) -> BTreeSet<Vec<u8>> {
    let (key, shelf) = (document.key, document.key.kind.shelf());
    let row = |field: Field, mode: u8, text: &str| {
        let mut row = list_key(key.app, shelf, field, mode, text);
        row.extend(spot_head(document.mark()));
        row.push(key.kind.number());
        row.extend(key.id.as_bytes());
        row
    };
    let mut rows = BTreeSet::new();
    for (field, text) in &document.terms {
        rows.insert(row(*field, WHOLE, text));
        if field.has_beginnings() {
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take(BEGINNING_CHARS);
            rows.extend(ends.map(|end| row(*field, BEGINNING, &text[..end])));
        }
    }
    rows
}

fn beginning(text: &str) -> String {
    text.chars().take(BEGINNING_CHARS).collect()
}

fn list_key(app: AppId, shelf: Shelf, field: Field, mode: u8, text: &str) -> Vec<u8> {
    let mut key = vec![LIST];
    key.extend(app.0.to_be_bytes());
    key.extend([shelf.number(), field.number(), mode]);
    // A zero ends the text; there is none in a word, a handle or a tag.
    key.extend(text.bytes().filter(|&byte| byte != 0));
    key.push(0);
    key
}

fn document_key(key: Key) -> Vec<u8> {
    let mut row = vec![DOCUMENT];
    row.extend(key.app.0.to_be_bytes());
    row.push(key.kind.number());
    row.extend(key.id.as_bytes());
    row
}

fn document(rows: &dyn StateRead, key: Key) -> Result<Option<Document>, IndexFault> {
    let Some(row) = rows.get(&document_key(key))? else { return Ok(None) };
    let (order, terms): (u64, Vec<(u8, String)>) = decode(&row)?;
    let term = |(field, text): (u8, String)| Some((Field::of_number(field)?, text));
    Ok(Some(Document { key, order, terms: terms.into_iter().filter_map(term).collect() }))
}

fn place_key((app, partition): (AppId, Partition)) -> Vec<u8> {
    [&[PLACE][..], &app.0.to_be_bytes(), &partition.0.to_be_bytes()].concat()
}

fn read_place_key(key: &[u8]) -> Option<(AppId, Partition)> {
    let (app, partition) = key.get(1..)?.split_first_chunk()?;
    Some((AppId(u32::from_be_bytes(*app)), Partition(u16::from_be_bytes(partition.try_into().ok()?))))
}

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data, which bytes can hold")
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexFault> {
    postcard::from_bytes(bytes).map_err(|_| IndexFault("a row of the index is garbled".to_owned()))
}

const LIST: u8 = 1;
const DOCUMENT: u8 = 2;
const PLACE: u8 = 3;
const ABOUT: [u8; 1] = [4];
/// The list of a whole text, and of a beginning.
const WHOLE: u8 = 0;
const BEGINNING: u8 = 1;

#[cfg(test)]
mod tests {
    use gomer_core::store::map::MapState;

    use super::*;

    fn post(id: u8, text: &str) -> Document {
        let key = Key { app: AppId(1), kind: Kind::Post, id: Id::from_bytes([id; 16]) };
        let mut document = Document::new(key, 1);
        document.words(Field::Text, text);
        document
    }

    fn batch(id: u8, text: &str, place: &str) -> Batch {
        let places = Places::from([((AppId(1), Partition(2)), place.to_owned())]);
        Batch { put: vec![post(id, text)], places, ..Batch::default() }
    }

    fn fox() -> Question {
        Question::new(AppId(1), Shelf::Posts, Clause::Is(Field::Text, "fox".to_owned()))
    }

    #[test]
    fn rows_do_it_all() {
        super::super::suite::run(|| {
            Arc::new(StoredIndex::new(Box::new(|_| Ok(MapState::new()))).expect("an index in memory opens"))
        });
    }

    #[test]
    fn a_file_does_it_all() {
        let dir = tempfile::tempdir().unwrap();
        let number = std::sync::atomic::AtomicU64::new(0);
        super::super::suite::run(|| {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Arc::new(DiskIndex::open(&dir.path().join(number.to_string())).unwrap())
        });
    }

    #[test]
    fn what_was_applied_is_there_after_another_start_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let index = DiskIndex::open(dir.path()).unwrap();
        index.apply(batch(1, "fox", "a")).unwrap();
        index.apply(batch(2, "fox", "b")).unwrap();
        let hits = index.find(&fox(), None, 10).unwrap();
        drop(index);
        let index = DiskIndex::open(dir.path()).unwrap();
        assert_eq!(index.find(&fox(), None, 10).unwrap(), hits);
        assert_eq!((hits.len(), index.len()), (2, 2));
        assert_eq!(index.places(), Places::from([((AppId(1), Partition(2)), "b".to_owned())]));
    }

    #[test]
    fn nothing_is_left_of_what_was_dropped_or_replaced() {
        let index = StoredIndex::new(Box::new(|_| Ok(MapState::new()))).unwrap();
        index.apply(batch(1, "fox and dog", "a")).unwrap();
        index.apply(batch(1, "dog and cat", "b")).unwrap();
        let drop = vec![post(1, "").key, post(9, "").key];
        index.apply(Batch { drop, ..Batch::default() }).unwrap();
        let mut left = Vec::new();
        let rows = index.rows().unwrap();
        rows.scan(&[0], &[u8::MAX], Direction::Up, &mut |key, _| {
            left.push(key[0]);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(left, [PLACE, ABOUT[0]]);
        assert!(index.is_empty());
    }

    #[test]
    fn what_is_damaged_or_of_another_format_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let (file, filled) = (dir.path().join(FILE), || {
            let index = DiskIndex::open(dir.path()).unwrap();
            index.apply(batch(1, "fox", "a")).unwrap();
        });
        let is_new = |why: &str| {
            let index = DiskIndex::open(dir.path()).unwrap();
            assert!(index.is_empty() && index.places().is_empty(), "{why}");
            index.apply(batch(2, "fox", "b")).unwrap();
            assert_eq!(index.find(&fox(), None, 10).unwrap().len(), 1, "{why}");
        };
        filled();
        std::fs::write(&file, b"not a store").unwrap();
        is_new("garbage");
        filled();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        is_new("half a file");
        let mut store = RedbState::open(&file, CACHE_BYTES).unwrap();
        store.commit(&StateBatch::from_iter([(ABOUT.to_vec(), Some(encode(&(FORMAT + 1, 7u64))))])).unwrap();
        drop(store);
        is_new("another format");
        let mut store = RedbState::open(&file, CACHE_BYTES).unwrap();
        store.commit(&StateBatch::from_iter([(vec![PLACE, 1], Some(b"x".to_vec()))])).unwrap();
        drop(store);
        is_new("a garbled place");
    }

    #[test]
    fn a_store_that_refuses_leaves_the_index_as_it_was() {
        struct Refusing(MapState, Arc<std::sync::atomic::AtomicBool>);
        impl StateStore for Refusing {
            type Snapshot = <MapState as StateStore>::Snapshot;
            fn snapshot(&self) -> Result<Self::Snapshot, StoreFault> {
                self.0.snapshot()
            }
            fn commit(&mut self, batch: &StateBatch) -> Result<(), StoreFault> {
                match self.1.load(std::sync::atomic::Ordering::Relaxed) {
                    true => Err(StoreFault::Full),
                    false => self.0.commit(batch),
                }
            }
        }
        let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let of = full.clone();
        let index = StoredIndex::new(Box::new(move |_| Ok(Refusing(MapState::new(), of.clone())))).unwrap();
        index.apply(batch(1, "fox", "a")).unwrap();
        full.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(index.apply(batch(2, "fox", "b")).is_err());
        assert_eq!((index.len(), index.find(&fox(), None, 9).unwrap().len()), (1, 1));
        assert_eq!(index.places().values().collect::<Vec<_>>(), ["a"]);
        full.store(false, std::sync::atomic::Ordering::Relaxed);
        index.apply(batch(2, "fox", "b")).unwrap();
        assert_eq!(index.find(&fox(), None, 9).unwrap().len(), 2);
    }
}
