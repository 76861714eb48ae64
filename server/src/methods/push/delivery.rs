//! One push to one device: what is stored of it while it waits and afterwards, and how the app sees it.

use gomer_core::id::{Id, Root, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::{LinkPlace, LinkView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::notification::notice::Kind;
use crate::methods::post::view::json;
use crate::model::{PUSH_LOG, PUSH_QUEUE};
use crate::push::Service;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Empty, Timestamp, Uuid};

/// Finished deliveries of a profile that are kept, the newest.
pub const LOG_MAX: u32 = 200;

/// How far a push has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It waits.
    Queued,
    /// It was sent, and the service did not take it yet: it is sent again.
    Sent,
    /// The service takes care of it.
    Accepted,
    /// It was given up; `reason` says why.
    Failed,
    /// It was not wanted any more when its turn came: `reason` says why.
    Dropped,
    /// The device has opened it.
    Opened,
}

/// What is stored of a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// How far it has come.
    pub state: State,
    /// The device.
    pub device: Uuid,
    /// The claim under which the device was reached.
    pub claim: Uuid,
    /// Which service brings it.
    pub service: Service,
    /// The notification; of a silent push, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Uuid>,
    /// The notification's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How many others of its group came with it.
    #[serde(default)]
    pub others: u32,
    /// How often it was sent.
    pub attempts: u32,
    /// When it began to wait.
    pub queued_at: Timestamp,
    /// Not before that.
    pub next_at: Timestamp,
    /// When its waiting ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// When the device opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Why it waits, failed or was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The service's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
}

impl Delivery {
    /// Reads a link's data.
    pub fn read(data: &str) -> Option<Delivery> {
        serde_json::from_str(data).ok()
    }

    /// The operation that keeps it waiting.
    pub fn queue(&self, id: Id) -> Operation {
        put(PUSH_QUEUE, id, self)
    }

    /// The same delivery at its end.
    pub fn ended(&self, state: State, reason: Option<String>, now: Time) -> Delivery {
        Delivery { state, reason, done_at: Some(Timestamp(now)), ..self.clone() }
    }

    /// The operations that end its waiting.
    pub fn log(&self, id: Id) -> [Operation; 2] {
        [Operation::DeleteLink { ty: PUSH_QUEUE, to: id }, put(PUSH_LOG, id, self)]
    }
}

fn put(ty: gomer_core::id::LinkType, to: Id, delivery: &Delivery) -> Operation {
    Operation::PutLink { ty, to, section: Section::INTERNAL, time: None, data: json(delivery) }
}

/// The id of the push of a notification to a device: the same for the same, so that it is queued once. Marked as
/// version 4, so that clients can hand it back.
pub fn delivery_id(notification: Id, claim: Id) -> Id {
    let name = [&notification.as_bytes()[..], claim.as_bytes()].concat();
    let mut bytes = *Id::derived("push delivery", &name).as_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    Id::from_bytes(bytes)
}

/// A push.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Its id.
    id: Uuid,
    /// Whose device it is for.
    profile: Uuid,
    /// The device.
    device: Uuid,
    /// Which service brings it.
    service: Service,
    /// How far it has come.
    state: State,
    /// The notification; absent of a silent push, which wakes the app to sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<Uuid>,
    /// The notification's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// How often it was sent.
    attempts: u32,
    /// When it began to wait.
    queued_at: Timestamp,
    /// When it is sent next, as long as it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    /// When its waiting ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
    /// When the device opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_at: Option<Timestamp>,
    /// Why it failed, was dropped or waits: the service's own word, like `Unregistered`, or one of Gomer's, like `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The service's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
}

