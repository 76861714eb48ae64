//! `hook`: an app's own servers are told what happens. Reading order: `event` (what is told, and to whom), `keep` (which
//! hooks there are), `sign`, `deliver` (the work that nobody calls for), `health` (how it goes), `read` (the same
//! events, fetched).
//!
//! Must never learn: where rows are, how a request leaves the process.

pub mod deliver;
mod event;
mod health;
mod keep;
mod read;
mod sign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use deliver::Deliveries;

use crate::problem::Code;
use crate::registry::{Idempotency, Method, Role};

/// What hooks of an app may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HookSettings {
    /// Whether they may be at addresses that begin with `http://`, where everybody on the way can read along.
    pub allow_http: bool,
    /// Whether they may be told of chats and messages, if they ask.
    pub allow_chats: bool,
}

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("hook.create", keep::create)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .emits(&["hook.created"])
            .errors(&[Code::Forbidden, Code::IdTaken, Code::TooLarge])
            .about(
                "Sends events that happen from now on to an address, signed as Standard Webhooks says. The secret is in the \
                 first reply only, never in a repeated one.",
            ),
        Method::procedure("hook.delete", keep::delete)
            .role(Role::AppAdmin)
            .emits(&["hook.deleted"])
            .errors(&[Code::NotFound])
            .about("Removes a hook for ever. What is under way to it may still arrive."),
        Method::query("hook.list", keep::list)
            .role(Role::AppAdmin)
            .about("Lists the app's hooks, with how their deliveries go, never their secrets."),
        Method::query("hook.readEvents", read::read_events)
            .role(Role::AppAdmin)
            .errors(&[Code::CursorInvalid, Code::CursorExpired])
            .about(
                "Reads what happened in the app since a cursor: the events that hooks are sent, in order within each slice of \
                 the data. Without a cursor everything that there is comes first.",
            ),
    ]
}
