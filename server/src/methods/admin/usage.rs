//! What an app uses: calls and bytes by day, and what its uploads take on disk.
//!
//! Days are nodes in a root of the app that only grow. Each member adds what it counted ([`crate::usage`]) once a minute.
//! A write whose outcome is not known is taken as done: a number may be too small by what one minute brought, and is
//! never too large. What uploads take is counted by the very writes that make and remove them.

use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::meta::command::AppState;
use gomer_core::rows::node::Flags;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Step, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::limits::Policy;
use crate::methods::media::facts::Facts;
use crate::methods::post::view::read;
use crate::model::USAGE;
use crate::registry::{Cache, Call, Reply, Stop};
use crate::types::{Limit, Timestamp};
use crate::usage::Used;

/// Days that are kept.
const DAYS_KEPT: u32 = 62;
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How many days that are over are looked at, to be removed, with each write: as many as a server may have been away.
const DAYS_REMOVED: u32 = 8;

fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("usage", b""))
}

/// A day, as `2026-11-23`, in UTC.
fn day(time: Time) -> String {
    time.text().as_str()[..10].to_owned()
}

fn day_id(day: &str) -> Id {
    Id::derived("usage of a day", day.as_bytes())
}

fn stored_id() -> Id {
    Id::derived("usage of the store", b"")
}

fn make(id: Id) -> Operation {
    Operation::CreateNode {
        id,
        ty: USAGE,
        section: Section::INTERNAL,
        author: Id::NIL,
        flags: Flags::default(),
        attrs: Vec::new(),
    }
}

fn add(id: Id, name: &str, delta: i64) -> Operation {
    Operation::AddToAttr { id, name: name.to_owned(), delta }
}

/// The step that counts the files of a new object, or of one that goes.
pub fn stored(facts: &Facts, sign: i64) -> Step {
    let id = stored_id();
    let bytes: u64 = facts.files.iter().map(|file| file.bytes).sum();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let ops = vec![make(id), add(id, FILES, sign * facts.files.len() as i64), add(id, BYTES, sign * bytes)];
    Step::to(root(), ops)
}

/// Adds what this process counted since the last time to the days of all apps.
pub async fn keep(host: &Arc<Host>) -> Result<(), Stop> {
    let apps: Vec<_> = host.cluster.meta().apps.values().cloned().collect();
    for app in apps {
        let used = host.usage.unkept(app.id);
        if used == Used::default() || app.state == AppState::Frozen {
            continue;
        }
        let now = host.cluster.now().wall;
        let id = day_id(&day(now));
        let delta = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut write = Write::new(app.id, root(), Id::NIL)
            .op(make(id))
            .op(add(id, CALLS, delta(used.calls)))
            .op(add(id, BYTES_IN, delta(used.bytes_in)))
            .op(add(id, BYTES_OUT, delta(used.bytes_out)));
        let over = (DAYS_KEPT..DAYS_KEPT + DAYS_REMOVED).map(|ago| day_id(&day(now - DAY * ago)));
        write.ops.extend(over.map(|id| Operation::DeleteNode { id }));
        match host.cluster.write(write).await {
            Ok(_) | Err(Fault::Timeout) => host.usage.keep(app.id, used),
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}

/// The job.
pub fn job() -> Job {
    let round = |host: Arc<Host>, _: u64| -> Round { Box::pin(async move { keep(&host).await }) };
    Job { name: "admin.usage", every: Duration::from_secs(60), round }
}

/// Which days.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetUsage {
    /// How many days, today included: 1 to 62.
    #[serde(default)]
    days: Limit<30, 62>,
}

/// What was used.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AppUsage")]
pub struct Usage {
    /// By day, the newest first; days without calls are left out. All members together. What members counted within the
    /// last minute may be missing, and what one counted in the minute before it was killed is.
    days: Vec<DayUsed>,
    /// What the member that answers has counted and not added to its day yet.
    pending: Counted,
    /// What the member that answers has counted since it was started.
    since_start: Counted,
    /// What is stored.
    storage: Storage,
    /// How often may be called, as it is in force now. Empty if calls are not limited.
    rates: Vec<RateInForce>,
    /// As of when.
    as_of: Timestamp,
}

/// What was used on a day.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DayUsed {
    /// The day, in UTC.
    day: String,
    /// How much.
    #[serde(flatten)]
    counted: Counted,
}

/// How much was used.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counted {
    /// Calls of methods, and requests for uploads and files.
    calls: u64,
    /// Bytes of bodies that came.
    bytes_in: u64,
    /// Bytes of bodies that went. Of a file, as many as were announced; live streams are not counted.
    bytes_out: u64,
}

impl From<Used> for Counted {
    fn from(Used { calls, bytes_in, bytes_out }: Used) -> Counted {
        Counted { calls, bytes_in, bytes_out }
    }
}

/// What is stored. Rows are not counted by app.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Storage {
    /// Files of uploads, smaller sizes of pictures included.
    files: u64,
    /// Their bytes.
    bytes: u64,
    /// How many bytes there may be; `null`: as many as the disk holds.
    bytes_max: Option<u64>,
}

/// How often may be called.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RateInForce {
    /// Of which class.
    class: &'static str,
    /// How many calls.
    count: u64,
    /// In how many seconds.
    window_s: u64,
    /// How many may come at once.
    burst: u64,
}

/// Shows it.
pub async fn get(call: Call, args: GetUsage) -> Result<Reply<Usage>, Stop> {
    let now = call.now.wall;
    let mut days = Vec::new();
    for ago in 0..args.days.0 {
        let day = day(now - DAY * ago);
        let Some(view) = call.node(root(), day_id(&day)).await? else { continue };
        let number = |name: &str| read(&view, name).unwrap_or(0);
        let counted =
            Counted { calls: number(CALLS), bytes_in: number(BYTES_IN), bytes_out: number(BYTES_OUT) };
        days.push(DayUsed { day, counted });
    }
    let stored = call.node(root(), stored_id()).await?;
    let number = |name: &str| stored.as_ref().and_then(|view| read(view, name)).unwrap_or(0);
    let rate = |(class, policy): (&'static str, Policy)| RateInForce {
        class,
        count: policy.quota,
        window_s: policy.window_s,
        burst: policy.burst,
    };
    let usage = Usage {
        days,
        pending: call.host.usage.unkept(call.app.id).into(),
        since_start: call.host.usage.of(call.app.id).into(),
        storage: Storage { files: number(FILES), bytes: number(BYTES), bytes_max: None },
        rates: call.host.limits.policies(&call.app).into_iter().map(rate).collect(),
        as_of: Timestamp(now),
    };
    Ok(Reply::new(usage).cache(Cache::Never))
}

const CALLS: &str = "calls";
const BYTES_IN: &str = "bytesIn";
const BYTES_OUT: &str = "bytesOut";
const FILES: &str = "files";
const BYTES: &str = "bytes";
