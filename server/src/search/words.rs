//! From a text to the words by which it is found: the same for what is kept and for what is asked.
//!
//! - Case, accents and widths do not count: `É`, `é` and `e` are one letter, `ß` is `ss`, full-width forms are the narrow ones.
//! - A word is a run of letters and digits. What stands between words is never kept.
//! - Scripts that put no spaces between words (Han, Kana, Hangul, Thai, Lao, Khmer, Burmese) are kept by letters and by pairs
//!   of letters: `東京都` is `東`, `京`, `都`, `東京` and `京都`, and who asks for it asks for the pairs.
//!
//! Nothing is known of languages beyond that: there are no stems, so `runs` does not find `running`.
//!
//! Must never learn: what the text belongs to.

use unicode_normalization::UnicodeNormalization;

/// Most letters of a word that count: longer ones are found by how they begin.
pub const WORD_CHARS_MAX: usize = 64;

/// A text with case, accents and widths taken away.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|&c| !is_accent(c)).nfc().flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            // The form at the end of a Greek word.
            'ς' => folded.push('σ'),
            // What small letters of `İ` leave behind.
            c if is_accent(c) => {}
            c => folded.push(c),
        }
    }
    folded
}

/// The words by which a text is found, in order, with repeats.
pub fn kept(text: &str) -> Vec<String> {
    split(text, true)
}

/// The words that somebody asks for: each of them is in what is kept of a text that they stand in.
pub fn asked(text: &str) -> Vec<String> {
    split(text, false)
}

fn split(text: &str, keep_letters: bool) -> Vec<String> {
    let folded = fold(text);
    let mut words = Vec::new();
    let mut word = String::new();
    let mut run: Vec<char> = Vec::new();
    for c in folded.chars() {
        if is_paired(c) {
            end_word(&mut word, &mut words);
            run.push(c);
        } else {
            end_run(&mut run, keep_letters, &mut words);
            if is_letter(c) {
                word.push(c);
            } else {
                end_word(&mut word, &mut words);
            }
        }
    }
    end_word(&mut word, &mut words);
    end_run(&mut run, keep_letters, &mut words);
    words
}

fn end_word(word: &mut String, words: &mut Vec<String>) {
    // Signs that only join letters are no word by themselves.
    if word.chars().any(char::is_alphanumeric) {
        words.push(word.chars().take(WORD_CHARS_MAX).collect());
    }
    word.clear();
}

fn end_run(run: &mut Vec<char>, keep_letters: bool, words: &mut Vec<String>) {
    words.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
    if keep_letters || run.len() == 1 {
        words.extend(run.iter().map(char::to_string));
    }
    run.clear();
}

/// Accents and other marks over and under letters that people leave out when they search. Not vowel signs of Indian scripts,
/// nor the voicing marks of Kana: without them it is another word.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}'
        // Vowel points of Hebrew and Arabic.
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
    )
}

fn is_letter(c: char) -> bool {
    // Signs that silence a vowel, and joiners, stand inside words of Indian scripts.
    c.is_alphanumeric()
        || matches!(
            c,
            '\u{93c}'
                | '\u{94d}'
                | '\u{9bc}'
                | '\u{9cd}'
                | '\u{a3c}'
                | '\u{a4d}'
                | '\u{abc}'
                | '\u{acd}'
                | '\u{b3c}'
                | '\u{b4d}'
                | '\u{bcd}'
                | '\u{c4d}'
                | '\u{cbc}'
                | '\u{ccd}'
                | '\u{d4d}'
                | '\u{dca}'
                | '\u{f84}'
                | '\u{200c}'
                | '\u{200d}'
        )
}

fn is_paired(c: char) -> bool {
    matches!(c,
        // Thai, Lao, Burmese, Khmer: letters and the signs among them, but not their digits and stops.
        '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}'
        | '\u{e81}'..='\u{ece}'
        | '\u{1000}'..='\u{103f}'
        | '\u{1780}'..='\u{17d3}'
        | '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{3099}' | '\u{309a}' | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_widths_do_not_count() {
        for (one, other) in [
            ("Éclair", "eclair"),
            ("STRASSE", "straße"),
            ("Łódź", "lodz"),
            ("Ｇｏｍｅｒ１", "gomer1"),
            ("Ångström", "angstrom"),
            ("e\u{301}", "É"),
            ("İstanbul", "istanbul"),
            ("ΟΔΟΣ", "οδος"),
            ("Ёлка", "елка"),
            ("ﬁne", "fine"),
            ("ｶﾞ", "ガ"),
            ("smørrebrød", "smorrebrod"),
        ] {
            assert_eq!(kept(one), kept(other), "{one} and {other}");
            assert_eq!(asked(one), asked(other), "{one} and {other}");
        }
        assert_ne!(kept("か"), kept("が"), "a voiced syllable is another one");
        assert_ne!(kept("की"), kept("कु"), "vowel signs count");
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(
            kept("Hello, world! (it's 2026) #tag @ann_b"),
            ["hello", "world", "it", "s", "2026", "tag", "ann", "b"]
        );
        assert_eq!(kept("हिन्दी भाषा"), ["हिन्दी", "भाषा"]);
        assert_eq!(kept(" \t—!?*\"AND\"-(:"), ["and"]);
        assert!(kept("\u{200d}\u{301} … 🙂").is_empty());
        assert_eq!(kept(&"x".repeat(100)), ["x".repeat(WORD_CHARS_MAX)]);
    }

    #[test]
    fn scripts_without_spaces_are_kept_by_pairs() {
        assert_eq!(kept("東京都"), ["東京", "京都", "東", "京", "都"]);
        assert_eq!(asked("東京都"), ["東京", "京都"]);
        assert_eq!(asked("都"), ["都"]);
        assert_eq!(asked("iPhone用ケース"), ["iphone", "用ケ", "ケー", "ース"]);
        assert_eq!(asked("학교에서"), ["학교", "교에", "에서"]);
        assert_eq!(asked("ภาษา"), ["ภา", "าษ", "ษา"]);
    }

    proptest! {
        /// Whatever somebody writes is found by asking for a part of it that begins and ends where a word does.
        #[test]
        fn every_asked_word_of_a_text_is_kept(text in "\\PC{0,40}") {
            let there = kept(&text);
            for word in asked(&text) {
                prop_assert!(there.contains(&word), "{word:?} of {text:?} in {there:?}");
            }
        }

        #[test]
        fn words_are_folded_once_and_for_all(text in "\\PC{0,40}") {
            for word in kept(&text) {
                prop_assert!(!word.is_empty() && word.chars().count() <= WORD_CHARS_MAX);
                prop_assert_eq!(fold(&word), word);
            }
        }
    }
}
