//! Notices as their reader may see them, one by one and in groups.
//!
//! A group is what is told of one thing on one day: Ann and 4 others like a post. Days bound it, so that a page knows when
//! it has all of a group; a cursor names the groups of its day that were shown, so that none comes twice.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Order, Root, RootKind};
use gomer_core::vnode::query::EntryView;
use serde::{Deserialize, Serialize};

use super::notice::Kind;
use super::preferences::refused;
use crate::methods::chat::seat::Seat;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::Post;
use crate::methods::reply::read::comment;
use crate::model::{NOTIFICATIONS, NOTIFICATIONS_READ, READ_NOTIFICATIONS};
use crate::registry::{Call, Stop};

/// Entries that are read at once.
const CHUNK: u32 = 100;
/// Most entries that one page looks at.
const SCAN_MAX: usize = 500;
/// Most groups of one day that a cursor names.
const SHOWN_MAX: usize = 400;
/// Unread notices are counted up to here: more is "99+".
pub const UNREAD_CAP: u32 = 100;

/// One reader's notices.
pub struct Notices<'a> {
    call: &'a Call,
    me: Id,
    reader: Reader,
    /// Kinds that the reader does not want to hear of.
    refused: BTreeSet<Kind>,
}

impl<'a> Notices<'a> {
    /// For this reader.
    pub async fn of(call: &'a Call, me: Id) -> Result<Notices<'a>, Stop> {
        Ok(Notices { call, me, reader: Reader::new(call), refused: refused(call, me).await? })
    }

    /// Those of these notices that are of a wanted kind, and about somebody and something that the reader may see.
    pub async fn visible(&mut self, entries: Vec<EntryView>) -> Result<Vec<EntryView>, Stop> {
        let actors: BTreeSet<Id> = entries.iter().map(|view| view.entry.activity.actor).collect();
        let seen: BTreeSet<Id> = self.reader.profiles(actors).await?.into_iter().collect();
        let mut visible = Vec::with_capacity(entries.len());
        for view in entries {
            let activity = &view.entry.activity;
            let wanted = Kind::of(activity.verb).is_some_and(|kind| !self.refused.contains(&kind));
            if wanted && seen.contains(&activity.actor) && self.sees(activity.object).await? {
                visible.push(view);
            }
        }
        Ok(visible)
    }

    async fn sees(&mut self, object: Root) -> Result<bool, Stop> {
        Ok(match object.kind {
            RootKind::Profile => true,
            RootKind::Post => self.reader.subject(object.id).await?.is_some(),
            RootKind::Reply => {
                comment(self.call, &mut self.reader, object.id).await?.is_some_and(|reply| !reply.deleted)
            }
            RootKind::Chat => Seat::find(self.call, &mut self.reader, self.me, object.id).await?.is_some(),
            // Nothing is told of other things; what a newer program tells of is not for this one to show.
            _ => false,
        })
    }

    /// Those of these notices, which are visible, that the reader does not mute: who did it, what it is about or belongs
    /// to, or a word or tag in it. They stand in the centre all the same; nobody is woken by them.
    pub async fn unmuted(&mut self, entries: Vec<EntryView>) -> Result<Vec<EntryView>, Stop> {
        let mutes = if entries.is_empty() { Vec::new() } else { self.reader.own_mutes().await? };
        if mutes.is_empty() {
            return Ok(entries);
        }
        let mut unmuted = Vec::with_capacity(entries.len());
        for view in entries {
            let activity = &view.entry.activity;
            let about = [Some(activity.actor), Some(activity.object.id), activity.target.map(|it| it.id)];
            if about.into_iter().flatten().any(|id| mutes.iter().any(|mute| mute.is_of(id))) {
                continue;
            }
            let object = activity.object;
            let said = self.said(object).await?;
            let silenced = said.is_some_and(|(text, tags)| {
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                mutes.iter().any(|mute| mute.silences(object.id, &text, &tags))
            });
            if !silenced {
                unmuted.push(view);
            }
        }
        Ok(unmuted)
    }

    /// What a post or a reply that the reader may see says, with its tags.
    pub async fn said(&mut self, object: Root) -> Result<Option<(String, Vec<String>)>, Stop> {
        Ok(match object.kind {
            RootKind::Post => self.reader.post(object.id).await?.map(|view| {
                let post = Post::read(object.id, &view);
                (post.text, post.tags.into_iter().map(|tag| tag.0).collect())
            }),
            RootKind::Reply => {
                let reply = comment(self.call, &mut self.reader, object.id).await?;
                reply.and_then(|reply| reply.text).map(|text| (text, Vec::new()))
            }
            _ => None,
        })
    }

    /// Which of these were read: one by one, or with all up to a place.
    pub async fn read(&self, entries: &[EntryView]) -> Result<BTreeSet<Id>, Stop> {
        let own = Root::profile(self.me);
        let up_to = self.call.mark(own, NOTIFICATIONS_READ).await?.map(|mark| mark.at);
        let ids: Vec<Id> = entries.iter().map(|view| view.entry.id).collect();
        let links = self.call.links(own, READ_NOTIFICATIONS, ids).await?;
        let is_read =
            |(view, one): &(&EntryView, bool)| *one || up_to.is_some_and(|up_to| view.order <= up_to);
        let entries = entries.iter().zip(links.iter().map(Option::is_some));
        Ok(entries.filter(is_read).map(|(view, _)| view.entry.id).collect())
    }

    /// Up to where the reader has seen them.
    pub async fn seen_to(&self) -> Result<Option<Order>, Stop> {
        Ok(self.call.mark(Root::profile(self.me), NOTIFICATIONS).await?.map(|mark| mark.at))
    }

    async fn page(&self, from: Option<Order>, newest_first: bool) -> Result<(Vec<EntryView>, bool), Stop> {
        self.call.entry_page(Root::profile(self.me), NOTIFICATIONS, from, newest_first, CHUNK).await
    }

    /// Counts what the reader has neither seen nor read. Counted anew each time, so that it cannot drift.
    pub async fn unread(&mut self) -> Result<u32, Stop> {
        let mut from = self.seen_to().await?;
        let (mut unread, mut scanned) = (0, 0);
        loop {
            let (page, end) = self.page(from, false).await?;
            from = page.last().map_or(from, |last| Some(last.order));
            scanned += page.len();
            let visible = self.visible(page).await?;
            let read = self.read(&visible).await?;
            unread += (visible.len() - read.len()) as u32;
            if end || unread >= UNREAD_CAP || scanned >= SCAN_MAX {
                return Ok(unread.min(UNREAD_CAP));
            }
        }
    }

    /// The next groups after a place.
    pub async fn groups(&mut self, place: Place, limit: usize) -> Result<Groups, Stop> {
        let mut groups: Vec<Group> = Vec::new();
        // Where the next page begins, once a group has come that this one has no room for.
        let mut full: Option<(Option<Order>, u64)> = None;
        let (mut at, mut day, mut scanned) = (place.from, place.day, 0);
        'scan: loop {
            let (page, end) = self.page(at, true).await?;
            let orders: Vec<(Order, u64)> = page.iter().map(|view| (view.order, day_of(view))).collect();
            scanned += page.len();
            let mut visible = self.visible(page).await?.into_iter().peekable();
            for (order, its_day) in orders {
                if full.is_some_and(|(_, last)| its_day != last) {
                    break 'scan;
                }
                if let Some(view) = visible.next_if(|view| view.order == order) {
                    let key = key_of(&view);
                    match groups.iter().position(|group| group.key == key) {
                        _ if place.day == its_day && place.shown.contains(&key) => {}
                        Some(group) => groups[group].entries.push(view),
                        None if groups.len() < limit && full.is_none() => {
                            groups.push(Group { key, day: its_day, entries: vec![view] });
                        }
                        None => full = full.or(Some((at, its_day))),
                    }
                }
                (at, day) = (Some(order), if full.is_none() { its_day } else { day });
            }
            if end || scanned >= SCAN_MAX {
                let next = full.map_or((at, day), |full| full);
                return Ok(Groups { next: place.after(next, &groups), groups, end: end && full.is_none() });
            }
        }
        let next = full.map_or((at, day), |full| full);
        Ok(Groups { next: place.after(next, &groups), groups, end: false })
    }
}

