//! Taking a handle: the new one is reserved first, used in the profile's write, and the old one is freed after.

use gomer_core::id::Root;
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{HANDLE, Profile, counts};
use crate::auth::claim::{ATTEMPTS_MAX, Wanted, release};
use crate::auth::credential::{Credential, HANDLE_CLAIM};
use crate::auth::policy::may_take;
use crate::names::Handle;
use crate::problem::Code;
use crate::registry::{Call, Reply, Rev, Stop};

/// Which handle.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetHandle {
    /// The handle, as it is to be shown.
    handle: Handle,
    /// Only if the profile has this revision.
    if_rev: Option<Rev>,
}

pub async fn set(call: Call, args: SetHandle) -> Result<Reply<Profile>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    for attempt in 0..ATTEMPTS_MAX {
        let view = call.node(root, me).await?.ok_or_else(Stop::not_found)?;
        let now = Profile::read(&call, me, &view.node, view.rev);
        let guard = call.guard(me, &view, args.if_rev, &now)?;
        let (mut credential, stored) = Credential::load(&call, me).await?.ok_or_else(Stop::not_found)?;

        let shown = Some(format!("\"{}\"", args.handle.as_str()));
        let show = Operation::PatchNode { id: me, attrs: vec![(HANDLE.to_owned(), shown)], edited: None };
        let mut write = call.on(root).when(Credential::unchanged(me, &stored));
        write.pre.extend(guard);
        let held = credential.handle.take();
        match held {
            // Another spelling of the same handle, or the very same.
            Some((old, claim)) if old.root() == args.handle.root() => {
                credential.handle = Some((args.handle.clone(), claim));
            }
            _ => {
                may_take(&call, &args.handle)?;
                let wanted = Wanted {
                    name: args.handle.root(),
                    before: held.as_ref().map(|(_, claim)| *claim),
                    node: None,
                    attr: HANDLE_CLAIM,
                    pointer: "/handle",
                };
                let claim = wanted.reserve(&call, me, attempt).await?;
                credential.handle = Some((args.handle.clone(), claim));
                write = write.when(Wanted::usable(claim)).step(wanted.confirm(me, claim));
                if let Some((old, claim)) = held {
                    write = write.step(release(old.root(), me, claim));
                }
            }
        }
        write = write.op(show).op(credential.put(me));

        let mut profile = Profile { handle: Some(args.handle.as_str().to_owned()), rev: Rev::Pending, ..now };
        profile.counts = counts(&call, me).await?;
        match call.write(write, profile).await {
            // The reservation was asked about in between and refused, or something changed: look again.
            Err(stop) if matches!(stop.code(), Some(Code::NameTaken | Code::StaleRevision)) => {}
            done => return done,
        }
    }
    Err(Code::InProgress.into())
}
