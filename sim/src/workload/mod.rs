//! What people do, as plain data: drawn into the plan before a run, so that a plan can be made smaller by leaving
//! things out. A person acts in two ways: on the phone, which works offline and sends when it can, and by plain
//! calls of the API, which wait for their answers.
//!
//! Reading order: here (what can be done).
//!
//! Must never learn: how calls travel. Who carries them is given in.

use serde::{Deserialize, Serialize};

use crate::history::Mischief;

/// One thing that somebody does at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// When, in milliseconds since the hurting began.
    pub at_ms: u64,
    /// Who.
    pub person: u32,
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
    /// Which one of those that there are by then, modulo their number.
    #[serde(default)]
    pub pick: u64,
}

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Writes a post on the phone.
    Post,
    /// Edits one of their posts on the phone.
    Edit,
    /// Likes a post on the phone.
    Like,
    /// The phone loses its connection.
    Offline,
    /// It has one again.
    Online,
    /// Calls the API without the phone. Each person has one call under way at a time.
    Call(Call),
}

/// A plain call. Posts that are made by calls are changed by calls alone, so that only the server decides what
/// comes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Call {
    /// Publishes.
    Publish(Audience),
    /// Edits a post of one's own.
    Change,
    /// The same, if it is at the revision that was last seen.
    ChangeIf,
    /// Reads a post.
    Read,
    /// Deletes a post of one's own.
    Delete,
    /// Likes a post.
    Like,
    /// Takes that back.
    Unlike,
    /// Follows somebody.
    Follow,
    /// Stops it.
    Unfollow,
    /// Blocks somebody.
    Block,
    /// Lifts it.
    Unblock,
    /// Reads the newest of the home timeline.
    Home,
    /// Reads the posts of somebody.
    Posts,
    /// Does something that must be refused.
    Mischief(Mischief),
}

/// Who may read a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// Everybody.
    Public,
    /// Those who follow its author.
    Followers,
    /// Its author.
    OnlyMe,
}

impl Audience {
    /// As the API has it.
    pub fn name(self) -> &'static str {
        match self {
            Audience::Public => "public",
            Audience::Followers => "followers",
            Audience::OnlyMe => "onlyMe",
        }
    }
}

/// What every value that is written in an app has, and no other.
pub fn app_mark(app: &str) -> String {
    format!("«{app}»")
}
