//! Answers queries from rows, as of one moment.

use crate::graph::{LinkWindow, link, node};
use crate::id::{AppId, Partition, Root};
use crate::mutant::Mutants;
use crate::rows::applied::{self, Applied};
use crate::rows::{Place, get, name, operation};
use crate::store::{StateRead, StoreFault};
use crate::streams::{mark, range};

use super::journal::Journals;
use super::query::{Answer, PAGE_MAX, QUERIES_MAX, Query, Reading};
use super::{changes, delta};

/// Answers a query without a journal. The vnode's own row must be there: a vnode without one has not started.
pub fn answer(
    rows: &dyn StateRead,
    partition: Partition,
    app: AppId,
    root: Root,
    query: &Query,
    mutants: Mutants,
) -> Result<Reading, StoreFault> {
    answer_with(rows, None, partition, app, root, query, mutants)
}

/// Answers a query. The rows must have been taken before the journals are looked at.
pub fn answer_with(
    rows: &dyn StateRead,
    journals: Option<&Journals>,
    partition: Partition,
    app: AppId,
    root: Root,
    query: &Query,
    mutants: Mutants,
) -> Result<Reading, StoreFault> {
    let applied: Applied = get(rows, &applied::key(partition))?
        .ok_or_else(|| StoreFault::Corrupt(format!("partition {} has no row of its own", partition.0)))?;
    let answer = match query {
        Query::Changes { from, limit } => {
            let limit = (*limit).min(PAGE_MAX) as usize;
            Answer::Changes(changes::page(rows, journals, partition, app, &applied, *from, limit)?)
        }
        query => {
            let place = super::apply::place(partition, app, root, mutants);
            ask(rows, place, &applied, query, mutants)?
        }
    };
    Ok(Reading { answer, position: applied.position, history: applied.history, eras: applied.eras })
}

fn ask(
    rows: &dyn StateRead,
    place: Place,
    applied: &Applied,
    query: &Query,
    mutants: Mutants,
) -> Result<Answer, StoreFault> {
    let page = |limit: u32| limit.min(PAGE_MAX) as usize;
    Ok(match query {
        Query::Node(id) => Answer::Node(node::read(rows, place, *id)?),
        Query::NodeOrTombstone(id) => {
            let node = node::read(rows, place, *id)?;
            let gone = node.is_none() && node::was_deleted(rows, place, *id)?;
            Answer::NodeOrTombstone(node, gone)
        }
        Query::Nodes { limit } => Answer::Nodes(node::list(rows, place, page(*limit))?),
        Query::Links { ty, to } => Answer::Links(
            to.iter()
                .take(PAGE_MAX as usize)
                .map(|to| link::read(rows, place, *ty, *to))
                .collect::<Result<_, _>>()?,
        ),
        Query::LinkPage { ty, after, since, until, limit } => {
            let window = LinkWindow { after: *after, since: *since, until: *until };
            let (links, end) = link::range(rows, place, *ty, window, page(*limit))?;
            Answer::LinkPage(links, end)
        }
        Query::LinkCounts(types) => Answer::LinkCounts(
            types
                .iter()
                .take(PAGE_MAX as usize)
                .map(|ty| link::count(rows, place, *ty))
                .collect::<Result<_, _>>()?,
        ),
        Query::Entry { stream, id } => Answer::Entry(range::read(rows, place, *stream, *id)?),
        Query::EntryPage { stream, from, newest_first, limit } => {
            let (entries, end) = range::page(rows, place, *stream, *from, *newest_first, page(*limit))?;
            Answer::EntryPage(entries, end)
        }
        Query::Unread { stream, cap } => {
            let read = mark::read(rows, place, *stream)?.map(|mark| mark.at);
            Answer::Unread(range::unread(rows, place, *stream, read, (*cap).min(PAGE_MAX))?)
        }
        Query::Mark(stream) => Answer::Mark(mark::read(rows, place, *stream)?),
        Query::Name => Answer::Name(get(rows, &name::key(place))?),
        Query::Operation { caller, op } => {
            Answer::Operation(get(rows, &operation::key(place, *caller, *op))?)
        }
        Query::Delta { section, from, limit } => {
            Answer::Delta(delta::page(rows, place, applied, *section, *from, page(*limit), mutants)?)
        }
        // Of one moment with others: from the change index alone.
        Query::Changes { from, limit } => {
            let Place { partition, app, .. } = place;
            Answer::Changes(changes::page(rows, None, partition, app, applied, *from, page(*limit))?)
        }
        Query::All(queries) => Answer::All(
            queries
                .iter()
                .take(QUERIES_MAX)
                .map(|query| ask(rows, place, applied, query, mutants))
                .collect::<Result<_, _>>()?,
        ),
    })
}
