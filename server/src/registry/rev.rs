//! Revisions as clients see them: opaque texts, equal if and only if the entity is the same.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use gomer_core::id::{Order, Position};
use gomer_core::rows::applied::Eras;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The revision of an entity: the position of its last write, and the era of that position, so that it is the
/// same text before and after a restart.
/// Text: `{position}.{era, 8 hex digits}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rev {
    /// A known revision.
    At(Position, u32),
    /// The one that the write under way will give: filled in when it is committed
    /// (`Call::write`), also in the recorded reply.
    Pending,
}

impl Rev {
    /// The revision that is this position of a log with these eras.
    pub fn of(position: Position, eras: &Eras) -> Rev {
        Rev::At(position, eras.of(position))
    }

    /// The position and era, if known.
    pub fn parts(self) -> Option<(Position, u32)> {
        match self {
            Rev::At(position, era) => Some((position, era)),
            Rev::Pending => None,
        }
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rev::At(position, era) => f.write_str(text(*position, *era, &mut [0; TEXT_MAX])),
            Rev::Pending => f.write_str("pending"),
        }
    }
}

/// Most characters of a revision: 20 digits, a dot, 8 digits.
const TEXT_MAX: usize = 29;

/// The text of a revision, written from its end. By hand, because every item of every list has one.
fn text(position: Position, era: u32, room: &mut [u8; TEXT_MAX]) -> &str {
    let mut at = TEXT_MAX;
    let mut put = |digit: u8| {
        at -= 1;
        room[at] = digit;
    };
    for place in 0..8 {
        put(b"0123456789abcdef"[(era >> (4 * place)) as usize & 15]);
    }
    put(b'.');
    let mut rest = position.0;
    loop {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    std::str::from_utf8(&room[at..]).expect("digits and a dot")
}

/// Why a text is not a [`Rev`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevError;

impl fmt::Display for RevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a revision that this server gave out")
    }
}

impl FromStr for Rev {
    type Err = RevError;

    fn from_str(text: &str) -> Result<Rev, RevError> {
        let (position, era) = text.split_once('.').ok_or(RevError)?;
        let plain = |text: &str, len: std::ops::RangeInclusive<usize>| {
            len.contains(&text.len())
                && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
        };
        if !plain(position, 1..=20) || !plain(era, 8..=8) {
            return Err(RevError);
        }
        let position = position.parse().map_err(|_| RevError)?;
        Ok(Rev::At(Position(position), u32::from_str_radix(era, 16).map_err(|_| RevError)?))
    }
}

impl Serialize for Rev {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Rev::At(position, era) => to.serialize_str(text(*position, *era, &mut [0; TEXT_MAX])),
            Rev::Pending => RawValue::from_string(PENDING.to_owned())
                .expect("an empty array with white space is JSON")
                .serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Rev {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Rev, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Rev {
    fn schema_name() -> Cow<'static, str> {
        "Rev".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Revision of an entity: opaque; another text means another state.",
            "examples": ["1042.7f3a90c1"],
        })
    }
}

/// Splits rendered JSON at each [`Rev::Pending`] and each [`super::order::OrderText::Pending`]. A part that follows an order begins
/// with [`AFTER_ORDER`], which no JSON does.
pub(crate) fn split(json: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::with_capacity(json.len())];
    let mut rest = json;
    // Both markers begin so; compact JSON has no raw line feed.
    while let Some(at) = rest.windows(2).position(|window| window == b"[\n") {
        let part = parts.last_mut().expect("there is a first part");
        part.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix(PENDING.as_bytes()) {
            (rest, _) = (behind, parts.push(Vec::new()));
        } else if let Some(behind) = rest.strip_prefix(super::order::PENDING.as_bytes()) {
            (rest, _) = (behind, parts.push(vec![AFTER_ORDER]));
        } else {
            // A client's own JSON, passed on as it came.
            parts.last_mut().expect("there is a first part").push(rest[0]);
            rest = &rest[1..];
        }
    }
    parts.last_mut().expect("there is a first part").extend_from_slice(rest);
    parts
}

/// Puts a revision, and the place in a stream that a write at that revision gave, between the parts that [`split`] made.
pub(crate) fn join(parts: &[Vec<u8>], rev: Rev) -> Vec<u8> {
    let mut json = parts.first().cloned().unwrap_or_default();
    for part in parts.iter().skip(1) {
        let (value, rest) = match part.strip_prefix(&[AFTER_ORDER]) {
            Some(rest) => {
                let position = rev.parts().expect("what is committed has a position").0;
                // What waits for its order is the first that its write appends.
                (super::order::order_text(Order { position, ordinal: 0 }), rest)
            }
            None => (rev.to_string(), &part[..]),
        };
        json.extend_from_slice(format!("\"{value}\"").as_bytes());
        json.extend_from_slice(rest);
    }
    json
}

/// First byte of a part that stands behind an order.
const AFTER_ORDER: u8 = 1;

/// How [`Rev::Pending`] stands in rendered JSON: valid, and what no serialised text can contain, because
/// line feeds inside strings are escaped.
const PENDING: &str = "[\n\r\n]";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample<'a> {
        rev: Rev,
        text: &'a str,
        inner: Vec<Rev>,
    }

    #[test]
    fn texts_survive_and_others_are_refused() {
        for (position, era, text) in [
            (u64::MAX, 0xab, "18446744073709551615.000000ab"),
            (0, u32::MAX, "0.ffffffff"),
            (1_042, 0x7f3a_90c1, "1042.7f3a90c1"),
        ] {
            let rev = Rev::At(Position(position), era);
            assert_eq!((rev.to_string().as_str(), text.parse()), (text, Ok(rev)));
        }
        for text in
            ["", "1", "1.", ".00000000", "1.0000000", "1.0000000G", "+1.00000000", "1.000000001", "pending"]
        {
            assert_eq!(text.parse::<Rev>(), Err(RevError), "{text:?}");
        }
    }

    #[test]
    fn what_is_pending_is_filled_in_everywhere_and_only_there() {
        let sample = Sample { rev: Rev::Pending, text: "[\n\r\n]", inner: vec![Rev::Pending] };
        let parts = split(&serde_json::to_vec(&sample).unwrap());
        assert_eq!(parts.len(), 3);
        let json = String::from_utf8(join(&parts, Rev::At(Position(9), 1))).unwrap();
        assert_eq!(json, r#"{"rev":"9.00000001","text":"[\n\r\n]","inner":["9.00000001"]}"#);
    }
}
