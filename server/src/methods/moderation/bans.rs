//! Banning a profile, a device or a range of addresses, until a time or for good.
//!
//! A banned profile is marked: the visibility function hides all that is its own, and its sessions stop. When the ban
//! ends, a timer in the profile's own log takes the mark away, unless another ban came in its place. Devices and
//! addresses are turned away at the door (`barred`).

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use gomer_core::vnode::query::{LinkPlace, PAGE_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::AddressRange;
use super::log::{Action, Decision, Log};
use super::{ATTEMPTS, busy, outranks, root, settled, was_overtaken};
use crate::methods::post::view::json;
use crate::model::{BAN, BANS, BARRED, PROFILE};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// Who or what is banned: exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BanTarget {
    /// A profile, on all its devices.
    Profile(Uuid),
    /// A device, whoever signs in on it.
    Device(Uuid),
    /// An address, or a range such as `192.0.2.0/24`.
    Address(AddressRange),
}

impl BanTarget {
    /// Where its link leads.
    fn id(&self) -> Id {
        match self {
            BanTarget::Profile(Uuid(id)) => *id,
            BanTarget::Device(Uuid(id)) => Id::derived("banned device", id.as_bytes()),
            BanTarget::Address(range) => Id::derived("banned address", range.to_string().as_bytes()),
        }
    }

    /// The profile's root, if it is one.
    fn profile(&self) -> Option<Root> {
        match self {
            BanTarget::Profile(Uuid(id)) => Some(Root::profile(*id)),
            BanTarget::Device(_) | BanTarget::Address(_) => None,
        }
    }
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ban {
    /// Who or what is banned.
    pub target: BanTarget,
    /// Why. Moderators read this.
    pub reason: String,
    /// When it ends; absent: when it is lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Which moderator banned; absent for the app's server and administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Uuid>,
    /// Since when.
    pub created_at: Timestamp,
}

impl Ban {
    /// Reads a link's data.
    pub fn read(data: &str) -> Option<Ban> {
        serde_json::from_str(data).ok()
    }

    /// Whether it is over.
    pub fn has_ended(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until.0 <= now)
    }
}

/// Whom to ban.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBan {
    /// Who or what.
    target: BanTarget,
    /// Why. Moderators read this.
    reason: Text<1, 500>,
    /// When it ends; if absent, when it is lifted.
    until: Option<Timestamp>,
}

/// Bans. A ban in place of another one of the same target is the one that counts.
pub async fn ban(call: Call, args: NewBan) -> Result<Reply<Ban>, Stop> {
    call.replay(root()).await?;
    if args.until.is_some_and(|until| until.0 <= call.now.wall) {
        return Err(Stop::invalid("/until", "range", "A time in the future."));
    }
    if let Some(profile) = args.target.profile() {
        let node = call.node(profile, profile.id).await?.filter(|node| node.ty == PROFILE);
        node.ok_or_else(Stop::not_found)?;
        outranks(&call, profile.id).await?;
    }
    let ban = Ban {
        target: args.target,
        reason: args.reason.0,
        until: args.until,
        by: call.maybe_me().map(Uuid),
        created_at: Timestamp(call.now.wall),
    };
    let put = |ty| Operation::PutLink {
        ty,
        to: ban.target.id(),
        section: Section::INTERNAL,
        time: Some(call.now.wall),
        data: json(&ban),
    };
    let mut ops = vec![put(BANS)];
    let mut steps = Vec::new();
    match ban.target.profile() {
        Some(profile) => steps.push(mark(&call, profile, &ban)),
        None => {
            ops.extend(room(&call, ban.target.id()).await?);
            ops.push(put(BARRED));
        }
    }
    let decision = Decision {
        target: Some(ban.target),
        reason: Some(ban.reason.clone()),
        until: ban.until,
        ..Decision::new(Action::Banned)
    };
    decide(&call, decision, ops, steps, ban, true).await
}

/// Whose ban to lift.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unban {
    /// Who or what.
    target: BanTarget,
    /// Why, for the log.
    reason: Option<Text<1, 500>>,
}

/// Whose ban was lifted.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unbanned {
    /// Who or what.
    target: BanTarget,
    /// Always false.
    banned: bool,
}

/// Lifts a ban.
pub async fn unban(call: Call, args: Unban) -> Result<Reply<Unbanned>, Stop> {
    call.replay(root()).await?;
    let (target, reply) = (args.target, Unbanned { target: args.target, banned: false });
    let held = call.link(root(), BANS, target.id()).await?;
    if held.is_none() && call.op.is_none() {
        return Ok(Reply::new(reply));
    }
    if let (Some(profile), Some(_)) = (target.profile(), &held) {
        outranks(&call, profile.id).await?;
    }
    let drop = |ty| Operation::DeleteLink { ty, to: target.id() };
    let steps: Vec<Step> = target.profile().map(unmark).into_iter().collect();
    let decision = Decision {
        target: Some(target),
        reason: args.reason.map(|reason| reason.0),
        ..Decision::new(Action::Unbanned)
    };
    decide(&call, decision, vec![drop(BANS), drop(BARRED)], steps, reply, false).await
}

