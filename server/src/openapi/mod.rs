//! What is generated from the declarations: the OpenAPI 3.1 document, the reference chapter of the book, and the types
//! of the TypeScript client.
//! The same program always gives the same bytes.
//!
//! Must never learn: a running server.

mod document;
mod reference;
mod schemas;
mod typescript;

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

/// The types of this program's methods, as declarations in TypeScript.
pub fn typescript() -> String {
    typescript::types(&Registry::new(crate::methods::all()))
}

/// The reference chapter of this program, as Markdown.
pub fn reference() -> String {
    reference::reference(&Registry::new(crate::methods::all()))
}
