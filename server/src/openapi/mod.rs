//! What is generated from the declarations: the OpenAPI 3.1 document, and the reference chapter of the book.
//! The same program always gives the same bytes.
//!
//! Must never learn: a running server.

mod document;
mod reference;
mod schemas;

use crate::registry::Registry;

/// The OpenAPI document of this program, as `gomer openapi` and `system.getOpenApi` give it.
pub fn document() -> String {
    document_of(&Registry::new(crate::methods::all()))
}

/// The OpenAPI document of these methods.
pub fn document_of(registry: &Registry) -> String {
    let mut text = serde_json::to_string_pretty(&document::document(registry)).expect("a JSON value is JSON");
    text.push('\n');
    text
}

/// The reference chapter of this program, as Markdown.
pub fn reference() -> String {
    reference::reference(&Registry::new(crate::methods::all()))
}
