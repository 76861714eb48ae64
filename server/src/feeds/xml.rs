//! RSS 0.9x, 1.0 and 2.0, and Atom.

use std::time::Duration;

use super::markup::{Scanner, Token, attribute};
use super::{Feed, ITEMS_MAX, NoFeed, Raw, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, address, plain, some};
use crate::outside::place::Place;

/// Elements inside each other that are told apart.
const DEPTH_MAX: usize = 64;
/// Most bytes of one element's text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Categories that are read of one item.
const CATEGORIES_MAX: usize = 64;

/// Reads a feed from a text. One that ends in the middle has the items before.
pub fn read(text: &str, base: &Place) -> Result<Feed, NoFeed> {
    let mut reader = Reader { base, names: Vec::new(), feed: Feed::default(), item: None, field: None };
    let mut begun = false;
    for token in Scanner::xml(text) {
        match token {
            Token::Open { name, attributes, closed } => {
                let name = local(name);
                if !begun {
                    begun = matches!(name.as_str(), "rss" | "rdf:rdf" | "rdf" | "feed" | "channel");
                    if !begun {
                        return Err(NoFeed::Foreign);
                    }
                }
                if reader.open(name, attributes) && closed {
                    reader.close_last();
                }
            }
            Token::Close { name } => reader.close(&local(name)),
            Token::Text(text) => reader.text(&text),
        }
        if reader.feed.items.len() == ITEMS_MAX {
            break;
        }
    }
    if !begun {
        return Err(NoFeed::Foreign);
    }
    reader.end_item();
    let feed = reader.feed;
    if feed.items.is_empty() && feed.title.is_none() { Err(NoFeed::Broken) } else { Ok(feed) }
}

/// A name without the prefixes that feeds give to what is their own.
fn local(name: String) -> String {
    match name.split_once(':') {
        Some(("atom" | "a10" | "rss" | "ns0", own)) => own.to_owned(),
        _ => name,
    }
}

/// Which text is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    FeedTitle,
    FeedLink,
    FeedDescription,
    Ttl,
    Id,
    Link,
    Title,
    Summary,
    Content,
    Author,
    Published,
    Updated,
    Category,
}

struct Reader<'a> {
    base: &'a Place,
    /// The elements that are open.
    names: Vec<String>,
    feed: Feed,
    /// The item that is open, and how deep it lies.
    item: Option<(usize, Raw)>,
    /// The text that is being read, how deep its element lies, and what came so far.
    field: Option<(Field, usize, String)>,
}

