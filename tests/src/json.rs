//! Assertions over JSON, by pointer (RFC 6901): say what matters and leave the rest open.
//!
//! ```
//! use gomer_tests::json::{absent, check, is, revision};
//! let reply = serde_json::json!({"id": "0190a6b2-5c1e-7a3b-8f00-0123456789ab", "rev": "17", "text": "hi"});
//! check(&reply, &[("/text", is("hi")), ("/rev", revision()), ("/deletedAt", absent())]);
//! ```

use serde_json::Value;

use crate::http::Reply;

/// What is expected at one place.
pub struct Expect {
    told: String,
    holds: Box<Judge>,
}

/// Says whether what was found (or nothing) is right.
type Judge = dyn Fn(Option<&Value>) -> bool;

/// Expects something described by `told`.
pub fn such(told: &str, holds: impl Fn(&Value) -> bool + 'static) -> Expect {
    Expect { told: told.to_owned(), holds: Box::new(move |found| found.is_some_and(&holds)) }
}

/// Exactly this value.
pub fn is(value: impl Into<Value>) -> Expect {
    let value = value.into();
    such(&value.to_string(), move |found| *found == value)
}

/// Nothing there. A `null` is something.
pub fn absent() -> Expect {
    Expect { told: "nothing".to_owned(), holds: Box::new(|found| found.is_none()) }
}

/// Anything there, but `null`.
pub fn present() -> Expect {
    such("something", |found| !found.is_null())
}

/// A text that is not empty.
pub fn text() -> Expect {
    such("a text", |found| found.as_str().is_some_and(|text| !text.is_empty()))
}

/// A text that contains this one.
pub fn containing(part: &str) -> Expect {
    let part = part.to_owned();
    such(&format!("a text with {part:?}"), move |found| {
        found.as_str().is_some_and(|text| text.contains(&part))
    })
}

/// A list of so many items.
pub fn len(count: usize) -> Expect {
    such(&format!("a list of {count}"), move |found| {
        found.as_array().is_some_and(|items| items.len() == count)
    })
}

/// A UUID as the server writes it: 36 characters, lower case.
pub fn uuid() -> Expect {
    such("a UUID in lower case", |found| found.as_str().is_some_and(is_uuid))
}

/// A revision: a text, never a number, because JSON numbers lose precision.
pub fn revision() -> Expect {
    such("a revision", |found| found.as_str().is_some_and(|text| !text.is_empty() && text.len() <= 64))
}

/// A time as the server writes it: RFC 3339, UTC, milliseconds.
pub fn time() -> Expect {
    such("a time like 2026-11-23T18:05:00.000Z", |found| found.as_str().is_some_and(is_time))
}

/// Panics with every place that is not as expected, and the whole document.
#[track_caller]
pub fn check(document: &Value, expected: &[(&str, Expect)]) {
    let wrong = differences(document, expected);
    assert!(wrong.is_empty(), "{}\nin {document:#}", wrong.join("\n"));
}

/// Panics unless the answer is a problem document (RFC 9457) with that status and code, of the shape that the
/// contract promises. Gives the document back.
#[track_caller]
pub fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "expected `{code}`: {}", reply.told());
    let kind = reply.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/problem+json"), "content-type {kind}: {}", reply.told());
    let document = reply.json();
    let retry = |found: &Value| matches!(found.as_str(), Some("never" | "same" | "later"));
    let expected = [
        ("/status", is(status)),
        ("/code", is(code)),
        ("/type", text()),
        ("/title", text()),
        ("/retry", such("never, same or later", retry)),
        ("/instance", text()),
    ];
    check(&document, &expected);
    document
}

fn differences(document: &Value, expected: &[(&str, Expect)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (pointer, expect) in expected {
        let found = document.pointer(pointer);
        if !(expect.holds)(found) {
            let shown = found.map_or("nothing".to_owned(), Value::to_string);
            wrong.push(format!("{pointer}: expected {}, found {shown}", expect.told));
        }
    }
    wrong
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == b'-',
            _ => c.is_ascii_digit() || (b'a'..=b'f').contains(&c),
        })
}

fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd.dddZ";
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(c, p)| if p == b'd' { c.is_ascii_digit() } else { c == p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(document: Value, pointer: &str, expect: Expect) -> bool {
        !differences(&document, &[(pointer, expect)]).is_empty()
    }

    #[test]
    fn what_fits_passes() {
        let document = json!({
            "items": [{"id": "0190a6b2-5c1e-7a3b-8f00-0123456789ab", "rev": "17", "at": "2026-11-23T18:05:00.123Z"}],
            "cursor": null, "text": "good morning", "n": 3,
        });
        check(
            &document,
            &[
                ("/items", len(1)),
                ("/items/0/id", uuid()),
                ("/items/0/rev", revision()),
                ("/items/0/at", time()),
                ("/cursor", is(Value::Null)),
                ("/text", containing("morning")),
                ("/text", text()),
                ("/n", is(3)),
                ("/items/1", absent()),
                ("", present()),
            ],
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let document = json!({"a": 1, "b": null, "id": "0190A6B2-5C1E-7A3B-8F00-0123456789AB"});
        let told = differences(&document, &[("/a", is("1")), ("/z", present()), ("/a", is(1))]);
        assert_eq!(told, ["/a: expected \"1\", found 1", "/z: expected something, found nothing"]);
        assert!(wrong(document.clone(), "/b", absent()));
        assert!(wrong(document.clone(), "/b", present()));
        assert!(wrong(document.clone(), "/id", uuid()));
        assert!(wrong(document.clone(), "/a", revision()));
        assert!(wrong(document, "", len(3)));
        assert!(wrong(json!("2026-11-23T18:05:00Z"), "", time()));
        assert!(wrong(json!("2026-11-23 18:05:00.000Z"), "", time()));
    }

    #[test]
    #[should_panic(expected = "expected `id-taken`")]
    fn a_problem_has_the_right_status() {
        let reply = Reply { status: 200, headers: Vec::new(), body: b"{}".to_vec() };
        problem(&reply, 409, "id-taken");
    }
}
