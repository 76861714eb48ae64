//! Bytes as serde knows them, and not one by one: the same on the wire, without a call for each.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = seq.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }

    deserializer.deserialize_byte_buf(Bytes)
}

#[cfg(test)]
mod tests {
    use crate::vnode::peer::PeerEntryKind;

    #[test]
    fn the_wire_sees_no_difference_and_cut_bytes_are_refused() {
        let bytes: Vec<u8> = (0..=255).collect();
        let entry = PeerEntryKind::Command(bytes.clone());
        let encoded = postcard::to_stdvec(&entry).unwrap();
        assert_eq!(encoded[1..], postcard::to_stdvec(&bytes).unwrap());
        assert_eq!(postcard::from_bytes::<PeerEntryKind>(&encoded), Ok(entry));
        assert!(postcard::from_bytes::<PeerEntryKind>(&encoded[..encoded.len() - 1]).is_err());
    }
}
