//! Typed reads of one root: each asks one thing and unwraps its answer.

use std::ops::Deref;
use std::sync::atomic::Ordering;

use gomer_core::id::{Id, LinkType, Order, Root, Section, StreamId};
use gomer_core::rows::applied::Eras;
use gomer_core::rows::mark::Mark;
use gomer_core::rows::name::Name;
use gomer_core::rows::node::Node;
use gomer_core::vnode::query::{
    Answer, DeltaFrom, DeltaPage, EntryView, LinkPlace, LinkView, Query, Reading,
};

use super::call::Call;
use super::reply::Stop;
use super::rev::Rev;
use crate::problem::{Code, Problem};

/// A node as it is read, with its revision as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub node: Node,
    /// Its revision.
    pub rev: Rev,
}

impl Deref for NodeView {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Call {
    /// Any read of one root, with the position, history and eras it is as of.
    pub async fn read(&self, root: Root, query: Query) -> Result<Reading, Stop> {
        let reading = self.cluster.read(self.app.id, root, query).await?;
        self.seen.store(reading.position.0, Ordering::Relaxed);
        Ok(reading)
    }

    /// A node.
    pub async fn node(&self, root: Root, id: Id) -> Result<Option<NodeView>, Stop> {
        let reading = self.read(root, Query::Node(id)).await?;
        match reading.answer {
            Answer::Node(node) => {
                Ok(node.map(|node| NodeView { rev: Rev::of(node.rev, &reading.eras), node }))
            }
            _ => unasked(),
        }
    }

    /// A node, or whether it was deleted.
    pub async fn node_or_tombstone(&self, root: Root, id: Id) -> Result<(Option<NodeView>, bool), Stop> {
        let reading = self.read(root, Query::NodeOrTombstone(id)).await?;
        match reading.answer {
            Answer::NodeOrTombstone(node, deleted) => {
                Ok((node.map(|node| NodeView { rev: Rev::of(node.rev, &reading.eras), node }), deleted))
            }
            _ => unasked(),
        }
    }

    /// All nodes of a root, at most `limit`.
    pub async fn nodes(&self, root: Root, limit: u32) -> Result<Vec<(Id, NodeView)>, Stop> {
        let reading = self.read(root, Query::Nodes { limit }).await?;
        match reading.answer {
            Answer::Nodes(nodes) => Ok(nodes
                .into_iter()
                .map(|(id, node)| (id, NodeView { rev: Rev::of(node.rev, &reading.eras), node }))
                .collect()),
            _ => unasked(),
        }
    }

    /// One link.
    pub async fn link(&self, root: Root, ty: LinkType, to: Id) -> Result<Option<LinkView>, Stop> {
        Ok(self.links(root, ty, vec![to]).await?.pop().flatten())
    }

    /// Links of one type to these targets, in the order asked.
    pub async fn links(&self, root: Root, ty: LinkType, to: Vec<Id>) -> Result<Vec<Option<LinkView>>, Stop> {
        match self.read(root, Query::Links { ty, to }).await?.answer {
            Answer::Links(links) => Ok(links),
            _ => unasked(),
        }
    }

    /// A page of a link list, newest first, strictly after a place; and whether the list ends there.
    pub async fn link_page(
        &self,
        root: Root,
        ty: LinkType,
        after: Option<LinkPlace>,
        limit: u32,
    ) -> Result<(Vec<LinkView>, bool), Stop> {
        let query = Query::LinkPage { ty, after, since: None, until: None, limit };
        match self.read(root, query).await?.answer {
            Answer::LinkPage(links, end) => Ok((links, end)),
            _ => unasked(),
        }
    }

    /// Counts of link lists, in the order asked.
    pub async fn counts(&self, root: Root, types: Vec<LinkType>) -> Result<Vec<u64>, Stop> {
        match self.read(root, Query::LinkCounts(types)).await?.answer {
            Answer::LinkCounts(counts) => Ok(counts),
            _ => unasked(),
        }
    }

