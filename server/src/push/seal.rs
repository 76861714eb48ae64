//! Secrets of providers at rest. They have to be shown to others again, so a hash does not do: they are sealed with
//! AES-256-GCM under a key that follows from the app's own secret. That one stands in the metadata and not in the
//! partition that holds the sealed text, so that neither is enough alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Seals a text. `what` names its place: it opens nowhere else. `random` is used once.
pub fn seal(secret: &[u8; 32], what: &str, plain: &str, random: [u8; 32]) -> String {
    let nonce: [u8; NONCE_LEN] = *random.first_chunk().expect("32 bytes are more than a nonce's 12");
    let mut sealed = plain.as_bytes().to_vec();
    key(secret)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(what), &mut sealed)
        .expect("a short text can be sealed");
    URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
}

/// Opens it. Nothing if it was sealed under another secret, for another place, or was changed.
pub fn open(secret: &[u8; 32], what: &str, sealed: &str) -> Option<String> {
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, rest) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = key(secret).open_in_place(nonce, Aad::from(what), rest).ok()?;
    String::from_utf8(plain.to_vec()).ok()
}

fn key(secret: &[u8; 32]) -> LessSafeKey {
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"gomer secrets of providers");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("SHA-256 gives 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_the_same_app_and_place_only() {
        let sealed = seal(&[1; 32], "apns", "the key", [9; 32]);
        assert_eq!(open(&[1; 32], "apns", &sealed).as_deref(), Some("the key"));
        assert_eq!(open(&[2; 32], "apns", &sealed), None);
        assert_eq!(open(&[1; 32], "fcm", &sealed), None);
        let mut changed = sealed.clone().into_bytes();
        changed[20] ^= 1;
        assert_eq!(open(&[1; 32], "apns", &String::from_utf8(changed).unwrap()), None);
        for bad in ["", "AAAA", "not base64!"] {
            assert_eq!(open(&[1; 32], "apns", bad), None);
        }
        assert!(!sealed.contains("the key"));
    }
}
