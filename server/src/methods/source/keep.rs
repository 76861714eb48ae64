//! From items that were read to rows, and away again.
//!
//! Two members may read the same source at once. An entry is appended under the condition that nobody appended it
//! before, and the state is written under the condition that it is the one that was read: the later one changes nothing.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use gomer_core::vnode::query::{Answer, EntryView, LinkPlace, QUERIES_MAX, Query};

use super::item::{Read, item_root};
use super::state::State;
use super::{Kind, source_root, state_id};
use crate::feeds::ITEMS_MAX;
use crate::methods::post::publish::VERB_CREATE;
use crate::methods::post::view::counts_id;
use crate::methods::reply::view::reply_count_id;
use crate::model::{ALL_SOURCE_ITEMS, COUNTS, GONE_SOURCES, SOURCE_ITEMS};
use crate::registry::{Call, NodeView, Stop};

/// Items of a source that are kept: its newest.
pub const ITEMS_KEPT: u32 = 500;
/// Items of all sources together in the list of an app.
const ALL_ITEMS_KEPT: u32 = 5_000;
/// Items that one write makes or takes away: each is a handful of rows.
const ITEMS_PER_WRITE: usize = 32;

/// A source that is being read.
pub struct Source {
    /// Which.
    pub id: Id,
    /// Of which kind.
    pub kind: Kind,
    /// What it is.
    pub view: NodeView,
    /// How reading it went so far.
    pub state: State,
    /// The state's node as it was read.
    pub state_view: NodeView,
}

impl Source {
    /// A source with its state; nothing if it is gone.
    pub async fn read(call: &Call, kind: Kind, id: Id) -> Result<Option<Source>, Stop> {
        let nodes = call.nodes(source_root(id), 4).await?;
        let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view.clone());
        let (Some(view), Some(state_view)) = (node(id), node(state_id(id))) else { return Ok(None) };
        if view.node.ty != kind.ty() {
            return Ok(None);
        }
        let state = State::of(&state_view.node);
        Ok(Some(Source { id, kind, view, state, state_view }))
    }

    fn root(&self) -> Root {
        source_root(self.id)
    }

    /// Keeps what is new or changed of these items, the oldest first. How many those are.
    pub async fn keep(&self, call: &Call, items: Vec<Read>) -> Result<usize, Stop> {
        let mut fresh = Vec::new();
        let mut changed = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for item in items {
            if seen.insert(item.entry_id(self.id)) {
                fresh.push(item);
            }
        }
        let mut unknown = Vec::new();
        while !fresh.is_empty() {
            let some: Vec<Read> = fresh.drain(..fresh.len().min(QUERIES_MAX)).collect();
            let ask = |item: &Read| Query::Entry { stream: SOURCE_ITEMS, id: item.entry_id(self.id) };
            let answer = call.read(self.root(), Query::All(some.iter().map(ask).collect())).await?.answer;
            let Answer::All(answers) = answer else { continue };
            for (item, answer) in some.into_iter().zip(answers) {
                match answer {
                    Answer::Entry(None) => unknown.push(item),
                    Answer::Entry(Some(known)) if known.entry.activity.extra != item.fingerprint() => {
                        changed.push((item, known));
                    }
                    _ => {}
                }
            }
        }
        let count = unknown.len() + changed.len();
        for some in changed.chunks(ITEMS_PER_WRITE) {
            call.commit(self.changing(call, some)).await?;
        }
        for some in unknown.chunks(ITEMS_PER_WRITE) {
            call.commit(self.making(call, some)).await?;
        }
        Ok(count)
    }

    fn making(&self, call: &Call, items: &[Read]) -> Write {
        let mut write = call.on(self.root()).when(Precondition::NodePresent(self.id));
        let mut listed = Vec::with_capacity(items.len() + 1);
        for item in items {
            let (id, entry_id) = (call.cluster.mint(), item.entry_id(self.id));
            let activity = Activity {
                actor: Id::NIL,
                verb: VERB_CREATE,
                object: item_root(id),
                target: Some(self.root()),
                extra: item.fingerprint(),
            };
            let append = |stream, section| Operation::Append {
                stream,
                id: entry_id,
                section,
                activity: activity.clone(),
            };
            let node = |id, ty, attrs| Operation::CreateNode {
                id,
                ty,
                section: Section::PUBLIC,
                author: Id::NIL,
                flags: Flags::default(),
                attrs,
            };
            write.pre.push(Precondition::EntryAbsent(SOURCE_ITEMS, entry_id));
            write.ops.push(append(SOURCE_ITEMS, Section::PUBLIC));
            listed.push(append(ALL_SOURCE_ITEMS, Section::INTERNAL));
            let attrs = item.node_attrs(self.id, call.now.wall);
            let make = vec![node(id, self.kind.item_ty(), attrs), node(counts_id(id), COUNTS, Vec::new())];
            write.steps.push(Step::to(item_root(id), make));
        }
        listed.push(Operation::TrimSeldom {
            stream: ALL_SOURCE_ITEMS,
            keep: ALL_ITEMS_KEPT,
            draw: call.cluster.mint(),
        });
        write.step(Step::to(self.kind.list_root(), listed))
    }

    fn changing(&self, call: &Call, items: &[(Read, EntryView)]) -> Write {
        let mut write = call.on(self.root());
        for (item, known) in items {
            let id = known.entry.activity.object.id;
            let rev = Precondition::EntryRev(SOURCE_ITEMS, known.entry.id, known.entry.rev);
            write.pre.push(rev);
            let (entry_id, extra) = (known.entry.id, item.fingerprint());
            write.ops.push(Operation::Amend { stream: SOURCE_ITEMS, id: entry_id, extra });
            let attrs = item.attrs.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
            let patch = Operation::PatchNode { id, attrs, edited: None };
            write.steps.push(Step::to(item_root(id), vec![patch]).when(Precondition::NodePresent(id)));
        }
        write
    }

    /// Writes how reading went, and what the source says of itself, if both are still as they were read.
    pub async fn settle(&self, call: &Call, state: &State, attrs: Vec<(String, String)>) -> Result<(), Stop> {
        let same = |(name, value): &(String, String)| self.view.node.attr(name) == Some(value.as_str());
        let told: Vec<_> =
            attrs.into_iter().filter(|attr| !same(attr)).map(|(name, value)| (name, Some(value))).collect();
        let id = state_id(self.id);
        let attrs = state.attrs().into_iter().map(|(name, value)| (name, Some(value))).collect();
        let mut write = call
            .on(self.root())
            .when(Precondition::NodeRev(id, self.state_view.node.rev))
            .when(Precondition::NodePresent(self.id))
            .op(Operation::PatchNode { id, attrs, edited: None });
        if !told.is_empty() {
            write = write.op(Operation::PatchNode { id: self.id, attrs: told, edited: None });
        }
        call.commit(write).await.map(drop)
    }

    /// Takes away the oldest items beyond those that are kept.
    pub async fn trim(&self, call: &Call) -> Result<(), Stop> {
        let ask = ITEMS_KEPT + ITEMS_PER_WRITE as u32;
        // As many as one reading can bring.
        for _ in 0..ITEMS_MAX.div_ceil(ITEMS_PER_WRITE) {
            let have = call.unread(self.root(), SOURCE_ITEMS, ask).await?;
            if have <= ITEMS_KEPT {
                break;
            }
            drop_items(call, self.kind, self.id, have - ITEMS_KEPT).await?;
        }
        Ok(())
    }
}

