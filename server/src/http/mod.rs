//! The API over HTTP: from a request's bytes to a [`Call`], and from what a handler gives back to a
//! response, as the contract has it.
//!
//! * `/v1/{app}/{method}` and `/v1/-/{method}`; GET (or HEAD) and POST for queries, POST for procedures. Any
//!   other HTTP method is 400 `bad-request` with `Allow`: the contract has no 405.
//! * `/healthz`, `/readyz` on both listeners; `/metrics` and what is the operator's on the admin listener.
//!
//! Must never learn: what a method does.
//!
//! Reading order: [`api`] (one request), `target` (paths), `identity` (who asks), `conditions` (headers
//! that ask for something), `render` (responses), `refusals` (what the front answers by itself), `cors`, `probes`.

pub mod api;
mod conditions;
mod cors;
mod identity;
mod media;
mod now_and_then;
mod probes;
pub(crate) mod refusals;
mod render;
mod target;

pub use api::{Api, Side};
