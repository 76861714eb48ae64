//! From notifications to pushes that wait, one for each device: by position. What was looked at and what waits are written
//! in one step, so nothing is queued twice and nothing is left out.

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::EntryView;
use std::time::Duration;

use super::bell::state_id;
use super::delivery::{Delivery, State, delivery_id};
use super::shown::News;
use super::target::{BADGE, Held, UP_TO};
use super::unless_changed;
use crate::methods::notification::notice::Kind;
use crate::methods::notification::read::key_of;
use crate::methods::post::view::json;
use crate::model::{NOTIFICATIONS, PUSH_QUEUE};
use crate::registry::{Call, OrderText, Stop};
use crate::types::{Timestamp, Uuid};

/// How long a push is of use.
pub const TTL: Duration = Duration::from_secs(24 * 3_600);
/// Pushes that wait for a profile's devices. When there are more, notifications stay where they are.
const WAITING_MAX: u64 = 400;
/// Pushes that one write makes at most.
const MADE_MAX: usize = 200;
/// Notifications that are looked at in one write.
const PAGE_MAX: usize = 100;

/// What is left after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// There is more to look at.
    More,
    /// Nobody looked: too much waits already.
    Full,
}

/// Makes pushes of what is new, and of a badge that changed.
pub async fn fill(call: &Call, me: Id, news: &mut News<'_>, targets: &[Held]) -> Result<Left, Stop> {
    let root = Root::profile(me);
    let id = state_id(me);
    let Some(state) = call.node(root, id).await? else { return Ok(Left::Nothing) };
    if call.counts(root, vec![PUSH_QUEUE]).await?.first().is_some_and(|&count| count >= WAITING_MAX) {
        return Ok(Left::Full);
    }
    let known = state.attr(UP_TO).map(str::to_owned);
    let from = known.as_deref().and_then(|text| serde_json::from_str::<OrderText>(text).ok());
    let limit = (MADE_MAX / targets.len().max(1)).clamp(1, PAGE_MAX) as u32;
    let from = from.and_then(OrderText::order);
    let (page, end) = call.entry_page(root, NOTIFICATIONS, from, false, limit).await?;
    let up_to = page.last().map(|last| last.order);
    let now = call.now.wall;
    let mut ops = Vec::new();
    if !targets.is_empty() {
        let fresh = page.into_iter().filter(|view| now < view.entry.time + TTL).collect();
        let groups = grouped(news.wanted(fresh).await?);
        let mut woken: Vec<&Held> = targets.iter().filter(|held| held.target.wake).collect();
        for held in targets {
            let mut shown = false;
            for (view, others) in groups.iter().filter(|(view, _)| view.entry.time >= held.target.since.0) {
                let mut delivery = waiting(held, now);
                delivery.notification = Some(Uuid(view.entry.id));
                delivery.kind = Kind::of(view.entry.activity.verb);
                delivery.others = *others;
                ops.push(delivery.queue(delivery_id(view.entry.id, held.claim)));
                shown = true;
            }
            if shown && news.quiet_until(now).is_none() {
                woken.retain(|it| it.claim != held.claim);
            }
        }
        let badge = news.unread().await?.to_string();
        if end && state.attr(BADGE).unwrap_or("0") != badge {
            let id = |_: &Held| call.cluster.mint();
            ops.extend(woken.into_iter().map(|held| waiting(held, now).queue(id(held))));
            ops.push(patch(state_id(me), BADGE, badge));
        }
    }
    if let Some(up_to) = up_to {
        ops.push(patch(id, UP_TO, json(&OrderText::At(up_to))));
    }
    let left = if end { Left::Nothing } else { Left::More };
    if ops.is_empty() {
        return Ok(left);
    }
    let mut write = call.on(root).when(Precondition::AttrIs(id, UP_TO.to_owned(), known));
    write.ops = ops;
    // Somebody else was here: looked at again.
    Ok(if unless_changed(call, write).await? { left } else { Left::More })
}

fn patch(id: Id, name: &str, value: String) -> Operation {
    Operation::PatchNode { id, attrs: vec![(name.to_owned(), Some(value))], edited: None }
}

fn waiting(held: &Held, now: Time) -> Delivery {
    Delivery {
        state: State::Queued,
        device: held.target.device,
        claim: Uuid(held.claim),
        service: held.target.address.service(),
        notification: None,
        kind: None,
        others: 0,
        attempts: 0,
        queued_at: Timestamp(now),
        next_at: Timestamp(now),
        done_at: None,
        opened_at: None,
        reason: None,
        provider_id: None,
    }
}

/// What came at once of one thing is shown once: the newest, with how many others there are.
fn grouped(entries: Vec<EntryView>) -> Vec<(EntryView, u32)> {
    let mut groups: Vec<(EntryView, u32)> = Vec::new();
    for view in entries {
        match groups.iter_mut().find(|(newest, _)| key_of(newest) == key_of(&view)) {
            Some((newest, others)) => (*newest, *others) = (view, *others + 1),
            None => groups.push((view, 0)),
        }
    }
    groups
}
