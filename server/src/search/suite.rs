//! What every index must do: each implementation runs this.

use std::sync::Arc;

use gomer_core::id::{AppId, Id, Partition};
use gomer_core::rng::Rng;

use super::document::{Document, Field, Key, Kind, Mark, Shelf};
use super::index::{Batch, Hit, Index, Places};
use super::memory::MemoryIndex;
use super::question::{Clause, Question, every_word, words_of};

/// All of it; `make` gives a new, empty index each time.
pub fn run(make: impl Fn() -> Arc<dyn Index>) {
    finds_what_was_put(&*make());
    keeps_apps_and_shelves_apart(&*make());
    replaces_and_drops(&*make());
    pages_are_exact(&*make());
    forgets_everything(&*make());
    for seed in 0..8 {
        agrees_with_the_twin(&*make(), seed);
    }
}

fn key(app: u32, kind: Kind, id: u16) -> Key {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    Key { app: AppId(app), kind, id: Id::from_bytes(bytes) }
}

fn document(key: Key, order: u64, text: &str) -> Document {
    let mut document = Document::new(key, order);
    document.words(Field::Text, text);
    document.words(Field::Name, text);
    document
}

fn put(documents: Vec<Document>) -> Batch {
    Batch { put: documents, ..Batch::default() }
}

fn asking(app: u32, shelf: Shelf, text: &str) -> Question {
    Question::new(AppId(app), shelf, every_word(&words_of(text).expect("words"), Field::Text))
}

fn ids(index: &dyn Index, question: &Question) -> Vec<u16> {
    let hits = index.find(question, None, 1_000).expect("an index answers");
    hits.iter().map(|hit| u16::from_be_bytes([hit.id.as_bytes()[0], hit.id.as_bytes()[1]])).collect()
}

fn finds_what_was_put(index: &dyn Index) {
    assert!(index.is_empty() && index.places().is_empty());
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox")), [0u16; 0]);
    let mut tagged = document(key(1, Kind::Post, 3), 30, "nothing else");
    tagged.whole(Field::Tag, "Über");
    let posts = vec![
        document(key(1, Kind::Post, 1), 10, "the Quick fox"),
        document(key(1, Kind::Reply, 2), 20, "a quick dog, 東京都"),
        tagged,
    ];
    index.apply(put(posts)).expect("it takes documents");
    assert_eq!(index.len(), 3);
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "quick")), [2, 1], "the greater order first");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox QUICK")), [1]);
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "qui")), [0u16; 0], "words are whole");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "京")), [2]);
    let having = |clause| Question::new(AppId(1), Shelf::Posts, clause);
    assert_eq!(ids(index, &having(Clause::Begins(Field::Name, "qui".into()))), [2, 1]);
    assert_eq!(
        ids(index, &having(Clause::Begins(Field::Text, "qui".into()))),
        [0u16; 0],
        "without beginnings"
    );
    let long = "antidisestablishmentarian";
    let mut named = Document::new(key(1, Kind::Post, 4), 40);
    named.words(Field::Name, long);
    index.apply(put(vec![named])).expect("it takes documents");
    for end in [2, 11, 12, 13, long.len()] {
        assert_eq!(ids(index, &having(Clause::Begins(Field::Name, long[..end].into()))), [4], "{end}");
    }
    assert_eq!(ids(index, &having(Clause::Begins(Field::Name, "antidisestablx".into()))), [0u16; 0]);
    index.apply(Batch { drop: vec![key(1, Kind::Post, 4)], ..Batch::default() }).expect("it drops");
    assert_eq!(ids(index, &having(Clause::Is(Field::Tag, "uber".into()))), [3]);
    assert_eq!(ids(index, &having(Clause::Is(Field::Text, "uber".into()))), [0u16; 0], "another field");
    assert_eq!(ids(index, &having(Clause::Begins(Field::Tag, "\u{10ffff}".into()))), [0u16; 0]);
    let quick = asking(1, Shelf::Posts, "quick");
    assert_eq!(ids(index, &Question { from: 11, ..quick.clone() }), [2]);
    assert_eq!(ids(index, &Question { from: 10, to: 19, ..quick.clone() }), [1]);
    let but_not = vec![Clause::Is(Field::Text, "dog".into()), Clause::Is(Field::Text, "cat".into())];
    assert_eq!(ids(index, &Question { but_not, ..quick }), [1]);
}