impl Reader<'_> {
    /// Whether it was taken: what lies too deep is not.
    fn open(&mut self, name: String, attributes: &str) -> bool {
        if self.names.len() >= DEPTH_MAX {
            return false;
        }
        let parent = self.names.last().map(String::as_str).unwrap_or_default();
        if parent == "author" && matches!(self.field, Some((Field::Author, ..))) {
            // Atom's authors are no texts: only their names count.
            let depth = self.names.len() + 1;
            self.field = (name == "name").then(|| (Field::Author, depth, String::new()));
        } else if let Some((_, _, text)) = &mut self.field {
            // Markup inside of a text is text: its words are kept apart.
            text.push(' ');
        } else if matches!(name.as_str(), "item" | "entry") {
            self.end_item();
            self.item = Some((self.names.len() + 1, Raw::default()));
        } else if let Some((depth, item)) = &mut self.item {
            let direct = self.names.len() == *depth;
            if direct || (self.names.len() == *depth + 1 && matches!(parent, "author" | "media:group")) {
                let field = field_of_item(&name, parent, attributes, item);
                self.field = field.map(|field| (field, self.names.len() + 1, String::new()));
            }
        } else if matches!(parent, "channel" | "feed") {
            let field = match name.as_str() {
                "title" => Some(Field::FeedTitle),
                "description" | "subtitle" | "tagline" => Some(Field::FeedDescription),
                "ttl" => Some(Field::Ttl),
                "link" => match attribute(attributes, "href") {
                    Some(href) => {
                        let page =
                            matches!(attribute(attributes, "rel").as_deref(), None | Some("alternate"));
                        if page && self.feed.link.is_none() {
                            self.feed.link = address(&href, self.base);
                        }
                        None
                    }
                    None => Some(Field::FeedLink),
                },
                _ => None,
            };
            self.field = field.map(|field| (field, self.names.len() + 1, String::new()));
        }
        self.names.push(name);
        true
    }

    fn text(&mut self, piece: &str) {
        let Some((_, _, text)) = &mut self.field else { return };
        let room = TEXT_BYTES_MAX.saturating_sub(text.len());
        let mut end = piece.len().min(room);
        while !piece.is_char_boundary(end) {
            end -= 1;
        }
        text.push_str(&piece[..end]);
    }

    /// Closes the innermost element of this name, and those inside of it that nobody closed.
    fn close(&mut self, name: &str) {
        if let Some(at) = self.names.iter().rposition(|open| open == name) {
            while self.names.len() > at {
                self.close_last();
            }
        }
    }

    fn close_last(&mut self) {
        let depth = self.names.len();
        self.names.pop();
        if let Some((field, _, text)) = self.field.take_if(|(_, at, _)| *at >= depth) {
            self.keep(field, text);
        }
        if self.item.as_ref().is_some_and(|(at, _)| *at >= depth) {
            self.end_item();
        }
    }

    fn end_item(&mut self) {
        if let Some((field, _, text)) = self.field.take() {
            self.keep(field, text);
        }
        if let Some((_, raw)) = self.item.take()
            && let Some(item) = raw.item(self.base)
        {
            self.feed.items.push(item);
        }
    }

    fn keep(&mut self, field: Field, text: String) {
        match field {
            Field::FeedTitle => {
                self.feed.title = self.feed.title.take().or_else(|| some(plain(&text, TITLE_CHARS_MAX)));
                return;
            }
            Field::FeedDescription => {
                self.feed.description =
                    self.feed.description.take().or_else(|| some(plain(&text, SUMMARY_CHARS_MAX)));
                return;
            }
            Field::FeedLink => {
                self.feed.link = self.feed.link.take().or_else(|| address(&text, self.base));
                return;
            }
            Field::Ttl => {
                let minutes = text.trim().parse::<u32>().ok();
                self.feed.rest = minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
                return;
            }
            _ => {}
        }
        let Some((_, item)) = &mut self.item else { return };
        let slot = match field {
            Field::Id => &mut item.id,
            Field::Link => &mut item.link,
            Field::Title => &mut item.title,
            Field::Summary => &mut item.summary,
            Field::Content => &mut item.content,
            Field::Author => &mut item.author,
            Field::Published => &mut item.published,
            Field::Updated => &mut item.updated,
            Field::Category => {
                if item.categories.len() < CATEGORIES_MAX {
                    item.categories.push(text);
                }
                return;
            }
            Field::FeedTitle | Field::FeedLink | Field::FeedDescription | Field::Ttl => return,
        };
        // The first one counts; an empty one is none.
        if slot.trim().is_empty() {
            *slot = text;
        }
    }
}

/// What an element of an item says: in its text, or at once in its attributes.
fn field_of_item(name: &str, parent: &str, attributes: &str, item: &mut Raw) -> Option<Field> {
    Some(match name {
        "name" if parent == "author" => Field::Author,
        _ if parent == "author" => return None,
        "guid" | "id" => Field::Id,
        "title" => Field::Title,
        "link" => match attribute(attributes, "href") {
            Some(href) => {
                let page = matches!(attribute(attributes, "rel").as_deref(), None | Some("alternate"));
                if page && item.link.is_empty() {
                    item.link = href;
                }
                return None;
            }
            None => Field::Link,
        },
        "description" | "summary" => Field::Summary,
        "content:encoded" | "content" => Field::Content,
        // In Atom, an author is an element of its own; in RSS it is a text, often an address of mail.
        "author" | "dc:creator" | "itunes:author" => Field::Author,
        "pubdate" | "published" | "issued" | "dc:date" | "created" | "dcterms:created" => Field::Published,
        "updated" | "modified" | "dcterms:modified" => Field::Updated,
        "category" | "dc:subject" => match attribute(attributes, "term") {
            Some(term) => {
                if item.categories.len() < CATEGORIES_MAX {
                    item.categories.push(attribute(attributes, "label").unwrap_or(term));
                }
                return None;
            }
            None => Field::Category,
        },
        "enclosure" | "media:content" | "media:thumbnail" | "itunes:image" => {
            let kind = attribute(attributes, "type").or_else(|| attribute(attributes, "medium"));
            let is_image = match name {
                "media:thumbnail" | "itunes:image" => true,
                _ => kind.is_some_and(|kind| kind.starts_with("image")),
            };
            if is_image && item.image.is_empty() {
                let url = attribute(attributes, "url").or_else(|| attribute(attributes, "href"));
                item.image = url.unwrap_or_default();
            }
            return None;
        }
        _ => return None,
    })
}
