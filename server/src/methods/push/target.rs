//! Where devices are reached: `device.setPushToken` and `device.deletePushToken`.
//!
//! Two roots know of an address. Its own root, found by the address itself, says whose it is; the owner's root holds the
//! address. An address is taken from below: first its own root says so, under the condition that it was as it was read, and
//! takes it from whoever had it by a step; then the owner's root is written. What is sent asks the address's own root, so
//! that one never lives on two devices, whatever is on its way. Each taking has a claim of its own, so that taking one away
//! can never take away a later one.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bell::state_id;
use super::delivery::{Delivery, State, log};
use super::unless_changed;
use crate::auth::session::{SESSIONS_MAX, Session};
use crate::methods::post::view::json;
use crate::model::{NOTIFICATIONS, PROFILE, PUSH_HELD, PUSH_STATE, PUSH_TARGETS, SESSION};
use crate::problem::{Code, Problem};
use crate::push::{Address, ReaderKeys, Service, web};
use crate::registry::{Call, OrderText, Reply, Stop};
use crate::types::{Empty, Text, Timestamp, Uuid};

/// How often an address that others take at the same time is tried again.
const ATTEMPTS: usize = 8;
/// Devices of a profile that are looked at: as many as can be signed in, and some that are about to go.
pub const TARGETS_MAX: usize = 2 * SESSIONS_MAX;

/// Attribute of the state: up to where notifications were looked at.
pub const UP_TO: &str = "upTo";
/// Attribute of the state: the badge that devices were last told.
pub const BADGE: &str = "badge";

/// Where a device is reached; what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The device.
    pub device: Uuid,
    /// Where.
    pub address: Address,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is woken to sync when nothing is to be shown.
    pub wake: bool,
}

/// Whose an address is; what is stored at the address's own root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    profile: Uuid,
    device: Uuid,
    claim: Uuid,
}

/// A target with its claim.
#[derive(Debug, Clone)]
pub struct Held {
    /// The claim.
    pub claim: Id,
    /// The rest.
    pub target: Target,
}

impl Held {
    fn holder(&self, profile: Id) -> String {
        json(&Holder { profile: Uuid(profile), device: self.target.device, claim: Uuid(self.claim) })
    }

    /// The operation that takes it from its owner's root.
    pub fn removed(&self) -> Operation {
        Operation::DeleteLink { ty: PUSH_TARGETS, to: self.claim }
    }

    /// The step that frees its address, unless that was taken by others meanwhile.
    pub fn released(&self, profile: Id) -> Step {
        let ops = vec![Operation::DeleteLink { ty: PUSH_HELD, to: holder_id() }];
        let held = Precondition::LinkData(PUSH_HELD, holder_id(), self.holder(profile));
        Step::to(address_root(&self.target.address), ops).when(held)
    }
}

/// The root of an address: the same whatever its keys are.
fn address_root(address: &Address) -> Root {
    let service = json(&address.service());
    Root::name("push token", &format!("{service}{}", address.token()))
}

/// What the link of an address's root leads to: there is one at most.
fn holder_id() -> Id {
    Id::derived("push holder", b"")
}

/// Who may read what is sent, as a browser's `PushSubscription` says it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Keys {
    /// `p256dh`: a point on P-256, uncompressed, in base64url.
    p256dh: Text<1, 128>,
    /// `auth`: 16 bytes in base64url.
    auth: Text<1, 64>,
}

/// Where a device is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPushToken {
    /// The device, which must be signed in; by default the one that asks.
    device: Option<Uuid>,
    /// Which service reaches it.
    service: Service,
    /// Of `apns` (hex digits) and `fcm`: the token.
    token: Option<Text<1, 4096>>,
    /// Of `apns`: the token is one of a build that is not from the store.
    #[serde(default)]
    sandbox: bool,
    /// Of `webPush` and `unifiedPush`: the address, `https` only.
    endpoint: Option<Text<1, 2048>>,
    /// Of `webPush`, and of `unifiedPush` if what is sent is to be encrypted.
    keys: Option<Keys>,
    /// Wake the app silently when nothing is to be shown but something has changed, so that it syncs.
    #[serde(default)]
    wake: bool,
}

/// How a device is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushToken {
    /// The device.
    device: Uuid,
    /// Which service reaches it.
    service: Service,
    /// Since when.
    since: Timestamp,
    /// Whether it is woken to sync.
    wake: bool,
}

