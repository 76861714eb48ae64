//! What a service of short messages is asked, and what its answers say. Requests and answers are values: nothing here
//! sends anything.

use std::time::Duration;

use gomer_core::time::Time;
use hyper::HeaderMap;

use super::mastodon::Mastodon;
use super::view::{Service, Subject, Track};
use super::x::X;
use crate::outside::Ask;

/// Messages that are asked for at once.
pub const MESSAGES_MAX: usize = 40;

/// A message as its service tells it. Texts may have markup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its id there.
    pub id: String,
    /// Its page.
    pub url: String,
    /// What it says.
    pub text: String,
    /// Whether the text is HTML.
    pub html: bool,
    /// The account's name, as one mentions it.
    pub handle: String,
    /// What the account calls itself.
    pub name: String,
    /// The account's picture.
    pub avatar: String,
    /// A picture of it.
    pub image: String,
    /// When it was written.
    pub created: Option<Time>,
    /// Its language (BCP 47).
    pub language: String,
    /// Whether its author hides it behind a warning.
    pub sensitive: bool,
}

/// Why an answer is of no use.
pub type Useless = &'static str;

/// A service.
pub trait Provider {
    /// Asks for the service's own id of an account, where messages are asked for by it.
    fn look_up(&self, account: &str) -> Ask;
    /// Reads the answer.
    fn found(&self, body: &[u8]) -> Result<String, Useless>;
    /// Asks for the messages of a subject after one of them. `account` is what [`Provider::found`] gave.
    fn messages(&self, subject: &Subject, account: Option<&str>, after: Option<&str>) -> Ask;
    /// Reads the answer.
    fn read(&self, body: &[u8]) -> Result<Vec<Message>, Useless>;
    /// How long to ask nothing more, if an answer says that no more may be asked.
    fn rest(&self, status: u16, headers: &HeaderMap, now: Time) -> Option<Duration>;
}

/// Who is asked for a track; nothing if this server has not been given what that takes.
pub fn provider_of(track: &Track, x_token: Option<&str>) -> Option<Box<dyn Provider + Send + Sync>> {
    match track.service {
        Service::Mastodon => Some(Box::new(Mastodon { server: track.server.clone()? })),
        Service::X => Some(Box::new(X { token: x_token?.to_owned() })),
    }
}

/// A text as a part of an address's path or query.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A header as text.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_cannot_leave_its_place() {
        assert_eq!(escaped("rust_lang-1.0~"), "rust_lang-1.0~");
        assert_eq!(escaped("a b/../c?d=e&f#g%"), "a%20b%2F..%2Fc%3Fd%3De%26f%23g%25");
        assert_eq!(escaped("ä\r\n"), "%C3%A4%0D%0A");
    }
}
