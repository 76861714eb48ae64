//! JSON Feed, 1.0 and 1.1.

use serde::Deserialize;

use super::{
    Feed, ITEMS_MAX, NAME_CHARS_MAX, NoFeed, Raw, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, address, plain, some,
};
use crate::outside::place::Place;

#[derive(Deserialize)]
struct Document {
    version: String,
    title: Option<String>,
    home_page_url: Option<String>,
    description: Option<String>,
    items: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    id: serde_json::Value,
    url: Option<String>,
    external_url: Option<String>,
    title: Option<String>,
    summary: Option<String>,
    content_text: Option<String>,
    content_html: Option<String>,
    image: Option<String>,
    banner_image: Option<String>,
    date_published: Option<String>,
    date_modified: Option<String>,
    author: Option<Author>,
    #[serde(default)]
    authors: Vec<Author>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
}

/// Reads a feed from a text. An item that is not as it should be is left out.
pub fn read(text: &str, base: &Place) -> Result<Feed, NoFeed> {
    let document: Document = serde_json::from_str(text).map_err(|_| NoFeed::Foreign)?;
    if !document.version.contains("jsonfeed.org/version/") {
        return Err(NoFeed::Foreign);
    }
    let items = document.items.into_iter().take(ITEMS_MAX).filter_map(|item| {
        let entry: Entry = serde_json::from_value(item).ok()?;
        raw(entry).item(base)
    });
    Ok(Feed {
        title: some(plain(&document.title.unwrap_or_default(), TITLE_CHARS_MAX)),
        link: address(&document.home_page_url.unwrap_or_default(), base),
        description: some(plain(&document.description.unwrap_or_default(), SUMMARY_CHARS_MAX)),
        rest: None,
        items: items.collect(),
    })
}

fn raw(entry: Entry) -> Raw {
    // The standard asks readers to take numbers as well.
    let id = match entry.id {
        serde_json::Value::String(id) => id,
        serde_json::Value::Number(id) => id.to_string(),
        _ => String::new(),
    };
    let names = entry.authors.into_iter().chain(entry.author).filter_map(|author| author.name);
    Raw {
        id,
        link: entry.url.or(entry.external_url).unwrap_or_default(),
        title: entry.title.unwrap_or_default(),
        summary: entry.summary.unwrap_or_default(),
        content: entry.content_html.or(entry.content_text).unwrap_or_default(),
        author: names.take(4).map(|name| plain(&name, NAME_CHARS_MAX)).collect::<Vec<_>>().join(", "),
        image: entry.image.or(entry.banner_image).unwrap_or_default(),
        published: entry.date_published.unwrap_or_default(),
        updated: entry.date_modified.unwrap_or_default(),
        categories: entry.tags,
    }
}
