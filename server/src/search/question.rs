//! What an index is asked. People write plain words; this is what becomes of them, so that nothing that they write is ever
//! read as an operator.

use gomer_core::id::AppId;

use super::document::{Document, Field, Mark, Shelf};
use super::words::asked;

/// Most words of a question.
pub const WORDS_MAX: usize = 16;

/// A condition on a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// It has this term.
    Is(Field, String),
    /// It has a term that begins so, in a field that [has beginnings](Field::has_beginnings); in another one, no document
    /// does. The beginning is not empty.
    Begins(Field, String),
    /// All of these; there is at least one.
    All(Vec<Clause>),
    /// At least one of these; there is at least one.
    Any(Vec<Clause>),
}

/// Which documents of one app and shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whose. There is no question about several apps.
    pub app: AppId,
    /// On which shelf.
    pub shelf: Shelf,
    /// What they have.
    pub having: Clause,
    /// What they do not have.
    pub but_not: Vec<Clause>,
    /// The least order, inclusive.
    pub from: u64,
    /// The greatest order, inclusive.
    pub to: u64,
}

/// Why a text is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoQuestion {
    /// There is no word in it.
    Empty,
    /// There are more than [`WORDS_MAX`].
    TooMany,
}

/// The words that a text asks for, each once.
pub fn words_of(text: &str) -> Result<Vec<String>, NoQuestion> {
    let mut words = asked(text);
    words.sort_unstable();
    words.dedup();
    match words.len() {
        0 => Err(NoQuestion::Empty),
        1..=WORDS_MAX => Ok(words),
        _ => Err(NoQuestion::TooMany),
    }
}

/// Each of these words, in this field.
pub fn every_word(words: &[String], field: Field) -> Clause {
    Clause::All(words.iter().map(|word| Clause::Is(field, word.clone())).collect())
}

/// Each of these words: in a name, of whose words it may be the beginning, or, if that may be, in a text.
pub fn every_beginning(words: &[String], in_text: bool) -> Clause {
    let somewhere = |word: &String| {
        let named = Clause::Begins(Field::Name, word.clone());
        if in_text { Clause::Any(vec![named, Clause::Is(Field::Text, word.clone())]) } else { named }
    };
    Clause::All(words.iter().map(somewhere).collect())
}

impl Clause {
    /// Whether a document has it.
    pub fn holds(&self, document: &Document) -> bool {
        match self {
            Clause::Is(field, text) => document.terms.contains(&(*field, text.clone())),
            Clause::Begins(field, text) => {
                if !field.has_beginnings() {
                    return false;
                }
                let first = document.terms.range((*field, text.clone())..).next();
                first.is_some_and(|(at, term)| at == field && term.starts_with(text.as_str()))
            }
            Clause::All(clauses) => clauses.iter().all(|clause| clause.holds(document)),
            Clause::Any(clauses) => clauses.iter().any(|clause| clause.holds(document)),
        }
    }
}

impl Question {
    /// Of any order.
    pub fn new(app: AppId, shelf: Shelf, having: Clause) -> Question {
        Question { app, shelf, having, but_not: Vec::new(), from: 0, to: u64::MAX }
    }

    /// Whether a document answers it. The definition that every index agrees with.
    pub fn fits(&self, document: &Document) -> bool {
        self.app == document.key.app
            && self.shelf == document.key.kind.shelf()
            && (self.from..=self.to).contains(&document.order)
            && self.having.holds(document)
            && !self.but_not.iter().any(|clause| clause.holds(document))
    }
}

/// Whether a document stands behind a mark, or there is none.
pub fn is_behind(document: Mark, after: Option<Mark>) -> bool {
    after.is_none_or(|after| document < after)
}

#[cfg(test)]
mod tests {
    use gomer_core::id::Id;

    use super::super::document::{Key, Kind};
    use super::*;

    fn post(app: u32, text: &str) -> Document {
        let key = Key { app: AppId(app), kind: Kind::Post, id: Id::from_bytes([1; 16]) };
        let mut document = Document::new(key, 100);
        document.words(Field::Text, text);
        document.words(Field::Name, text);
        document
    }

    fn question(text: &str) -> Question {
        Question::new(AppId(1), Shelf::Posts, every_word(&words_of(text).unwrap(), Field::Text))
    }

    #[test]
    fn all_words_in_any_order_and_whole() {
        let there = post(1, "The quick brown fox, 東京都");
        for found in ["fox", "FOX the", "brown  QUICK", "京都 fox", "都", "京"] {
            assert!(question(found).fits(&there), "{found}");
        }
        for other in ["fo", "foxes", "fox dog", "京東"] {
            assert!(!question(other).fits(&there), "{other}");
        }
        assert!(!question("fox").fits(&post(2, "fox")), "another app's");
    }

    #[test]
    fn what_people_write_is_never_an_operator() {
        assert_eq!(words_of("-fox OR \"a b\" title:x (y*)^2 ~"), words_of("2 a b fox or title x y"));
        assert_eq!(words_of("*"), Err(NoQuestion::Empty));
        assert_eq!(words_of("  "), Err(NoQuestion::Empty));
    }

    #[test]
    fn words_count_once_and_are_bounded() {
        assert_eq!(words_of(&"a ".repeat(100)).unwrap(), ["a"]);
        let words = |n: usize| (0..n).map(|n| format!("w{n} ")).collect::<String>();
        assert_eq!(words_of(&words(WORDS_MAX)).unwrap().len(), WORDS_MAX);
        assert_eq!(words_of(&words(WORDS_MAX + 1)), Err(NoQuestion::TooMany));
    }

    #[test]
    fn beginnings_stay_in_their_field_and_orders_are_inclusive() {
        let there = post(1, "alpha");
        let begins = |field, text: &str| Clause::Begins(field, text.to_owned()).holds(&there);
        assert!(begins(Field::Name, "al") && begins(Field::Name, "alpha"));
        assert!(!begins(Field::Name, "alphas") && !begins(Field::Tag, "al") && !begins(Field::Name, "b"));
        assert!(!begins(Field::Text, "al"), "a field without beginnings");
        let ordered = |from, to| Question { from, to, ..question("alpha") }.fits(&there);
        assert!(ordered(100, 100) && !ordered(101, 200) && !ordered(0, 99));
        let but = Question { but_not: vec![Clause::Is(Field::Text, "alpha".into())], ..question("alpha") };
        assert!(!but.fits(&there));
    }
}
