//! Headers that ask for something: operation id, revisions, trace.

use gomer_core::id::Id;
use gomer_core::vnode::command::OpKey;
use gomer_net::http::Request;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

use crate::problem::{Code, Problem};
use crate::registry::{Rev, Trace};

/// Names an operation, so that a retry has the same outcome.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Where a live stream broke off.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The operation id, with the hash of method and body. A UUID stands for itself; any other key of 1 to 255
/// visible characters, quoted or bare, for an id derived from it.
pub(super) fn operation(request: &Request, method: &str) -> Result<Option<OpKey>, Problem> {
    let Some(value) = one(&request.headers, &IDEMPOTENCY_KEY)? else { return Ok(None) };
    let key = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(bad("`Idempotency-Key` is 1 to 255 visible characters; best a UUID."));
    }
    let id = key.parse().unwrap_or_else(|_| Id::derived("idempotency-key", key.as_bytes()));
    // Where there are arguments in the address, they are part of what is asked.
    let fingerprint = match request.query.as_deref() {
        Some(query) if !query.is_empty() => fingerprint(&format!("{method}?{query}"), &request.body),
        _ => fingerprint(method, &request.body),
    };
    Ok(Some(OpKey { id, fingerprint }))
}

/// Hash of method and body: the same operation id with another one is refused.
pub fn fingerprint(method: &str, body: &[u8]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(method.as_bytes());
    hasher.update(b"\n");
    hasher.update(body);
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

/// The revision of `If-Match`. A tag that is no revision of ours matches nothing: the revision zero of no era.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Rev>, Problem> {
    let Some(value) = one(headers, &IF_MATCH)? else { return Ok(None) };
    // `*` only asks that it exists, which every update does.
    if value == "*" {
        return Ok(None);
    }
    let tag = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match tag {
        Some(tag) => Ok(Some(tag.parse().unwrap_or(Rev::At(gomer_core::id::Position::ZERO, 0)))),
        None => Err(bad("`If-Match` is one entity tag in quotes.")),
    }
}

/// Whether `If-None-Match` names this revision.
pub(super) fn has_already(headers: &HeaderMap, rev: Rev) -> bool {
    let mut values = headers.get_all(IF_NONE_MATCH).iter().peekable();
    if values.peek().is_none() {
        return false;
    }
    let rev = rev.to_string();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(rev.as_str())
    })
}

/// The trace id of `traceparent` (W3C Trace Context, version 00), if there is a good one.
pub(super) fn trace(headers: &HeaderMap) -> Option<Trace> {
    let value = headers.get(TRACEPARENT)?.as_bytes();
    if value.len() < 55 || value[2] != b'-' || value[35] != b'-' || &value[..2] == b"ff" {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(value[3..35].chunks_exact(2)) {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (bytes != [0; 16]).then_some(Trace(bytes))
}

/// Whether a body is JSON in UTF-8. Without a body there is nothing to say.
pub(super) fn check_content_type(request: &Request) -> Result<(), Problem> {
    let refused = || Problem::new(Code::UnsupportedMediaType);
    let mut types = request.headers.get_all(CONTENT_TYPE).iter();
    let (first, more) = (types.next(), types.next());
    match first {
        None if request.body.is_empty() => Ok(()),
        Some(_) if more.is_some() => Err(refused()),
        Some(value) if is_json(value.to_str().unwrap_or_default()) => Ok(()),
        _ => Err(refused()),
    }
}

fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    media.eq_ignore_ascii_case("application/json")
        && parts.all(|part| {
            let (name, charset) = part.split_once('=').unwrap_or((part, ""));
            name.is_empty()
                || (name.eq_ignore_ascii_case("charset")
                    && charset.trim_matches('"').eq_ignore_ascii_case("utf-8"))
        })
}

/// The value of a header that may come once.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(bad(format!("`{name}` has characters beyond ASCII."))),
        },
        (Some(_), Some(_)) => Err(bad(format!("`{name}` is given more than once."))),
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(Code::BadRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Position;
    use hyper::Method;
    use hyper::header::HeaderValue;

    fn request(headers: &[(&'static str, &str)], body: &'static str) -> Request {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let client = "192.0.2.1".parse().unwrap();
        Request {
            method: Method::POST,
            path: "/".into(),
            query: None,
            headers: map,
            body: body.into(),
            client,
            websocket: false,
        }
    }

    #[test]
    fn operation_ids_are_quoted_or_bare_and_bound_to_the_body() {
        let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
        let quoted = format!("\"{id}\"");
        let op = |key: &str, body| operation(&request(&[("idempotency-key", key)], body), "post.create");
        let bare = op(id, "{}").unwrap().unwrap();
        assert_eq!(bare.id, id.parse().unwrap());
        assert_eq!(op(&quoted, "{}").unwrap(), Some(bare));
        assert_ne!(op(id, "{ }").unwrap().unwrap().fingerprint, bare.fingerprint);
        assert_eq!(op("order-7", "").unwrap().unwrap().id, Id::derived("idempotency-key", b"order-7"));
        assert_eq!(operation(&request(&[], ""), "post.create").unwrap(), None);
        for bad in ["", "\"\"", "with a space", "\"with a space\"", &"k".repeat(256)] {
            assert!(op(bad, "").is_err(), "{bad:?}");
        }
        let twice = request(&[("idempotency-key", "a"), ("idempotency-key", "b")], "");
        assert_eq!(operation(&twice, "post.create").unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn revisions_are_entity_tags() {
        let rev = Rev::At(Position(7), 1);
        let named = |value: &str| if_match(&request(&[("if-match", value)], "").headers);
        assert_eq!(named("\"7.00000001\"").unwrap(), Some(rev));
        assert_eq!(named("*").unwrap(), None);
        assert_ne!(named("\"something\"").unwrap(), Some(rev));
        assert!(named("7.00000001").is_err());
        for (value, has) in [
            ("\"7.00000001\"", true),
            ("W/\"7.00000001\"", true),
            ("\"6.00000001\", \"7.00000001\"", true),
            ("*", true),
            ("\"7.00000002\"", false),
            ("7.00000001", false),
        ] {
            assert_eq!(has_already(&request(&[("if-none-match", value)], "").headers, rev), has, "{value}");
        }
    }

    #[test]
    fn only_json_is_taken() {
        for (content_type, body, good) in [
            ("application/json", "{}", true),
            ("Application/JSON; charset=UTF-8", "{}", true),
            ("application/json;charset=latin1", "{}", false),
            ("text/plain", "{}", false),
            ("application/x-www-form-urlencoded", "a=b", false),
            ("application/problem+json", "{}", false),
            ("text/plain", "", false),
        ] {
            let request = request(&[("content-type", content_type)], body);
            assert_eq!(check_content_type(&request).is_ok(), good, "{content_type}");
        }
        assert!(check_content_type(&request(&[], "")).is_ok());
        assert!(check_content_type(&request(&[], "{}")).is_err());
    }

    #[test]
    fn a_good_trace_is_taken_over() {
        let of = |value: &str| trace(&request(&[("traceparent", value)], "").headers).map(|t| t.to_string());
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
