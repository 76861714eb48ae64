//! One page of what changed for one person: which roots and sections are followed, and what is new there.
//!
//! A section is all or nothing for its reader. What may be read is decided anew for each page; a root that
//! the caller may not see (any more), that is gone or that never was gets one *scope dropped*, the same
//! for all of these, and the cursor remembers that this was said.

use std::borrow::Cow;
use std::collections::BTreeSet;

use gomer_core::id::{Id, Root, RootKind, Section, StreamId};
use gomer_core::mutant::Mutant;
use gomer_core::rows::applied::Eras;
use gomer_core::vnode::query::{DeltaFrom, DeltaItem, DeltaPage, EntryView, Query};

use super::item::{Item, Op};
use crate::cursor::{RootPlace, SyncPlace};
use crate::methods::chat::read::hidden;
use crate::methods::chat::seat::{self, Seat};
use crate::methods::graph::types::Readers;
use crate::methods::notification::read::Notices;
use crate::methods::post::hydrate::Reader;
use crate::methods::share::view::shares;
use crate::model::{
    BLOCKED_BY, BLOCKS, CHAT_MEMBER, CHAT_READ, CHAT_STAFF, CHECKIN, FOLLOWED_BY, FOLLOWS, LIKED_BY,
    MESSAGES, NOTIFICATIONS, PLACE, REQUESTED, REQUESTED_BY,
};
use crate::problem::Code;
use crate::registry::{Call, Rev, Stop};
use crate::visibility::Sight;

/// Most roots that are followed beside one's own.
pub const ROOTS_MAX: usize = 50;

/// Changes that are read at once. A page may have that many more than its limit.
const CHUNK: u32 = 100;
/// A page that has this many bytes takes no further chunk.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// A page.
pub struct Page {
    /// What changed, in order within each section.
    pub items: Vec<Item>,
    /// Where the next page begins.
    pub place: SyncPlace,
    /// Whether this was all there is.
    pub end: bool,
}

/// The next page for `me` after `place`. `wanted`: the roots that the phone has open now; without it, those of
/// the cursor.
pub async fn page(
    call: &Call,
    me: Id,
    place: SyncPlace,
    wanted: Option<&[Root]>,
    limit: usize,
) -> Result<Page, Stop> {
    let mut items = Vec::new();
    let mut place = follow(call, me, place, wanted, &mut items).await?;
    let mut budget = Budget { items: limit.saturating_sub(items.len()).max(1), bytes: PAGE_BYTES_MAX };
    for RootPlace { root, sections } in &mut place.roots {
        // All sections as of one moment: together they are a state that the root had.
        let (pages, eras) = call.deltas(*root, sections, budget.chunk()).await?;
        for ((section, from), page) in sections.iter_mut().zip(pages) {
            let end =
                changes(call, me, (*root, *section), from, (page, &eras), &mut budget, &mut items).await?;
            if !end {
                return Ok(Page { items, place, end: false });
            }
        }
    }
    Ok(Page { items, place, end: true })
}

/// What is left of a page.
struct Budget {
    items: usize,
    bytes: usize,
}

impl Budget {
    /// How many changes to read next.
    fn chunk(&self) -> u32 {
        CHUNK.min(self.items.try_into().unwrap_or(CHUNK))
    }
}

/// The roots and sections that are followed from now on, in the order in which they are read: one's own,
/// then those asked for.
async fn follow(
    call: &Call,
    me: Id,
    old: SyncPlace,
    wanted: Option<&[Root]>,
    items: &mut Vec<Item>,
) -> Result<SyncPlace, Stop> {
    let own = Root::profile(me);
    let known = old.roots.iter().map(|followed| followed.root).chain(old.refused.iter().copied());
    let mut asked: Vec<Root> = wanted.map_or_else(|| known.collect(), <[Root]>::to_vec);
    let mut once = BTreeSet::from([own]);
    asked.retain(|root| once.insert(*root));
    let mut reader = Reader::new(call);
    let mut new = SyncPlace::default();
    let places = |root: Root| old.roots.iter().find(|followed| followed.root == root);
    for root in std::iter::once(own).chain(asked) {
        let readable = if root == own { OWN.to_vec() } else { readable(call, me, &mut reader, root).await? };
        let held = places(root).map_or(&[][..], |followed| &followed.sections);
        let lost = held.iter().map(|(section, _)| *section).filter(|it| !readable.contains(it));
        if !call.cluster.mutants().has(Mutant::ScopeDropLost) {
            items.extend(dropped(root, lost));
        }
        if readable.is_empty() {
            if held.is_empty() && !old.refused.contains(&root) {
                items.extend(dropped(root, [Section::PUBLIC].into_iter()));
            }
            new.refused.push(root);
            continue;
        }
        let mut sections = Vec::with_capacity(readable.len());
        for section in readable {
            match held.iter().find(|(it, _)| *it == section) {
                Some(known) => sections.push(*known),
                None => {
                    if root != own {
                        let reading = call.read(root, Query::Name).await?;
                        let grant = Rev::of(reading.position, &reading.eras);
                        items.push(Item::of_scope(Op::ScopeAdded, root, section, Some(grant)));
                    }
                    sections.push((section, DeltaFrom::START));
                }
            }
        }
        new.roots.push(RootPlace { root, sections });
    }
    for followed in old.roots.iter().filter(|followed| !once.contains(&followed.root)) {
        items.extend(dropped(followed.root, followed.sections.iter().map(|(section, _)| *section)));
    }
    Ok(new)
}

