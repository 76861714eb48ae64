//! Signing in: tokens, sessions, passwords, one-time codes, names, and the mail that carries codes.
//!
//! A session is a link from a profile to a device. Must never learn: HTTP, which method is called.
//!
//! Reading order: [`tokens`] (what a client holds), [`session`] (what the link holds, and when a token is
//! good), [`bearer`] (from a request's token to a person), [`credential`] and [`claim`] (names),
//! [`policy`] (what the app allows), [`password`] with [`argon2_pool`], [`code`], [`mail`] with
//! [`message`], [`outbox`] and [`smtp`].

pub mod argon2_pool;
pub mod bearer;
pub mod claim;
pub mod code;
pub mod credential;
pub mod id_token;
pub mod mail;
pub mod message;
pub mod outbox;
pub mod password;
pub mod policy;
pub mod provider_keys;
pub mod provider_settings;
pub mod session;
pub mod smtp;
pub mod tokens;
