//! Taking content down, and putting it back. It is a mark, not a deletion: nobody sees it but its author, who is told
//! why, and moderators.

use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log::{Action, Decision, Log};
use super::{ATTEMPTS, busy, outranks, root, root_of, settled, was_overtaken};
use crate::methods::permission::check::{Object, ObjectKind};
use crate::methods::post::view::{REMOVAL, Removal, json};
use crate::model::POST;
use crate::registry::{Call, NodeView, Reply, Stop};
use crate::types::{Text, Timestamp};

/// What to take down.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveContent {
    /// A post.
    object: Object,
    /// Why. Its author reads this.
    reason: Text<1, 500>,
}

/// What to put back.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreContent {
    /// A post.
    object: Object,
    /// Why, for the log.
    reason: Option<Text<1, 500>>,
}

/// Whether content is down.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentState {
    /// The content.
    object: Object,
    /// Whether it is taken down.
    removed: bool,
}

/// Takes it down.
pub async fn remove(call: Call, args: RemoveContent) -> Result<Reply<ContentState>, Stop> {
    call.replay(root()).await?;
    change(&call, args.object, Some(args.reason.0), true).await
}

/// Puts it back.
pub async fn restore(call: Call, args: RestoreContent) -> Result<Reply<ContentState>, Stop> {
    call.replay(root()).await?;
    change(&call, args.object, args.reason.map(|reason| reason.0), false).await
}

async fn change(
    call: &Call,
    object: Object,
    reason: Option<String>,
    removed: bool,
) -> Result<Reply<ContentState>, Stop> {
    let node = content(call, object).await?;
    outranks(call, node.node.author).await?;
    let reply = || ContentState { object, removed };
    if node.flags.has(Flags::REMOVED) == removed && call.op.is_none() {
        return Ok(Reply::new(reply()));
    }
    let (set, clear) =
        if removed { (Flags::REMOVED, Flags::default()) } else { (Flags::default(), Flags::REMOVED) };
    let removal = removed
        .then(|| json(&Removal { reason: reason.clone().unwrap_or_default(), at: Timestamp(call.now.wall) }));
    let id = object.id.0;
    let ops = vec![
        Operation::FlagNode { id, set, clear },
        Operation::PatchNode { id, attrs: vec![(REMOVAL.to_owned(), removal)], edited: None },
    ];
    let step = Step::to(root_of(object), ops).when(Precondition::NodePresent(id));
    let action = if removed { Action::Removed } else { Action::Restored };
    for _ in 0..ATTEMPTS {
        let mut log = Log::open(call).await?;
        log.add(call, Decision { object: Some(object), reason: reason.clone(), ..Decision::new(action) });
        match call.write(log.on(call.on(root()).step(step.clone())), reply()).await {
            Err(stop) if was_overtaken(&stop) => {}
            Err(stop) => return Err(stop),
            Ok(done) => {
                settled(call, root_of(object), Flags::REMOVED, removed).await?;
                return Ok(done);
            }
        }
    }
    Err(busy())
}

/// The content, whoever may see it. 404 if there is none.
async fn content(call: &Call, object: Object) -> Result<NodeView, Stop> {
    match object.kind {
        ObjectKind::Profile => {
            Err(Stop::invalid("/object/kind", "value", "A profile is banned, not taken down."))
        }
        ObjectKind::Post => {
            let node = call.node(root_of(object), object.id.0).await?;
            node.filter(|view| view.node.ty == POST).ok_or_else(Stop::not_found)
        }
    }
}
