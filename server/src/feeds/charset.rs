//! From bytes to text, in whatever encoding they claim to be.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Bytes at the beginning in which a document may name its encoding.
const LOOKED_AT: usize = 1_024;

/// The text. A byte order mark is believed first, then what HTTP says, then what the document says of itself; without
/// any of them it is UTF-8 if it can be, and else Windows-1252, as browsers have it. What cannot be read becomes U+FFFD.
pub fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    let said = content_type.and_then(charset_of).or_else(|| own(bytes));
    let encoding = said.as_ref().and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8);
    // A document that names an encoding in letters of one byte each is not in one of two.
    let encoding = if encoding.is_ascii_compatible() { encoding } else { UTF_8 };
    match encoding.decode_without_bom_handling(bytes) {
        (_, true) if encoding == UTF_8 && said.is_none() => WINDOWS_1252.decode_without_bom_handling(bytes).0,
        (text, _) => text,
    }
}

/// `charset` of a `Content-Type`.
fn charset_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').skip(1);
    let named = |part: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    parameters.find_map(named)
}

/// What an XML declaration or a `meta` of HTML says.
fn own(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let head: String = head.iter().map(|byte| byte.to_ascii_lowercase() as char).collect();
    let after = |mark: &str| head.find(mark).map(|at| head[at + mark.len()..].trim_start());
    let value = if head.trim_start().starts_with("<?xml") {
        let end = head.find("?>")?;
        after("encoding").filter(|_| head.find("encoding").is_some_and(|at| at < end))
    } else {
        after("charset")
    }?;
    let value = value.strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(value.len());
    Some(value[..end].to_owned()).filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_believed_in_this_order() {
        for (bytes, content_type, expected) in [
            (&b"caf\xc3\xa9"[..], None, "café"),
            (b"caf\xe9", None, "café"),
            (b"caf\xe9", Some("text/xml; charset=ISO-8859-1"), "café"),
            (b"caf\xe9", Some("text/xml; Charset=\"iso-8859-15\""), "café"),
            (
                b"<?xml version='1.0' encoding='windows-1251'?>\xcf",
                None,
                "<?xml version='1.0' encoding='windows-1251'?>П",
            ),
            (b"<meta charset=koi8-r>\xf0", None, "<meta charset=koi8-r>П"),
            (
                b"<meta http-equiv=a content='text/html; charset=shift_jis'>\x83\x8f",
                None,
                "<meta http-equiv=a content='text/html; charset=shift_jis'>ワ",
            ),
            (b"\xef\xbb\xbfx\xc3\xa9", Some("text/html; charset=latin1"), "xé"),
            (b"\xff\xfea\0\xe9\0", None, "aé"),
            (b"\xfe\xff\0a", None, "a"),
            (b"plain", Some("text/html; charset=none-such"), "plain"),
            (b"plain", Some("text/html; charset=utf-16"), "plain"),
            (b"bad \xff", Some("text/html; charset=utf-8"), "bad \u{fffd}"),
            (b"", None, ""),
        ] {
            assert_eq!(decode(bytes, content_type), expected, "{expected}");
        }
    }
}
