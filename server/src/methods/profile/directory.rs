//! The directory of an app: a stream of who joined, in a root of its own. Guests are not in it.

use gomer_core::id::{Id, Order, Root, RootKind, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Step};
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{People, Profile};
use crate::model::{DIRECTORY, JOINED};
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, Page};

/// The step that enters a new profile.
pub fn joined(profile: Id) -> Step {
    let activity = Activity {
        actor: profile,
        verb: JOINED,
        object: Root::profile(profile),
        target: None,
        extra: String::new(),
    };
    let append = Operation::Append { stream: DIRECTORY, id: profile, section: Section::INTERNAL, activity };
    Step::to(root(), vec![append])
}

/// The step that takes somebody out who is no longer there.
pub fn left(profile: Id) -> Step {
    Step::to(root(), vec![Operation::Retract { stream: DIRECTORY, id: profile }])
}

fn root() -> Root {
    Root::new(RootKind::Feed, Id::derived("directory", b""))
}

/// A page of the directory.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListProfiles {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

pub async fn list(call: Call, args: ListProfiles) -> Result<Reply<Page<Profile>>, Stop> {
    Ok(Reply::new(page(&call, "profile.list", args.cursor, args.limit.0).await?))
}

/// Those on a page of the directory whom the caller may see, newest first. `list` names what the cursor is for.
pub async fn page(
    call: &Call,
    list: &str,
    cursor: Option<String>,
    limit: u32,
) -> Result<Page<Profile>, Stop> {
    let from: Option<Order> = call.open_cursor(list, cursor.as_deref())?;
    let (entries, end) = call.entry_page(root(), DIRECTORY, from, true, limit).await?;
    // The cursor is the place that was read, not the last one that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(list, &last.order)).or(cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.actor).collect();
    let items = People::new(call).profiles(&ids).await?.into_iter().flatten().collect();
    Ok(Page { items, cursor, end })
}
