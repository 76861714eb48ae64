//! What is read for an app at servers of others, again and again: feeds of news, tracks of tweets. What the two have in
//! common; each of them says how it asks and what its items look like.
//!
//! A source is a root: what it is, how reading it went, and a stream of its items. An item is a root of its own, of the
//! kind of posts, so that people react to it as they do to posts. The list of an app's sources stands in a root of its own,
//! with a stream of the items of all.
//!
//! Reading order: [`item`], [`state`], [`due`], [`keep`].
//!
//! Must never learn: how anything is asked for.

pub mod due;
pub mod item;
pub mod keep;
pub mod state;

use gomer_core::id::{Id, NodeType, Root, RootKind, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use gomer_core::vnode::query::LinkPlace;
use serde::Serialize;

use self::state::{State, state_id};
use crate::model::{GONE_SOURCES, NEWS_FEED, NEWS_ITEM, SOURCE_STATE, SOURCES, TWEET, TWEET_TRACK};
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Stop};

/// Sources of one kind that an app may have.
pub const SOURCES_MAX: u64 = 500;

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A feed of news.
    Feed,
    /// A track of tweets.
    Track,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 2] = [Kind::Feed, Kind::Track];

    /// The type of a source's node.
    pub fn ty(self) -> NodeType {
        match self {
            Kind::Feed => NEWS_FEED,
            Kind::Track => TWEET_TRACK,
        }
    }

    /// The type of an item's node.
    pub fn item_ty(self) -> NodeType {
        match self {
            Kind::Feed => NEWS_ITEM,
            Kind::Track => TWEET,
        }
    }

    /// The root with the list of an app's sources of this kind, and the stream of all their items.
    pub fn list_root(self) -> Root {
        let name: &[u8] = match self {
            Kind::Feed => b"news",
            Kind::Track => b"tweet",
        };
        Root::new(RootKind::Index, Id::derived("sources", name))
    }
}

/// The root of a source.
pub fn source_root(id: Id) -> Root {
    Root::new(RootKind::Source, id)
}

/// The source with this id.
pub async fn source(call: &Call, kind: Kind, id: Id) -> Result<Option<NodeView>, Stop> {
    Ok(call.node(source_root(id), id).await?.filter(|view| view.node.ty == kind.ty()))
}

/// Makes a source, which is then read for the first time as soon as may be.
pub async fn create<R: Serialize>(
    call: &Call,
    kind: Kind,
    id: Id,
    attrs: Vec<(String, String)>,
    reply: R,
) -> Result<Reply<R>, Stop> {
    let have = call.counts(kind.list_root(), vec![SOURCES]).await?;
    if have.first().is_some_and(|count| *count >= SOURCES_MAX) {
        return Err(Problem::new(Code::TooLarge).detail(format!("The limit is {SOURCES_MAX}.")).into());
    }
    let node = |id, ty, section, attrs| Operation::CreateNode {
        id,
        ty,
        section,
        author: call.author(),
        flags: Flags::default(),
        attrs,
    };
    let listed = Operation::PutLink {
        ty: SOURCES,
        to: id,
        section: Section::INTERNAL,
        time: None,
        data: String::new(),
    };
    let write = call
        .on(source_root(id))
        .when(Precondition::NodeAbsent(id))
        .op(node(id, kind.ty(), Section::PUBLIC, attrs))
        .op(node(state_id(id), SOURCE_STATE, Section::INTERNAL, State::default().attrs()))
        .step(Step::to(kind.list_root(), vec![listed]));
    call.write(write, reply).await
}

/// Deletes a source for ever. Its items go in the background, and are seen by nobody from now on.
pub async fn delete<R: Serialize>(
    call: &Call,
    id: Id,
    kind: Kind,
    guard: Option<Precondition>,
    reply: R,
) -> Result<Reply<R>, Stop> {
    let gone = vec![
        Operation::DeleteLink { ty: SOURCES, to: id },
        Operation::PutLink {
            ty: GONE_SOURCES,
            to: id,
            section: Section::INTERNAL,
            time: None,
            data: String::new(),
        },
    ];
    let mut write = call
        .on(source_root(id))
        .op(Operation::DeleteNode { id })
        .op(Operation::DeleteNode { id: state_id(id) })
        .step(Step::to(kind.list_root(), gone));
    write.pre.extend(guard);
    call.write(write, reply).await
}

/// A page of an app's sources of one kind, the newest first, with the place to go on from and whether it ends there.
pub async fn sources(
    call: &Call,
    kind: Kind,
    after: Option<LinkPlace>,
    limit: u32,
) -> Result<(Vec<(Id, NodeView)>, Option<LinkPlace>, bool), Stop> {
    let (links, end) = call.link_page(kind.list_root(), SOURCES, after, limit).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let mut found = Vec::with_capacity(links.len());
    for link in links {
        found.extend(source(call, kind, link.to).await?.map(|view| (link.to, view)));
    }
    Ok((found, place, end))
}
