//! What the fuzz targets check, as ordinary functions: any bytes go in, and a panic is a bug.
//!
//! `tests/tests/seeds.rs` includes these files, too, and runs every input under `fuzz/seeds/` through
//! them on stable. So an input that once crashed becomes a test by being put there.

pub mod frame;
pub mod json;
pub mod key;
pub mod request;
pub mod row;
pub mod text;

/// A check: returns for any input, or panics.
pub type Check = fn(&[u8]);

/// Every check by the name of its target.
pub const CHECKS: &[(&str, Check)] = &[
    ("frame", frame::check),
    ("json", json::check),
    ("key", key::check),
    ("request", request::check),
    ("row", row::check),
    ("text", text::check),
];
