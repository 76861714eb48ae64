//! Reading feeds: the job, and one reading.

use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, RETRY_AFTER,
};

use super::view::{Feed, kept, told_by};
use crate::feeds;
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::source::Kind;
use crate::methods::source::due::{Due, read_due};
use crate::methods::source::keep::Source;
use crate::methods::source::state::Outcome;
use crate::outside::place::Place;
use crate::outside::{Answered, Ask};
use crate::registry::{Call, Stop};

/// Largest feed.
const FEED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest that reading one may take.
const FEED_TIME_MAX: Duration = Duration::from_secs(20);
/// Kinds of answers, the best first.
const ACCEPTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, \
    text/xml;q=0.9, */*;q=0.5";

/// Reads feeds again and again.
pub fn job() -> Job {
    let round = |host: Arc<Host>, number: u64| -> Round {
        Box::pin(async move {
            let read = round(&host, number).await?;
            if read > 0 {
                tracing::debug!(read, "feeds were read");
            }
            Ok(())
        })
    };
    Job { name: "news.read", every: Duration::from_secs(15), round }
}

/// Reads all feeds that are due and that this member is to read. How many those were.
pub async fn round(host: &Arc<Host>, number: u64) -> Result<usize, Stop> {
    read_due(host, Kind::Feed, "news.read", number, read_one).await
}

async fn read_one(due: Due) -> Result<(), Stop> {
    let Due { call, id } = due;
    let Some(source) = Source::read(&call, Kind::Feed, id).await? else { return Ok(()) };
    let Some(feed) = Feed::read(id, &source.view) else { return Ok(()) };
    let mut ask = Ask::get(feed.url.0);
    ask.bounds.bytes_max = FEED_BYTES_MAX;
    ask.bounds.time_max = FEED_TIME_MAX;
    ask.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    conditions(&source, &mut ask.headers);
    let (mut state, mut rest, mut told) = (source.state.clone(), None, Vec::new());
    let outcome = match call.host.outside.ask(ask).await {
        Err(unanswered) => Outcome::Failed(unanswered.to_string(), None),
        Ok(answered) if answered.status == 304 => {
            rest = max_age(&answered.headers);
            Outcome::Same
        }
        Ok(answered) if (200..300).contains(&answered.status) => match parse(&answered) {
            Err(why) => Outcome::Failed(why.to_owned(), None),
            Ok(found) => {
                rest = found.rest.max(max_age(&answered.headers));
                told = told_by(&found);
                let new = keep(&call, &source, found).await?;
                // Only now: an answer that was not kept is to come again.
                state.validators(text(&answered.headers, ETAG), text(&answered.headers, LAST_MODIFIED));
                if new == 0 { Outcome::Same } else { Outcome::Found(new) }
            }
        },
        Ok(answered) => {
            let retry_after = retry_after(&answered.headers, call.now.wall);
            // Gone for good (410) is asked about once a day.
            let gone = (answered.status == 410).then_some(Duration::from_secs(24 * 60 * 60));
            Outcome::Failed(format!("the server answers {}", answered.status), retry_after.max(gone))
        }
    };
    let now = call.host.cluster.now().wall;
    let draw = u64::from(id.as_bytes()[15]) + u64::from(state.failures);
    state.plan(now, &outcome, rest, draw);
    source.settle(&call, &state, told).await?;
    if matches!(outcome, Outcome::Found(_)) {
        source.trim(&call).await?;
    }
    Ok(())
}

/// What the server is shown of its last answer.
fn conditions(source: &Source, headers: &mut HeaderMap) {
    let state = &source.state;
    for (name, value) in [(IF_NONE_MATCH, &state.etag), (IF_MODIFIED_SINCE, &state.modified)] {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

fn parse(answered: &Answered) -> Result<feeds::Feed, &'static str> {
    let base = Place::parse(&answered.url).map_err(|_| "its address cannot be read")?;
    feeds::read(&answered.body, text(&answered.headers, CONTENT_TYPE), &base).map_err(feeds::NoFeed::why)
}

/// Keeps the items, the oldest first: feeds begin with the newest.
async fn keep(call: &Call, source: &Source, found: feeds::Feed) -> Result<usize, Stop> {
    let mut items: Vec<_> = found.items.into_iter().rev().map(kept).collect();
    items.sort_by_key(|item| item.published.unwrap_or(call.now.wall));
    source.keep(call, items).await
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// How long an answer asks to be kept.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = text(headers, CACHE_CONTROL)?.split(',');
    let seconds = directives.filter_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok()).next()?;
    Some(Duration::from_secs(seconds))
}

/// How long a server asks to be left alone: seconds or a date (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: gomer_core::time::Time) -> Option<Duration> {
    let said = text(headers, RETRY_AFTER)?.trim();
    match said.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => feeds::date::read(said).map(|until| until.since(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::time::Time;

    #[test]
    fn what_a_server_asks_for_is_read_in_both_spellings() {
        let now = feeds::date::read("2026-11-26T10:00:00Z").unwrap();
        let asks = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now).map(|span| span.as_secs())
        };
        assert_eq!(asks("120"), Some(120));
        assert_eq!(asks("Thu, 26 Nov 2026 10:10:00 GMT"), Some(600));
        assert_eq!(asks("Thu, 26 Nov 2020 10:10:00 GMT"), Some(0));
        assert_eq!((asks("soon"), asks("-1"), asks("")), (None, None, None));
        assert_eq!(retry_after(&HeaderMap::new(), Time::ZERO), None);
        let kept = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            max_age(&headers).map(|span| span.as_secs())
        };
        assert_eq!(kept("public, max-age=600"), Some(600));
        assert_eq!((kept("no-store"), kept("max-age=x"), kept("s-maxage=600")), (None, None, None));
    }
}
