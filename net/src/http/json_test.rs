//! The JSON check against tables, against serde_json, and against size.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::JsonFaultKind::*;
use super::*;

fn outcome(text: &str) -> Result<(), (JsonFaultKind, usize, String)> {
    outcome_of(text.as_bytes())
}

fn outcome_of(bytes: &[u8]) -> Result<(), (JsonFaultKind, usize, String)> {
    match check(bytes, &JsonLimits::default()) {
        Ok(text) => {
            assert_eq!(text.as_bytes(), bytes);
            Ok(())
        }
        Err(fault) => Err((fault.kind, fault.offset, fault.pointer)),
    }
}

#[test]
fn good_texts_pass() {
    for text in [
        "{}",
        "[]",
        " [ ] ",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+05",
        "2.5e-300",
        "9007199254740992",
        "-9007199254740992",
        "1e308",
        "\"\"",
        r#""a\"\\\/\n\r\tb""#,
        r#""\u00e9\u20ac\ud83d\ude00\u000a\u0009\u000D""#,
        "\"é€😀\u{7f}\"",
        "\t\r\n{ \"a\" : [ 1 , 2 , { \"b\" : null } ] , \"c\" : \"d\" } \n",
        r#"{"a":{"a":{"a":1}},"b":{"a":2}}"#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"":1," ":2}"#,
        r#"{"a1":0,"a2":0,"a3":0,"a4":0,"a5":0,"a6":0,"a7":0,"a8":0,"a9":0,"\u0061":0}"#,
        r#"{"é":1,"e\u0301":2}"#,
    ] {
        assert_eq!(outcome(text), Ok(()), "{text}");
        serde_json::from_str::<Value>(text).unwrap();
    }
}

