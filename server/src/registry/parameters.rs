//! Arguments in an address: `ids=a&ids=b&limit=20`, read into the same types as a JSON body. The type
//! says what a text is: a number, a flag, one of a list.

use std::borrow::Cow;
use std::collections::{BTreeMap, btree_map};
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::args::{push, refusal};
use crate::problem::{Code, Problem};

/// Reads what followed the `?`.
pub(super) fn parse<A: DeserializeOwned>(text: &str) -> Result<A, Problem> {
    let mut fields: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.entry(decode(name)?).or_default().push(decode(value)?);
    }
    let fields = Fields { left: fields.into_iter(), current: None };
    A::deserialize(MapAccessDeserializer::new(fields))
        .map_err(|fault: Fault| refusal(fault.pointer, &fault.said))
}

/// Undoes percent-encoding, and `+` for a space, as forms have it.
fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let bad = |what: &str| Problem::new(Code::BadRequest).detail(format!("The address has {what}."));
    if !text.bytes().any(|c| matches!(c, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(c) = rest.next() {
        bytes.push(match c {
            b'+' => b' ',
            b'%' => {
                let digits = rest.next().zip(rest.next());
                let digit = |c: u8| (c as char).to_digit(16);
                let value = digits.and_then(|(high, low)| Some(digit(high)? * 16 + digit(low)?));
                value.ok_or_else(|| bad("an unfinished percent-encoding"))? as u8
            }
            c => c,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| bad("text that is not UTF-8"))
}

/// The parameters, by name.
struct Fields<'de> {
    left: btree_map::IntoIter<Cow<'de, str>, Vec<Cow<'de, str>>>,
    current: Option<(Cow<'de, str>, Texts<'de>)>,
}

/// All values of one name, or one of them.
struct Texts<'de>(Vec<Cow<'de, str>>);

/// What serde says, and where.
#[derive(Debug)]
struct Fault {
    pointer: String,
    said: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(said: T) -> Fault {
        Fault { pointer: String::new(), said: said.to_string() }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, values)) = self.left.next() else { return Ok(None) };
        let key = seed.deserialize(Texts(vec![name.clone()]));
        self.current = Some((name, Texts(values)));
        key.map(Some)
    }

    /// Whatever a type finds wrong with its value, also after it was read, is placed here.
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, values) = self.current.take().expect("serde asks for a value after its key");
        seed.deserialize(values).map_err(|fault| fault.at(&name))
    }
}

impl Fault {
    fn at(mut self, name: &str) -> Fault {
        let mut pointer = String::new();
        push(&mut pointer, name);
        self.pointer.insert_str(0, &pointer);
        self
    }
}

impl<'de> Texts<'de> {
    fn one(mut self) -> Result<Cow<'de, str>, Fault> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(value), true) => Ok(value),
            _ => Err(de::Error::custom("value: given more than once")),
        }
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Texts<'de> {
    type Deserializer = Texts<'de>;

    fn into_deserializer(self) -> Texts<'de> {
        self
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.one()?.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_type(de::Unexpected::Str(""), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Texts<'de> {
    type Error = Fault;

    parsed!(deserialize_bool => visit_bool, deserialize_i8 => visit_i64, deserialize_i16 => visit_i64,
        deserialize_i32 => visit_i64, deserialize_i64 => visit_i64, deserialize_u8 => visit_u64,
        deserialize_u16 => visit_u64, deserialize_u32 => visit_u64, deserialize_u64 => visit_u64,
        deserialize_f32 => visit_f64, deserialize_f64 => visit_f64);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.one()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(|value| Texts(vec![value]))))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(self.one()?.as_ref()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Limit, Uuid};
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        ids: Vec<Uuid>,
        limit: Option<u32>,
        #[serde(default)]
        newest_first: bool,
        text: Option<String>,
        kind: Option<Kind>,
        page: Option<Limit<20, 100>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        HeartRed,
    }

    const A: &str = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";

    fn fault(text: &str) -> (Code, String, &'static str) {
        let problem = parse::<Sample>(text).unwrap_err();
        let place = problem.errors.first().cloned();
        place.map_or((problem.code, String::new(), ""), |p| (problem.code, p.pointer, p.code))
    }

    #[test]
    fn the_type_says_what_a_text_is() {
        let text = format!("ids={A}&ids={A}&limit=20&newestFirst=true&text=a%20b%2bc+d%C3%A9&kind=heartRed&");
        let id = Uuid(A.parse().unwrap());
        let expected = Sample {
            ids: vec![id, id],
            limit: Some(20),
            newest_first: true,
            text: Some("a b+c dé".to_owned()),
            kind: Some(Kind::HeartRed),
            page: None,
        };
        assert_eq!(parse::<Sample>(&text).unwrap(), expected);
    }

    #[test]
    fn faults_point_to_the_parameter() {
        for (text, code, pointer, what) in [
            ("", Code::Invalid, "/ids", "missing"),
            ("ids=7", Code::Invalid, "/ids", "format"),
            ("ids=A&limit=many", Code::Invalid, "/limit", "type"),
            ("ids=A&limit=-1", Code::Invalid, "/limit", "type"),
            ("ids=A&limit=99999999999", Code::Invalid, "/limit", "range"),
            ("ids=A&limit=1&limit=2", Code::Invalid, "/limit", "value"),
            ("ids=A&newestFirst=yes", Code::Invalid, "/newestFirst", "type"),
            // A number, and yet refused: by the type that has read it.
            ("ids=A&page=101", Code::Invalid, "/page", "range"),
            ("ids=A&page=1&page=2", Code::Invalid, "/page", "value"),
            ("ids=A&kind=none", Code::Invalid, "/kind", "value"),
            ("ids=A&nope=1", Code::UnknownField, "/nope", "unknown-field"),
            ("ids=A&text=%e", Code::BadRequest, "", ""),
            ("ids=A&text=%ff", Code::BadRequest, "", ""),
        ] {
            assert_eq!(fault(&text.replace('A', A)), (code, pointer.to_owned(), what), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[-a-z0-9=&%+é]{0,60}") {
            let _ = parse::<Sample>(&text);
        }
    }
}
