//! What following and blocking write, at both roots.
//!
//! What two people do crosses on the way. A follow may reach the other root when a block there has come and gone
//! again; the block's own step ends the follow at the root it came from, and nothing would ever end its inverse. So
//! each block has an id, which stays when the block is lifted: with who made it as the last one made, with the other
//! as the last one heard of. A follow counts at the other root only where the two agree; where they do not, the
//! step of a block is still on its way back, and ends it.

use gomer_core::id::{Id, LinkType, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};

use crate::methods::notification::notice::{self, Kind};
use crate::model::{
    BLOCKED_BY, BLOCKS, FOLLOWED_BY, FOLLOWS, LAST_BLOCK, LAST_BLOCKED_BY, REQUESTED, REQUESTED_BY,
};

/// `me` follows `other`. `heard`: the data of my link [`LAST_BLOCKED_BY`] to them, if there is one.
pub fn follow(write: Write, me: Id, other: Id, heard: Option<String>) -> Write {
    let there = vec![
        put(FOLLOWED_BY, me, Section::INVERSE, String::new()),
        Operation::DeleteLink { ty: REQUESTED_BY, to: me },
        notice::append(Kind::Follow, me, Root::profile(other), None),
    ];
    approach(write, me, other, heard, there)
        .step(notice::ring(Kind::Follow, me, Root::profile(other), other))
        .op(put(FOLLOWS, other, Section::PUBLIC, String::new()))
        .op(Operation::DeleteLink { ty: REQUESTED, to: other })
}

/// `me` asks to follow `other`; `request` names the request in both roots.
pub fn ask(write: Write, me: Id, other: Id, heard: Option<String>, request: String) -> Write {
    let there = vec![
        put(REQUESTED_BY, me, Section::PRIVATE, request.clone()),
        notice::append(Kind::FollowRequest, me, Root::profile(other), None),
    ];
    approach(write, me, other, heard, there)
        .step(notice::ring(Kind::FollowRequest, me, Root::profile(other), other))
        .op(put(REQUESTED, other, Section::PRIVATE, request))
}

fn approach(write: Write, me: Id, other: Id, heard: Option<String>, there: Vec<Operation>) -> Write {
    // A block that was made while this was on its way ends it.
    let step = Step::to(Root::profile(other), there)
        .when(Precondition::NodePresent(other))
        .when(Precondition::LinkAbsent(BLOCKS, me))
        .when(Precondition::LinkAbsent(BLOCKED_BY, me))
        .when(last(LAST_BLOCK, me, heard.clone()));
    write
        .when(Precondition::NodePresent(me))
        .when(Precondition::LinkAbsent(BLOCKED_BY, other))
        .when(Precondition::LinkAbsent(BLOCKS, other))
        .when(last(LAST_BLOCKED_BY, other, heard))
        .step(step)
}

/// The last block is this one, or there never was any.
fn last(ty: LinkType, to: Id, block: Option<String>) -> Precondition {
    match block {
        Some(block) => Precondition::LinkData(ty, to, block),
        None => Precondition::LinkAbsent(ty, to),
    }
}

/// `me` blocks `other`, which ends follows and requests both ways, and takes back what either was told of them. `block`
/// is a new id.
pub fn block(write: Write, me: Id, other: Id, block: Id) -> Write {
    let ends = |of: Id, at: Id| {
        let links =
            [FOLLOWS, FOLLOWED_BY, REQUESTED, REQUESTED_BY].map(|ty| Operation::DeleteLink { ty, to: of });
        let told = [
            notice::retract(Kind::Follow, of, Root::profile(at)),
            notice::retract(Kind::FollowRequest, of, Root::profile(at)),
            notice::retract(Kind::FollowAccepted, of, Root::profile(of)),
        ];
        links.into_iter().chain(told)
    };
    let block = format!("\"{block}\"");
    let mut there = vec![
        put(BLOCKED_BY, me, Section::INTERNAL, String::new()),
        put(LAST_BLOCKED_BY, me, Section::INTERNAL, block.clone()),
    ];
    there.extend(ends(me, other));
    let mut write = write
        .when(Precondition::NodePresent(me))
        .op(put(BLOCKS, other, Section::PRIVATE, String::new()))
        .op(put(LAST_BLOCK, other, Section::INTERNAL, block))
        .step(Step::to(Root::profile(other), there).when(Precondition::NodePresent(other)));
    write.ops.extend(ends(other, me));
    write
}

/// `me` lifts the block of `other`.
pub fn unblock(write: Write, me: Id, other: Id) -> Write {
    let there = vec![Operation::DeleteLink { ty: BLOCKED_BY, to: me }];
    write.op(Operation::DeleteLink { ty: BLOCKS, to: other }).step(Step::to(Root::profile(other), there))
}

fn put(ty: LinkType, to: Id, section: Section, data: String) -> Operation {
    Operation::PutLink { ty, to, section, time: None, data }
}