/// Writes a decision, with what it changes, and answers when it is in force.
async fn decide<R: Serialize>(
    call: &Call,
    decision: Decision,
    ops: Vec<Operation>,
    steps: Vec<Step>,
    reply: R,
    banned: bool,
) -> Result<Reply<R>, Stop> {
    let target = decision.target.expect("a ban has a target");
    let text = json(&reply);
    drop(reply);
    for _ in 0..ATTEMPTS {
        let mut log = Log::open(call).await?;
        log.add(call, decision.clone());
        let mut write = call.on(root());
        write.ops.clone_from(&ops);
        write.steps.clone_from(&steps);
        let mut write = log.on(write);
        if call.op.is_some() {
            write.reply = vec![text.clone().into_bytes()];
        }
        match call.commit(write).await {
            Err(stop) if was_overtaken(&stop) => {}
            Err(stop) => return Err(stop),
            Ok(outcome) => {
                call.host.barred.forget(call.app.id);
                if let Some(profile) = target.profile() {
                    settled(call, profile, Flags::BANNED, banned).await?;
                }
                return Ok(Reply::json(text.into_bytes()).position(outcome.position));
            }
        }
    }
    Err(busy())
}

/// The step that marks a profile, and has the mark taken away when the ban ends.
fn mark(call: &Call, profile: Root, ban: &Ban) -> Step {
    let id = ban_id(profile.id);
    let until = json(&ban.until);
    let mut ops = vec![
        Operation::FlagNode { id: profile.id, set: Flags::BANNED, clear: Flags::default() },
        Operation::PutNode {
            id,
            ty: BAN,
            section: Section::INTERNAL,
            author: Id::NIL,
            attrs: vec![(UNTIL.to_owned(), until.clone())],
        },
    ];
    if let Some(Timestamp(due)) = ban.until {
        let end = Write::new(call.app.id, profile, Id::NIL)
            .when(Precondition::AttrIs(id, UNTIL.to_owned(), Some(until.clone())))
            .op(Operation::FlagNode { id: profile.id, set: Flags::default(), clear: Flags::BANNED });
        let timer = Id::derived("end of ban", format!("{}{until}", profile.id).as_bytes());
        ops.push(Operation::SetTimer { id: timer, due, write: Box::new(end) });
    }
    Step::to(profile, ops).when(Precondition::NodePresent(profile.id))
}

/// The step that takes the mark away, so that no timer of the ban does anything any more.
fn unmark(profile: Root) -> Step {
    let lifted = Operation::PutNode {
        id: ban_id(profile.id),
        ty: BAN,
        section: Section::INTERNAL,
        author: Id::NIL,
        attrs: Vec::new(),
    };
    let clear = Operation::FlagNode { id: profile.id, set: Flags::default(), clear: Flags::BANNED };
    Step::to(profile, vec![clear, lifted]).when(Precondition::NodePresent(profile.id))
}

/// Makes room for one more ban at the door: forgets those that ended. 413 if there are too many in force.
async fn room(call: &Call, new: Id) -> Result<Vec<Operation>, Stop> {
    let (links, end) = call.link_page(root(), BARRED, None, PAGE_MAX).await?;
    let ended = links.iter().filter(|link| {
        link.to != new && Ban::read(&link.link.data).is_none_or(|ban| ban.has_ended(call.now.wall))
    });
    let ended: Vec<Operation> =
        ended.take(ENDED_AT_ONCE).map(|link| Operation::DeleteLink { ty: BARRED, to: link.to }).collect();
    let is_known = links.iter().any(|link| link.to == new);
    if !is_known && ended.is_empty() && (!end || links.len() >= BARRED_MAX) {
        let detail = format!("An app bans at most {BARRED_MAX} devices and ranges of addresses at a time.");
        return Err(Problem::new(Code::TooLarge).detail(detail).into());
    }
    Ok(ended)
}

/// A page of bans.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListBans {
    /// How many are looked at for one page; those that ended are left out.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Lists bans in force.
pub async fn list(call: Call, args: ListBans) -> Result<Reply<Page<Ban>>, Stop> {
    const LIST: &str = "moderation.listBans";
    let after: Option<LinkPlace> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (links, end) = call.link_page(root(), BANS, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    let bans = links.iter().filter_map(|link| Ban::read(&link.link.data));
    let items = bans.filter(|ban| !ban.has_ended(call.now.wall)).collect();
    Ok(Reply::new(Page { items, cursor, end }))
}

fn ban_id(profile: Id) -> Id {
    Id::derived("ban", profile.as_bytes())
}

/// Attribute of a profile's ban: when it ends, as JSON.
const UNTIL: &str = "until";
/// Most devices and ranges of addresses that an app bans: each call is held against all of them.
const BARRED_MAX: usize = 1_000;
/// How many ended bans are forgotten with a new one.
const ENDED_AT_ONCE: usize = 50;
