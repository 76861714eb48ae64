//! Tags and texts of XML and HTML, in one pass, whatever is wrong with them.
//!
//! Entities are the numbers and the usual names of HTML. What a document type declares is skipped, never used.

use std::borrow::Cow;

/// Attributes that are looked at of one tag.
const ATTRIBUTES_MAX: usize = 64;
/// Longest value of an attribute.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// A piece of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// `<name …>`; closed if it is `<name …/>`.
    Open {
        /// In small letters, with its prefix.
        name: String,
        /// Its attributes, as they are written.
        attributes: &'a str,
        /// Whether it has no content.
        closed: bool,
    },
    /// `</name>`.
    Close {
        /// In small letters, with its prefix.
        name: String,
    },
    /// Text, with its entities replaced.
    Text(Cow<'a, str>),
}

/// Reads a text piece by piece. Each byte is looked at a bounded number of times.
pub struct Scanner<'a> {
    rest: &'a str,
    html: bool,
    /// A tag after whose name everything is text until it is closed (`script`).
    opaque: Option<&'static str>,
}

impl<'a> Scanner<'a> {
    /// Reads XML.
    pub fn xml(text: &'a str) -> Scanner<'a> {
        Scanner { rest: text, html: false, opaque: None }
    }

    /// Reads HTML: what is in scripts and styles is no text.
    pub fn html(text: &'a str) -> Scanner<'a> {
        Scanner { rest: text, html: true, opaque: None }
    }

    fn skip_opaque(&mut self, name: &'static str) {
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'<', &self.rest.as_bytes()[from..]) {
            let at = from + at;
            let after = &self.rest.as_bytes()[at + 1..];
            if after.len() > name.len()
                && after[0] == b'/'
                && after[1..=name.len()].eq_ignore_ascii_case(name.as_bytes())
            {
                self.rest = &self.rest[at..];
                return;
            }
            from = at + 1;
        }
        self.rest = "";
    }

    /// What begins with `<`, if it is a tag or something to skip.
    fn markup(&mut self) -> Option<Option<Token<'a>>> {
        let rest = self.rest;
        if let Some(after) = rest.strip_prefix("<![CDATA[") {
            let end = after.find("]]>");
            let (text, rest) = end.map_or((after, ""), |end| (&after[..end], &after[end + 3..]));
            self.rest = rest;
            return Some(Some(Token::Text(Cow::Borrowed(text))));
        }
        if let Some(after) = rest.strip_prefix("<!--") {
            self.rest = after.find("-->").map_or("", |end| &after[end + 3..]);
            return Some(None);
        }
        if let Some(after) = rest.strip_prefix("<?") {
            self.rest = after.find('>').map_or("", |end| &after[end + 1..]);
            return Some(None);
        }
        if let Some(after) = rest.strip_prefix("<!") {
            let end = after.find(['>', '[']);
            self.rest = match end {
                Some(end) if after.as_bytes()[end] == b'[' => {
                    after.find("]>").map_or("", |end| &after[end + 2..])
                }
                Some(end) => &after[end + 1..],
                None => "",
            };
            return Some(None);
        }
        let (close, after) = match rest[1..].strip_prefix('/') {
            Some(after) => (true, after),
            None => (false, &rest[1..]),
        };
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        let name_end =
            after.find(|c: char| !(c.is_alphanumeric() || "_:.-".contains(c))).unwrap_or(after.len());
        let Some(end) = tag_end(&after[name_end..]) else {
            // A tag that never ends: there is nothing behind it.
            self.rest = "";
            return Some(None);
        };
        let name = after[..name_end].chars().take(64).collect::<String>().to_ascii_lowercase();
        let attributes = &after[name_end..name_end + end];
        self.rest = &after[name_end + end + 1..];
        if close {
            return Some(Some(Token::Close { name }));
        }
        let closed = attributes.ends_with('/');
        if self.html && !closed {
            self.opaque =
                ["script", "style", "noscript", "template", "svg"].into_iter().find(|opaque| *opaque == name);
        }
        let attributes = attributes.strip_suffix('/').unwrap_or(attributes);
        Some(Some(Token::Open { name, attributes, closed }))
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if let Some(name) = self.opaque.take() {
                self.skip_opaque(name);
            }
            if self.rest.is_empty() {
                return None;
            }
            let mut from = 0;
            if self.rest.starts_with('<') {
                match self.markup() {
                    Some(Some(token)) => return Some(token),
                    Some(None) => continue,
                    // A bare `<` is text.
                    None => from = 1,
                }
            }
            let end =
                memchr::memchr(b'<', &self.rest.as_bytes()[from..]).map_or(self.rest.len(), |at| from + at);
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token::Text(unescape(text)));
        }
    }
}

