//! `gomer serve`: from a data directory to listeners that accept, and back.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gomer::auth::argon2_pool::Argon2Pool;
use gomer::auth::mail::Mailer;
use gomer::auth::outbox::Outbox;
use gomer::auth::smtp::SmtpRelay;
use gomer::blob::Blobs;
use gomer::blob::disk::DiskStore;
use gomer::blob::workers::{Threads, Workers};
use gomer::first_start;
use gomer::host::{Edges, Host};
use gomer::http::{Api, Side};
use gomer::jobs;
use gomer::outside::{Client, Guard};
use gomer::search::Search;
use gomer::search::stored::DiskIndex;
use gomer::store::cluster::refuse_clustered;
use gomer::store::dir::{DataDir, DirFault, Format};
use gomer::store::log::LogSettings;
use gomer::store::reserve::Reserve;
use gomer_core::ring::partition::META;
use gomer_core::shard::last_stamp;
use gomer_core::store::StoreFault;
use gomer_core::time::Time;
use gomer_net::cluster::Cluster;
use gomer_net::edges::Entropy;
use gomer_net::http::{Drain, Front, Limits};
use gomer_net::runtime::{Member, MemberConfig};
use serde::Serialize;
use tokio::task::JoinHandle;

use super::edges::{self, SystemEntropy};
use super::exit::{End, Exit};
use super::search::SEARCH_DIR;
use super::settings::Settings;
use super::signals::Listened;
use super::{join, signals};

/// Runs until a signal, and ends in good order.
pub async fn run(settings: Settings, json: bool) -> Result<(), End> {
    let Listened { end, look_again } = signals::listen()?;
    // First the addresses, so that a second process does not touch anything.
    let mut public = bind(settings.listen, &settings.limits, "--listen").await?;
    let admin = bind(settings.admin_listen, &settings.limits, "--admin-listen").await?;
    let mut renewing = None;
    if let Some(files) = &settings.tls {
        let tls = Arc::new(files.open()?);
        renewing = Some(tokio::spawn(files.clone().follow(tls.clone(), look_again)));
        public = public.through(tls);
    }
    let dir = Arc::new(open_dir(&settings)?);
    let (member, tide) = start_member(&settings, &dir).await?;
    let member = Arc::new(member);
    let host = make_host(&settings, member.cluster().clone(), &dir)?;
    host.show_front("public", public.counts());
    host.show_front("admin", admin.counts());
    let watching =
        tokio::spawn(watch_space(member.clone(), host.blobs.clone(), dir.clone(), settings.reserve_bytes));
    let jobs = jobs::start(&host, jobs::all());
    let (credentials, first) = match member.cluster().ring() {
        None => {
            let credentials = first_start::run(&host, dir.path(), settings.demo)
                .await
                .map_err(|error| End::new(Exit::Failed, format!("{error:#}")))?;
            (credentials, None)
        }
        Some(ring) => {
            let first = ring.is_first();
            let making = tokio::spawn(start_in_cluster(host.clone(), dir.clone(), first, settings.demo));
            (Some(dir.path().join(first_start::DEMO_FILE)).filter(|file| file.exists()), Some(making))
        }
    };
    let ready = Ready::of(&public, &admin, dir.path(), credentials.as_deref());
    let (drain, admin_drain) = (Drain::new(), Drain::new());
    let mut serving =
        tokio::spawn(public.serve(Arc::new(Api::new(host.clone(), Side::Public)), drain.clone()));
    let admin_api = Arc::new(Api::new(host.clone(), Side::Admin));
    let mut admin_serving = tokio::spawn(admin.serve(admin_api, admin_drain.clone()));
    if first.is_none() {
        host.health.start();
    }
    ready.say(json);
    let name = end.await.unwrap_or("the end of the signal thread");
    tracing::info!(signal = name, drain_s = settings.drain.as_secs(), "draining");
    host.health.drain();
    drain.begin();
    // The admin listener answers to the end, so that `/readyz` can be asked why.
    if tokio::time::timeout(settings.drain, &mut serving).await.is_err() {
        tracing::warn!(requests = drain.requests(), "requests were cut off after drain_s");
        drain.cut();
        let _ = serving.await;
    }
    admin_drain.begin();
    if tokio::time::timeout(ADMIN_DRAIN, &mut admin_serving).await.is_err() {
        admin_drain.cut();
        let _ = admin_serving.await;
    }
    jobs.stop().await;
    for task in [Some(watching), renewing, tide, first].into_iter().flatten() {
        task.abort();
        let _ = task.await;
    }
    drop(host);
    stop(member).await;
    tracing::info!("stopped");
    Ok(())
}

