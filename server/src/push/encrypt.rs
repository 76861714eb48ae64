//! Message encryption for Web Push (RFC 8291) in one record of `aes128gcm` (RFC 8188): the push service that carries a
//! message cannot read it.

use p256::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use super::keys::{EcKey, PUBLIC_BYTES};

/// Bytes of one record, which is what push services take at least (RFC 8030 §7.2).
const RECORD_BYTES: u32 = 4_096;
/// Salt, size of a record, length of the key's name, and the sender's public key (RFC 8188 §2.1).
const HEAD_BYTES: usize = 16 + 4 + 1 + PUBLIC_BYTES;
/// Most bytes that are encrypted: a record less its head, its delimiter and its tag (RFC 8291 §4).
pub const PLAIN_BYTES_MAX: usize = RECORD_BYTES as usize - HEAD_BYTES - 1 - 16;

/// Who may read: what a browser calls `p256dh` and `auth`.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Its public key.
    pub public: PublicKey,
    /// The secret that it shares with the app's server.
    pub auth: [u8; 16],
}

/// The body of a request to a push service. `key` and `salt` are used for one message and never again. Nothing if `plain`
/// is longer than [`PLAIN_BYTES_MAX`].
pub fn encrypt(plain: &[u8], reader: &Reader, key: &EcKey, salt: [u8; 16]) -> Option<Vec<u8>> {
    if plain.len() > PLAIN_BYTES_MAX {
        return None;
    }
    let public = key.public();
    // RFC 8291 §3.3 and §3.4, then RFC 8188 §2.2 and §2.3: extract, expand, twice.
    let mut info = b"WebPush: info\0".to_vec();
    info.extend_from_slice(reader.public.to_sec1_point(false).as_bytes());
    info.extend_from_slice(&public);
    let common = hash(&reader.auth, &[&key.agree(&reader.public)]);
    let input = hash(&common, &[&info, &[1]]);
    let random = hash(&salt, &[&input]);
    let content = hash(&random, &[b"Content-Encoding: aes128gcm\0", &[1]]);
    let nonce = hash(&random, &[b"Content-Encoding: nonce\0", &[1]]);

    let mut record = Vec::with_capacity(plain.len() + 17);
    record.extend_from_slice(plain);
    // The last record.
    record.push(2);
    let sealing = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &content[..16]).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).ok()?;
    sealing.seal_in_place_append_tag(nonce, Aad::empty(), &mut record).ok()?;

    let mut body = Vec::with_capacity(HEAD_BYTES + record.len());
    body.extend_from_slice(&salt);
    body.extend_from_slice(&RECORD_BYTES.to_be_bytes());
    body.push(PUBLIC_BYTES as u8);
    body.extend_from_slice(&public);
    body.extend_from_slice(&record);
    Some(body)
}

/// HMAC-SHA-256: both steps of HKDF (RFC 5869), as no output is longer than one block.
fn hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::keys::public_key;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn reader() -> Reader {
        let public =
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        Reader {
            public: public_key(public).unwrap(),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap(),
        }
    }

    /// RFC 8291, appendix A and §5.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let key = EcKey::from_bytes(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let plain = b"When I grow up, I want to be a watermelon";
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let body = encrypt(plain, &reader(), &key, salt).unwrap();
        let expected = concat!(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml",
            "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT",
            "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
        );
        assert_eq!(URL_SAFE_NO_PAD.encode(body), expected);
    }

    #[test]
    fn a_message_fits_one_record_or_is_refused() {
        let key = EcKey::from_bytes(&[7; 32]).unwrap();
        let most = encrypt(&[b'x'; PLAIN_BYTES_MAX], &reader(), &key, [1; 16]).unwrap();
        assert_eq!(most.len(), RECORD_BYTES as usize);
        assert!(encrypt(&[b'x'; PLAIN_BYTES_MAX + 1], &reader(), &key, [1; 16]).is_none());
    }
}
