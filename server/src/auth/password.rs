//! Passwords: checked for length, then hashed at the edge, by few at a time.
//!
//! Hashing is slow on purpose (about 20 ms and 19 MiB each), so it is done by a bounded pool behind a trait;
//! the simulator and tests use a cheap one.

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// A password as it was sent: 8 to 128 characters. Never printed, never written.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What is hashed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Password, D::Error> {
        let text = String::deserialize(from)?;
        // A character has at most 4 bytes: a long text is not counted through.
        let fits = text.len() <= PASSWORD_CHARS_MAX * 4
            && (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
        if fits {
            Ok(Password(text))
        } else {
            Err(de::Error::custom("length: a password of 8 to 128 characters"))
        }
    }
}

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "minLength": PASSWORD_CHARS_MIN,
            "maxLength": PASSWORD_CHARS_MAX,
            "writeOnly": true,
        })
    }
}

/// The queue of passwords to be hashed is full: come again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// What a hasher gives back, later.
pub type Hashing<T> = Pin<Box<dyn Future<Output = Result<T, Busy>> + Send>>;

/// Hashes passwords, outside the threads that answer calls.
pub trait PasswordHasher: Send + Sync + 'static {
    /// The hash of a password with this salt, as a PHC string.
    fn hash(&self, password: Password, salt: [u8; 16]) -> Hashing<String>;

    /// Whether a password has this hash. With `None`, as for a user that does not exist, it takes as long and
    /// says no.
    fn verify(&self, password: Password, phc: Option<String>) -> Hashing<bool>;

    /// Whether a hash was made as this hasher makes them today; if not, the next log-in makes it anew.
    fn is_current(&self, phc: &str) -> bool;
}

/// One round of SHA-256: for the simulator and tests, never for people's passwords.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheapHasher;

impl PasswordHasher for CheapHasher {
    fn hash(&self, password: Password, salt: [u8; 16]) -> Hashing<String> {
        let phc = cheap(&password, &URL_SAFE_NO_PAD.encode(salt));
        Box::pin(std::future::ready(Ok(phc)))
    }

    fn verify(&self, password: Password, phc: Option<String>) -> Hashing<bool> {
        let same = phc.is_some_and(|phc| {
            let salt = phc.split('$').nth(2).unwrap_or_default();
            cheap(&password, salt) == phc
        });
        Box::pin(std::future::ready(Ok(same)))
    }

    fn is_current(&self, phc: &str) -> bool {
        phc.starts_with("$cheap$")
    }
}

fn cheap(password: &Password, salt: &str) -> String {
    let digest = Sha256::digest(format!("{salt}/{}", password.reveal()));
    format!("$cheap${salt}${}", URL_SAFE_NO_PAD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Password, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn length_is_checked_before_anything_else() {
        assert!(read("\"12345678\"").is_ok());
        assert!(read(&format!("\"{}\"", "é".repeat(128))).is_ok());
        for bad in
            ["\"1234567\"".to_owned(), format!("\"{}\"", "a".repeat(129)), "7".to_owned(), "null".to_owned()]
        {
            let said = read(&bad).unwrap_err();
            assert!(!said.contains("1234567") || bad.len() < 4, "the password is not repeated: {said}");
        }
    }

    #[test]
    fn a_printed_password_tells_nothing() {
        assert_eq!(format!("{:?}", read("\"correct horse\"").unwrap()), "***");
    }

    #[tokio::test]
    async fn the_cheap_hasher_tells_passwords_apart() {
        let (one, two) = (read("\"password one\"").unwrap(), read("\"password two\"").unwrap());
        let phc = CheapHasher.hash(one.clone(), [1; 16]).await.unwrap();
        assert_ne!(phc, CheapHasher.hash(one.clone(), [2; 16]).await.unwrap(), "the salt counts");
        assert!(CheapHasher.verify(one.clone(), Some(phc.clone())).await.unwrap());
        assert!(!CheapHasher.verify(two, Some(phc)).await.unwrap());
        assert!(!CheapHasher.verify(one.clone(), None).await.unwrap());
        assert!(!CheapHasher.verify(one, Some("garbage".into())).await.unwrap());
    }
}
