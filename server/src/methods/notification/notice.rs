//! What somebody is told of, and the steps that tell it.
//!
//! A notice is an entry of a stream in the reader's root. Its id follows from what happened, so that the same thing is told
//! once, however often its step comes and however often it is done and undone. Whether its reader may see what it is about
//! is asked when it is read.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Precondition, STEP_ROOTS_MAX, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::push::bell;
use crate::model::{BLOCKS, NOTIFICATIONS};

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Somebody follows me.
    Follow,
    /// Somebody asks to follow me.
    FollowRequest,
    /// Somebody lets me follow them.
    FollowAccepted,
    /// Somebody likes a post of mine.
    Like,
    /// Somebody replies to a post or a reply of mine.
    Reply,
    /// Somebody mentions me in a post or a reply.
    Mention,
    /// Somebody added me to a chat.
    ChatInvite,
}

impl Kind {
    /// All kinds, in the order in which preferences show them.
    pub const ALL: [Kind; 7] = [
        Kind::Follow,
        Kind::FollowRequest,
        Kind::FollowAccepted,
        Kind::Like,
        Kind::Reply,
        Kind::Mention,
        Kind::ChatInvite,
    ];

    /// Its number in stored entries: never change or reuse one.
    const fn verb(self) -> u16 {
        match self {
            Kind::Follow => 40,
            Kind::FollowRequest => 41,
            Kind::FollowAccepted => 42,
            Kind::Like => 43,
            Kind::Reply => 44,
            Kind::Mention => 45,
            Kind::ChatInvite => 46,
        }
    }

    /// The kind with this number, or nothing.
    pub fn of(verb: u16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.verb() == verb)
    }

    /// Its name, as clients see it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Follow => "follow",
            Kind::FollowRequest => "followRequest",
            Kind::FollowAccepted => "followAccepted",
            Kind::Like => "like",
            Kind::Reply => "reply",
            Kind::Mention => "mention",
            Kind::ChatInvite => "chatInvite",
        }
    }
}

/// The id of the notice that `actor` did this to `object`. Marked as version 4, so that clients can hand it back.
fn notice_id(kind: Kind, actor: Id, object: Root) -> Id {
    let mut name = vec![kind.verb() as u8];
    name.extend_from_slice(actor.as_bytes());
    name.extend_from_slice(&object.to_bytes());
    let mut bytes = *Id::derived("notice", &name).as_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    Id::from_bytes(bytes)
}

/// Tells the profile at whose root this is done.
pub fn append(kind: Kind, actor: Id, object: Root, target: Option<Root>) -> Operation {
    let activity = Activity { actor, verb: kind.verb(), object, target, extra: String::new() };
    let id = notice_id(kind, actor, object);
    Operation::Append { stream: NOTIFICATIONS, id, section: Section::PRIVATE, activity }
}

/// Takes it back, because it is no longer so. Told again it is not.
pub fn retract(kind: Kind, actor: Id, object: Root) -> Operation {
    Operation::Retract { stream: NOTIFICATIONS, id: notice_id(kind, actor, object) }
}

/// Steps that tell these people, but for the one who did it. Who blocks that one is not told.
pub fn tell(kind: Kind, actor: Id, object: Root, target: Option<Root>, people: &[Id]) -> Vec<Step> {
    let roots: Vec<Root> = people.iter().filter(|&&id| id != actor).map(|&id| Root::profile(id)).collect();
    let step = |roots: &[Root]| Step {
        roots: roots.to_vec(),
        pre: vec![Precondition::LinkAbsent(BLOCKS, actor)],
        ops: vec![append(kind, actor, object, target)],
        then: Vec::new(),
        bulk: false,
    };
    let mut steps: Vec<Step> = roots.chunks(STEP_ROOTS_MAX).map(step).collect();
    steps.extend(roots.iter().map(|root| ring(kind, actor, object, root.id)));
    steps
}

/// The step that lets devices of this profile know, after the one that tells it.
pub fn ring(kind: Kind, actor: Id, object: Root, profile: Id) -> Step {
    bell::ring(profile, notice_id(kind, actor, object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_thing_has_one_id_that_clients_can_say() {
        let (ann, bob) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        let mut ids = BTreeSet::new();
        for kind in Kind::ALL {
            assert_eq!(
                (Kind::of(kind.verb()), notice_id(kind, ann, Root::post(bob))),
                (Some(kind), notice_id(kind, ann, Root::post(bob)))
            );
            for (actor, object) in [(ann, Root::post(bob)), (bob, Root::post(ann)), (ann, Root::profile(bob))]
            {
                let id = notice_id(kind, actor, object);
                assert_eq!(id.to_string().parse(), Ok(id));
                assert!(ids.insert(id));
            }
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }

    #[test]
    fn nobody_is_told_of_what_they_did_themselves() {
        let (ann, bob) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        assert!(tell(Kind::Like, ann, Root::post(bob), None, &[ann]).is_empty());
        let steps = tell(Kind::Mention, ann, Root::post(bob), None, &[ann, bob]);
        // It is told, and then devices are let know.
        assert_eq!(steps.len(), 2);
        assert!(steps.iter().all(|step| step.roots == [Root::profile(bob)]));
    }
}
