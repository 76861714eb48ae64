//! For whom something is.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Object, ObjectKind};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::publish::publish;
use crate::methods::post::view::{AUDIENCE, Audience, Post, json};
use crate::model::PROFILE;
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};

/// For whom something is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudienceView {
    /// What it is about.
    object: Object,
    /// For whom it is. A profile is for `public` or for `followers`, who are then asked for.
    audience: Audience,
    /// The object's revision.
    rev: Rev,
}

/// Which object.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetAudience {
    /// A post of mine, or my profile.
    object: Object,
}

/// Shows it.
pub async fn get(call: Call, args: GetAudience) -> Result<Reply<AudienceView>, Stop> {
    let me = call.me()?;
    let (_, view) = mine(&call, me, args.object).await?;
    Ok(Reply::new(view).rev(view.rev))
}

/// A new audience.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetAudience {
    /// A post of mine, or my profile.
    object: Object,
    /// For whom it is to be. A profile is for `public` or for `followers`.
    audience: Audience,
    /// Refuse if the object is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Sets it. Who could see the object and may not any more is no longer shown it; who may see it now finds it in
/// lists and timelines, as if it were new there.
pub async fn set(call: Call, args: SetAudience) -> Result<Reply<AudienceView>, Stop> {
    let me = call.me()?;
    let (object, id) = (args.object, args.object.id.0);
    let root = root_of(object);
    call.replay(root).await?;
    if object.kind == ObjectKind::Profile && args.audience == Audience::OnlyMe {
        return Err(Stop::invalid("/audience", "value", "A profile is for `public` or for `followers`."));
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (node, view) = mine(&call, me, object).await?;
        let guard = call.guard(id, &node, args.if_rev, &view)?;
        let guarded = guard.is_some();
        if view.audience == args.audience {
            return Ok(Reply::new(view).rev(view.rev));
        }
        // Without a guard of the caller's this is still one step from the state that was read: what follows from
        // it depends on where it was.
        let write = call.on(root).when(guard.unwrap_or(Precondition::NodeRev(id, node.node.rev)));
        let write = match object.kind {
            ObjectKind::Profile => {
                let private = args.audience != Audience::Public;
                let (set, clear) = if private {
                    (Flags::PRIVATE, Flags::default())
                } else {
                    (Flags::default(), Flags::PRIVATE)
                };
                write.op(Operation::FlagNode { id, set, clear })
            }
            ObjectKind::Post => {
                let attrs = vec![(AUDIENCE.to_owned(), Some(json(&args.audience)))];
                let mut write = write.op(Operation::PatchNode { id, attrs, edited: None });
                if width(args.audience) > width(view.audience) {
                    // Entries have the post's id: where it stands already, nothing changes.
                    let wider = Post { audience: args.audience, ..Post::read(id, &node) };
                    write.steps = publish(&wider, call.cluster.mint(), call.settings().retention);
                }
                // Where it must not stand any more, readers pass over it.
                write
            }
        };
        let after = AudienceView { object, audience: args.audience, rev: Rev::Pending };
        match call.write(write, after).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) && !guarded && attempt < ATTEMPTS => {}
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {
                let (_, now) = mine(&call, me, object).await?;
                return Err(Problem::new(Code::StaleRevision).current(now.rev, &now).into());
            }
            done => return done,
        }
    }
}

/// The object, if it is the caller's. 403 if it is somebody else's that the caller may see; else 404.
async fn mine(call: &Call, me: Id, object: Object) -> Result<(NodeView, AudienceView), Stop> {
    let id = object.id.0;
    let mut reader = Reader::new(call);
    let (node, audience, owner) = match object.kind {
        ObjectKind::Post => {
            let post = reader.post(id).await?.ok_or_else(Stop::not_found)?;
            let (audience, author) = (Post::read(id, &post).audience, post.author);
            (post, audience, author)
        }
        ObjectKind::Profile if reader.sees_profile(id).await? => {
            let node = call.node(Root::profile(id), id).await?.filter(|node| node.ty == PROFILE);
            let node = node.ok_or_else(Stop::not_found)?;
            let private = node.flags.has(Flags::PRIVATE);
            (node, if private { Audience::Followers } else { Audience::Public }, id)
        }
        ObjectKind::Profile => return Err(Stop::not_found()),
    };
    if owner != me {
        return Err(Stop::forbidden("Only its owner may do this."));
    }
    let view = AudienceView { object, audience, rev: node.rev };
    Ok((node, view))
}

fn root_of(object: Object) -> Root {
    match object.kind {
        ObjectKind::Post => Root::post(object.id.0),
        ObjectKind::Profile => Root::profile(object.id.0),
    }
}

/// How many may see it: more is wider.
fn width(audience: Audience) -> u8 {
    match audience {
        Audience::OnlyMe => 0,
        Audience::Followers => 1,
        Audience::Public => 2,
    }
}

/// How often a change that nobody guarded is tried again when others change the object at the same time.
const ATTEMPTS: usize = 4;
