//! The product: RPC methods, sign-in, stores, settings and the command line, as a library.

pub mod app_settings;
pub mod store;
