//! What clients do, as plain data: drawn into the plan before a run, ids and all, so that a plan can be made
//! smaller by leaving calls out.
//!
//! Reading order: here (what can be done).
//!
//! Must never learn: how calls travel. Who carries them is given in.

use serde::{Deserialize, Serialize};

/// Something that a plain client of the API does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deed {
    /// When, in milliseconds since the hurting began.
    pub at_ms: u64,
    /// Which client. Each does its deeds in order, the next when the one before is over.
    pub client: u32,
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
    /// Sent so many times, with the same operation id, at once or after one another.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeat: u8,
    /// The reply is not waited for: its outcome is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lose_reply: bool,
}

/// What clients do. People, posts and names go by number; their ids follow from the run's seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the variants are documented; fields are numbers of people, posts and names")]
pub enum Act {
    /// Publishes.
    Post { post: u32, audience: Audience },
    /// Edits a post; with the revision that it last saw, or without any.
    Edit { post: u32, if_rev: bool },
    /// Reads a post.
    Read { post: u32 },
    /// Deletes a post.
    Delete { post: u32 },
    /// Likes a post.
    Like { post: u32 },
    /// Takes it back.
    Unlike { post: u32 },
    /// Follows somebody.
    Follow { person: u32 },
    /// Stops it.
    Unfollow { person: u32 },
    /// Blocks somebody.
    Block { person: u32 },
    /// Lifts it.
    Unblock { person: u32 },
    /// Takes a handle.
    TakeHandle { name: u32 },
    /// Looks a handle up.
    FindHandle { name: u32 },
    /// Reads the home timeline to its end, in pages of this size.
    Home { limit: u32 },
    /// Reads the posts of somebody.
    Posts { person: u32 },
    /// Pulls to the end, in pages of this size; from the start, or from an old cursor, if told to.
    Pull { limit: u32, from: From },
    /// Exchanges the refresh token.
    Refresh,
    /// Listens to changes for so long.
    Listen { millis: u32 },
    /// Does something that must be refused.
    Mischief(crate::history::Mischief),
}

/// Who may read a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// Everybody.
    Public,
    /// Those who follow its author.
    Followers,
    /// Its author.
    OnlyMe,
}

/// Where a pull begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum From {
    /// Where the last page ended.
    Last,
    /// At some earlier cursor: what came after it comes again.
    Old,
    /// At the start.
    Start,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// A value that nobody else writes: app, client and number.
pub fn value(app: &str, client: u32, number: u32) -> String {
    format!("{} c{client} n{number}", app_mark(app))
}

/// What every value that is written in an app has, and no other.
pub fn app_mark(app: &str) -> String {
    format!("«{app}»")
}
