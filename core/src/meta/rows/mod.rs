//! Rows of the metadata: one kind per file. All live in the partition [`META`](crate::ring::partition::META).
//!
//! | kind | key after `partition, kind` | value |
//! |---|---|---|
//! | [`app`] | app | name, title, state, secret |
//! | [`app`] by name | name | app |
//! | [`app`] by id | the id it was created with | app |
//! | [`settings`] | app, revision | the settings as they were from then on |
//! | [`key`] | app, id | what it may do, hash of its secret |
//! | [`role`] | app, name | methods |
//! | [`types`] | app, name | number, declaration |
//! | [`operator`] | – | hash of the operator's token |
//! | [`config`] | – | the settings of the cluster |
//! | [`counter`] | counter, app | the last number that was given out |
//! | [`touched`] | position | the app whose last change it was |
//! | [`members`] | – | revision, generation, staged changes, what happened last |
//! | [`members`] by id | member | name, zone, weight, state |
//! | [`members`] holders | partition | who holds it, and who should |
//!
//! Must never learn: what a setting or a declaration means.

pub mod app;
pub mod config;
pub mod counter;
pub mod key;
pub mod members;
pub mod named;
pub mod operator;
pub mod role;
pub mod settings;
pub mod touched;
pub mod types;
