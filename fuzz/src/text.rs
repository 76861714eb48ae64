//! Ids, times and address ranges as people write them: what is accepted is written in one way, and read again as the same.

use gomer_core::id::Id;
use gomer_core::time::Time;
use gomer_net::http::Cidr;

/// Reads the bytes as each kind of text.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<Id>() {
        let written = id.to_string();
        assert_eq!(written, text.to_ascii_lowercase());
        assert_eq!(written.parse(), Ok(id));
    }
    if let Ok(time) = text.parse::<Time>() {
        let written = time.to_string();
        assert_eq!(written.len(), "2026-11-23T18:05:00.000Z".len(), "{text:?} became {written:?}");
        assert_eq!(written.parse(), Ok(time), "{text:?} became {written:?}");
    }
    if let Ok(range) = text.parse::<Cidr>() {
        assert_eq!(range.to_string().parse(), Ok(range), "{text:?} became {range}");
    }
}
