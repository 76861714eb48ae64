//! Deliveries to hooks. Every member sends the events of the partitions it leads, in order of position within each; each
//! hook has a task of its own, so that one that is slow or gone delays no other.
//!
//! A delivery is done when the address answers 2xx; only then does the hook's place move on. A place that was not
//! written down in time makes the same event come again, under the same `webhook-id`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use gomer_core::id::{AppId, Id, Partition, Position};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::time::Monotonic;
use gomer_core::vnode::query::ChangesFrom;
use tokio::task::JoinHandle;

use super::event::{self, Event};
use super::health::{Failure, Health, Round as Outcome};
use super::keep::{Hook, hooks};
use super::sign::Secret;
use crate::followers::{Changes, Follower, Place, changes};
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::outside::{Ask, Unanswered};
use crate::registry::{Call, Caller, Stop};

/// Rows that are read at once. A page that is a walk is sent again as a whole, if it could not be sent as a whole.
const PAGE: u32 = 50;
/// Partitions of one hook whose events are sent at the same time.
const AT_ONCE: usize = 8;
/// Hooks that are served at the same time on one member. Others wait for the next round.
const HOOKS_AT_ONCE: usize = 1_024;
/// How long one hook is served before it lets others in.
const SERVED_MAX: Duration = Duration::from_secs(30);
/// Failures after which a hook that took nothing is left alone for this round.
const FAILURES_MAX: u32 = 3;
/// A place is written down without any events when it lags by so many positions.
const IDLE_LAG_MAX: u64 = 1_000;
/// How long it is believed what hooks an app has; and that it has none.
const KNOWN_FOR: Duration = Duration::from_secs(2);
const NONE_FOR: Duration = Duration::from_secs(30);
/// Longest text that is kept of why a delivery failed.
const DETAIL_CHARS_MAX: usize = 200;

/// An app's hooks, and when they were read.
type Known = (Monotonic, Arc<Vec<Hook>>);

/// Which hooks are being served, and what is known of them.
#[derive(Debug, Default)]
pub struct Deliveries {
    running: Mutex<BTreeSet<(AppId, Id)>>,
    known: Mutex<BTreeMap<AppId, Known>>,
}

impl Deliveries {
    /// The list of an app's hooks has changed.
    pub fn forget(&self, app: AppId) {
        self.known.lock().expect(UNPOISONED).remove(&app);
    }

    /// The hooks of the call's app, as of a moment ago.
    async fn of(&self, call: &Call) -> Result<Arc<Vec<Hook>>, Stop> {
        let now = call.now.mono;
        if let Some((read, hooks)) = self.known.lock().expect(UNPOISONED).get(&call.app.id) {
            let good_for = if hooks.is_empty() { NONE_FOR } else { KNOWN_FOR };
            if now.since(*read) < good_for {
                return Ok(hooks.clone());
            }
        }
        let hooks = Arc::new(hooks(call).await?);
        self.known.lock().expect(UNPOISONED).insert(call.app.id, (now, hooks.clone()));
        Ok(hooks)
    }

    /// Whether that hook is not being served yet, and there is room: then it is, until the guard goes.
    fn begin(&self, host: &Arc<Host>, app: AppId, hook: Id) -> Option<Served> {
        let mut running = self.running.lock().expect(UNPOISONED);
        let free = running.len() < HOOKS_AT_ONCE && running.insert((app, hook));
        free.then(|| Served { host: host.clone(), app, hook })
    }
}

/// A hook that is being served.
struct Served {
    host: Arc<Host>,
    app: AppId,
    hook: Id,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.host.hooks.running.lock().expect(UNPOISONED).remove(&(self.app, self.hook));
    }
}

/// Sends again and again what happened.
pub fn job() -> Job {
    let round = |host: Arc<Host>, number: u64| -> Round {
        // Nobody waits for what was begun: a slow hook must not hold up the next round of the others.
        Box::pin(async move { begin(&host, number as usize).await.map(drop) })
    };
    Job { name: "hook.deliver", every: Duration::from_secs(1), round }
}

