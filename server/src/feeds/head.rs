//! What a page says of itself: Open Graph, the usual `meta` elements, its title.

use super::markup::{Scanner, Token, attribute};
use super::{NAME_CHARS_MAX, address, charset, plain, some};
use crate::outside::place::Place;

/// Bytes at the beginning of a page that are looked at.
pub const LOOKED_AT: usize = 512 * 1024;
/// Most characters of a title.
const TITLE_CHARS_MAX: usize = 200;
/// Most characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Most bytes of a title, before entities and white space are looked at.
const TITLE_BYTES_MAX: usize = 4_096;

/// A page in brief. All texts are plain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// What it is called.
    pub title: Option<String>,
    /// A little more.
    pub description: Option<String>,
    /// A picture.
    pub image: Option<String>,
    /// The site that it belongs to.
    pub site: Option<String>,
    /// Its address, as it wants to be linked; on the same site only.
    pub canonical: Option<String>,
    /// What it is, as Open Graph names it: `article`, `website`.
    pub kind: Option<String>,
    /// Where a feed of it is.
    pub feed: Option<String>,
}

/// Reads the head of a page. Whatever it is, there is an answer.
pub fn read(bytes: &[u8], content_type: Option<&str>, base: &Place) -> Head {
    let text = charset::decode(&bytes[..bytes.len().min(LOOKED_AT)], content_type);
    let mut found = Found::default();
    let mut title: Option<String> = None;
    for token in Scanner::html(&text) {
        match token {
            Token::Open { name, attributes, .. } => match name.as_str() {
                "title" if found.title.is_none() => title = Some(String::new()),
                "meta" => found.meta(attributes),
                "link" => found.link(attributes),
                "body" => break,
                _ => {}
            },
            Token::Close { name } if name == "title" => found.title = found.title.take().or(title.take()),
            Token::Close { name } if name == "head" => break,
            Token::Text(piece) => {
                if let Some(title) =
                    title.as_mut().filter(|title| title.len() + piece.len() <= TITLE_BYTES_MAX)
                {
                    title.push_str(&piece);
                }
            }
            Token::Close { .. } => {}
        }
    }
    found.head(base)
}

/// What stands in a head, the better first.
#[derive(Default)]
struct Found {
    title: Option<String>,
    titles: [Option<String>; 2],
    descriptions: [Option<String>; 3],
    images: [Option<String>; 2],
    site: Option<String>,
    canonical: Option<String>,
    kind: Option<String>,
    feed: Option<String>,
}

impl Found {
    fn meta(&mut self, attributes: &str) {
        let name = attribute(attributes, "property").or_else(|| attribute(attributes, "name"));
        let Some(name) = name else { return };
        let slot = match name.trim().to_ascii_lowercase().as_str() {
            "og:title" => &mut self.titles[0],
            "twitter:title" => &mut self.titles[1],
            "og:description" => &mut self.descriptions[0],
            "twitter:description" => &mut self.descriptions[1],
            "description" => &mut self.descriptions[2],
            "og:image" | "og:image:url" | "og:image:secure_url" => &mut self.images[0],
            "twitter:image" | "twitter:image:src" => &mut self.images[1],
            "og:site_name" => &mut self.site,
            "og:url" => &mut self.canonical,
            "og:type" => &mut self.kind,
            _ => return,
        };
        if slot.is_none() {
            *slot = attribute(attributes, "content").filter(|content| !content.trim().is_empty());
        }
    }

    fn link(&mut self, attributes: &str) {
        let rel = attribute(attributes, "rel").unwrap_or_default().to_ascii_lowercase();
        let rels = || rel.split_ascii_whitespace();
        let kind = attribute(attributes, "type").unwrap_or_default().to_ascii_lowercase();
        let feeds = ["application/rss+xml", "application/atom+xml", "application/feed+json"];
        if rels().any(|rel| rel == "canonical") && self.canonical.is_none() {
            self.canonical = attribute(attributes, "href");
        } else if rels().any(|rel| rel == "alternate")
            && feeds.contains(&kind.as_str())
            && self.feed.is_none()
        {
            self.feed = attribute(attributes, "href");
        }
    }

    fn head(self, base: &Place) -> Head {
        let first = |slots: &[Option<String>], chars| {
            slots.iter().flatten().map(|text| plain(text, chars)).find(|text| !text.is_empty())
        };
        let canonical = self.canonical.and_then(|text| base.join(text.trim()).ok());
        // A page may not pass itself off as one of somebody else.
        let canonical = canonical.filter(|place| place.host() == base.host());
        Head {
            title: first(&self.titles, TITLE_CHARS_MAX).or_else(|| first(&[self.title], TITLE_CHARS_MAX)),
            description: first(&self.descriptions, DESCRIPTION_CHARS_MAX),
            image: self.images.iter().flatten().find_map(|text| address(text, base)),
            site: some(plain(&self.site.unwrap_or_default(), NAME_CHARS_MAX)),
            canonical: canonical.map(|place| place.as_str().to_owned()),
            kind: some(plain(&self.kind.unwrap_or_default(), 32)),
            feed: self.feed.and_then(|text| address(&text, base)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        read(text.as_bytes(), None, &Place::parse("https://site.example/a/page").unwrap())
    }

    #[test]
    fn a_page_is_told_by_its_best_tags() {
        let page = r#"<!doctype html><html><head><meta charset=utf-8><title>Plain &amp; simple</title>
            <meta property="og:title" content="Open &quot;graph&quot;"><meta name=twitter:title content=Twitter>
            <meta name="description" content="Described"><meta property='og:image' content='/i.png?a=1&amp;b=2'>
            <meta property="og:site_name" content="The Site"><meta property="og:type" content="article">
            <link rel="canonical" href="https://site.example/page"><link rel=alternate type="application/rss+xml" href="../feed">
            </head><body><meta property="og:description" content="too late">"#;
        assert_eq!(
            head(page),
            Head {
                title: Some("Open \"graph\"".to_owned()),
                description: Some("Described".to_owned()),
                image: Some("https://site.example/i.png?a=1&b=2".to_owned()),
                site: Some("The Site".to_owned()),
                canonical: Some("https://site.example/page".to_owned()),
                kind: Some("article".to_owned()),
                feed: Some("https://site.example/feed".to_owned()),
            }
        );
        assert_eq!(head("<title> Only\n a title </title>").title.as_deref(), Some("Only a title"));
    }

    #[test]
    fn what_a_page_must_not_say_is_not_said() {
        let page = "<meta property=og:image content='javascript:alert(1)'><meta property=og:url content='https://bank.example/'>\
            <meta property=og:title content='&lt;script&gt;alert(1)&lt;/script&gt;<b>x</b>'>\
            <script>document.write('<title>no</title>')</script><link rel=alternate type=application/rss+xml href=file:///x>";
        let head = head(page);
        assert_eq!((head.image, head.canonical, head.feed), (None, None, None));
        assert_eq!(head.title.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_page_says_nothing() {
        for text in [
            "",
            "<",
            "<title>",
            "<title>never ends",
            "{\"a\":1}",
            "%PDF-1.7",
            "<meta>",
            "<meta property=og:title>",
        ] {
            assert_eq!(head(text), Head::default(), "{text}");
        }
        let began = std::time::Instant::now();
        for text in [
            "<meta property=og:title content=x>".repeat(60_000),
            "<title>".repeat(300_000),
            "<link ".repeat(300_000),
        ] {
            assert!(head(&text).title.unwrap_or_default().len() <= 1);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