/// Where the `>` of a tag stands; one in quotes is not it.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if text[..at].trim_end().ends_with('=') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of an attribute (its name in small letters), with its entities replaced.
pub fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    for _ in 0..ATTRIBUTES_MAX {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let name = &rest[..end];
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (body, close): (&str, usize) = match quote {
                Some(quote) => {
                    let body = &after[1..];
                    let end = body.find(quote).unwrap_or(body.len());
                    (&body[..end], (end + 2).min(after.len()))
                }
                None => {
                    let end = after.find(char::is_whitespace).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            value = body;
            rest = &after[close..];
        } else if end == 0 {
            // Neither a name nor a value: not an attribute.
            let skip = rest.chars().next().map_or(0, char::len_utf8);
            rest = &rest[skip..];
        }
        if name.eq_ignore_ascii_case(wanted) {
            return (value.len() <= VALUE_BYTES_MAX).then(|| unescape(value).into_owned());
        }
    }
    None
}

/// Replaces entities. What is none stays as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'&', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(after) = rest.strip_prefix('&') {
        let name_end = after.bytes().take(12).position(|byte| byte == b';');
        match name_end.and_then(|end| entity(&after[..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push_str(c.as_ref());
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
        let next = memchr::memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<Cow<'static, str>> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return Some(Cow::Owned(char::from_u32(code).filter(|c| *c != '\0')?.to_string()));
    }
    let found = ENTITIES.iter().find(|(known, _)| *known == name)?;
    Some(Cow::Borrowed(found.1))
}

/// Names that people write. The whole list of HTML has 2,231.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("lsaquo", "‹"),
    ("rsaquo", "›"),
    ("bull", "•"),
    ("middot", "·"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("sect", "§"),
    ("para", "¶"),
    ("deg", "°"),
    ("plusmn", "±"),
    ("times", "×"),
    ("divide", "÷"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("agrave", "à"),
    ("aacute", "á"),
    ("acirc", "â"),
    ("atilde", "ã"),
    ("aring", "å"),
    ("aelig", "æ"),
    ("ccedil", "ç"),
    ("egrave", "è"),
    ("eacute", "é"),
    ("ecirc", "ê"),
    ("euml", "ë"),
    ("igrave", "ì"),
    ("iacute", "í"),
    ("icirc", "î"),
    ("iuml", "ï"),
    ("ntilde", "ñ"),
    ("ograve", "ò"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("otilde", "õ"),
    ("oslash", "ø"),
    ("ugrave", "ù"),
    ("uacute", "ú"),
    ("ucirc", "û"),
    ("Eacute", "É"),
    ("Aring", "Å"),
    ("Oslash", "Ø"),
    ("shy", ""),
    ("zwj", ""),
    ("zwnj", ""),
    ("ensp", " "),
    ("emsp", " "),
    ("thinsp", " "),
    ("rarr", "→"),
    ("larr", "←"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("ordf", "ª"),
    ("ordm", "º"),
    ("prime", "′"),
];

/// Text that may be HTML, as plain text: without tags and control characters, white space folded to one space, cut with
/// an ellipsis at so many characters.
pub fn plain(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let (mut chars, mut space) = (0, false);
    for token in Scanner::html(text) {
        let piece = match &token {
            Token::Text(piece) => piece.as_ref(),
            // Words in two cells or lines are two words; in two spans they may be one.
            Token::Open { name, .. } | Token::Close { name } => {
                let inline = [
                    "a", "b", "i", "em", "strong", "span", "code", "u", "s", "sub", "sup", "font", "small",
                    "abbr",
                ];
                space |= !inline.contains(&name.as_str());
                continue;
            }
        };
        for c in piece.chars() {
            if c.is_whitespace() || c.is_control() || is_invisible(c) {
                space |= !is_invisible(c);
                continue;
            }
            let needed = 1 + usize::from(space && chars > 0);
            if chars + needed > chars_max {
                while chars >= chars_max {
                    out.pop();
                    chars -= 1;
                }
                out.push('…');
                return out;
            }
            if space && chars > 0 {
                out.push(' ');
            }
            out.push(c);
            (chars, space) = (chars + needed, false);
        }
    }
    out
}

/// Marks that turn or hide text around them, and never belong into a title.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let shown = |token| match token {
            Token::Open { name, attributes, closed } => {
                format!("<{name}{attributes}{}", if closed { "/" } else { "" })
            }
            Token::Close { name } => format!("/{name}"),
            Token::Text(text) => text.into_owned(),
        };
        Scanner::xml(text).map(shown).collect()
    }

    #[test]
    fn markup_is_read_whatever_is_wrong_with_it() {
        for (text, expected) in [
            ("<A b='1'>x</A>", &["<a b='1'", "x", "/a"][..]),
            ("<a b='>'/>", &["<a b='>'/"]),
            ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b \"c\">]><a/>", &["<a/"]),
            ("<!DOCTYPE html><p>", &["<p"]),
            ("a<!-- <b> -->c", &["a", "c"]),
            ("<![CDATA[<b>&amp;]]>d", &["<b>&amp;", "d"]),
            ("1 < 2 & 3 > 2", &["1 ", "< 2 & 3 > 2"]),
            ("&lt;p&gt; &#65;&#x42; &lol; &amp", &["<p> AB &lol; &amp"]),
            ("<a", &[]),
            ("<a b=\"never ends", &[]),
            ("<a it's>x", &["<a it's", "x"]),
            ("<", &["<"]),
            ("<!--", &[]),
            ("<![CDATA[x", &["x"]),
            ("</>x", &["</>x"]),
            ("ä<ä>", &["ä", "<ä>"]),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn attributes_are_found_in_any_spelling() {
        let tag = r#" Rel = "alternate" href='/a?b=1&amp;c=2' type=text/html hidden data-x="a > b" /"#;
        for (name, value) in [
            ("rel", Some("alternate")),
            ("href", Some("/a?b=1&c=2")),
            ("type", Some("text/html")),
            ("hidden", Some("")),
            ("data-x", Some("a > b")),
            ("title", None),
        ] {
            assert_eq!(attribute(tag, name).as_deref(), value, "{name}");
        }
        for odd in ["=", "==", "= =", "\"", "a=\"", "a='x", "a=", "ä=ö", "/ / /", "'=\"'"] {
            assert_eq!(attribute(odd, "href"), None, "{odd}");
        }
        assert_eq!(attribute("a='unclosed", "a").as_deref(), Some("unclosed"));
    }

    #[test]
    fn plain_text_has_no_markup_and_no_tricks() {
        for (text, expected) in [
            ("<p>Hello,<br>world</p>", "Hello, world"),
            ("Tom &amp; Jerry&#8217;s <b>b</b>ig  \n day", "Tom & Jerry’s big day"),
            ("a<script>alert('<p>')</script>b<style>p{}</style>c", "a b c"),
            ("<script>never ends", ""),
            ("\u{202e}gnp.exe\u{0}\u{200b}x", "gnp.exe x"),
            ("1 < 2", "1 < 2"),
            ("  ", ""),
        ] {
            assert_eq!(plain(text, 100), expected, "{text}");
        }
        assert_eq!(plain("abcdef", 6), "abcdef");
        assert_eq!(plain("abcdefg", 6), "abcde…");
        assert_eq!(plain("abcde fg", 6), "abcde…");
        assert_eq!(plain("äöü ßäö", 5), "äöü …");
    }

    #[test]
    fn hostile_markup_takes_linear_time() {
        let began = std::time::Instant::now();
        for text in [
            "<".repeat(1 << 18),
            "<a \"".repeat(1 << 16),
            "<a b='".repeat(1 << 16),
            "<a>".repeat(1 << 16),
            "&".repeat(1 << 18),
            "&#1".repeat(1 << 16),
            "<!--".repeat(1 << 16),
            "<![CDATA[".repeat(1 << 15),
            "<!x[".repeat(1 << 16),
            "</script".repeat(1 << 15),
            "<script>".repeat(1 << 15),
            format!("<a {}>", "b='c' ".repeat(1 << 15)),
            format!("<a {}>", "= ".repeat(1 << 16)),
        ] {
            assert!(plain(&text, 1_000).chars().count() <= 1_000);
            for token in Scanner::xml(&text) {
                if let Token::Open { attributes, .. } = token {
                    let _ = attribute(attributes, "href");
                }
            }
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
