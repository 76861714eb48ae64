//! Which sources are to be read now, and by whom: the member that leads a source's partition reads it, so that in a
//! cluster each is read once, and goes on elsewhere when leadership moves.

use std::future::Future;
use std::sync::Arc;

use gomer_core::id::Id;
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::keep::{Source, clear_gone};
use super::{Kind, source_root};
use crate::host::Host;
use crate::model::SOURCES;
use crate::registry::{Call, Caller, Stop};

/// Sources that are read at once.
const AT_ONCE: usize = 16;
/// Sources of one app that are read in one round: the others' turn comes as well.
const PER_APP: usize = 32;
/// Sources that are read in one round.
const PER_ROUND: usize = 256;
/// Links that are read at once.
const PAGE: u32 = 100;

/// A source that is due, with the call under which it is read.
pub struct Due {
    /// On behalf of the server itself.
    pub call: Call,
    /// Which.
    pub id: Id,
}

/// Reads all sources of a kind that are due, each by `read`. How many those were. What fails for one of them is in the log.
pub async fn read_due<F>(
    host: &Arc<Host>,
    kind: Kind,
    name: &'static str,
    round: u64,
    read: fn(Due) -> F,
) -> Result<usize, Stop>
where
    F: Future<Output = Result<(), Stop>> + Send + 'static,
{
    let mut apps: Vec<Arc<App>> = host.cluster.meta().apps.values().cloned().collect();
    // Another app is the first each time: no app is always behind the bound.
    let first = (round % apps.len().max(1) as u64) as usize;
    apps.rotate_left(first);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut reading = Reading(Vec::new());
    for app in apps.into_iter().filter(|app| app.state == AppState::Active) {
        if reading.0.len() >= PER_ROUND {
            break;
        }
        let call = Call::own(host, app, Caller::Server { acting_as: None }, name);
        clear_gone(&call, kind).await?;
        for id in due_of(&call, kind).await? {
            let (due, slots) = (Due { call: call.clone(), id }, slots.clone());
            reading.0.push(tokio::spawn(async move {
                let _slot = slots.acquire().await;
                if let Err(stop) = read(due).await {
                    // Another member was first, it was deleted meanwhile, or the store is busy: the next round goes on.
                    let code = stop.code().map_or("", crate::problem::Code::name);
                    tracing::debug!(job = name, code, "a source was not read");
                }
            }));
        }
    }
    let count = reading.0.len();
    for task in &mut reading.0 {
        if let Err(panicked) = task.await {
            tracing::error!(job = name, %panicked, "reading a source panicked");
        }
    }
    Ok(count)
}

/// The sources of an app that this member is to read now.
async fn due_of(call: &Call, kind: Kind) -> Result<Vec<Id>, Stop> {
    let (mut due, mut after) = (Vec::new(), None);
    loop {
        let (links, end) = call.link_page(kind.list_root(), SOURCES, after, PAGE).await?;
        after = links.last().map(|last| gomer_core::vnode::query::LinkPlace { time: last.time, to: last.to });
        for link in &links {
            if !call.cluster.leads(call.app.id, source_root(link.to)) {
                continue;
            }
            if let Some(source) = Source::read(call, kind, link.to).await?
                && source.state.is_due(call.now.wall)
            {
                due.push((source.state.next_at, link.to));
            }
        }
        if end || links.is_empty() {
            break;
        }
    }
    // Those that wait longest first.
    due.sort_unstable();
    due.truncate(PER_APP);
    Ok(due.into_iter().map(|(_, id)| id).collect())
}

/// Tasks that end with whoever waits for them.
struct Reading(Vec<JoinHandle<()>>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