impl SetPushToken {
    fn address(&self) -> Result<Address, Stop> {
        let of_token = matches!(self.service, Service::Apns | Service::Fcm);
        for (given, wanted, pointer) in
            [(self.token.is_some(), of_token, "/token"), (self.endpoint.is_some(), !of_token, "/endpoint")]
        {
            match (given, wanted) {
                (false, true) => return Err(Stop::invalid(pointer, "missing", "This service needs it.")),
                (true, false) => return Err(Stop::invalid(pointer, "value", "This service has none.")),
                _ => {}
            }
        }
        if self.sandbox && self.service != Service::Apns {
            return Err(Stop::invalid("/sandbox", "value", "This service has none."));
        }
        if self.keys.is_some() && of_token {
            return Err(Stop::invalid("/keys", "value", "This service has none."));
        }
        let token = || self.token.as_ref().map(|token| token.0.clone()).unwrap_or_default();
        Ok(match self.service {
            Service::Apns => {
                let token = token().to_ascii_lowercase();
                let hex = token.bytes().all(|c| c.is_ascii_hexdigit()) && token.len() % 2 == 0;
                if !hex || !(32..=200).contains(&token.len()) {
                    return Err(Stop::invalid("/token", "format", "32 to 200 hex digits."));
                }
                Address::Apns { token, sandbox: self.sandbox }
            }
            Service::Fcm => {
                let token = token();
                if !token.bytes().all(|c| c.is_ascii_graphic()) {
                    return Err(Stop::invalid("/token", "format", "Visible ASCII characters."));
                }
                Address::Fcm { token }
            }
            Service::WebPush => {
                let missing = || Stop::invalid("/keys", "missing", "A browser gives keys.");
                Address::WebPush { endpoint: self.endpoint()?, keys: self.keys()?.ok_or_else(missing)? }
            }
            Service::UnifiedPush => Address::UnifiedPush { endpoint: self.endpoint()?, keys: self.keys()? },
        })
    }

    fn endpoint(&self) -> Result<String, Stop> {
        let endpoint = self.endpoint.as_ref().map(|endpoint| endpoint.0.clone()).unwrap_or_default();
        let plain = endpoint.bytes().all(|c| c.is_ascii_graphic());
        if !plain || web::origin(&endpoint).is_none() {
            return Err(Stop::invalid("/endpoint", "format", "An https address."));
        }
        Ok(endpoint)
    }

    fn keys(&self) -> Result<Option<ReaderKeys>, Stop> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let keys = ReaderKeys { p256dh: keys.p256dh.0.clone(), auth: keys.auth.0.clone() };
        if keys.reader().is_none() {
            let detail = "`p256dh` is an uncompressed point on P-256 and `auth` 16 bytes, both in base64url.";
            return Err(Stop::invalid("/keys", "format", detail));
        }
        Ok(Some(keys))
    }
}

/// All that stands in a profile's root, also what is about to go.
async fn held(call: &Call, profile: Id) -> Result<Vec<Held>, Stop> {
    let (links, _) = call.link_page(Root::profile(profile), PUSH_TARGETS, None, TARGETS_MAX as u32).await?;
    let read = |link: &gomer_core::vnode::query::LinkView| {
        Some(Held { claim: link.to, target: serde_json::from_str(&link.link.data).ok()? })
    };
    Ok(links.iter().filter_map(read).collect())
}

/// Whether somebody is signed in on a device of this profile.
async fn is_signed_in(call: &Call, profile: Id, device: Id) -> Result<bool, Stop> {
    let link = call.link(Root::profile(profile), SESSION, device).await?;
    let session = link.and_then(|link| Session::read(&link.link.data));
    Ok(session.is_some_and(|session| !session.has_ended(call.now.wall)))
}

/// Sets where a device is reached.
pub async fn set(call: Call, args: SetPushToken) -> Result<Reply<PushToken>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let address = args.address()?;
    let device = args.device.map(|device| device.0).or(call.device());
    let device = device.ok_or_else(|| Stop::invalid("/device", "missing", "Say which device."))?;
    if !is_signed_in(&call, me, device).await? {
        return Err(Stop::not_found());
    }
    let of_address = address_root(&address);
    for _ in 0..ATTEMPTS {
        let old = call.link(of_address, PUSH_HELD, holder_id()).await?.map(|link| link.link.data);
        let mine = held(&call, me).await?;
        let same = mine.iter().find(|held| {
            let target = &held.target;
            let as_asked = (target.device.0, target.wake, &target.address) == (device, args.wake, &address);
            as_asked && old.as_ref() == Some(&held.holder(me))
        });
        if let (Some(same), None) = (same, call.op) {
            return Ok(Reply::new(shown(&same.target)));
        }
        let since = Timestamp(call.now.wall);
        let target = Target { device: Uuid(device), address: address.clone(), since, wake: args.wake };
        let new = Held { claim: call.cluster.mint(), target };
        if !take(&call, me, &new, old).await? {
            continue;
        }
        let (newest, _) = call.entry_page(root, NOTIFICATIONS, None, true, 1).await?;
        let up_to = newest.first().map(|newest| (UP_TO.to_owned(), json(&OrderText::At(newest.order))));
        let state = Operation::CreateNode {
            id: state_id(me),
            ty: PUSH_STATE,
            section: Section::INTERNAL,
            author: me,
            flags: Flags::default(),
            attrs: up_to.into_iter().collect(),
        };
        let put = Operation::PutLink {
            ty: PUSH_TARGETS,
            to: new.claim,
            section: Section::INTERNAL,
            time: None,
            data: json(&new.target),
        };
        // Signed out in between: not found.
        let write = call.on(root).when(Precondition::LinkPresent(SESSION, device)).op(put).op(state);
        let mut write = write;
        for gone in mine.iter().filter(|held| held.target.device.0 == device) {
            write = write.op(gone.removed());
            if gone.target.address != address {
                write = write.step(gone.released(me));
            }
        }
        return call.write(write, shown(&new.target)).await;
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Makes an address somebody's, and takes it from whoever had it: whether it still was as it was read.
async fn take(call: &Call, me: Id, new: &Held, old: Option<String>) -> Result<bool, Stop> {
    let to = holder_id();
    let (ty, section, data) = (PUSH_HELD, Section::INTERNAL, new.holder(me));
    let mut write = call.on(address_root(&new.target.address));
    write = write.op(Operation::PutLink { ty, to, section, time: None, data });
    write = match old {
        None => write.when(Precondition::LinkAbsent(PUSH_HELD, to)),
        Some(old) => {
            let holder = serde_json::from_str::<Holder>(&old).ok();
            let write = write.when(Precondition::LinkData(PUSH_HELD, to, old));
            match holder {
                Some(Holder { profile, claim, .. }) => {
                    let ops = vec![Operation::DeleteLink { ty: PUSH_TARGETS, to: claim.0 }];
                    write.step(Step::to(Root::profile(profile.0), ops))
                }
                // A newer program's: its own root will hear of it when it sends.
                None => write,
            }
        }
    };
    unless_changed(call, write).await
}

fn shown(target: &Target) -> PushToken {
    let (device, service) = (target.device, target.address.service());
    PushToken { device, service, since: target.since, wake: target.wake }
}

/// Which device.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletePushToken {
    /// The device; by default the one that asks.
    device: Option<Uuid>,
}

