//! What others publish, as they publish it: RSS, Atom and JSON Feed, and the heads of pages. Bytes in, plain values out.
//!
//! Everything here is hostile. There is no recursion, nothing is ever expanded by a definition that comes along
//! (entities are those of HTML and no others), the work is linear in the bytes, and what is kept has bounds. What is not
//! well formed is read as far as it goes: much of what is published is not.
//!
//! Reading order: [`markup`], [`charset`], [`date`], [`xml`], [`json`], [`head`].
//!
//! Must never learn: where bytes come from, and what becomes of what was read.

pub mod charset;
pub mod date;
pub mod head;
pub mod json;
pub mod markup;
pub mod xml;

use std::time::Duration;

use gomer_core::time::Time;

use crate::outside::place::Place;

/// Items that are read of one feed: its first ones, which are its newest.
pub const ITEMS_MAX: usize = 100;
/// Most characters of a title.
const TITLE_CHARS_MAX: usize = 300;
/// Most characters of a summary.
const SUMMARY_CHARS_MAX: usize = 2_000;
/// Most characters of a name: an author, a category.
const NAME_CHARS_MAX: usize = 100;
/// Categories that are kept of an item.
const CATEGORIES_MAX: usize = 16;
/// Longest address that is kept.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// A feed as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feed {
    /// What it is called.
    pub title: Option<String>,
    /// The page that it belongs to.
    pub link: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// How often it asks to be read at most.
    pub rest: Option<Duration>,
    /// Its items in its own order, at most [`ITEMS_MAX`].
    pub items: Vec<Item>,
}

/// An item of a feed. All texts are plain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// What the feed knows it by; never empty.
    pub key: String,
    /// Its page.
    pub link: Option<String>,
    /// Its title; may be empty.
    pub title: String,
    /// What it says, shortened.
    pub summary: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// A picture of it.
    pub image: Option<String>,
    /// When it was published, as it claims.
    pub published: Option<Time>,
    /// What it is about.
    pub categories: Vec<String>,
}

/// Why bytes are no feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFeed {
    /// They are something else.
    Foreign,
    /// They begin like a feed and have nothing that could be read.
    Broken,
}

impl NoFeed {
    /// In words.
    pub fn why(self) -> &'static str {
        match self {
            NoFeed::Foreign => "it is neither RSS nor Atom nor JSON Feed",
            NoFeed::Broken => "it is a feed that cannot be read",
        }
    }
}

/// Reads a feed of any kind. `content_type` is what HTTP says, `base` where it came from.
pub fn read(bytes: &[u8], content_type: Option<&str>, base: &Place) -> Result<Feed, NoFeed> {
    let text = charset::decode(bytes, content_type);
    let begin = text.trim_start();
    let feed = if begin.starts_with('{') { json::read(begin, base)? } else { xml::read(begin, base)? };
    Ok(feed)
}

/// An item from raw texts, or nothing if there is nothing to show or to know it by.
#[derive(Debug, Default)]
struct Raw {
    id: String,
    link: String,
    title: String,
    summary: String,
    content: String,
    author: String,
    image: String,
    published: String,
    updated: String,
    categories: Vec<String>,
}

impl Raw {
    fn item(self, base: &Place) -> Option<Item> {
        let title = plain(&self.title, TITLE_CHARS_MAX);
        let text = if self.summary.trim().is_empty() { &self.content } else { &self.summary };
        let summary = some(plain(text, SUMMARY_CHARS_MAX));
        let id = self.id.trim();
        let link = address(&self.link, base).or_else(|| address(id, base).filter(|_| id.starts_with("http")));
        if title.is_empty() && summary.is_none() && link.is_none() {
            return None;
        }
        let key =
            [id, link.as_deref().unwrap_or_default(), title.as_str(), summary.as_deref().unwrap_or_default()];
        let key = key.into_iter().find(|key| !key.is_empty())?.chars().take(ADDRESS_BYTES_MAX).collect();
        let mut categories: Vec<String> = Vec::new();
        for category in &self.categories {
            let category = plain(category, NAME_CHARS_MAX);
            if !category.is_empty() && !categories.contains(&category) && categories.len() < CATEGORIES_MAX {
                categories.push(category);
            }
        }
        Some(Item {
            key,
            link,
            title,
            summary,
            author: some(plain(&self.author, NAME_CHARS_MAX)),
            image: address(&self.image, base),
            published: date::read(&self.published).or_else(|| date::read(&self.updated)),
            categories,
        })
    }
}

/// Text without markup, its white space folded, cut at so many characters.
fn plain(text: &str, chars_max: usize) -> String {
    markup::plain(text, chars_max)
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// An absolute address of the web, or nothing.
fn address(text: &str, base: &Place) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    base.join(text).ok().map(|place| place.as_str().to_owned()).filter(|text| text.len() <= ADDRESS_BYTES_MAX)
}

#[cfg(test)]
mod tests;