/// Begins to serve every hook that is not being served yet, beginning with another app in each round. What it gives back
/// need not be waited for.
pub async fn begin(host: &Arc<Host>, round: usize) -> Result<Vec<JoinHandle<()>>, Stop> {
    let mut apps: Vec<Arc<App>> = host.cluster.meta().apps.values().cloned().collect();
    // What is frozen stays as it is.
    apps.retain(|app| app.state != AppState::Frozen);
    let turn = round % apps.len().max(1);
    apps.rotate_left(turn);
    let mut tasks = Vec::new();
    for app in apps {
        let call = Call::own(host, app, Caller::Server { acting_as: None }, "hook.deliver");
        let hooks = match host.hooks.of(&call).await {
            Ok(hooks) => hooks,
            // Its partition may be without a leader: no reason to leave the other apps alone.
            Err(_) => continue,
        };
        for hook in hooks.iter() {
            let Some(served) = host.hooks.begin(host, call.app.id, hook.id) else { continue };
            let (call, hook) = (call.clone(), hook.clone());
            tasks.push(tokio::spawn(async move {
                let served = served;
                if let Err(stop) = serve(&call, hook).await {
                    let code = stop.code().map_or("", crate::problem::Code::name);
                    tracing::warn!(app = call.app.name, hook = %served.hook, code, "deliveries were ended");
                }
            }));
        }
    }
    Ok(tasks)
}

/// Sends one hook what this member has for it.
async fn serve(call: &Call, hook: Hook) -> Result<(), Stop> {
    let (health, _) = Health::load(call, hook.id).await?;
    if !health.may_send(call.cluster.now().wall) {
        return Ok(());
    }
    let partitions: Vec<Partition> = call
        .cluster
        .partitions()
        .all()
        .filter(|&partition| call.cluster.leads_partition(partition))
        .collect();
    let serving = Serving {
        secret: Secret::of(&call.app, hook.id),
        follower: Follower::new(hook.follower()),
        until: call.cluster.now().mono + SERVED_MAX,
        call: call.clone(),
        hook,
        delivered: AtomicU64::new(0),
        failures: AtomicU32::new(0),
        gaps: AtomicU32::new(0),
        gone: AtomicBool::new(false),
        failure: Mutex::default(),
    };
    let mut lanes =
        stream::iter(partitions).map(|partition| serving.partition(partition)).buffer_unordered(AT_ONCE);
    let mut ended = Ok(());
    while let Some(lane) = lanes.next().await {
        // One partition without a leader is no reason not to serve the others.
        ended = lane.and(ended);
    }
    let outcome = serving.outcome();
    let before = health.disabled_at;
    let (app, hook, now) = (&call.app.name, serving.hook.id, call.cluster.now().wall);
    if let Some(health) = Health::note(call, hook, &outcome, now).await? {
        if before.is_none() && health.disabled_at.is_some() {
            let detail = health.last_failure.map(|failure| failure.detail).unwrap_or_default();
            tracing::error!(app, %hook, detail, "hook is DISABLED: its deliveries failed for too long");
        } else if let Some(failure) = outcome.failure {
            tracing::warn!(app, %hook, detail = failure.detail, "deliveries to a hook fail");
        }
    }
    ended
}

/// A hook while it is served.
struct Serving {
    call: Call,
    hook: Hook,
    secret: Secret,
    follower: Follower,
    until: Monotonic,
    delivered: AtomicU64,
    failures: AtomicU32,
    gaps: AtomicU32,
    gone: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// What came of one delivery.
enum Sent {
    Taken,
    /// Not taken, or nobody knows: it comes again.
    Failed,
    /// It could not leave: nobody's fault at the other end.
    NotNow,
}

impl Serving {
    fn outcome(&self) -> Outcome {
        Outcome {
            delivered: self.delivered.load(Ordering::Relaxed),
            failure: self.failure.lock().expect(UNPOISONED).clone(),
            gone: self.gone.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
        }
    }

    /// Whether there is no use in going on.
    fn is_over(&self) -> bool {
        let (delivered, failures) =
            (self.delivered.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed));
        self.call.cluster.now().mono >= self.until
            || self.gone.load(Ordering::Relaxed)
            || (delivered == 0 && failures >= FAILURES_MAX)
    }