/// A device is no longer reached.
pub async fn delete(call: Call, args: DeletePushToken) -> Result<Reply<Empty>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let device = args.device.map(|device| device.0).or(call.device());
    let device = device.ok_or_else(|| Stop::invalid("/device", "missing", "Say which device."))?;
    let (ops, steps) = dropped(&call, me, |of| of == device).await?;
    let mut write = call.on(root);
    (write.ops, write.steps) = (ops, steps);
    call.write(write, Empty {}).await
}

/// What is to be written at a profile's root when these devices are no longer reached.
pub async fn dropped(
    call: &Call,
    profile: Id,
    which: impl Fn(Id) -> bool,
) -> Result<(Vec<Operation>, Vec<Step>), Stop> {
    let gone: Vec<Held> = held(call, profile).await?;
    let gone = gone.into_iter().filter(|held| which(held.target.device.0));
    Ok(gone.map(|held| (held.removed(), held.released(profile))).unzip())
}

/// The devices that are reached: signed in, of a profile that is there, with an address that is theirs. What is not, goes.
pub async fn live(call: &Call, profile: Id) -> Result<Vec<Held>, Stop> {
    let node = call.node(Root::profile(profile), profile).await?.filter(|view| view.node.ty == PROFILE);
    let banned = node.as_ref().is_none_or(|view| view.node.flags.has(Flags::BANNED));
    let mut live = Vec::new();
    for held in held(call, profile).await? {
        let signed_in = is_signed_in(call, profile, held.target.device.0).await?;
        let holder = call.link(address_root(&held.target.address), PUSH_HELD, holder_id()).await?;
        let is_own = holder.is_some_and(|link| link.link.data == held.holder(profile));
        if node.is_none() || !signed_in || !is_own {
            let write = call.on(Root::profile(profile)).op(held.removed()).step(held.released(profile));
            unless_changed(call, write).await?;
        } else if !banned {
            live.push(held);
        }
    }
    Ok(live)
}

/// How a device is reached, and how that went lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushHealth {
    /// Which service reaches it.
    service: Service,
    /// Since when.
    since: Timestamp,
    /// Whether it is woken to sync.
    wake: bool,
    /// When its service last took a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<Timestamp>,
    /// When a push to it was last given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How the caller's devices are reached, by device.
pub async fn health(call: &Call, me: Id) -> Result<Vec<(Id, PushHealth)>, Stop> {
    let targets = held(call, me).await?;
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let log: Vec<Delivery> =
        log(call, me).await?.iter().filter_map(|link| Delivery::read(&link.link.data)).collect();
    let mut health = Vec::with_capacity(targets.len());
    for Held { claim, target } in targets {
        if !is_signed_in(call, me, target.device.0).await? {
            continue;
        }
        let last = |states: &[State]| {
            log.iter().find(|delivery| delivery.claim.0 == claim && states.contains(&delivery.state))
        };
        let (accepted, failed) = (last(&[State::Accepted, State::Opened]), last(&[State::Failed]));
        let of = PushHealth {
            service: target.address.service(),
            since: target.since,
            wake: target.wake,
            accepted_at: accepted.and_then(|delivery| delivery.done_at),
            failed_at: failed.and_then(|delivery| delivery.done_at),
            reason: failed.and_then(|delivery| delivery.reason.clone()),
        };
        health.push((target.device.0, of));
    }
    Ok(health)
}
