//! Arguments of a call: from bytes straight into the method's type. What goes wrong is told with a
//! pointer to the place; the time for that is only spent when something did.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::named::Whole;
use super::parameters;
use crate::problem::{Code, Problem};

/// Arguments as they came.
#[derive(Debug, Clone)]
pub enum RawArgs {
    /// A JSON text that passed the strict check (depth, duplicate keys, sizes).
    Json(Bytes),
    /// What followed the `?`, undecoded.
    Parameters(String),
}

impl RawArgs {
    /// No arguments.
    pub const NONE: RawArgs = RawArgs::Parameters(String::new());

    /// Reads them as a method's type. An unknown field is 400 `unknown-field`; anything else that does not
    /// fit is 422 `invalid`. Both point to the place.
    pub fn parse<A: DeserializeOwned>(&self) -> Result<A, Problem> {
        match self {
            RawArgs::Json(body) => match serde_json::from_slice::<Whole<A>>(body) {
                Ok(args) => Ok(args.0),
                Err(_) => Err(explain::<A>(body)),
            },
            RawArgs::Parameters(text) => parameters::parse(text),
        }
    }
}

/// Parses once more, slowly, to say where it fails.
fn explain<A: DeserializeOwned>(body: &[u8]) -> Problem {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let error = match serde_path_to_error::deserialize::<_, Whole<A>>(&mut parser) {
        Err(error) => error,
        Ok(_) => return Problem::new(Code::BadRequest).detail("The body goes on behind its JSON value."),
    };
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let inner = error.into_inner();
    // An enum's empty object is "syntax" to serde_json, and still JSON.
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if (inner.is_syntax() || inner.is_eof()) && !is_json() {
        return Problem::new(Code::BadRequest).detail(format!("The body is not JSON: {inner}."));
    }
    refusal(pointer, &inner.to_string())
}

/// The problem for what serde said about the place.
pub(super) fn refusal(mut pointer: String, said: &str) -> Problem {
    // serde's own wording for derived types, which no release has changed.
    let named = |prefix: &str| Some(said.strip_prefix(prefix)?.split_once('`')?.0);
    if let Some(field) = named("unknown field `") {
        if !pointer.ends_with(&format!("/{}", escaped(field))) {
            push(&mut pointer, field);
        }
        return Problem::new(Code::UnknownField).at(pointer, "unknown-field");
    }
    if let Some(field) = named("missing field `") {
        push(&mut pointer, field);
        return Problem::new(Code::Invalid).detail("A field is missing.").at(pointer, "missing");
    }
    let (code, detail) = if said.starts_with("invalid type") {
        ("type", "A value is of the wrong type.".to_owned())
    } else if said.starts_with("unknown variant") {
        // From the last one on, so that nothing of what was sent is repeated.
        let known = said.rsplit_once("`, expected ").map(|(_, known)| known.split(" at line ").next());
        (
            "value",
            match known.flatten() {
                Some(known) => format!("A value is none of those that are known: {known}."),
                None => "A value is none of those that are known.".to_owned(),
            },
        )
    } else if said.starts_with("invalid length") {
        ("length", "A list is too long or too short.".to_owned())
    } else {
        // Our own types' words: they never repeat the value.
        let words = said.split_once(" at line ").map_or(said, |(words, _)| words);
        match words.split_once(": ") {
            Some((code @ ("format" | "range" | "length" | "value"), words)) => {
                (own_code(code), sentence(words))
            }
            _ if said.starts_with("invalid value") => ("range", "A value is out of range.".to_owned()),
            _ => ("value", sentence(words)),
        }
    };
    Problem::new(Code::Invalid).detail(detail).at(pointer, code)
}

fn own_code(code: &str) -> &'static str {
    match code {
        "format" => "format",
        "range" => "range",
        "length" => "length",
        _ => "value",
    }
}

fn sentence(words: &str) -> String {
    let mut text = words.trim_end_matches('.').to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}

/// Appends a token to an RFC 6901 pointer.
pub(super) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(token));
}

fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Uuid;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        id: Uuid,
        #[serde(default)]
        many_parts: Vec<Part>,
        #[serde(default)]
        level: Option<Level>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Part {
        size: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Low,
        High,
    }

    fn fault(body: &'static str) -> (Code, String, &'static str) {
        let problem = RawArgs::Json(Bytes::from_static(body.as_bytes())).parse::<Sample>().unwrap_err();
        let place = problem.errors.first().cloned();
        place.map_or((problem.code, String::new(), ""), |p| (problem.code, p.pointer, p.code))
    }

    const ID: &str = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";

    #[test]
    fn a_value_that_is_not_known_is_told_which_are_and_is_not_repeated() {
        for sent in ["middling", "x`, expected `secret", "x at line 1"] {
            let body = format!(r#"{{"id":"{ID}","level":"{sent}"}}"#);
            let problem = RawArgs::Json(Bytes::from(body)).parse::<Sample>().unwrap_err();
            let detail = problem.detail.clone();
            assert_eq!(detail, "A value is none of those that are known: `low` or `high`.", "{sent}");
        }
    }

    #[test]
    fn faults_point_to_their_place() {
        for (body, code, pointer, what) in [
            (r#"{}"#, Code::Invalid, "/id", "missing"),
            (r#"{"id":7}"#, Code::Invalid, "/id", "type"),
            (r#"["ID"]"#, Code::Invalid, "", "type"),
            (" [\"ID\",[],null]", Code::Invalid, "", "type"),
            (r#"[]"#, Code::Invalid, "", "type"),
            (r#"{"id":"x"}"#, Code::Invalid, "/id", "format"),
            (r#"{"id":"ID","level":{}}"#, Code::Invalid, "/level", "value"),
            (r#"{"id":"ID","nope":1}"#, Code::UnknownField, "/nope", "unknown-field"),
            (r#"{"id":"ID","a/b~c":1}"#, Code::UnknownField, "/a~1b~0c", "unknown-field"),
            (
                r#"{"id":"ID","manyParts":[{"size":1},{"size":300}]}"#,
                Code::Invalid,
                "/manyParts/1/size",
                "range",
            ),
            (
                r#"{"id":"ID","manyParts":[{"size":1,"nope":2}]}"#,
                Code::UnknownField,
                "/manyParts/0/nope",
                "unknown-field",
            ),
            (r#"{"id":"ID","manyParts":[{}]}"#, Code::Invalid, "/manyParts/0/size", "missing"),
            (r#"{"id":"ID","manyParts":[{"size":1},[1]]}"#, Code::Invalid, "/manyParts/1", "type"),
            (r#"{"id":"ID","manyParts":{}}"#, Code::Invalid, "/manyParts", "type"),
            (r#"{"id":"ID","level":"middle"}"#, Code::Invalid, "/level", "value"),
            (r#"[1]"#, Code::Invalid, "", "type"),
            (r#"{"id":"ID"} x"#, Code::BadRequest, "", ""),
            (r#"{"id":"#, Code::BadRequest, "", ""),
        ] {
            let body: &'static str = body.replace("ID", ID).leak();
            assert_eq!(fault(body), (code, pointer.to_owned(), what), "{body}");
        }
    }

    #[test]
    fn what_fits_is_read() {
        let body = format!(r#"{{"id":"{}","manyParts":[{{"size":3}}],"level":"high"}}"#, ID.to_uppercase());
        let sample: Sample = RawArgs::Json(body.into()).parse().unwrap();
        assert_eq!((sample.id.0.to_string().as_str(), sample.many_parts[0].size), (ID, 3));
        assert!(matches!(sample.level, Some(Level::High)));
        assert!(matches!(Level::Low, Level::Low));
    }
}
