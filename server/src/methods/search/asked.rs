//! From words and filters to the questions that an index is asked.

use gomer_core::time::Time;

use super::documents::audience;
use crate::methods::post::view::{Audience, Tag};
use crate::registry::{Call, Stop};
use crate::search::document::{Field, Shelf, by_time};
use crate::search::question::{
    Clause, NoQuestion, Question, WORDS_MAX, every_beginning, every_word, words_of,
};
use crate::search::words::fold;
use crate::types::Uuid;
use crate::visibility::Viewer;

/// The words of a text; 422 if there are none, or too many.
pub fn words(text: &str) -> Result<Vec<String>, Stop> {
    words_of(text).map_err(|none| match none {
        NoQuestion::Empty => Stop::invalid("/text", "value", "There is no word in it."),
        NoQuestion::TooMany => {
            Stop::invalid("/text", "length", format!("At most {WORDS_MAX} different words."))
        }
    })
}

/// What narrows a search for posts.
#[derive(Default)]
pub struct Filters {
    /// Whose.
    pub author: Option<Uuid>,
    /// Their tag.
    pub tag: Option<Tag>,
    /// Who is on it.
    pub person: Option<Uuid>,
    /// Not older.
    pub since: Option<Time>,
    /// Not newer.
    pub until: Option<Time>,
}

impl Filters {
    /// Tells these from all others.
    pub fn name(&self) -> String {
        let text = |time: Option<Time>| time.map_or_else(String::new, |time| time.as_millis().to_string());
        let id = |id: Option<Uuid>| id.map_or_else(String::new, |id| id.to_string());
        let (author, person) = (id(self.author), id(self.person));
        let tag = self.tag.as_ref().map_or("", |tag| tag.0.as_str());
        format!("{author}/{person}/{tag}/{}/{}", text(self.since), text(self.until))
    }
}

/// Posts and replies with all of these words.
pub fn posts(call: &Call, words: &[String], filters: &Filters) -> Question {
    made(call, Shelf::Posts, words, filters)
}

/// Photos and albums with all of these words.
pub fn photos(call: &Call, words: &[String], filters: &Filters) -> Question {
    made(call, Shelf::Photos, words, filters)
}

fn made(call: &Call, shelf: Shelf, words: &[String], filters: &Filters) -> Question {
    let mut having = vec![];
    if !words.is_empty() {
        having.push(every_word(words, Field::Text));
    }
    having.extend(filters.author.map(|author| Clause::Is(Field::Author, author.to_string())));
    having.extend(filters.tag.as_ref().map(|tag| Clause::Is(Field::Tag, fold(&tag.0))));
    having.extend(filters.person.map(|person| Clause::Is(Field::Person, person.to_string())));
    having.extend(for_viewer(call));
    let from = filters.since.map_or(0, |since| by_time(since.as_millis()));
    let to = filters.until.map_or(u64::MAX, |until| by_time(until.as_millis()));
    Question { from, to, ..Question::new(call.app.id, shelf, Clause::All(having)) }
}

/// Posts that carry a tag that begins so.
pub fn tagged(call: &Call, beginning: &str) -> Question {
    let mut having = vec![Clause::Begins(Field::Tag, beginning.to_owned())];
    having.extend(for_viewer(call));
    Question::new(call.app.id, Shelf::Posts, Clause::All(having))
}

/// What need not be looked at, because this caller will not see it. Not what decides: that is the visibility function.
fn for_viewer(call: &Call) -> Option<Clause> {
    let is = |of: Audience| Clause::Is(Field::Audience, audience(of).to_owned());
    match Viewer::of(&call.caller) {
        Viewer::App | Viewer::Operator => None,
        Viewer::Anonymous => Some(is(Audience::Public)),
        Viewer::Person(me) | Viewer::Moderator(me) => {
            let mine = |field| Clause::Is(field, Uuid(me).to_string());
            let (made, may_read) = (mine(Field::Author), mine(Field::Reader));
            Some(Clause::Any(vec![is(Audience::Public), is(Audience::Followers), made, may_read]))
        }
    }
}

/// People, the best first: whose handle it is, whose handle and name have all words, whose profile has them.
pub fn people(call: &Call, text: &str, words: &[String]) -> Vec<Question> {
    let called = Clause::Is(Field::Handle, fold(text.trim().trim_start_matches('@')));
    let named = every_beginning(words, false);
    let anywhere = every_beginning(words, true);
    let question = |having, but_not: &[&Clause]| Question {
        but_not: but_not.iter().map(|&clause| clause.clone()).collect(),
        ..Question::new(call.app.id, Shelf::People, having)
    };
    vec![
        question(called.clone(), &[]),
        question(named.clone(), &[&called]),
        question(anywhere, &[&called, &named]),
    ]
}

/// People who are called so, or whose handle begins so.
pub fn called(call: &Call, text: &str, words: &[String]) -> Vec<Question> {
    let mut tiers = people(call, text, words);
    // Who writes a name does not mean what somebody says about themselves.
    tiers.truncate(2);
    tiers
}

/// Places with all of these words in their name or address.
pub fn places(call: &Call, words: &[String]) -> Question {
    let having = every_beginning(words, true);
    Question::new(call.app.id, Shelf::Places, having)
}

/// Places with all of these words in their name.
pub fn places_called(call: &Call, words: &[String]) -> Question {
    Question::new(call.app.id, Shelf::Places, every_beginning(words, false))
}
