//! The work that nobody calls for: takes up whom a bell rang for.
//!
//! Each app has a lane of its own, with few requests under way at once. A round never waits for a lane, so that a service of
//! one app that is slow, or dead, delays no other app. In a cluster, the due lists of an app are spread over partitions, and
//! each member takes up those that it leads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::{Id, Root};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::{Answer, LinkPlace, LinkView, Query};
use tokio::task::JoinHandle;

use super::bell::{DUE_LISTS, bell_id, due_root, place};
use super::deliver::Post;
use super::queue::Left;
use super::shown::News;
use super::{account, delivery, queue, target, unless_changed};
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::model::{PUSH_BELL, PUSH_DUE};
use crate::problem::Code;
use crate::push::lanes::{APP_MAX, Accounts};
use crate::registry::{Call, Caller, Stop};

/// How long a round rests.
const EVERY: Duration = Duration::from_secs(1);
/// Places of a due list that are read at once.
const PAGE: u32 = 250;
/// How often that is done.
const PAGES_MAX: usize = 8;
/// Profiles of one app that are taken up before it is looked again who has waited longest.
const TAKEN_MAX: usize = 500;
/// How long a profile waits that could not be worked for.
const WAIT: Duration = Duration::from_secs(60);

/// A profile that is due: its list, and its place there.
struct Due {
    list: Root,
    place: LinkView,
}

/// Takes up all that is due, app by app, and waits for it. For tests; a server has [`job`].
pub async fn deliver(host: &Arc<Host>) -> Result<usize, Stop> {
    let mut worked = 0;
    for app in apps(host) {
        worked += lane(host, &app).await?;
    }
    Ok(worked)
}

/// Takes up what is due in one app, and waits for it: how many profiles.
pub async fn lane(host: &Arc<Host>, app: &Arc<App>) -> Result<usize, Stop> {
    let Some(_busy) = host.push.enter(app.id) else { return Ok(0) };
    let due = due(host, app).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let call = Call::own(host, app.clone(), Caller::Server { acting_as: None }, METHOD);
    let accounts = account::accounts(&call).await?;
    let worked = due.len();
    let waiting = Arc::new(Mutex::new(VecDeque::from(due)));
    let workers = (0..APP_MAX.min(worked)).map(|_| {
        let (host, app, accounts, waiting) = (host.clone(), app.clone(), accounts.clone(), waiting.clone());
        Aborting(tokio::spawn(async move {
            loop {
                let next = waiting.lock().expect("nobody panics while holding this").pop_front();
                let Some(due) = next else { return };
                settle(&host, &app, &accounts, due).await;
            }
        }))
    });
    for mut worker in workers.collect::<Vec<_>>() {
        if let Err(panicked) = (&mut worker.0).await {
            tracing::error!(app = app.id.0, %panicked, "pushing panicked");
        }
    }
    Ok(worked)
}

fn apps(host: &Arc<Host>) -> Vec<Arc<App>> {
    // What is frozen stays as it is.
    host.cluster.meta().apps.values().filter(|app| app.state != AppState::Frozen).cloned().collect()
}

/// Who is due, of the lists that this member leads, the longest first.
async fn due(host: &Arc<Host>, app: &Arc<App>) -> Result<Vec<Due>, Stop> {
    let now = host.cluster.now().wall;
    let mut due = Vec::new();
    for list in (0..DUE_LISTS).map(due_root) {
        if !host.cluster.leads(app.id, list) {
            continue;
        }
        // The list has the newest first, and who has waited longest is to be first.
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = Query::LinkPage { ty: PUSH_DUE, after, since: None, until: Some(now), limit: PAGE };
            let Answer::LinkPage(links, end) = host.cluster.read(app.id, list, page).await?.answer else {
                return Err(Code::Internal.into());
            };
            after = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
            due.extend(links.into_iter().map(|place| Due { list, place }));
            if end {
                break;
            }
        }
    }
    due.sort_by_key(|due| due.place.time);
    due.truncate(TAKEN_MAX);
    Ok(due)
}

/// Works for one profile, and gives up its place in the list, or puts it off.
async fn settle(host: &Arc<Host>, app: &Arc<App>, accounts: &Accounts, due: Due) {
    let profile = due.place.to;
    let caller = Caller::User { profile, device: Id::NIL, roles: Vec::new() };
    let call = Call::own(host, app.clone(), caller, METHOD);
    let next = match work(&call, profile, accounts).await {
        Ok(next) => next,
        Err(stop) => {
            let code = stop.code().map_or("", Code::name);
            tracing::warn!(app = app.id.0, %profile, code, "pushing to somebody was put off");
            Next::At(call.now.wall + WAIT)
        }
    };
    let op = match next {
        Next::Now => return,
        Next::Never => Operation::DeleteLink { ty: PUSH_DUE, to: profile },
        Next::At(at) => place(profile, Some(at), call.cluster.mint()),
    };
    // Rung for again meanwhile: it stays due.
    let still = Precondition::LinkData(PUSH_DUE, profile, due.place.link.data);
    if let Err(stop) = unless_changed(&call, call.on(due.list).when(still).op(op)).await {
        // It stays due as well.
        let code = stop.code().map_or("", Code::name);
        tracing::warn!(app = app.id.0, %profile, code, "a place in a due list was not given up");
    }
}

/// When to work for a profile again.
enum Next {
    Now,
    At(Time),
    Never,
}

async fn work(call: &Call, profile: Id, accounts: &Accounts) -> Result<Next, Stop> {
    let root = Root::profile(profile);
    // Stilled before anything is read: what comes in from now on rings it again.
    if call.link(root, PUSH_BELL, bell_id()).await?.is_some() {
        let still = call.on(root).op(Operation::DeleteLink { ty: PUSH_BELL, to: bell_id() });
        unless_changed(call, still).await?;
    }
    let targets = target::live(call, profile).await?;
    let mut news = News::of(call, profile).await?;
    let left = queue::fill(call, profile, &mut news, &targets).await?;
    let mut post = Post { call, me: profile, targets, accounts };
    let next = post.deliver(&mut news).await?;
    delivery::trim(call, profile).await?;
    Ok(match (next, left) {
        (Some(at), Left::Nothing | Left::Full) => Next::At(at),
        (None, Left::Nothing) => Next::Never,
        (_, Left::More) | (None, Left::Full) => Next::Now,
    })
}

/// Takes up what is due, again and again. It has one round that never ends and owns the lanes, so that they end with it.
pub fn job() -> Job {
    let round = |host: Arc<Host>, _: u64| -> Round {
        Box::pin(async move {
            let mut lanes: Vec<(gomer_core::id::AppId, Aborting)> = Vec::new();
            loop {
                for app in apps(&host) {
                    // Still under way, or ended and about to be forgotten.
                    let Some(busy) = host.push.enter(app.id) else { continue };
                    drop(busy);
                    lanes.retain(|(of, _)| *of != app.id);
                    // A list that cannot be read now is read the next time.
                    if due(&host, &app).await.map_or(true, |due| due.is_empty()) {
                        continue;
                    }
                    let (host, of) = (host.clone(), app.clone());
                    let run = async move {
                        if let Err(stop) = lane(&host, &of).await {
                            let code = stop.code().map_or("", Code::name);
                            tracing::warn!(app = of.id.0, code, "pushing for an app was ended");
                        }
                    };
                    lanes.push((app.id, Aborting(tokio::spawn(run))));
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    };
    Job { name: METHOD, every: EVERY, round }
}

/// A task that ends with whoever waits for it.
struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What stands in logs.
const METHOD: &str = "push.deliver";