fn keeps_apps_and_shelves_apart(index: &dyn Index) {
    let documents = vec![
        document(key(1, Kind::Post, 1), 1, "fox"),
        document(key(2, Kind::Post, 1), 1, "fox"),
        document(key(256, Kind::Post, 2), 1, "fox"),
        document(key(1, Kind::Profile, 1), 1, "fox"),
        document(key(1, Kind::Place, 5), 1, "fox"),
    ];
    index.apply(put(documents)).expect("it takes documents");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox")), [1]);
    assert_eq!(ids(index, &asking(256, Shelf::Posts, "fox")), [2]);
    assert_eq!(ids(index, &asking(3, Shelf::Posts, "fox")), [0u16; 0]);
    assert_eq!(ids(index, &asking(1, Shelf::Places, "fox")), [5]);
    // Beginnings do not reach over the end of an app's terms.
    let begins = Question::new(AppId(1), Shelf::Posts, Clause::Begins(Field::Name, "f".into()));
    assert_eq!(ids(index, &begins), [1]);
    index.apply(Batch { drop: vec![key(2, Kind::Post, 1)], ..Batch::default() }).expect("it drops");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox")), [1], "an id of another app is another thing");
    assert_eq!(ids(index, &asking(2, Shelf::Posts, "fox")), [0u16; 0]);
}

fn replaces_and_drops(index: &dyn Index) {
    let post = key(1, Kind::Post, 1);
    let spot = |n| (AppId(1), Partition(n));
    let places = |n: &str| Places::from([(spot(3), n.to_owned())]);
    let first = Batch { put: vec![document(post, 5, "old words")], places: places("a"), ..Batch::default() };
    index.apply(first.clone()).expect("it takes documents");
    index.apply(first).expect("and takes them again");
    assert_eq!((index.len(), ids(index, &asking(1, Shelf::Posts, "old"))), (1, vec![1]));
    let second = Batch {
        put: vec![document(post, 6, "new words")],
        drop: vec![key(1, Kind::Post, 9)],
        places: Places::from([(spot(3), "b".to_owned()), (spot(4), "c".to_owned())]),
    };
    index.apply(second).expect("it replaces");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "old")), [0u16; 0]);
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "new")), [1]);
    assert_eq!(index.places(), Places::from([(spot(3), "b".to_owned()), (spot(4), "c".to_owned())]));
    index.apply(Batch { drop: vec![post], ..Batch::default() }).expect("it drops");
    assert!(index.is_empty());
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "new")), [0u16; 0]);
    index.apply(Batch { places: places("d"), ..Batch::default() }).expect("it only moves");
    assert_eq!(
        index.places(),
        Places::from([(spot(3), "d".to_owned()), (spot(4), "c".to_owned())]),
        "others stay"
    );
}

fn pages_are_exact(index: &dyn Index) {
    // Many of the same order, in several batches, so that they lie apart.
    for part in 0..4u16 {
        let posts = (0..50).map(|n| part * 50 + n);
        let posts = posts.map(|n| document(key(1, Kind::Post, n), u64::from(n % 3), "fox"));
        index.apply(put(posts.collect())).expect("it takes documents");
    }
    let question = asking(1, Shelf::Posts, "fox");
    let all = index.find(&question, None, 1_000).expect("an index answers");
    assert_eq!(all.len(), 200);
    assert!(all.windows(2).all(|pair| pair[0].mark > pair[1].mark), "in order, each once");
    for limit in [1, 7, 200, 201] {
        let (mut pages, mut after): (Vec<Hit>, Option<Mark>) = (Vec::new(), None);
        loop {
            let page = index.find(&question, after, limit).expect("an index answers");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.mark);
            pages.extend(page);
        }
        assert_eq!(pages, all, "by {limit}");
    }
    assert_eq!(index.find(&question, None, 0).expect("an index answers"), []);
}

