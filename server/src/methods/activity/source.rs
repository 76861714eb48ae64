//! Where activities come from: streams and link lists, merged by time.

use gomer_core::id::{Id, LinkType, Order, Root, StreamId};
use gomer_core::time::Time;
use gomer_core::vnode::query::LinkPlace;
use serde::{Deserialize, Serialize};

use super::Verb;
use crate::problem::Code;
use crate::registry::{Call, Stop};

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// What was done.
    pub verb: Verb,
    /// By whom.
    pub actor: Id,
    /// To what.
    pub object: Root,
    /// When.
    pub time: Time,
}

/// A list of activities of one kind, newest first.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A stream of things that were made.
    Entries {
        /// Whose.
        root: Root,
        /// Which.
        stream: StreamId,
    },
    /// Links from the one who acted.
    Did {
        /// Who.
        actor: Id,
        /// What.
        verb: Verb,
        /// Which list.
        links: LinkType,
    },
    /// Links from what it was done to.
    WasDone {
        /// To what.
        object: Root,
        /// What.
        verb: Verb,
        /// Which list.
        links: LinkType,
    },
}

/// A place in a source; `None` is before its newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In a stream.
    Entry(Option<Order>),
    /// In a link list.
    Link(Option<LinkPlace>),
}

/// A place in each source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start(Vec<Place>);

impl Start {
    /// Before the newest of each source.
    pub fn newest(sources: &[Source]) -> Start {
        Start(sources.iter().map(Source::newest).collect())
    }

    /// The place behind so many, for tests.
    #[cfg(test)]
    pub fn at(count: usize) -> Start {
        Start(vec![Place::Entry(None); count])
    }

    /// How many it is behind.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Source {
    fn newest(&self) -> Place {
        match self {
            Source::Entries { .. } => Place::Entry(None),
            Source::Did { .. } | Source::WasDone { .. } => Place::Link(None),
        }
    }

    /// The next ones after a place, each with its own place; and whether the source ends with them.
    async fn page(&self, call: &Call, at: Place, limit: u32) -> Result<(Vec<(Place, Happened)>, bool), Stop> {
        match (*self, at) {
            (Source::Entries { root, stream }, Place::Entry(from)) => {
                let (entries, end) = call.entry_page(root, stream, from, true, limit).await?;
                let happened = entries.into_iter().map(|view| {
                    let (actor, object) = (view.entry.activity.actor, view.entry.activity.object);
                    let time = view.entry.time;
                    (Place::Entry(Some(view.order)), Happened { verb: Verb::Create, actor, object, time })
                });
                Ok((happened.collect(), end))
            }
            (Source::Did { actor, verb, links }, Place::Link(after)) => {
                let object = |to: Id| match verb {
                    Verb::Follow => Root::profile(to),
                    Verb::Create | Verb::Like => Root::post(to),
                };
                links_page(call, Root::profile(actor), links, after, limit, |to| (verb, actor, object(to)))
                    .await
            }
            (Source::WasDone { object, verb, links }, Place::Link(after)) => {
                links_page(call, object, links, after, limit, |to| (verb, to, object)).await
            }
            // Under the cursor's MAC, so only a newer or older program wrote it.
            (Source::Entries { .. }, Place::Link(_))
            | (Source::Did { .. } | Source::WasDone { .. }, Place::Entry(_)) => {
                Err(Code::CursorInvalid.into())
            }
        }
    }
}

async fn links_page(
    call: &Call,
    root: Root,
    links: LinkType,
    after: Option<LinkPlace>,
    limit: u32,
    what: impl Fn(Id) -> (Verb, Id, Root),
) -> Result<(Vec<(Place, Happened)>, bool), Stop> {
    let (page, end) = call.link_page(root, links, after, limit).await?;
    let happened = page.into_iter().map(|link| {
        let (verb, actor, object) = what(link.to);
        let place = LinkPlace { time: link.time, to: link.to };
        (Place::Link(Some(place)), Happened { verb, actor, object, time: link.time })
    });
    Ok((happened.collect(), end))
}

/// The next ones of all sources, newest first, each with where to go on behind it; and whether that was all.
pub async fn merged(
    call: &Call,
    sources: &[Source],
    start: Start,
    limit: u32,
) -> Result<(Vec<(Happened, Start)>, bool), Stop> {
    let Start(mut places) = start;
    if places.len() != sources.len() {
        return Err(Code::CursorInvalid.into());
    }
    let mut pages = Vec::with_capacity(sources.len());
    for (source, &place) in sources.iter().zip(&places) {
        let (page, end) = source.page(call, place, limit).await?;
        pages.push((page.into_iter().peekable(), end));
    }
    let mut happened = Vec::new();
    while happened.len() < limit as usize {
        let heads = pages.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, (page, _))| page.peek().map(|(_, next)| (next.time, at)));
        // The first of equals, so that the order is the same each time.
        let Some((_, at)) = heads.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1))) else { break };
        let (place, next) = pages[at].0.next().expect("it was peeked at");
        places[at] = place;
        happened.push((next, Start(places.clone())));
    }
    let end = pages.iter_mut().all(|(page, end)| *end && page.peek().is_none());
    Ok((happened, end))
}
