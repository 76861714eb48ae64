//! The test kit: the release binary as a process, a small HTTP client, assertions over JSON, and waiting.
//!
//! For tests that look at Gomer from outside, as phones and scripts do. It depends on nothing but
//! serde_json, because `cargo verify` is built with it.
//!
//! Must never learn: anything about the inside of a server. What it cannot see over HTTP, in files of
//! the data directory or by signals, is not its business.

pub mod api;
pub mod dir;
pub mod events;
pub mod http;
pub mod json;
pub mod process;
pub mod smtp;
pub mod wait;

pub use api::Api;
pub use dir::Dir;
pub use http::{Http, Reply};
pub use process::Gomer;
pub use smtp::SmtpStub;
pub use wait::{wait_for, wait_until};
