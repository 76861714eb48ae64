//! Secrets that the server gives out: keys of apps and the operator's token. Stored are hashes only.
//!
//! A secret's text says what it is (`gomer_client_…`, `gomer_server_…`, `gomer_admin_…`, `gomer_operator_…`), so that a scanner
//! finds one that was published by mistake. Behind that stand 256 random bits: a plain hash is enough.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::meta::command::KeyKind;
use sha2::{Digest, Sha256};

/// The text of a key's secret.
pub fn key_text(kind: KeyKind, bytes: &[u8; 32]) -> String {
    let name = match kind {
        KeyKind::Client => "client",
        KeyKind::Server => "server",
        KeyKind::Admin => "admin",
    };
    format!("gomer_{name}_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The text of the operator's token.
pub fn operator_text(bytes: &[u8; 32]) -> String {
    format!("gomer_operator_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a secret, and looked up.
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_it_is_and_fits_in_a_header() {
        let bytes = [0xff; 32];
        for (text, start) in [
            (key_text(KeyKind::Client, &bytes), "gomer_client_"),
            (key_text(KeyKind::Server, &bytes), "gomer_server_"),
            (key_text(KeyKind::Admin, &bytes), "gomer_admin_"),
            (operator_text(&bytes), "gomer_operator_"),
        ] {
            assert!(text.starts_with(start) && text.len() == start.len() + 43);
            assert!(text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-'));
        }
        assert_ne!(hash("a"), hash("b"));
    }
}
