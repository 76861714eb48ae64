//! Reading tracks: the job, and one reading.

use std::sync::Arc;
use std::time::Duration;

use super::provider::{Message, Provider, provider_of};
use super::view::{Service, Subject, Track, kept};
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::news::read::retry_after;
use crate::methods::source::Kind;
use crate::methods::source::due::{Due, read_due};
use crate::methods::source::keep::Source;
use crate::methods::source::state::{Outcome, State};
use crate::outside::{Answered, Ask, Unanswered};
use crate::registry::{Call, Stop};

/// Largest answer of a service.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest that a service may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// Reads tracks again and again.
pub fn job() -> Job {
    let round = |host: Arc<Host>, number: u64| -> Round {
        Box::pin(async move {
            let read = round(&host, number).await?;
            if read > 0 {
                tracing::debug!(read, "tracks were read");
            }
            Ok(())
        })
    };
    Job { name: "tweet.read", every: Duration::from_secs(15), round }
}

/// Reads all tracks that are due and that this member is to read. How many those were.
pub async fn round(host: &Arc<Host>, number: u64) -> Result<usize, Stop> {
    read_due(host, Kind::Track, "tweet.read", number, read_one).await
}

async fn read_one(due: Due) -> Result<(), Stop> {
    let Due { call, id } = due;
    let Some(source) = Source::read(&call, Kind::Track, id).await? else { return Ok(()) };
    let Some(track) = Track::read(id, &source.view) else { return Ok(()) };
    let mut state = source.state.clone();
    let counted_by = match track.service {
        Service::X => "api.x.com".to_owned(),
        Service::Mastodon => track.server.clone().unwrap_or_default(),
    };
    if let Some(until) = call.host.quotas.closed(&counted_by, call.now.wall) {
        // Not a failure: the service has told another track when it may be asked again.
        state.next_at = Some(until.into());
        return source.settle(&call, &state, Vec::new()).await;
    }
    let reading = Reading { call: &call, source: &source, counted_by: &counted_by };
    let outcome = match provider_of(&track, call.host.x_token.get().map(String::as_str)) {
        None => {
            Outcome::Failed("this server has no token for X".to_owned(), Some(Duration::from_secs(3_600)))
        }
        Some(provider) => match track.subject() {
            None => return Ok(()),
            Some(subject) => reading.read(provider.as_ref(), &subject, &mut state).await?,
        },
    };
    let now = call.host.cluster.now().wall;
    let rest = call.host.quotas.closed(&counted_by, now).map(|until| until.since(now));
    state.plan(now, &outcome, rest, u64::from(id.as_bytes()[15]) + u64::from(state.failures));
    source.settle(&call, &state, Vec::new()).await?;
    if matches!(outcome, Outcome::Found(_)) {
        source.trim(&call).await?;
    }
    Ok(())
}

struct Reading<'a> {
    call: &'a Call,
    source: &'a Source,
    counted_by: &'a str,
}

impl Reading<'_> {
    /// Looks the account up, if that was not done before, and reads what is new.
    async fn read(
        &self,
        provider: &(dyn Provider + Send + Sync),
        subject: &Subject,
        state: &mut State,
    ) -> Result<Outcome, Stop> {
        if let Subject::Account(name) = subject
            && state.subject.is_none()
        {
            match self
                .ask(provider, provider.look_up(name))
                .await
                .and_then(|it| useful(provider.found(&it.body)))
            {
                Ok(found) => state.subject = Some(found),
                Err(failed) => return Ok(failed),
            }
        }
        let ask = provider.messages(subject, state.subject.as_deref(), state.mark.as_deref());
        let messages = match self.ask(provider, ask).await.and_then(|it| useful(provider.read(&it.body))) {
            Ok(messages) => messages,
            Err(failed) => return Ok(failed),
        };
        let newest =
            messages.iter().map(|message| message.id.clone()).max_by_key(|id| (id.len(), id.clone()));
        let mut items: Vec<_> = messages.into_iter().rev().filter_map(|it: Message| kept(it)).collect();
        items.sort_by_key(|item| item.published);
        let new = self.source.keep(self.call, items).await?;
        // Only now: what was not kept is to come again.
        if let Some(newest) = newest.filter(|id| id.len() <= 128) {
            state.mark = Some(newest);
        }
        Ok(if new == 0 { Outcome::Same } else { Outcome::Found(new) })
    }

    async fn ask(&self, provider: &(dyn Provider + Send + Sync), mut ask: Ask) -> Result<Answered, Outcome> {
        ask.bounds.bytes_max = ANSWER_BYTES_MAX;
        ask.bounds.time_max = ANSWER_TIME_MAX;
        let answer = self.call.host.outside.ask(ask).await;
        let answered = answer.map_err(|why: Unanswered| Outcome::Failed(why.to_string(), None))?;
        let now = self.call.host.cluster.now().wall;
        let asked = retry_after(&answered.headers, now);
        let rest = provider.rest(answered.status, &answered.headers, now);
        let rest = if answered.status == 429 { rest.max(asked) } else { rest };
        if let Some(rest) = rest {
            self.call.host.quotas.close(self.counted_by, now, rest);
        }
        match answered.status {
            200 => Ok(answered),
            status => Err(Outcome::Failed(format!("the service answers {status}"), rest.max(asked))),
        }
    }
}

fn useful<T>(read: Result<T, &'static str>) -> Result<T, Outcome> {
    read.map_err(|why| Outcome::Failed(why.to_owned(), None))
}
