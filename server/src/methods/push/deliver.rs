//! Hands what waits for a profile's devices to their services, and writes what came of it.
//!
//! At least once: what a service took and was not written, because the process ended, is sent again. It has the same id and
//! replaces itself on the screen.

use std::time::Duration;

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Precondition, Write};
use gomer_core::vnode::query::LinkView;

use super::delivery::{Delivery, State};
use super::queue::TTL;
use super::shown::News;
use super::target::Held;
use super::unless_changed;
use crate::model::PUSH_QUEUE;
use crate::push::lanes::Accounts;
use crate::push::{Message, Verdict, With};
use crate::registry::{Call, Stop};
use crate::types::{Timestamp, Uuid};

/// How often one is sent before it is given up.
const ATTEMPTS_MAX: u32 = 8;
/// How long one waits that was sent once; twice as long each time more.
const WAIT: Duration = Duration::from_secs(30);
/// How long one waits that was not sent, because too much was under way here.
const WAIT_BUSY: Duration = Duration::from_secs(2);
/// The longest.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Pushes that are read at once: more than wait.
const PAGE: u32 = 1_000;

/// What a profile's devices are reached with.
pub struct Post<'a> {
    /// As the profile.
    pub call: &'a Call,
    /// The profile.
    pub me: Id,
    /// Its devices.
    pub targets: Vec<Held>,
    /// The app's accounts.
    pub accounts: &'a Accounts,
}

impl Post<'_> {
    /// Sends what is due. When the next one is, if any is left.
    pub async fn deliver(&mut self, news: &mut News<'_>) -> Result<Option<Time>, Stop> {
        let (mut links, _) = self.call.link_page(Root::profile(self.me), PUSH_QUEUE, None, PAGE).await?;
        links.reverse();
        let mut next: Option<Time> = None;
        for (at, link) in links.iter().enumerate() {
            // A newer program's: not for us to send.
            let Some(delivery) = Delivery::read(&link.link.data) else { continue };
            let replaced = delivery.notification.is_none()
                && links[at + 1..]
                    .iter()
                    .filter_map(|later| Delivery::read(&later.link.data))
                    .any(|later| later.notification.is_none() && later.claim == delivery.claim);
            let again = match replaced {
                true => self.end(link, &delivery, State::Dropped, "replaced").await?,
                false => self.one(news, link, delivery).await?,
            };
            next = [next, again].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Looks at one that waits: when to look again, if it still does.
    async fn one(
        &mut self,
        news: &mut News<'_>,
        link: &LinkView,
        delivery: Delivery,
    ) -> Result<Option<Time>, Stop> {
        let now = self.call.cluster.now().wall;
        if delivery.next_at.0 > now {
            return Ok(Some(delivery.next_at.0));
        }
        let Some(held) = self.targets.iter().find(|held| held.claim == delivery.claim.0).cloned() else {
            return self.end(link, &delivery, State::Dropped, "device-gone").await;
        };
        let expires = delivery.queued_at.0 + TTL;
        if expires <= now {
            let reason = delivery.reason.clone().unwrap_or_else(|| "expired".to_owned());
            return self.end(link, &delivery, State::Failed, &reason).await;
        }
        let alert = match delivery.notification {
            None => None,
            Some(notification) => match news.alert(notification.0, &delivery).await? {
                Some(alert) => Some(alert),
                None => return self.end(link, &delivery, State::Dropped, "not-wanted").await,
            },
        };
        if alert.is_some()
            && let Some(until) = news.quiet_until(now)
        {
            let quiet = Delivery { reason: Some("quiet-hours".to_owned()), ..delivery };
            return self.put_off(link, quiet, until).await;
        }
        let (lanes, app) = (&self.call.host.push, self.call.app.id);
        let server = held.target.address.server();
        if let Some(until) = lanes.rests(app, &server, now) {
            return Ok(Some(until));
        }
        let Some(provider) = self.accounts.of(delivery.service) else {
            return self.end(link, &delivery, State::Failed, "no-credentials").await;
        };
        let message = Message { delivery: Uuid(link.to), alert, badge: news.unread().await?, expires };
        let random = || self.call.cluster.secret();
        let verdict = {
            let _permit = lanes.under_way.acquire().await;
            let with = With { outside: &*self.call.host.outside, now, random: &random };
            provider.send(with, &held.target.address, &message).await
        };
        let now = self.call.cluster.now().wall;
        let sent = Delivery { attempts: delivery.attempts + 1, ..delivery };
        match verdict {
            Verdict::Accepted(provider_id) => {
                lanes.answered(app, &server);
                let sent = Delivery { provider_id, ..sent }.ended(State::Accepted, None, now);
                self.log(link, &sent, |write| write).await
            }
            Verdict::Gone(reason, since) => {
                lanes.answered(app, &server);
                let sent = sent.ended(State::Failed, Some(reason), now);
                // An address that was set after the service saw it go is another installation's of the same device.
                if since.is_some_and(|since| since < held.target.since.0) {
                    return self.log(link, &sent, |write| write).await;
                }
                self.targets.retain(|it| it.claim != held.claim);
                let me = self.me;
                self.log(link, &sent, |write| write.op(held.removed()).step(held.released(me))).await
            }
            Verdict::Refused(reason) => {
                let sent = sent.ended(State::Failed, Some(reason), now);
                self.log(link, &sent, |write| write).await
            }
            Verdict::Later { reason, after, rest } => {
                if rest {
                    lanes.failed(app, &server, after, now);
                }
                // Our own limit is no attempt, and soon over.
                let is_ours = reason == Verdict::BUSY;
                let attempts = if is_ours { sent.attempts - 1 } else { sent.attempts };
                let wait = match is_ours {
                    true => WAIT_BUSY,
                    false => WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(WAIT_MAX),
                };
                let until = now + wait.max(after.unwrap_or_default());
                let sent = Delivery { attempts, state: State::Sent, reason: Some(reason), ..sent };
                if attempts >= ATTEMPTS_MAX || until >= expires {
                    let sent = sent.ended(State::Failed, sent.reason.clone(), now);
                    return self.log(link, &sent, |write| write).await;
                }
                self.put_off(link, sent, until).await
            }
        }
    }

    async fn put_off(&self, link: &LinkView, delivery: Delivery, until: Time) -> Result<Option<Time>, Stop> {
        let delivery = Delivery { next_at: Timestamp(until), ..delivery };
        let write = self.still(link).op(delivery.queue(link.to));
        unless_changed(self.call, write).await?;
        Ok(Some(until))
    }

    async fn end(
        &self,
        link: &LinkView,
        delivery: &Delivery,
        state: State,
        reason: &str,
    ) -> Result<Option<Time>, Stop> {
        let now = self.call.cluster.now().wall;
        self.log(link, &delivery.ended(state, Some(reason.to_owned()), now), |write| write).await
    }

    /// Writes how one ended, and what follows from it.
    async fn log(
        &self,
        link: &LinkView,
        delivery: &Delivery,
        more: impl FnOnce(Write) -> Write,
    ) -> Result<Option<Time>, Stop> {
        let mut write = self.still(link);
        write.ops.extend(delivery.log(link.to));
        unless_changed(self.call, more(write)).await?;
        Ok(None)
    }

    /// A write that holds if nobody else was there.
    fn still(&self, link: &LinkView) -> Write {
        let pre = Precondition::LinkData(PUSH_QUEUE, link.to, link.link.data.clone());
        self.call.on(Root::profile(self.me)).when(pre)
    }
}