fn forgets_everything(index: &dyn Index) {
    let places = Places::from([((AppId(1), Partition(0)), "x".to_owned())]);
    let batch = Batch { put: vec![document(key(1, Kind::Post, 1), 1, "fox")], places, ..Batch::default() };
    index.apply(batch.clone()).expect("it takes documents");
    index.clear().expect("it forgets");
    assert!(index.is_empty() && index.places().is_empty());
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox")), [0u16; 0]);
    index.apply(batch).expect("and goes on");
    assert_eq!(ids(index, &asking(1, Shelf::Posts, "fox")), [1]);
}

/// Random documents, changes and questions: the same answers as the definition gives.
fn agrees_with_the_twin(index: &dyn Index, seed: u64) {
    const WORDS: [&str; 8] = ["a", "ab", "abc", "b", "ba", "c", "東京", "é"];
    const FIELDS: [Field; 4] = [Field::Name, Field::Text, Field::Tag, Field::Author];
    let mut rng = Rng::new(seed);
    let twin = MemoryIndex::default();
    let pick = |rng: &mut Rng, n: usize| (rng.next_u64() % n as u64) as usize;
    for _ in 0..12 {
        let mut batch = Batch::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..pick(&mut rng, 12) {
            let kind = Kind::ALL[pick(&mut rng, 3)];
            let key = key(1 + pick(&mut rng, 2) as u32, kind, pick(&mut rng, 10) as u16);
            if !seen.insert(key) {
                continue;
            }
            if pick(&mut rng, 3) == 0 {
                batch.drop.push(key);
                continue;
            }
            let mut document = Document::new(key, rng.next_u64() % 4);
            for _ in 0..pick(&mut rng, 6) {
                document.words(FIELDS[pick(&mut rng, 4)], WORDS[pick(&mut rng, 8)]);
            }
            batch.put.push(document);
        }
        let spot = (AppId(1 + pick(&mut rng, 2) as u32), Partition(pick(&mut rng, 3) as u16));
        batch.places.insert(spot, rng.next_u64().to_string());
        twin.apply(batch.clone()).expect("the twin takes all");
        index.apply(batch).expect("it takes all");
        assert_eq!((index.len(), index.places()), (twin.len(), twin.places()));
        for _ in 0..20 {
            let clause = |rng: &mut Rng| clause(rng, &FIELDS, &WORDS, 2);
            let question = Question {
                app: AppId(1 + pick(&mut rng, 2) as u32),
                shelf: [Shelf::People, Shelf::Posts][pick(&mut rng, 2)],
                having: clause(&mut rng),
                but_not: (0..pick(&mut rng, 2)).map(|_| clause(&mut rng)).collect(),
                from: rng.next_u64() % 3,
                to: [u64::MAX, 2][pick(&mut rng, 2)],
            };
            let all = twin.find(&question, None, 100).expect("the twin answers");
            let after = all.get(pick(&mut rng, 4)).map(|hit| hit.mark);
            let limit = pick(&mut rng, 5);
            let of = |index: &dyn Index| index.find(&question, after, limit).expect("it answers");
            assert_eq!(of(index), of(&twin), "seed {seed}: {question:?}");
        }
    }
}

fn clause(rng: &mut Rng, fields: &[Field], words: &[&str], depth: u32) -> Clause {
    let mut pick = |n: usize| (rng.next_u64() % n as u64) as usize;
    let (which, field) = (pick(if depth > 0 { 4 } else { 2 }), fields[pick(fields.len())]);
    let word = super::words::fold(words[pick(words.len())]);
    let many = 1 + pick(3);
    let mut some = || (0..many).map(|_| clause(rng, fields, words, depth - 1)).collect();
    match which {
        0 => Clause::Is(field, word),
        1 => Clause::Begins(field, word),
        2 => Clause::All(some()),
        _ => Clause::Any(some()),
    }
}

#[test]
fn the_twin_does_it_all() {
    run(|| Arc::new(MemoryIndex::default()));
}