/// Takes away at most so many of a source's oldest items, with all that stands at them. How many there were.
async fn drop_items(call: &Call, kind: Kind, source: Id, items: u32) -> Result<usize, Stop> {
    let limit = items.min(ITEMS_PER_WRITE as u32);
    let (entries, _) = call.entry_page(source_root(source), SOURCE_ITEMS, None, false, limit).await?;
    if entries.is_empty() {
        return Ok(0);
    }
    let mut write = call.on(source_root(source));
    let mut unlisted = Vec::with_capacity(entries.len());
    for view in &entries {
        let (entry, id) = (view.entry.id, view.entry.activity.object.id);
        write.ops.push(Operation::Retract { stream: SOURCE_ITEMS, id: entry });
        unlisted.push(Operation::Retract { stream: ALL_SOURCE_ITEMS, id: entry });
        let gone = [id, counts_id(id), reply_count_id(id)].map(|id| Operation::DeleteNode { id });
        write.steps.push(Step::to(item_root(id), gone.to_vec()));
    }
    call.commit(write.step(Step::to(kind.list_root(), unlisted))).await?;
    Ok(entries.len())
}

/// Goes on taking away the items of sources that are gone.
pub async fn clear_gone(call: &Call, kind: Kind) -> Result<(), Stop> {
    let root = kind.list_root();
    if !call.cluster.leads(call.app.id, root) {
        return Ok(());
    }
    let after: Option<LinkPlace> = None;
    let (links, _) = call.link_page(root, GONE_SOURCES, after, 8).await?;
    for link in links {
        if drop_items(call, kind, link.to, ITEMS_PER_WRITE as u32).await? == 0 {
            call.commit(call.on(root).op(Operation::DeleteLink { ty: GONE_SOURCES, to: link.to })).await?;
        }
    }
    Ok(())
}