/// The sections of one's own root. What is internal is in none of them.
pub const OWN: [Section; 3] = [Section::PRIVATE, Section::PUBLIC, Section::INVERSE];

fn dropped(root: Root, sections: impl Iterator<Item = Section>) -> impl Iterator<Item = Item> {
    sections.map(move |section| Item::of_scope(Op::ScopeDropped, root, section, None))
}

/// Which sections of somebody's root the caller may read; none if the caller may not know of it.
pub async fn readable(call: &Call, me: Id, reader: &mut Reader, root: Root) -> Result<Vec<Section>, Stop> {
    let owned = |author: Id| {
        if author == me { vec![Section::PRIVATE, Section::PUBLIC] } else { vec![Section::PUBLIC] }
    };
    Ok(match root.kind {
        RootKind::Profile if reader.sight_of_profile(root.id).await? == Sight::Whole => vec![Section::PUBLIC],
        RootKind::Post => reader.post(root.id).await?.map_or(Vec::new(), |view| owned(view.node.author)),
        RootKind::CheckIn => match call.node(root, root.id).await?.filter(|view| view.node.ty == CHECKIN) {
            Some(view) if reader.sees(&view.node).await? => owned(view.node.author),
            _ => Vec::new(),
        },
        RootKind::Share => match shares(call, reader, &[root.id]).await?.pop() {
            Some(share) => owned(share.author.0),
            None => Vec::new(),
        },
        RootKind::Place => match call.node(root, root.id).await?.filter(|view| view.node.ty == PLACE) {
            Some(view) if reader.sees_common(&view.node).await? => vec![Section::PUBLIC],
            _ => Vec::new(),
        },
        RootKind::Node => {
            let Some(view) = call.node(root, root.id).await? else { return Ok(Vec::new()) };
            let types = call.host.types.of(&call.app);
            let Some((_, of_type)) = types.by_number(view.node.ty.0) else { return Ok(Vec::new()) };
            match of_type.declared.read {
                Readers::Anyone | Readers::User if reader.meets(view.node.author).await? => {
                    owned(view.node.author)
                }
                Readers::Owner if view.node.author == me => owned(me),
                Readers::Anyone | Readers::User | Readers::Owner | Readers::Server => Vec::new(),
            }
        }
        RootKind::Reply => {
            let reply = crate::methods::reply::read::comment(call, reader, root.id).await?;
            reply.map_or(Vec::new(), |reply| owned(reply.author.0))
        }
        RootKind::Chat => match Seat::find(call, reader, me, root.id).await? {
            None => Vec::new(),
            // Who is in it and how far they have read: followed while they are few, and listed when they are many.
            Some(_) if chat_is_small(call, root).await? => vec![Section::PUBLIC, Section::INVERSE],
            Some(_) => vec![Section::PUBLIC],
        },
        _ => Vec::new(),
    })
}

/// Most members of a chat whose coming, going and reading is synced to each of them: each of those changes goes to
/// all, so what it costs grows with the square of their number.
pub const SMALL_CHAT_MEMBERS: u64 = 200;

async fn chat_is_small(call: &Call, root: Root) -> Result<bool, Stop> {
    let members = call.counts(root, vec![CHAT_MEMBER]).await?;
    Ok(members.first().is_some_and(|&count| count <= SMALL_CHAT_MEMBERS))
}

