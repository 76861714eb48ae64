//! The product: RPC methods, sign-in, stores, settings and the command line, as a library.
//!
//! Reading order: [`registry`] (what a method is), [`methods`] (which there are), [`problem`], [`types`],
//! [`host`], [`limits`], [`http`], [`store`].

pub mod app_settings;
pub mod audit;
pub mod auth;
pub mod blob;
pub mod cursor;
pub mod feeds;
pub mod first_start;
pub mod followers;
pub mod host;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod meta_calls;
pub mod methods;
pub mod metrics;
pub mod model;
pub mod names;
pub mod openapi;
pub mod outside;
pub mod problem;
pub mod push;
pub mod registry;
pub mod roles;
pub mod search;
pub mod secrets;
pub mod setting_shapes;
pub mod signals;
pub mod store;
#[cfg(test)]
mod testing;
pub mod types;
pub mod usage;
pub mod visibility;