/// A page of groups.
pub struct Groups {
    /// Newest first, by their newest notice.
    pub groups: Vec<Group>,
    /// Where the next page begins.
    pub next: Place,
    /// Whether that was all.
    pub end: bool,
}

/// What is told of one thing on one day.
pub struct Group {
    key: u64,
    day: u64,
    /// Newest first; at least one.
    pub entries: Vec<EntryView>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Strictly after this one; at the newest, if absent.
    from: Option<Order>,
    /// The day of that place.
    day: u64,
    /// Groups of that day that were shown.
    shown: Vec<u64>,
}

impl Place {
    fn after(&self, (from, day): (Option<Order>, u64), groups: &[Group]) -> Place {
        let known = self.shown.iter().copied().filter(|_| self.day == day);
        let new = groups.iter().filter(|group| group.day == day).map(|group| group.key);
        let mut shown: Vec<u64> = known.chain(new).collect();
        let from_newest = shown.len().saturating_sub(SHOWN_MAX);
        shown.drain(..from_newest);
        Place { from, day, shown }
    }
}

/// The day on which a notice came, in UTC.
fn day_of(view: &EntryView) -> u64 {
    view.entry.time.as_millis() / (24 * 60 * 60 * 1_000)
}

/// What groups a notice: its kind, what it is about, and the day.
pub fn key_of(view: &EntryView) -> u64 {
    let activity = &view.entry.activity;
    let about = match Kind::of(activity.verb) {
        // Replies to one thing belong together; each mention is a thing of its own.
        Some(Kind::Reply) => activity.target.unwrap_or(activity.object),
        _ => activity.object,
    };
    let mut name = activity.verb.to_be_bytes().to_vec();
    name.extend_from_slice(&about.to_bytes());
    name.extend_from_slice(&day_of(view).to_be_bytes());
    let id = Id::derived("notice group", &name);
    u64::from_be_bytes(*id.as_bytes().first_chunk().expect("an id has 16 bytes"))
}
