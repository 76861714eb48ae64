//! Saying that one writes something: a signal, see [`crate::signals`].

use std::time::Duration;

use gomer_core::id::Root;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seat::Seat;
use crate::methods::post::hydrate::Reader;
use crate::methods::sync::scopes::SMALL_CHAT_MEMBERS;
use crate::registry::{Call, Reply, Stop};
use crate::signals::Kind;
use crate::types::{Timestamp, Uuid};

/// How long it holds. A phone says it again while its person goes on.
const LIFE: Duration = Duration::from_secs(5);

/// What I do in a chat.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetTyping {
    /// The chat.
    chat: Uuid,
    /// Whether I am writing something; yes, if absent.
    #[serde(default = "yes")]
    typing: bool,
}

fn yes() -> bool {
    true
}

/// What I said.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// The chat.
    chat: Uuid,
    /// Whether I am writing something.
    typing: bool,
    /// Until when that holds.
    until: Timestamp,
}

/// Says it to the members who are connected, as long as the chat is so small that this is worth it.
pub async fn set(call: Call, args: SetTyping) -> Result<Reply<Typing>, Stop> {
    let me = call.me()?;
    let seat = Seat::of(&call, &mut Reader::new(&call), me, args.chat.0).await?;
    if !seat.may_write() {
        return Err(Stop::forbidden("Only owners and moderators write in this chat."));
    }
    let now = call.cluster.now();
    if seat.chat(&call).await?.0.member_count <= SMALL_CHAT_MEMBERS {
        let state = if args.typing { "active" } else { "idle" };
        call.host.signals.put(call.app.id, Root::chat(seat.id), now, (Kind::Typing, me), state, LIFE);
    }
    Ok(Reply::new(Typing { chat: args.chat, typing: args.typing, until: Timestamp(now.wall + LIFE) }))
}