    async fn partition(&self, partition: Partition) -> Result<(), Stop> {
        let (host, app) = (&self.call.host, self.call.app.id);
        let mut place = self.follower.place(host, app, partition).await?;
        if place.from == ChangesFrom::START
            && let Some(&begins) = self.hook.begins.get(usize::from(partition.0))
        {
            place.from = begins;
        }
        while !self.is_over() && !place.paused {
            let page = place.next(host, PAGE).await?;
            if page.resync {
                self.gap(&mut place).await?;
                return Ok(());
            }
            let chats = self.call.settings().hooks.allow_chats;
            let events = event::events(&self.call, partition, &page, chats).await?;
            let done = self.send_page(events).await;
            let idle = page.items.is_empty() && page.lag() + moved(&place, &page) < IDLE_LAG_MAX;
            let next = match done {
                Done::All if idle && place.from.walk.is_none() && page.next.walk.is_none() => None,
                Done::All => Some(page.next),
                Done::Before(position) => page.up_to(Position(position.0 - 1)),
            };
            // Somebody else may serve the hook now, or it was deleted.
            let kept = match next {
                Some(next) => place.keep(host, next).await?,
                None => true,
            };
            if !kept || page.end || !matches!(done, Done::All) {
                return Ok(());
            }
            if next.is_none() {
                place.from = page.next;
            }
        }
        Ok(())
    }

    /// Sends the events of a page, in order, until one is not taken.
    async fn send_page(&self, events: Vec<(Position, Event)>) -> Done {
        for (position, event) in events {
            if !self.hook.wants(event.name) {
                continue;
            }
            if self.is_over() || !matches!(self.send(&event).await, Sent::Taken) {
                return Done::Before(position);
            }
        }
        Done::All
    }

    /// The place is of no use any more: tells that there is a gap, and goes on behind it.
    async fn gap(&self, place: &mut Place) -> Result<(), Stop> {
        let host = &self.call.host;
        let end = changes(host, place.app, place.partition, place.from, 0).await?;
        let log = (end.next.history, end.next.era);
        let gap = event::gap(place.app, place.partition, log, end.next.position);
        if matches!(self.send(&gap).await, Sent::Taken) && place.keep(host, end.next).await? {
            self.gaps.fetch_add(1, Ordering::Relaxed);
            let (app, hook) = (&self.call.app.name, self.hook.id);
            tracing::warn!(app, %hook, partition = place.partition.0, "a hook may have missed events");
        }
        Ok(())
    }

    async fn send(&self, event: &Event) -> Sent {
        let body =
            Bytes::from(serde_json::to_vec(event).expect("events are plain data, which JSON can hold"));
        let seconds = self.call.cluster.now().wall.as_millis() / 1_000;
        let mut ask = Ask::post(self.hook.url.clone(), body.clone());
        ask.headers = self.secret.headers(&event.id, seconds, &body);
        let failure = match self.call.host.outside.ask(ask).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                return Sent::Taken;
            }
            Ok(answer) => {
                // "The endpoint will never accept anything again" (Standard Webhooks).
                self.gone.fetch_or(answer.status == 410, Ordering::Relaxed);
                let detail = format!("the address answered {}", answer.status);
                Failure { status: Some(answer.status), detail }
            }
            Err(Unanswered::Busy) => return Sent::NotNow,
            Err(unanswered) => {
                let detail = unanswered.to_string().chars().take(DETAIL_CHARS_MAX).collect();
                Failure { status: None, detail }
            }
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.failure.lock().expect(UNPOISONED) = Some(failure);
        Sent::Failed
    }
}

/// How far a page was sent.
enum Done {
    All,
    /// All that stands before this position, and not all at it.
    Before(Position),
}

/// How far a place would move.
fn moved(place: &Place, page: &Changes) -> u64 {
    page.next.position.0.saturating_sub(place.from.position.0)
}

const UNPOISONED: &str = "nothing panics under this lock";
