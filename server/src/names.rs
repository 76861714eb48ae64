//! Unique names: handles and e-mail addresses. Which are well formed, and which two are the same.

use std::borrow::Cow;
use std::fmt;

use gomer_core::id::{Id, Root};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Fewest characters of a handle.
pub const HANDLE_CHARS_MIN: usize = 2;
/// Most characters of a handle.
pub const HANDLE_CHARS_MAX: usize = 30;

/// A handle, as its owner writes it: 2 to 30 ASCII letters, digits, `_` and `.`; it begins and ends with
/// none of the dots, and has no two of them in a row. Upper and lower case are the same handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Handle(String);

impl Handle {
    /// Reads a text, if it is well formed.
    pub fn parse(text: &str) -> Option<Handle> {
        let fits = (HANDLE_CHARS_MIN..=HANDLE_CHARS_MAX).contains(&text.len());
        let plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'.');
        let dots = text.starts_with('.') || text.ends_with('.') || text.contains("..");
        (fits && plain && !dots).then(|| Handle(text.to_owned()))
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for all spellings of one handle.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The root that says whose it is.
    pub fn root(&self) -> Root {
        Root::name("handle", &self.folded())
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Handle, D::Error> {
        Handle::parse(&String::deserialize(from)?)
            .ok_or_else(|| de::Error::custom("format: a handle is 2 to 30 letters, digits, `_` and `.`"))
    }
}

impl JsonSchema for Handle {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Handle".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": HANDLE_CHARS_MIN,
            "maxLength": HANDLE_CHARS_MAX,
            "pattern": "^[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*$",
        })
    }
}

/// An e-mail address: ASCII, one `@`, a domain of at least two labels. Compared without regard to case.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

/// Addresses are personal: they are not printed.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***@***")
    }
}

impl Email {
    /// Reads a text, if it is well formed.
    pub fn parse(text: &str) -> Option<Email> {
        let (local, domain) = text.split_once('@')?;
        let local_ok = (1..=64).contains(&local.len())
            && local.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&c))
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let domain_ok = domain.contains('.') && domain.split('.').all(label_ok);
        (text.len() <= 254 && local_ok && domain_ok).then(|| Email(text.to_owned()))
    }

    /// As it was written: where mail goes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for all spellings of one address.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The root that says whose it is.
    pub fn root(&self) -> Root {
        Root::name("email", &self.folded())
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Email, D::Error> {
        Email::parse(&String::deserialize(from)?)
            .ok_or_else(|| de::Error::custom("format: an e-mail address is like ann@example.org"))
    }
}

impl JsonSchema for Email {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Email".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "email", "maxLength": 254 })
    }
}

/// The identity of one taking of a name. It follows from who takes which name after which earlier taking, so
/// that a retry is the same claim, and taking a name again later is another one: what is still on its way for
/// the earlier one cannot touch it.
pub fn reservation(owner: Id, name: Root, before: Option<Id>, attempt: u32) -> Id {
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(owner.as_bytes());
    text.extend_from_slice(&name.to_bytes());
    text.extend_from_slice(before.unwrap_or(Id::NIL).as_bytes());
    text.extend_from_slice(&attempt.to_be_bytes());
    Id::derived("reservation", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn handles_are_plain_and_spellings_are_one() {
        for good in ["ab", "Ann_1", "a.b.c", "__", "9lives", "abcdefghijklmnopqrstuvwxyz0123"] {
            assert!(Handle::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a", ".ab", "ab.", "a..b", "a b", "a-b", "änn", "a@b", "a/b", "a\0b", "аnn"] {
            assert!(Handle::parse(bad).is_none(), "{bad:?}");
        }
        assert!(Handle::parse(&"a".repeat(31)).is_none());
        assert_eq!(Handle::parse("ANN").unwrap().root(), Handle::parse("ann").unwrap().root());
        assert_ne!(Handle::parse("ann").unwrap().root(), Handle::parse("ann_").unwrap().root());
    }

    #[test]
    fn addresses_are_checked_and_spellings_are_one() {
        for good in ["a@b.c", "Ann.B+tag@Example.ORG", "o'neil@sub.example.co"] {
            assert!(Email::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "ann",
            "@b.c",
            "ann@",
            "ann@localhost",
            "ann@b..c",
            "ann@-b.c",
            "a b@c.d",
            "a@b@c.d",
            ".a@b.c",
            "a..b@c.d",
            "a@b.c\r\nBcc: x@y.z",
            "ä@b.c",
            "a@b.c>",
            "\"a\"@b.c",
        ] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@b.c", "a".repeat(65))).is_none());
        assert_eq!(Email::parse("ANN@b.C").unwrap().root(), Email::parse("ann@B.c").unwrap().root());
        assert!(!format!("{:?}", Email::parse("ann@b.c").unwrap()).contains("ann"));
    }

    #[test]
    fn each_taking_of_a_name_is_its_own() {
        let (me, name) = (Id::derived("test", b"me"), Root::name("handle", "ann"));
        let first = reservation(me, name, None, 0);
        assert_eq!(first, reservation(me, name, None, 0), "a retry is the same claim");
        for other in [
            reservation(Id::derived("test", b"you"), name, None, 0),
            reservation(me, Root::name("handle", "bob"), None, 0),
            reservation(me, name, Some(first), 0),
            reservation(me, name, None, 1),
        ] {
            assert_ne!(first, other);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_not_without_a_panic(text in ".{0,40}") {
            if let Some(handle) = Handle::parse(&text) {
                prop_assert_eq!(Handle::parse(&handle.folded()).map(|h| h.root()), Some(handle.root()));
            }
            let _ = Email::parse(&text);
        }
    }
}
