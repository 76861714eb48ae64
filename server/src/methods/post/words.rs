//! Mentions and tags in a text.
//!
//! Must never learn: whether such a person exists.

use std::collections::BTreeSet;

/// Most characters of a tag.
const TAG_CHARS_MAX: usize = 64;

/// The tag that a word names, folded; nothing if it is none.
pub fn tag_of(word: &str) -> Option<String> {
    let good = !word.is_empty() && word.chars().all(is_word) && word.chars().count() <= TAG_CHARS_MAX;
    good.then(|| word.to_lowercase())
}

/// Tags in a text (`#Rust`), folded, each once, in order, at most `max`.
pub fn tags(text: &str, max: usize) -> Vec<String> {
    distinct(marked(text, '#', is_word).filter_map(tag_of), max)
}

/// Handles mentioned in a text (`@ann`), as written, each once, in order, at most `max`.
pub fn handles(text: &str, max: usize) -> Vec<String> {
    let is_handle = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let ends = |handle: &str| handle.trim_end_matches('.').to_owned();
    distinct(marked(text, '@', is_handle).map(ends).filter(|handle| !handle.is_empty()), max)
}

/// The words that begin with `mark`, without it. Within a word the mark means nothing: `a@b` mentions nobody.
fn marked(text: &str, mark: char, belongs: impl Fn(char) -> bool + Copy) -> impl Iterator<Item = &str> {
    text.match_indices(mark).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| is_word(c) || c == mark || c == '/') {
            return None;
        }
        let rest = &text[at + mark.len_utf8()..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        // `#a#b` is one odd word, not a tag.
        (!rest[end..].starts_with(mark)).then_some(&rest[..end])
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn distinct(words: impl Iterator<Item = String>, max: usize) -> Vec<String> {
    let mut known = BTreeSet::new();
    words.filter(|word| known.insert(word.to_lowercase())).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_folded_and_counted_once() {
        assert_eq!(tags("#Rust and #rust, (#ÜBER_1)! #", 9), ["rust", "über_1"]);
        assert_eq!(tags("a#b https://x.org/#c ##d #e#f", 9), Vec::<String>::new());
        assert_eq!(tags("#a #b #c", 2), ["a", "b"]);
        assert_eq!(tags(&format!("#{}", "x".repeat(65)), 9), Vec::<String>::new());
    }

    #[test]
    fn mentions_are_words_and_not_mail_addresses() {
        assert_eq!(handles("@ann, hello @Bob.smith. and me@example.org @", 9), ["ann", "Bob.smith"]);
        assert_eq!(handles("@ann @Ann", 9), ["ann"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[#@a-bé_ ./\u{1F600}]{0,40}") {
            for tag in tags(&text, 100) {
                prop_assert_eq!(tag_of(&tag), Some(tag.clone()));
            }
            prop_assert!(handles(&text, 3).len() <= 3);
        }
    }
}