    /// One entry of a stream.
    pub async fn entry(&self, root: Root, stream: StreamId, id: Id) -> Result<Option<EntryView>, Stop> {
        match self.read(root, Query::Entry { stream, id }).await?.answer {
            Answer::Entry(entry) => Ok(entry),
            _ => unasked(),
        }
    }

    /// A page of a stream, strictly beyond `from` in the direction asked; and whether the stream ends there.
    pub async fn entry_page(
        &self,
        root: Root,
        stream: StreamId,
        from: Option<Order>,
        newest_first: bool,
        limit: u32,
    ) -> Result<(Vec<EntryView>, bool), Stop> {
        match self.read(root, Query::EntryPage { stream, from, newest_first, limit }).await?.answer {
            Answer::EntryPage(entries, end) => Ok((entries, end)),
            _ => unasked(),
        }
    }

    /// Live entries after the read mark, counted up to `cap`.
    pub async fn unread(&self, root: Root, stream: StreamId, cap: u32) -> Result<u32, Stop> {
        match self.read(root, Query::Unread { stream, cap }).await?.answer {
            Answer::Unread(count) => Ok(count),
            _ => unasked(),
        }
    }

    /// A read mark.
    pub async fn mark(&self, root: Root, stream: StreamId) -> Result<Option<Mark>, Stop> {
        match self.read(root, Query::Mark(stream)).await?.answer {
            Answer::Mark(mark) => Ok(mark),
            _ => unasked(),
        }
    }

    /// Who owns a name.
    pub async fn name(&self, root: Root) -> Result<Option<Name>, Stop> {
        match self.read(root, Query::Name).await?.answer {
            Answer::Name(name) => Ok(name),
            _ => unasked(),
        }
    }

    /// Links of several types to these targets, as of one moment: for each type, as in [`Call::links`].
    pub async fn links_of(
        &self,
        root: Root,
        types: impl IntoIterator<Item = LinkType>,
        to: &[Id],
    ) -> Result<Vec<Vec<Option<LinkView>>>, Stop> {
        let queries = types.into_iter().map(|ty| Query::Links { ty, to: to.to_vec() }).collect();
        let Answer::All(answers) = self.read(root, Query::All(queries)).await?.answer else {
            return unasked();
        };
        let links = |answer| match answer {
            Answer::Links(links) => Ok(links),
            _ => unasked(),
        };
        answers.into_iter().map(links).collect()
    }

    /// What changed in several sections of a root, each after its own place, as of one moment.
    pub async fn deltas(
        &self,
        root: Root,
        sections: &[(Section, DeltaFrom)],
        limit: u32,
    ) -> Result<(Vec<DeltaPage>, Eras), Stop> {
        let delta = |&(section, from): &(Section, DeltaFrom)| Query::Delta { section, from, limit };
        let reading = self.read(root, Query::All(sections.iter().map(delta).collect())).await?;
        let Answer::All(answers) = reading.answer else { return unasked() };
        let page = |answer| match answer {
            Answer::Delta(page) => Ok(page),
            _ => unasked(),
        };
        Ok((answers.into_iter().map(page).collect::<Result<_, _>>()?, reading.eras))
    }

    /// What changed in a section of a root after a place.
    pub async fn delta(
        &self,
        root: Root,
        section: gomer_core::id::Section,
        from: DeltaFrom,
        limit: u32,
    ) -> Result<DeltaPage, Stop> {
        match self.read(root, Query::Delta { section, from, limit }).await?.answer {
            Answer::Delta(page) => Ok(page),
            _ => unasked(),
        }
    }
}

/// A member answered something else than it was asked: a bug, or an older program.
fn unasked<T>() -> Result<T, Stop> {
    Err(Problem::new(Code::Internal).detail("An answer did not fit its question.").into())
}
