//! Changing a group: what it is called, and who may write.

use gomer_core::id::Root;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::Deserialize;

use super::members::{ATTEMPTS, changed_meanwhile};
use super::open::TITLE_CHARS_MAX;
use super::seat::Seat;
use super::view::{Chat, ChatRole, TITLE, WRITERS, Writers};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{Patch, Text, Uuid};

/// What to change.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateChat {
    /// The chat; a group.
    id: Uuid,
    /// What it is called. Cannot be cleared.
    #[serde(default)]
    title: Patch<Text<1, TITLE_CHARS_MAX>>,
    /// Who may write. Cannot be cleared.
    #[serde(default)]
    writers: Patch<Writers>,
    /// Refuse if the chat is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Changes a group. Each field goes to its own latest edit.
pub async fn update(call: Call, args: UpdateChat) -> Result<Reply<Chat>, Stop> {
    let (me, id) = (call.me()?, args.id.0);
    let root = Root::chat(id);
    call.replay(root).await?;
    let cleared = |pointer: &'static str| Stop::invalid(pointer, "value", "This cannot be cleared.");
    let title = match args.title.change() {
        Some(None) => return Err(cleared("/title")),
        Some(Some(Text(title))) => Some(title),
        None => None,
    };
    let writers = match args.writers.change() {
        Some(None) => return Err(cleared("/writers")),
        Some(Some(writers)) => Some(writers),
        None => None,
    };
    let mut guarded = false;
    for _ in 0..ATTEMPTS {
        let seat = Seat::of(&call, &mut Reader::new(&call), me, id).await?;
        seat.at_least(ChatRole::Owner)?;
        let (before, _) = seat.chat(&call).await?;
        let guard = call.guard(id, &seat.node, args.if_rev, &before)?;
        guarded = guard.is_some();
        let mut attrs = Vec::new();
        attrs.extend(title.as_ref().map(|title| (TITLE.to_owned(), Some(json(title)))));
        attrs.extend(writers.map(|writers| (WRITERS.to_owned(), Some(json(&writers)))));
        attrs.retain(|(name, value)| seat.node.node.attr(name) != value.as_deref());
        if attrs.is_empty() && call.op.is_none() {
            let rev = before.rev;
            return Ok(Reply::new(before).rev(rev));
        }
        let after = Chat {
            title: title.clone().or(before.title),
            writers: writers.unwrap_or(before.writers),
            rev: Rev::Pending,
            ..before
        };
        // From the state that was read, so that the reply is exact.
        let mut write = call
            .on(root)
            .when(guard.unwrap_or(Precondition::NodeRev(id, seat.node.node.rev)))
            .op(Operation::PatchNode { id, attrs, edited: None });
        write.pre.extend(seat.still());
        match call.write(write, after).await {
            Err(stop) if changed_meanwhile(&stop) => {}
            done => return done,
        }
    }
    Err(Problem::new(if guarded { Code::StaleRevision } else { Code::Busy }).retry_after(1).into())
}
