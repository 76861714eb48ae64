//! What a device is let know of a notification: as much as the app lets push services see.
//!
//! The text is the app's: a key, `gomer.` and the kind, with the name of who did it; `gomer.KIND.many` has a second argument, the
//! number of others. Which of these a service may see is a setting of the app ([`Show`]).

use std::collections::BTreeSet;

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use gomer_core::vnode::query::EntryView;

use super::delivery::Delivery;
use crate::app_settings::Show;
use crate::methods::notification::notice::Kind;
use crate::methods::notification::preferences::Preferences;
use crate::methods::notification::read::Notices;
use crate::methods::profile::view::{HANDLE, NAME};
use crate::methods::sync::names;
use crate::model::NOTIFICATIONS;
use crate::push::Alert;
use crate::registry::{Call, Stop};
use crate::types::Uuid;

/// Most characters of a text that goes with a push.
const TEXT_CHARS_MAX: usize = 200;
/// Most characters of a name.
const NAME_CHARS_MAX: usize = 64;

/// One reader's news.
pub struct News<'a> {
    call: &'a Call,
    me: Id,
    notices: Notices<'a>,
    preferences: Preferences,
    show: Show,
    unread: Option<u32>,
}

impl<'a> News<'a> {
    /// Of this reader, who makes the call.
    pub async fn of(call: &'a Call, me: Id) -> Result<News<'a>, Stop> {
        let show = call.host.settings.of(&call.app).push.show;
        let preferences = Preferences::load(call, me).await?;
        Ok(News { call, me, notices: Notices::of(call, me).await?, preferences, show, unread: None })
    }

    /// Until when nothing is to be shown; nothing if it may be.
    pub fn quiet_until(&self, now: Time) -> Option<Time> {
        self.preferences.quiet_until(now)
    }

    /// The badge: what is neither seen nor read. Looked up once.
    pub async fn unread(&mut self) -> Result<u32, Stop> {
        let unread = match self.unread {
            Some(unread) => unread,
            None => self.notices.unread().await?,
        };
        self.unread = Some(unread);
        Ok(unread)
    }

    /// Those of these notices that are to be pushed: of a kind that is, visible, not muted, neither seen nor read.
    pub async fn wanted(&mut self, mut entries: Vec<EntryView>) -> Result<Vec<EntryView>, Stop> {
        let seen = self.notices.seen_to().await?;
        let pushed = |view: &EntryView| {
            Kind::of(view.entry.activity.verb).is_some_and(|kind| self.preferences.pushes(kind))
        };
        entries.retain(|view| pushed(view) && seen.is_none_or(|seen| view.order > seen));
        let read: BTreeSet<Id> = self.notices.read(&entries).await?;
        entries.retain(|view| !read.contains(&view.entry.id));
        let visible = self.notices.visible(entries).await?;
        self.notices.unmuted(visible).await
    }

    /// What is shown of a queued notification; nothing if it is no longer wanted.
    pub async fn alert(&mut self, notification: Id, delivery: &Delivery) -> Result<Option<Alert>, Stop> {
        let own = Root::profile(self.me);
        let entry = self.call.entry(own, NOTIFICATIONS, notification).await?;
        let Some(view) = self.wanted(entry.into_iter().collect()).await?.pop() else { return Ok(None) };
        let activity = &view.entry.activity;
        let Some(kind) = Kind::of(activity.verb) else { return Ok(None) };
        let mut alert = Alert {
            notification: Uuid(notification),
            kind: kind.name(),
            key: "gomer.news".to_owned(),
            args: Vec::new(),
            text: None,
            object: names::root(activity.object),
            target: activity.target.map(names::root),
            urgent: !matches!(kind, Kind::Like | Kind::Follow),
        };
        if self.show >= Show::Names {
            alert.key = format!("gomer.{}", kind.name());
            alert.args.push(self.name(activity.actor).await?);
            if delivery.others > 0 {
                alert.key.push_str(".many");
                alert.args.push(delivery.others.to_string());
            }
        }
        if self.show >= Show::Texts && matches!(kind, Kind::Reply | Kind::Mention) {
            let said = self.notices.said(activity.object).await?;
            alert.text = said.map(|(text, _)| short(&text, TEXT_CHARS_MAX));
        }
        Ok(Some(alert))
    }

    /// What somebody is called: everybody may see it who may see that there is somebody.
    async fn name(&self, profile: Id) -> Result<String, Stop> {
        let view = self.call.node(Root::profile(profile), profile).await?;
        let text = |name: &str| {
            let text = serde_json::from_str::<String>(view.as_ref()?.attr(name)?).ok()?;
            (!text.is_empty()).then_some(text)
        };
        Ok(short(&text(NAME).or_else(|| text(HANDLE)).unwrap_or_default(), NAME_CHARS_MAX))
    }
}

/// The beginning of a text.
fn short(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(short("äö ü", 3), "äö…");
        assert_eq!(short("", 3), "");
    }
}