/// Adds what changed in one section, and says whether that was all. A page ends between two positions, so
/// that the place behind it is exact.
async fn changes(
    call: &Call,
    me: Id,
    (root, section): (Root, Section),
    from: &mut DeltaFrom,
    (first, eras): (DeltaPage, &Eras),
    budget: &mut Budget,
    items: &mut Vec<Item>,
) -> Result<bool, Stop> {
    // What was read ahead is of use as long as it fits into what the sections before it have left.
    let mut next = (first.items.len() <= budget.items).then_some((first, Cow::Borrowed(eras)));
    loop {
        if budget.items == 0 || budget.bytes == 0 {
            return Ok(false);
        }
        let (page, eras) = match next.take() {
            Some(page) => page,
            None => {
                let (mut pages, eras) = call.deltas(root, &[(section, *from)], budget.chunk()).await?;
                (pages.pop().ok_or(Code::Internal)?, Cow::Owned(eras))
            }
        };
        let DeltaPage { resync, items: changes, next: reached, end } = page;
        if resync {
            items.push(Item::of_scope(Op::Resync, root, section, None));
        }
        let unseen = unseen(call, me, root, &changes).await?;
        let unwanted = unwanted(call, me, root, &changes).await?;
        for change in changes {
            let hidden = person_of(&change).is_some_and(|person| unseen.contains(&person))
                || matches!(&change, DeltaItem::Entry(_, view) if unwanted.contains(&view.entry.id));
            let item = Item::of_change(&call.app, root, section, &eras, change);
            let item = if hidden { item.hidden() } else { item };
            budget.items = budget.items.saturating_sub(1);
            budget.bytes = budget.bytes.saturating_sub(item.bytes());
            items.push(item);
        }
        *from = reached;
        if end {
            return Ok(true);
        }
    }
}

/// People whom somebody else's links lead to and whom the caller may not see: to the caller such a link does
/// not exist. One's own links are one's own to see.
async fn unseen(call: &Call, me: Id, root: Root, changes: &[DeltaItem]) -> Result<BTreeSet<Id>, Stop> {
    if root == Root::profile(me) {
        return Ok(BTreeSet::new());
    }
    let people: BTreeSet<Id> = changes.iter().filter_map(person_of).collect();
    let seen = Reader::new(call).profiles(people.iter().copied()).await?;
    Ok(people.into_iter().filter(|person| !seen.contains(person)).collect())
}

/// Entries that the caller may not see or does not want: of a chat, messages of people whom a block hides and what was
/// deleted for oneself; of one's own root, what is told of things that are no longer for one.
async fn unwanted(call: &Call, me: Id, root: Root, changes: &[DeltaItem]) -> Result<BTreeSet<Id>, Stop> {
    let entries = |wanted: StreamId| -> Vec<EntryView> {
        let of_stream = |change: &DeltaItem| match change {
            DeltaItem::Entry(stream, view) if *stream == wanted => Some(view.clone()),
            _ => None,
        };
        changes.iter().filter_map(of_stream).collect()
    };
    if root.kind == RootKind::Chat {
        let cleared = seat::mine(call, me, root.id).await?.and_then(|(mine, _)| mine.cleared_to());
        return hidden(call, &mut Reader::new(call), me, cleared, &entries(MESSAGES)).await;
    }
    let told = entries(NOTIFICATIONS);
    if root != Root::profile(me) || told.is_empty() {
        return Ok(BTreeSet::new());
    }
    let all: BTreeSet<Id> = told.iter().map(|view| view.entry.id).collect();
    let seen = Notices::of(call, me).await?.visible(told).await?;
    let seen: BTreeSet<Id> = seen.into_iter().map(|view| view.entry.id).collect();
    Ok(all.difference(&seen).copied().collect())
}

/// The person whom a link between people leads to.
fn person_of(change: &DeltaItem) -> Option<Id> {
    match change {
        DeltaItem::Link(
            FOLLOWS | FOLLOWED_BY | REQUESTED | REQUESTED_BY | BLOCKS | BLOCKED_BY | LIKED_BY | CHAT_MEMBER
            | CHAT_STAFF | CHAT_READ,
            view,
        ) => Some(view.to),
        _ => None,
    }
}

/// Where somebody stands who knows everything of their own root as of now.
pub async fn head(call: &Call, me: Id) -> Result<SyncPlace, Stop> {
    let root = Root::profile(me);
    let mut sections = Vec::with_capacity(OWN.len());
    for section in OWN {
        let reading = call.read(root, Query::Name).await?;
        let from = DeltaFrom {
            position: reading.position,
            resync: None,
            history: reading.history,
            era: reading.eras.of(reading.position),
        };
        sections.push((section, from));
    }
    Ok(SyncPlace { roots: vec![RootPlace { root, sections }], refused: Vec::new() })
}
