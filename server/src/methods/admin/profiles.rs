//! The people of the app, as its administrators see them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::methods::profile::directory_page;
use crate::methods::profile::view::Profile;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, Page};

/// Which people.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListProfiles {
    /// Only those who are banned, or only those who are not.
    banned: Option<bool>,
    /// Only private profiles, or only those that are not.
    private: Option<bool>,
    /// How many are looked at for one page; a filter leaves fewer.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Lists them.
pub async fn list(call: Call, args: ListProfiles) -> Result<Reply<Page<Profile>>, Stop> {
    let mut page = directory_page(&call, "admin.listProfiles", args.cursor, args.limit.0).await?;
    page.items.retain(|profile| {
        args.banned.is_none_or(|banned| profile.banned == banned)
            && args.private.is_none_or(|private| profile.private == private)
    });
    Ok(Reply::new(page))
}
