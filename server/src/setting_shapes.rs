//! Shapes of texts in an app's settings.

/// Whether a byte may stand in a handle.
pub fn is_handle_byte(c: u8) -> bool {
    matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.')
}

/// `scheme://host[:port]`, as RFC 6454 §6.2 serialises it.
pub fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let name = |host: &str| {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
            && host.split('.').all(|label| !label.is_empty())
    };
    let address = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
    };
    let usual = if text.starts_with("https") { "443" } else { "80" };
    let good_port = port.is_none_or(|port| {
        port != usual && !port.starts_with('0') && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    (name(host) || address(host)) && good_port
}

/// Whether a text is a language tag of BCP 47, as far as its shape tells.
pub fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_lowercase()));
    let rest = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric());
    language && text.len() <= 35 && parts.all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        for good in
            ["https://app.example", "http://localhost:3000", "https://[::1]:8443", "http://127.0.0.1:1"]
        {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://",
            "https://App.example",
            "https://a.example/",
            "https://a.example:443",
            "https://a..b",
            "https://a.example:0",
            "https://a.example:99999",
            "ftp://a.example",
            "https://a b",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
