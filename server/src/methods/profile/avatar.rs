//! The pictures of a profile: which finished upload is shown.

use gomer_core::id::Root;
use gomer_core::rows::node::{Attr, Stamp};
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{Profile, counts};
use crate::methods::media::references::{Attached, Place, claim, release};
use crate::methods::media::seen::{AVATAR, COVER};
use crate::methods::post::view::{json, read};
use crate::problem::Code;
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{Patch, Uuid};

/// Which picture.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetAvatar {
    /// A finished upload of one's own that is a picture; `null` for none.
    #[serde(default)]
    media: Patch<Uuid>,
    /// Which place it is for.
    #[serde(default)]
    slot: Slot,
    /// Only if the profile has this revision.
    if_rev: Option<Rev>,
}

/// A place for a picture.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Slot {
    /// The person.
    #[default]
    Avatar,
    /// Behind the profile.
    Cover,
}

/// How often it is tried again when another device changes the same.
const ATTEMPTS: usize = 4;

pub async fn set(call: Call, args: SetAvatar) -> Result<Reply<Profile>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let wanted = args
        .media
        .change()
        .ok_or_else(|| Stop::invalid("/media", "missing", "Say which upload, or `null` for no picture."))?;
    let (name, place) = match args.slot {
        Slot::Avatar => (AVATAR, Place::Avatar(Uuid(me))),
        Slot::Cover => (COVER, Place::Cover(Uuid(me))),
    };
    let mut claimed: Option<Attached> = None;
    for _ in 0..ATTEMPTS {
        let view = call.node(root, me).await?.ok_or_else(Stop::not_found)?;
        let before = Profile::read(&call, me, &view.node, view.rev);
        let guard = call.guard(me, &view, args.if_rev, &before)?;
        let old: Option<Attached> = read(&view, name);
        if old.as_ref().map(|old| old.id) == wanted && call.op.is_none() {
            return Ok(Reply::new(Profile { counts: counts(&call, me).await?, ..before }).rev(view.rev));
        }
        if let (Some(id), None) = (wanted, &claimed) {
            let mut one = claim(&call, me, &[id], place, |_| "/media".to_owned()).await?;
            claimed = one.pop().filter(|one| one.facts.is_image());
            if claimed.is_none() {
                return Err(Stop::invalid("/media", "value", "This upload is no picture."));
            }
        }
        let new = claimed.as_ref().map(json);
        let mut write = call
            .on(root)
            // The reference that is taken away is that of what was there.
            .when(Precondition::AttrIs(me, name.to_owned(), view.attr(name).map(str::to_owned)))
            .op(Operation::PatchNode { id: me, attrs: vec![(name.to_owned(), new.clone())], edited: None });
        write.pre.extend(guard);
        write.steps.extend(old.map(|old| release(&call, &old, place)));
        let mut node = view.node.clone();
        node.attrs.insert(name.to_owned(), Attr { json: new, stamp: Stamp::default() });
        let mut profile = Profile::read(&call, me, &node, Rev::Pending);
        profile.counts = counts(&call, me).await?;
        match call.write(write, profile).await {
            Err(stop)
                if stop.code() == Some(Code::StaleRevision) && args.if_rev.or(call.if_match).is_none() => {}
            done => return done,
        }
    }
    Err(Code::Busy.into())
}