#[test]
fn bad_texts_are_refused_with_reason_and_place() {
    for (text, kind, offset, pointer) in [
        ("", Incomplete, 0, ""),
        ("  ", Incomplete, 2, ""),
        ("{", Incomplete, 1, ""),
        ("[1,", Incomplete, 3, "/1"),
        ("{\"a\"", Incomplete, 4, "/a"),
        ("{\"a\":", Incomplete, 5, "/a"),
        ("\"abc", Incomplete, 4, ""),
        ("\"abc\\", Incomplete, 4, ""),
        ("\"\\u12", Incomplete, 1, ""),
        ("tru", Incomplete, 0, ""),
        ("-", Incomplete, 1, ""),
        ("1.", Incomplete, 2, ""),
        ("1e", Incomplete, 2, ""),
        ("1 2", Malformed, 2, ""),
        ("{} x", Malformed, 3, ""),
        ("[1,]", Malformed, 3, "/1"),
        ("[,1]", Malformed, 1, "/0"),
        ("[1 2]", Malformed, 3, "/0"),
        ("[1}", Malformed, 2, "/0"),
        ("{\"a\":1]", Malformed, 6, "/a"),
        ("{\"a\":1,}", Malformed, 7, "/a"),
        ("{a:1}", Malformed, 1, ""),
        ("{'a':1}", Malformed, 1, ""),
        ("{1:1}", Malformed, 1, ""),
        ("{\"a\" 1}", Malformed, 5, "/a"),
        ("]", Malformed, 0, ""),
        ("}", Malformed, 0, ""),
        ("truE", Malformed, 0, ""),
        ("nul1", Malformed, 0, ""),
        ("NaN", Malformed, 0, ""),
        ("Infinity", Malformed, 0, ""),
        ("-Infinity", Malformed, 1, ""),
        ("+1", Malformed, 0, ""),
        (".5", Malformed, 0, ""),
        ("01", Malformed, 1, ""),
        ("-01", Malformed, 2, ""),
        ("1.e5", Malformed, 2, ""),
        ("1e+", Incomplete, 3, ""),
        ("0x10", Malformed, 1, ""),
        ("1_000", Malformed, 1, ""),
        ("// x\n1", Malformed, 0, ""),
        ("[1]/* x */", Malformed, 3, ""),
        ("\u{feff}{}", Malformed, 0, ""),
        ("\u{a0}1", Malformed, 0, ""),
        ("\"a\nb\"", Malformed, 2, ""),
        ("\"a\tb\"", Malformed, 2, ""),
        ("\"\\x41\"", Malformed, 1, ""),
        ("\"\\u00g0\"", Malformed, 1, ""),
        ("\"\\'\"", Malformed, 1, ""),
        ("\"a\0b\"", ControlCharacter, 2, ""),
        ("\"\u{1f}\"", ControlCharacter, 1, ""),
        (r#""\u0000""#, ControlCharacter, 1, ""),
        (r#""\u001f""#, ControlCharacter, 1, ""),
        (r#"{"a":"\b"}"#, ControlCharacter, 6, "/a"),
        (r#""\f""#, ControlCharacter, 1, ""),
        (r#""\ud800""#, LoneSurrogate, 1, ""),
        (r#""\udc00""#, LoneSurrogate, 1, ""),
        (r#""\ud83dx""#, LoneSurrogate, 1, ""),
        (r#""\ud83d\u0041""#, LoneSurrogate, 1, ""),
        (r#""\ud83d\ud83d""#, LoneSurrogate, 1, ""),
        (r#""\ude00\ud83d""#, LoneSurrogate, 1, ""),
        ("9007199254740993", NumberOutOfRange, 0, ""),
        ("[-9007199254740993]", NumberOutOfRange, 1, "/0"),
        ("100000000000000000000000000", NumberOutOfRange, 0, ""),
        ("1e309", NumberOutOfRange, 0, ""),
        ("{\"n\":-1.5e999}", NumberOutOfRange, 5, "/n"),
        (r#"{"a":1,"a":2}"#, DuplicateKey, 7, "/a"),
        (r#"{"a":1,"\u0061":2}"#, DuplicateKey, 7, "/a"),
        (r#"{"\ud83d\ude00":1,"😀":2}"#, DuplicateKey, 18, "/😀"),
        (r#"{"":1,"":2}"#, DuplicateKey, 6, "/"),
        (r#"[0,{"x/y":{"~":[{"k":1,"k":1}]}}]"#, DuplicateKey, 23, "/1/x~1y/~0/0/k"),
        (r#"{"b":{"a":1},"c":2,"b":3}"#, DuplicateKey, 19, "/b"),
        (r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"2":0,"1":0}"#, DuplicateKey, 55, "/2"),
        (r#"{"\n":{"\t":0},"q":[{"\r":{}},tru]}"#, Malformed, 30, "/q/1"),
    ] {
        assert_eq!(outcome(text), Err((kind, offset, pointer.to_owned())), "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    for (bytes, offset) in [
        (&b"\"\xff\""[..], 1),
        (b"{\"a\":\"\xc3\"}", 6),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\x80\"", 1),
        (b"\"\xf4\x90\x80\x80\"", 1),
        (b"\xfe\xff\x00{", 0),
    ] {
        assert_eq!(outcome_of(bytes), Err((NotUtf8, offset, String::new())));
    }
}

#[test]
fn limits_are_met_exactly() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(outcome(&deep(32)), Ok(()));
    assert_eq!(outcome(&deep(33)), Err((TooDeep, 32, "/0".repeat(32))));
    let objects = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
    assert_eq!(outcome(&objects), Err((TooDeep, 32 * 5, "/a".repeat(32))));
    let list = |n: usize| format!("[{}]", vec!["0"; n].join(","));
    assert_eq!(outcome(&list(9_999)), Ok(()));
    assert_eq!(outcome(&list(10_000)).unwrap_err().0, TooManyNodes);
    let string = |n: usize| format!("\"{}\"", "é".repeat(n / 2));
    assert_eq!(outcome(&string(65_536)), Ok(()));
    assert_eq!(outcome(&string(65_538)), Err((StringTooLong, 0, String::new())));
    // What counts is what it stands for, not how it is written.
    let escaped = |n: usize| format!("\"{}\"", "\\u0041".repeat(n));
    assert_eq!(outcome(&escaped(65_536)), Ok(()));
    assert_eq!(outcome(&escaped(65_537)), Err((StringTooLong, 0, String::new())));
    let key = format!("{{\"a\":1,\"{}\":1}}", "k".repeat(65_537));
    assert_eq!(outcome(&key).unwrap_err().0, StringTooLong);
}

#[test]
fn hostile_texts_cost_little() {
    let begun = Instant::now();
    assert_eq!(outcome(&"[".repeat(1_000_000)).unwrap_err().0, TooDeep);
    assert_eq!(outcome(&"{\"a\":".repeat(1_000_000)).unwrap_err().0, TooDeep);
    assert_eq!(outcome(&" ".repeat(1_000_000)).unwrap_err().0, Incomplete);
    assert_eq!(outcome(&"1".repeat(1_000_000)).unwrap_err().0, NumberOutOfRange);
    assert_eq!(outcome(&format!("1.{}", "1".repeat(1_000_000))), Ok(()));
    assert_eq!(outcome(&format!("\"{}", "\\\"".repeat(500_000))).unwrap_err().0, Incomplete);
    // Keys that differ only at their end, and one pair of equals.
    let keys: Vec<_> = (0..9_000).map(|n| format!("\"{}{}\":0", "k".repeat(90), n % 8_999)).collect();
    assert_eq!(outcome(&format!("{{{}}}", keys.join(","))).unwrap_err().0, DuplicateKey);
    assert!(begun.elapsed() < Duration::from_secs(2), "took {:?}", begun.elapsed());
}

/// A value within the limits: no control characters, no integers beyond 2^53, no key twice.
fn value() -> impl Strategy<Value = Value> {
    let text = "[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("JSON has finite numbers only", |f| f.is_finite()).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 200, 12, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            proptest::collection::vec((text, inner), 0..12)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_prints_passes(value in value()) {
        prop_assert_eq!(outcome(&serde_json::to_string(&value).unwrap()), Ok(()));
        prop_assert_eq!(outcome(&serde_json::to_string_pretty(&value).unwrap()), Ok(()));
    }

    #[test]
    fn what_passes_after_damage_is_json(
        value in value(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        for (place, byte, kind) in cuts {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"\"\\{}[]:,0e.-u"[usize::from(byte) % 13]),
                _ => { bytes.remove(at); }
            }
            if bytes.is_empty() { break; }
        }
        agree(&bytes)?;
    }

    #[test]
    fn soup_is_judged_as_serde_json_does(text in r#"[\[\]{}":,0-9eE.+\-\\untrfalsd \n]{0,24}"#) {
        agree(text.as_bytes())?;
    }
}

/// What passes must be JSON to serde_json; what is called malformed must not be.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_slice::<Value>(bytes);
    match outcome_of(bytes) {
        Ok(()) => prop_assert!(theirs.is_ok(), "{:?}", theirs),
        Err((Malformed | Incomplete | NotUtf8, offset, _)) => {
            prop_assert!(theirs.is_err(), "refused at {}: {:?}", offset, theirs);
        }
        Err(_) => {}
    }
    Ok(())
}

#[test]
fn the_search_for_special_characters_is_exact() {
    for length in 0..40 {
        for at in 0..length {
            for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
                for around in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = vec![around; length];
                    assert_eq!(plain(&bytes), length);
                    bytes[at] = special;
                    assert_eq!(plain(&bytes), at);
                }
            }
        }
    }
}