impl DeliveryView {
    fn of(id: Id, profile: Id, delivery: Delivery) -> DeliveryView {
        let waits = matches!(delivery.state, State::Queued | State::Sent);
        DeliveryView {
            id: Uuid(id),
            profile: Uuid(profile),
            device: delivery.device,
            service: delivery.service,
            state: delivery.state,
            notification: delivery.notification,
            kind: delivery.kind,
            attempts: delivery.attempts,
            queued_at: delivery.queued_at,
            next_at: waits.then_some(delivery.next_at),
            done_at: delivery.done_at,
            opened_at: delivery.opened_at,
            reason: delivery.reason,
            provider_id: delivery.provider_id,
        }
    }
}

/// Which push.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetDelivery {
    /// Whose device it is for.
    profile: Uuid,
    /// Its id, as the device got it.
    id: Uuid,
}

/// Shows one.
pub async fn get(call: Call, args: GetDelivery) -> Result<Reply<DeliveryView>, Stop> {
    let (profile, id) = (args.profile.0, args.id.0);
    let found = call.links_of(Root::profile(profile), [PUSH_LOG, PUSH_QUEUE], &[id]).await?;
    let link = found.into_iter().flatten().flatten().next().ok_or_else(Stop::not_found)?;
    let delivery = Delivery::read(&link.link.data).ok_or_else(Stop::not_found)?;
    Ok(Reply::new(DeliveryView::of(id, profile, delivery)))
}

/// Which push.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmOpened {
    /// Its id, as the device got it.
    id: Uuid,
}

/// How often it is tried again when its end is written at the same time.
const ATTEMPTS: usize = 4;

/// Notes that the device opened one. A device may be faster than the service's answer.
pub async fn confirm(call: Call, args: ConfirmOpened) -> Result<Reply<Empty>, Stop> {
    let own = Root::profile(call.me()?);
    call.replay(own).await?;
    let id = args.id.0;
    for _ in 0..ATTEMPTS {
        let found = call.links_of(own, [PUSH_LOG, PUSH_QUEUE], &[id]).await?;
        let link = found.into_iter().flatten().flatten().next().ok_or_else(Stop::not_found)?;
        let delivery = Delivery::read(&link.link.data).ok_or_else(Stop::not_found)?;
        let mut write = call.on(own);
        if delivery.opened_at.is_none() {
            let now = call.now.wall;
            let done_at = delivery.done_at.or(Some(Timestamp(now)));
            let ty = if delivery.done_at.is_some() { PUSH_LOG } else { PUSH_QUEUE };
            let opened =
                Delivery { state: State::Opened, opened_at: Some(Timestamp(now)), done_at, ..delivery };
            write = write.when(Precondition::LinkData(ty, id, link.link.data));
            write.ops = opened.log(id).into();
        } else if call.op.is_none() {
            return Ok(Reply::new(Empty {}));
        }
        match call.write(write, Empty {}).await {
            Err(stop) if stop.code() == Some(crate::problem::Code::NotFound) => {}
            done => return done,
        }
    }
    Err(crate::problem::Problem::new(crate::problem::Code::Busy).retry_after(1).into())
}

/// The newest finished deliveries of a profile, the newest first.
pub async fn log(call: &Call, profile: Id) -> Result<Vec<LinkView>, Stop> {
    Ok(call.link_page(Root::profile(profile), PUSH_LOG, None, LOG_MAX).await?.0)
}

/// Forgets finished deliveries beyond those that are kept, some at a time.
pub async fn trim(call: &Call, profile: Id) -> Result<(), Stop> {
    let root = Root::profile(profile);
    let count = call.counts(root, vec![PUSH_LOG]).await?.first().copied().unwrap_or_default();
    if count <= u64::from(LOG_MAX + LOG_MAX / 4) {
        return Ok(());
    }
    let (kept, _) = call.link_page(root, PUSH_LOG, None, LOG_MAX).await?;
    let after = kept.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let (old, _) = call.link_page(root, PUSH_LOG, after, 100).await?;
    let mut write = call.on(root);
    write.ops = old.into_iter().map(|link| Operation::DeleteLink { ty: PUSH_LOG, to: link.to }).collect();
    super::unless_changed(call, write).await.map(drop)
}
