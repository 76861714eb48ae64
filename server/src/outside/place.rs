//! An address as it is asked: parsed once, as browsers do (WHATWG URL), so that nothing is read in two ways.

use std::net::IpAddr;

use url::{Host, Url};

use super::Unanswered;

/// Longest address.
const URL_BYTES_MAX: usize = 4_096;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Url);

/// Who answers there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An address, however it was spelled.
    Address(IpAddr),
    /// A name, in its ASCII form, without a dot at its end.
    Name(String),
}

impl Place {
    /// Reads an absolute address.
    pub fn parse(text: &str) -> Result<Place, Unanswered> {
        Place::plain(text)?;
        Place::of(Url::parse(text).map_err(|_| Unanswered::Malformed("it is not an absolute address"))?)
    }

    /// Where a redirect from here leads.
    pub fn join(&self, location: &str) -> Result<Place, Unanswered> {
        Place::plain(location)?;
        Place::of(self.0.join(location).map_err(|_| Unanswered::Malformed("it redirects to no address"))?)
    }

    /// What the standard would repair silently is refused: two readers may repair it differently.
    fn plain(text: &str) -> Result<(), Unanswered> {
        if text.len() > URL_BYTES_MAX {
            return Err(Unanswered::Malformed("it is longer than 4,096 bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Unanswered::Malformed("it has spaces, control characters or backslashes"));
        }
        Ok(())
    }

    fn of(mut url: Url) -> Result<Place, Unanswered> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Unanswered::Malformed("it is neither https nor http"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unanswered::Malformed("it names a user"));
        }
        if url.port() == Some(0) {
            return Err(Unanswered::Malformed("there is no port 0"));
        }
        url.set_fragment(None);
        let place = Place(url);
        match place.who() {
            Some(Who::Name(name)) if name.is_empty() || name.len() > 253 => {
                Err(Unanswered::Malformed("its host is no name"))
            }
            Some(_) => Ok(place),
            None => Err(Unanswered::Malformed("it has no host")),
        }
    }

    /// Who is asked. Every place that could be read has one.
    fn who(&self) -> Option<Who> {
        Some(match self.0.host()? {
            Host::Ipv4(address) => Who::Address(address.into()),
            Host::Ipv6(address) => Who::Address(address.into()),
            Host::Domain(name) => Who::Name(name.strip_suffix('.').unwrap_or(name).to_owned()),
        })
    }

    /// Who is asked.
    pub fn host(&self) -> Who {
        self.who().expect("a place has a host")
    }

    /// The port, also when it was not said.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().expect("http and https have a port")
    }

    /// Whether TLS is spoken there.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether what is meant for one may be shown to the other: scheme, host and port are the same.
    pub fn same_origin(&self, other: &Place) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Host, and port unless it is the usual one: the header `Host`.
    pub fn authority(&self) -> String {
        let host = self.0.host_str().expect("a place has a host");
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Path and query: what is asked for in HTTP/1.
    pub fn target(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// The whole address, without a fragment.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_once_with_all_its_parts() {
        let place = Place::parse("HTTPS://Exa\u{6d}ple.COM.:8443/a b".replace(' ', "%20").as_str()).unwrap();
        assert_eq!(place.host(), Who::Name("example.com".to_owned()));
        assert_eq!((place.port(), place.is_secure(), place.target()), (8443, true, "/a%20b"));
        let place = Place::parse("http://[2606:4700::1]/?q=1#part").unwrap();
        assert_eq!(place.host(), Who::Address("2606:4700::1".parse().unwrap()));
        assert_eq!(
            (place.port(), place.target(), place.as_str()),
            (80, "/?q=1", "http://[2606:4700::1]/?q=1")
        );
        assert_eq!(
            Place::parse("http://b\u{fc}cher.example:80").unwrap().authority(),
            "xn--bcher-kva.example"
        );
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "example.com",
            "//example.com/",
            "/path",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://x/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://",
            "http://:80/",
            "http://user@example.com/",
            "http://user:word@example.com/",
            "http://:word@example.com/",
            "http://127.0.0.1\\@example.com/",
            "http://example.com\\.evil.example/",
            " http://example.com/",
            "http://exam ple.com/",
            "http://a\tb/",
            "http://example.com/\r\nHost: x",
            "http://example.com:0/",
            "http://example.com:65536/",
            "http://example.com:x/",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
            "http://[::ffff:1.2.3]/",
            "http://256.256.256.256/",
            "http://1.2.3.4.5/",
            "http://./",
            "http://ex%00ample.com/",
            "http://a<b/",
        ] {
            assert!(matches!(Place::parse(text), Err(Unanswered::Malformed(_))), "{text:?}");
        }
        let long = format!("http://example.com/{}", "a".repeat(URL_BYTES_MAX));
        assert!(Place::parse(&long).is_err());
        assert!(Place::parse(&format!("http://{}.example/", "a.".repeat(130))).is_err());
    }

    #[test]
    fn a_redirect_is_read_from_where_it_was_given() {
        let place = Place::parse("https://example.com/a/b?c").unwrap();
        for (location, whole) in [
            ("d", "https://example.com/a/d"),
            ("/d#e", "https://example.com/d"),
            ("//other.example/", "https://other.example/"),
            ("http://example.com/", "http://example.com/"),
        ] {
            assert_eq!(place.join(location).unwrap().as_str(), whole);
        }
        for bad in ["file:///etc/passwd", "http://me@x/", "\\\\evil.example", "https://x:0/", "javascript:1"]
        {
            assert!(place.join(bad).is_err(), "{bad}");
        }
        assert!(place.same_origin(&Place::parse("https://EXAMPLE.com:443/x").unwrap()));
        for other in ["http://example.com/", "https://example.com:8443/", "https://www.example.com/"] {
            assert!(!place.same_origin(&Place::parse(other).unwrap()), "{other}");
        }
    }
}