/// Listens, or says what to do instead.
async fn bind(address: SocketAddr, limits: &Limits, flag: &str) -> Result<Front, End> {
    Front::bind(address, limits.clone()).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(address.ip(), 0);
            End::new(Exit::Address, format!("{address} is in use; try {flag} {free}"))
        }
        _ => End::new(Exit::Failed, format!("{address}: {error}")),
    })
}

fn open_dir(settings: &Settings) -> Result<DataDir, End> {
    let mut incarnation = [0; 16];
    SystemEntropy.fill(&mut incarnation);
    DataDir::open(&settings.data, Format { shards: settings.shards, incarnation }).map_err(dir_end)
}

pub(super) fn dir_end(fault: DirFault) -> End {
    let code = match fault {
        DirFault::Locked { .. }
        | DirFault::NewerFormat { .. }
        | DirFault::Damaged { .. }
        | DirFault::Foreign { .. } => Exit::Data,
        DirFault::Io { .. } => Exit::Failed,
    };
    End::new(code, fault.to_string())
}

/// What is done once for a cluster is done by its first member, as soon as there is a majority. Only then, and on
/// the others when partitions have leaders, is the member ready.
async fn start_in_cluster(host: Arc<Host>, dir: Arc<DataDir>, first: bool, demo: bool) {
    while !host.cluster.is_live() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    while first && let Err(error) = first_start::run(&host, dir.path(), demo).await {
        tracing::warn!("the first start is not complete yet: {error:#}");
        tokio::time::sleep(TRY_AGAIN).await;
    }
    host.health.start();
    tracing::info!("ready");
}

/// Opens the stores and starts the member; of a cluster, also what keeps its disk's tide.
async fn start_member(settings: &Settings, dir: &DataDir) -> Result<(Member, Option<JoinHandle<()>>), End> {
    let file = match &settings.peers {
        Some(peers) => Some(join::open_file(peers, dir)?),
        None => {
            refuse_clustered(dir).map_err(join::cluster_end)?;
            None
        }
    };
    let format = dir.format();
    let mut shards = Vec::new();
    for shard in 0..format.shards {
        shards.push(dir.open_shard(shard, LogSettings::default(), settings.cache_bytes).map_err(dir_end)?);
    }
    let meta = dir.open_meta(LogSettings::default(), META_CACHE_BYTES).map_err(dir_end)?;
    let edges = edges::real();
    if settings.peers.is_none() {
        let mut last = last_stamp(&meta.0, &meta.1, [META]).map_err(|fault| store_end(dir, fault))?;
        for (log, state) in &shards {
            let partitions = MemberConfig::new(1).partitions.all();
            last = last.max(last_stamp(log, state, partitions).map_err(|fault| store_end(dir, fault))?);
        }
        check_clock(edges.clock.now().wall, last, settings.accept_clock)?;
    }
    let (head, _) = format.incarnation.split_first_chunk().expect("an incarnation has 16 bytes");
    let peer = u64::from_le_bytes(*head).max(1);
    let config = MemberConfig::new(peer);
    if let (Some(peers), Some(file)) = (&settings.peers, file) {
        let member = join::start(peers, config, shards, meta, file.clone(), dir).await?;
        return Ok((member, Some(tokio::spawn(join::keep_tide(file)))));
    }
    let started = Member::start(config, edges, shards, meta).await;
    Ok((started.map_err(|fault| store_end(dir, fault))?, None))
}

/// How the process ends when a store could not be opened.
pub(super) fn store_end(dir: &DataDir, fault: StoreFault) -> End {
    match fault {
        StoreFault::Corrupt(_) => {
            let path = dir.path().to_owned();
            dir_end(DirFault::Damaged { path, what: fault.to_string() })
        }
        StoreFault::Io(_) | StoreFault::Full => End::new(Exit::Disk, fault.to_string()),
    }
}

/// A lone member has nobody to ask the time. A clock that is wrong by years would end every session and grant,
/// forget every deletion, and stamp what is written until its day comes; so one that is a day ahead of the last
/// write is believed only if somebody says so.
fn check_clock(now: Time, last: Time, accepted: bool) -> Result<(), End> {
    let ahead = now.since(last);
    if last == Time::ZERO || ahead < CLOCK_AHEAD_MAX || accepted {
        return Ok(());
    }
    let days = ahead.as_secs() / (24 * 60 * 60);
    let why = format!(
        "the clock says {now}, and the last write here was at {last}, {days} days before. If the clock is wrong, set it: \
         sessions, grants and deletions would run out by it. If this server was stopped that long, or its data is a copy \
         from then, start it once with --accept-clock"
    );
    Err(End::new(Exit::Refused, why))
}

fn make_host(settings: &Settings, cluster: Cluster, dir: &DataDir) -> Result<Arc<Host>, End> {
    let failed = |what: &str, error: std::io::Error| End::new(Exit::Failed, format!("{what}: {error}"));
    let passwords = Argon2Pool::start().map_err(|error| failed("threads for passwords", error))?;
    let mailer: Arc<dyn Mailer> = match &settings.smtp_relay {
        Some(relay) => {
            let relay = SmtpRelay::start(relay, &settings.smtp_from);
            Arc::new(relay.map_err(|error| failed("the thread for mails", error))?)
        }
        None => {
            let outbox = Outbox::open(&dir.path().join("outbox"));
            Arc::new(outbox.map_err(|error| failed("the outbox of mails", error))?)
        }
    };
    let store = DiskStore::open(&dir.path().join("blobs"))
        .map_err(|error| failed("the directory of uploads", error))?;
    let threads = |name: &str, threads: usize, queue: usize| -> Result<Arc<dyn Workers>, End> {
        let threads = Threads::start(name, threads, queue);
        Ok(Arc::new(threads.map_err(|error| failed("threads for files", error))?))
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let blobs = Blobs::new(
        Arc::new(store),
        threads("files", 4, FILES_QUEUE)?,
        threads("pictures", cores.div_ceil(2), PICTURES_QUEUE)?,
    );
    let outside = Arc::new(make_outside(settings)?);
    let index = DiskIndex::open(&dir.path().join(SEARCH_DIR))
        .map_err(|fault| End::new(Exit::Failed, format!("the search index: {fault}")))?;
    // One writes; who follows waits for it, so nothing ever waits behind.
    let search = Search::new(Arc::new(index), threads("search", 1, 2)?);
    let edges = Edges { passwords: Arc::new(passwords), mailer, blobs, outside, search };
    let host = Host::new(cluster, edges);
    if let Some(token) = &settings.x_token {
        let _ = host.x_token.set(token.clone());
    }
    Ok(host)
}

fn make_outside(settings: &Settings) -> Result<Client, End> {
    let guard = Guard::new(settings.outside_allow.clone(), settings.outside_ports.clone());
    let Some(file) = &settings.outside_authorities else {
        return Ok(Client::new(guard, b"").expect("no authorities are always fine"));
    };
    let refused =
        |why: String| End::new(Exit::Usage, format!("outside.authorities: {}: {why}", file.display()));
    let authorities = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    if authorities.trim_ascii().is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Client::new(guard, &authorities).map_err(|fault| refused(fault.to_string()))
}

/// Looks at the free space, and has client writes refused while there is too little.
async fn watch_space(member: Arc<Member>, blobs: Blobs, dir: Arc<DataDir>, reserve_bytes: u64) {
    let mut reserve = Reserve::new(reserve_bytes);
    loop {
        match dir.space() {
            Ok(space) => {
                if reserve.observe(space.free) {
                    let (full, free_mb) = (reserve.is_full(), space.free >> 20);
                    tracing::warn!(full, free_mb, "client writes are refused while the disk is full");
                }
                member.set_full(reserve.is_full());
                blobs.set_full(reserve.is_full());
            }
            Err(fault) => tracing::warn!(%fault, "the free space cannot be told"),
        }
        tokio::time::sleep(SPACE_EVERY).await;
    }
}

/// Checkpoints and ends the shards. Nobody else holds the member any more.
async fn stop(member: Arc<Member>) {
    match Arc::try_unwrap(member) {
        Ok(member) => member.stop().await,
        // What is in the log is on disk; the next start applies it again.
        Err(_) => tracing::warn!("stopped without a checkpoint"),
    }
}

/// The line on standard output.
#[derive(Serialize)]
struct Ready {
    event: &'static str,
    version: &'static str,
    pid: u32,
    http: String,
    admin: String,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<String>,
}

impl Ready {
    fn of(public: &Front, admin: &Front, data: &Path, credentials: Option<&Path>) -> Ready {
        let shown =
            |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        Ready {
            event: "ready",
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            http: format!("{}://{}", if public.is_layered() { "https" } else { "http" }, public.local_addr()),
            admin: format!("http://{}", admin.local_addr()),
            data: shown(data),
            app: credentials.map(|_| first_start::plan::APP),
            credentials: credentials.map(shown),
        }
    }

    fn say(&self, json: bool) {
        let mut out = std::io::stdout();
        let text = if json || !out.is_terminal() {
            serde_json::to_string(self).expect("plain data, which JSON can hold")
        } else {
            let mut text = format!(
                "Gomer {} takes requests on {} (for operators: {}).\n",
                self.version, self.http, self.admin
            );
            text += &format!("Data: {}", self.data);
            if let Some(credentials) = &self.credentials {
                text += &format!("\nThe app `demo` has its keys and people in {credentials}.\n");
                text += &format!("Try: curl {}/v1/-/system.getHealth", self.http);
            }
            text
        };
        // Whoever started it may not listen any more; it serves all the same.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// How long requests on the admin listener may take to end.
const ADMIN_DRAIN: Duration = Duration::from_secs(2);
/// Reads and writes of files that may wait.
const FILES_QUEUE: usize = 256;
/// Pictures and hashes of files that may wait.
const PICTURES_QUEUE: usize = 32;
/// How soon it is looked again whether there is a majority.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How soon a first start that was refused is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How far the clock may be ahead of the last write.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const SPACE_EVERY: Duration = Duration::from_secs(2);
const META_CACHE_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_a_day_ahead_of_the_last_write_takes_a_word() {
        let last = Time::from_millis(1_795_456_500_000);
        let day = Duration::from_secs(24 * 60 * 60);
        let second = Duration::from_secs(1);
        for fine in [last, last + second, last + (day - second), last - day, last - 3_000 * day] {
            assert!(check_clock(fine, last, false).is_ok(), "{fine}");
        }
        assert!(check_clock(last, Time::ZERO, false).is_ok(), "a new store");
        for ahead in [day, 10 * 365 * day] {
            let end = check_clock(last + ahead, last, false).unwrap_err();
            assert_eq!(end.code, Exit::Refused);
            assert!(end.why.contains("--accept-clock") && end.why.contains("days"), "{}", end.why);
            assert!(check_clock(last + ahead, last, true).is_ok());
        }
    }
}
